//! A pid namespace with a `/proc` of its own: as root as it is, for anybody else inside of a user namespace.

use std::fs;

use nix::{
    mount::{MsFlags, mount as mount_on},
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid},
};

/// How the way into a namespace ended.
pub(super) enum Entered {
    /// The next child is its init.
    Yes,
    /// There is none to be had here; nothing has changed.
    No,
    /// There is a user namespace that this process cannot be itself in.
    HalfWay,
}

/// Makes the namespaces. Some systems refuse that to whom they do not know, some refuse what comes next.
pub(super) fn enter() -> Entered {
    let own = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    let (user, group) = (Uid::effective(), Gid::effective());
    if unshare(own).is_ok() {
        return Entered::Yes;
    }
    if unshare(own | CloneFlags::CLONE_NEWUSER).is_err() {
        return Entered::No;
    }
    // Everybody stays who they are. A group's map may be written only by who gave up changing groups.
    let mapped = fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{user} {user} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{group} {group} 1")));
    if mapped.is_ok() { Entered::Yes } else { Entered::HalfWay }
}

/// Gives the namespace a `/proc` that knows its processes by their ids. What is mounted outside still comes in, nothing
/// goes out. Where that is not allowed (in a container that hides a part of `/proc`), the old one stays.
pub(super) fn mount() {
    let nothing = None::<&str>;
    let slave = mount_on(nothing, "/", nothing, MsFlags::MS_SLAVE | MsFlags::MS_REC, nothing);
    if slave.is_ok() {
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let _ = mount_on(Some("proc"), "/proc", Some("proc"), flags, nothing);
    }
}
