//! What an init does, and a launcher where there is no namespace: starts the plugin, reaps, signals, reports.

use std::{
    env,
    ffi::{CString, OsString},
    io::{self, Read},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{ffi::OsStringExt, net::UnixStream},
    },
};

use nix::{
    libc,
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::{
        signal::{SigSet, Signal},
        signalfd::SignalFd,
    },
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, WaitOptions, wait},
};

use super::{Policy, Report, run, tree::Tree};

/// From the start of the plugin to its end, or the daemon's, or the socket's.
pub(super) fn serve(socket: &UnixStream, policy: &Policy, input: OwnedFd, tree: Tree) -> io::Result<()> {
    let deaths = run::deaths()?;
    let plugin = start(policy, &input)?;
    drop(input);
    match tree {
        Tree::Namespace => Report::Inside(plugin.as_raw_nonzero().get()).send(socket),
        Tree::Descendants => Report::Below(plugin.as_raw_nonzero().get()).send(socket),
    }
    let attended = attend(socket, plugin, &tree, &deaths);
    tree.sweep();
    attended
}

fn attend(socket: &UnixStream, plugin: Pid, tree: &Tree, deaths: &SignalFd) -> io::Result<()> {
    run::release_streams()?;
    loop {
        let mut fds = [PollFd::new(socket, PollFlags::IN), PollFd::new(deaths, PollFlags::IN)];
        poll(&mut fds, None)?;
        let asked = !fds[0].revents().is_empty();
        while deaths.read_signal()?.is_some() {}
        if let Some(status) = reap(plugin) {
            Report::Ended(status).send(socket);
            return Ok(());
        }
        if asked && !forward(socket, tree) {
            return Ok(());
        }
    }
}

/// Starts the plugin: a session of its own, no signal ignored or blocked, its streams and nothing else open.
fn start(policy: &Policy, input: &OwnedFd) -> io::Result<Pid> {
    let text = |text: &OsString| CString::new(text.clone().into_vec());
    let program = text(&policy.program)?;
    let args = policy.args.iter().map(text);
    let args = [Ok(program.clone())].into_iter().chain(args).collect::<Result<Vec<_>, _>>()?;
    let variable = |(name, value): &(OsString, OsString)| {
        let mut variable = name.clone();
        variable.push("=");
        variable.push(value);
        CString::new(variable.into_vec())
    };
    let environment = policy.environment.iter().map(variable).collect::<Result<Vec<_>, _>>()?;

    let mut actions = PosixSpawnFileActions::init()?;
    actions.add_dup2(input.as_raw_fd(), libc::STDIN_FILENO)?;
    let session = PosixSpawnFlags::from_bits_retain(i32::from(libc::POSIX_SPAWN_SETSID));
    let signals = PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK;
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_flags(session | signals)?;
    attributes.set_sigdefault(&SigSet::all())?;
    attributes.set_sigmask(&SigSet::empty())?;
    env::set_current_dir(&policy.folder)?;
    // What restricts the plugin is applied here: to this process, for the plugin to inherit.
    let plugin = posix_spawn(&*program, &actions, &attributes, &args, &environment)?;
    Pid::from_raw(plugin.as_raw()).ok_or_else(|| io::Error::other("a process without an id"))
}

/// Reaps whoever has ended; the plugin's wait status where it is among them.
fn reap(plugin: Pid) -> Option<i32> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == plugin {
            return Some(status.as_raw());
        }
    }
    None
}

/// Passes on what the daemon asks for; false at the end of the socket.
fn forward(mut socket: &UnixStream, tree: &Tree) -> bool {
    let mut numbers = [0; 16];
    let read = socket.read(&mut numbers).unwrap_or(0);
    for number in &numbers[..read] {
        if let Ok(signal) = Signal::try_from(i32::from(*number)) {
            tree.signal(signal);
        }
    }
    read > 0
}
