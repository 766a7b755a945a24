//! Nobody outlives a plugin: not what double-forked and called setsid, whoever is killed, in a namespace or without,
//! as root or not. And what a plugin sees of all this.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod daemon;

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Instant};

use astros_core::launcher::Containment::{self, Group, Namespace, Subreaper};
use nix::{
    sys::signal::Signal::{SIGKILL, SIGTERM},
    unistd::{Pid, getpgid, getsid},
};

use daemon::{Daemon, User, eventually};

/// Does something to a running daemon, its launcher or its plugin, in every way that they can run.
fn in_every_way(act: impl Fn(&mut Daemon, Containment)) {
    for user in User::all() {
        for containment in [Namespace, Subreaper] {
            let mut daemon = Daemon::start(*user, containment);
            assert_eq!(daemon.containment(), containment, "as {user:?}");
            act(&mut daemon, containment);
            daemon.leaves_nobody(&format!("as {user:?}, in a {containment:?}"));
        }
    }
}

#[test]
fn a_tree_ends_with_a_stop() {
    in_every_way(|daemon, _| daemon.stop());
}

#[test]
fn a_tree_ends_with_its_plugin() {
    in_every_way(|daemon, _| daemon.kill(daemon.plugin(), SIGKILL));
}

#[test]
fn a_tree_ends_with_its_launcher() {
    in_every_way(|daemon, _| daemon.kill(daemon.launcher(), SIGKILL));
}

#[test]
fn a_tree_ends_with_its_init() {
    in_every_way(|daemon, containment| {
        if containment == Namespace {
            daemon.kill(daemon.init(), SIGKILL);
        } else {
            daemon.stop();
        }
    });
}

#[test]
fn a_tree_ends_with_the_daemon() {
    in_every_way(|daemon, _| daemon.kill(daemon.id(), SIGKILL));
}

#[test]
fn a_halted_launcher_holds_nobody_up() {
    in_every_way(|daemon, _| {
        daemon.halt(daemon.launcher());
        let asked = Instant::now();
        daemon.stop();
        assert!(asked.elapsed().as_secs() < 9, "{:?}", asked.elapsed());
    });
}

#[test]
fn a_halted_init_holds_nobody_up() {
    let mut daemon = Daemon::start(User::Own, Namespace);
    daemon.halt(daemon.init());
    let asked = Instant::now();
    daemon.stop();
    assert!(asked.elapsed().as_secs() < 9, "{:?}", asked.elapsed());
    daemon.leaves_nobody("after its init was halted");
}

#[test]
fn a_halted_launcher_dies_with_the_daemon() {
    in_every_way(|daemon, _| {
        daemon.halt(daemon.launcher());
        daemon.kill(daemon.id(), SIGKILL);
    });
}

#[test]
fn a_plugin_sees_itself_in_proc_and_is_out_of_the_terminals_reach() {
    for user in User::all() {
        let daemon = Daemon::start(*user, Namespace);
        let (seen, own) = daemon.version().split_once(" of ").unwrap();
        assert_eq!(seen, own, "/proc/self is the process that it says");
        let (ours, theirs) = (Pid::from_raw(daemon.id()), Pid::from_raw(daemon.plugin()));
        assert_ne!(getsid(Some(ours)), getsid(Some(theirs)));
        assert_ne!(getpgid(Some(ours)), getpgid(Some(Pid::from_raw(daemon.launcher()))));
        // A shell blocks them itself for a moment, whenever it starts something.
        eventually("no signal is blocked or ignored", || (held_signals(theirs) == [0, 0]).then_some(()));
    }
}

/// The signals that a process blocks and ignores; beyond these are two that the C library keeps to itself.
fn held_signals(process: Pid) -> [u64; 2] {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    ["SigBlk:\t", "SigIgn:\t"].map(|name| {
        let signals = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        u64::from_str_radix(signals, 16).unwrap() & 0x7fff_ffff
    })
}

#[test]
fn a_plugin_has_its_streams_and_nothing_else_open() {
    in_every_way(|daemon, _| {
        let open = fs::read_dir(format!("/proc/{}/fd", daemon.plugin())).unwrap();
        let mut open: Vec<_> = open.flatten().map(|entry| entry.file_name().into_string().unwrap()).collect();
        // A shell keeps a copy of what it redirects for a moment.
        open.retain(|descriptor| descriptor.parse::<u32>().unwrap() < 10);
        open.sort();
        assert_eq!(open, ["0", "1", "2"]);
        daemon.stop();
    });
}

#[test]
fn a_program_that_cannot_be_its_own_launcher_is_not_started_again() {
    let daemon = Daemon::start(User::Own, Namespace);
    let launcher = fs::read_link(format!("/proc/{}/exe", daemon.launcher())).unwrap();
    assert_eq!(launcher, fs::canonicalize(env!("CARGO_BIN_EXE_astros-launcher")).unwrap());
    drop(daemon);

    let mut alone = Daemon::start_without_astros();
    assert_eq!(alone.containment(), Group);
    alone.kill(alone.plugin(), SIGTERM);
    eventually("the plugin ends", || (!alone.runs(alone.plugin())).then_some(()));
    alone.end_by_force();
}

#[test]
fn a_namespace_that_cannot_be_finished_is_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let launcher = folder.path().join("launcher");
    // What a launcher says where it has a user namespace and no rights in it.
    let script = "#!/bin/bash\nif [ ! -e $0-used ]; then : > $0-used; printf 'n\\0\\0\\0\\0' >&0; exit; fi\n";
    let next = format!("exec -a astros-launcher {} \"$@\"\n", env!("CARGO_BIN_EXE_astros"));
    fs::write(&launcher, script.to_owned() + &next).unwrap();
    fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).unwrap();
    let mut daemon = Daemon::start_through(&launcher).unwrap();
    assert_eq!(daemon.containment(), Subreaper);
    assert!(fs::exists(folder.path().join("launcher-used")).unwrap());
    daemon.stop();
    daemon.leaves_nobody("without a namespace");
}

#[test]
fn a_launcher_that_is_none_is_named() {
    let error = |launcher: &str| {
        let error = Daemon::start_through(Path::new(launcher)).err().unwrap();
        error.split_once("/bin/sh`: ").unwrap().1.to_owned()
    };
    assert_eq!(error("/bin/true"), "its launcher `/bin/true` ended before it had started the plugin");
    assert_eq!(
        error("/no/such"),
        "its launcher `/no/such` cannot be started: No such file or directory (os error 2)"
    );
}
