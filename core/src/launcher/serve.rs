//! What an init does, and a launcher where there is no namespace: starts the plugin, reaps, signals, reports.

use std::{
    io::{self, Read},
    net::TcpListener,
    os::unix::net::UnixStream,
};

use nix::sys::{signal::Signal, signalfd::SignalFd};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, WaitOptions, wait},
};

use super::{
    Policy, Report, begin, confine,
    run::{self, Streams},
    tree::Tree,
};

/// From the start of the plugin to its end, or the daemon's, or the socket's. The daemon gets the listener.
pub(super) fn serve(
    socket: &UnixStream,
    policy: &Policy,
    streams: Streams,
    tree: Tree,
    listener: Option<TcpListener>,
) -> io::Result<()> {
    let deaths = run::deaths()?;
    let plugin = begin::begin(policy, &streams, &tree)?;
    streams.release()?;
    match tree {
        Tree::Namespace => Report::Inside(plugin.as_raw_nonzero().get()).send_with(socket, listener.as_ref()),
        Tree::Descendants => Report::Below(plugin.as_raw_nonzero().get()).send(socket),
    }
    drop(listener);
    let attended =
        confine::disarm(policy.confinement.as_ref()).and_then(|()| attend(socket, plugin, &tree, &deaths));
    tree.sweep();
    attended
}

fn attend(socket: &UnixStream, plugin: Pid, tree: &Tree, deaths: &SignalFd) -> io::Result<()> {
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
