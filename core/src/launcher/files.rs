//! The paths of a confinement as files: opened without following a link, so that nobody leads a rule elsewhere.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Component, Path},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, openat2},
    io::Errno,
};

use super::step::failed;

/// What the launcher makes itself for every plugin: nothing of the machine's is given there.
const OWN: [&str; 2] = ["/proc", "/dev"];

/// A file or folder of a rule, and of which type it is; `None` where it is not there, or the person cannot get there.
pub(super) fn open(path: &Path) -> io::Result<Option<(OwnedFd, FileType)>> {
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.is_absolute() || !path.components().all(plain) {
        return Err(failed("it is no absolute path"));
    }
    if OWN.iter().any(|own| path.starts_with(own)) {
        return Err(failed("it cannot be given to a plugin"));
    }
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(Errno::LOOP) => Err(failed("it leads through a link")),
        opened => {
            let opened = opened?;
            let kind = FileType::from_raw_mode(fstat(&opened)?.st_mode);
            Ok(Some((opened, kind)))
        }
    }
}
