//! Mounts as descriptors: made or copied where nobody sees them, restricted, then put in their place.

use std::{
    io,
    mem::size_of,
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use nix::libc;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// Never programs of another user, never devices.
pub(super) const PLAIN: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NODEV);
pub(super) const READ_ONLY: MountAttrFlags = PLAIN.union(MountAttrFlags::MOUNT_ATTR_RDONLY);
pub(super) const DEVICE: MountAttrFlags =
    MountAttrFlags::MOUNT_ATTR_NOSUID.union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// Files in memory.
pub(super) fn tmpfs(options: &[(&str, &str)]) -> io::Result<OwnedFd> {
    new("tmpfs", options, PLAIN)
}

/// What is known of this process's pid namespace.
pub(super) fn proc() -> io::Result<OwnedFd> {
    new("proc", &[], PLAIN | MountAttrFlags::MOUNT_ATTR_NOEXEC)
}

fn new(kind: &str, options: &[(&str, &str)], attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let fs = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in options {
        fsconfig_set_string(&fs, *key, *value)?;
    }
    fsconfig_create(&fs)?;
    Ok(fsmount(&fs, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// A file or folder once more, with all that is mounted below it, restricted as well.
pub(super) fn copy(of: &OwnedFd, attributes: MountAttrFlags) -> io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let copy = open_tree(of, c"", flags)?;
    set(&copy, attributes, libc::AT_RECURSIVE)?;
    Ok(copy)
}

/// Takes rights away from one mount, not from what is mounted below it.
pub(super) fn restrict(mount: &OwnedFd, attributes: MountAttrFlags) -> io::Result<()> {
    set(mount, attributes, 0)
}

pub(super) fn attach(mount: &OwnedFd, at: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, c"", at, c"", flags)?)
}

/// Adds attributes and removes none: what a namespace above has locked stays as it is.
#[allow(unsafe_code)]
fn set(mount: &OwnedFd, attributes: MountAttrFlags, recursive: libc::c_int) -> io::Result<()> {
    let attributes =
        libc::mount_attr { attr_set: attributes.bits().into(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the kernel reads an empty path and a structure of the size that is said, and keeps neither.
    let set = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
