//! Namespaces: of processes with a `/proc` of its own for every plugin, of all else for one that is held to something.

use std::{fs, io};

use nix::{
    mount::{MsFlags, mount as mount_on},
    sched::{CloneFlags, unshare},
    unistd::{Gid, Uid},
};

use super::{Network, step::Step};

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
    if map(user, group).is_ok() { Entered::Yes } else { Entered::HalfWay }
}

/// Makes all namespaces; the next child is the init of them. Also as root inside of a user namespace where there can
/// be one: rights there are none outside.
pub(super) fn enter_all(network: Network) -> io::Result<()> {
    let mut own = CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if network != Network::Host {
        own |= CloneFlags::CLONE_NEWNET;
    }
    let (user, group) = (Uid::effective(), Gid::effective());
    match unshare(own | CloneFlags::CLONE_NEWUSER) {
        Ok(()) => map(user, group).step("being oneself in a user namespace"),
        Err(_) if user.is_root() => unshare(own).step("making namespaces"),
        Err(error) => Err(error).step("making a user namespace"),
    }
}

/// Everybody stays who they are.
fn map(user: Uid, group: Gid) -> io::Result<()> {
    const ALL: &str = "0 0 4294967295";
    if user.is_root() && fs::write("/proc/self/uid_map", ALL).is_ok() {
        return fs::write("/proc/self/gid_map", ALL);
    }
    // A group's map may be written only by who gave up changing groups.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
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
