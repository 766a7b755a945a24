//! A plugin's processes: all of a namespace, or all descendants of a subreaper.
//!
//! No signal can reach a stranger. A child keeps its number until it is reaped, and only this process reaps it; any
//! other descendant is signalled through a pidfd, after a look whether it still is the child of whom it was found at.

use std::{fs, process};

use nix::{
    sys::signal::{Signal, kill},
    unistd,
};
use rustix::process::{Pid, PidfdFlags, WaitOptions, kill_process, pidfd_open, pidfd_send_signal, wait};

pub(super) enum Tree {
    /// This process is the init of a pid namespace.
    Namespace,
    /// This process is a subreaper.
    Descendants,
}

impl Tree {
    /// Signals everybody below this process, once.
    pub(super) fn signal(&self, signal: Signal) {
        match self {
            // Anywhere else that would be every process of the machine.
            Tree::Namespace if process::id() == 1 => {
                let _ = kill(unistd::Pid::from_raw(-1), signal);
            }
            Tree::Namespace => {}
            Tree::Descendants => signal_below(Pid::from_raw(unistd::getpid().as_raw()), signal),
        }
    }

    /// Kills everybody below this process and waits until they are gone.
    pub(super) fn sweep(&self) {
        // With an init the kernel kills its namespace.
        while let Tree::Descendants = self {
            // A killed child's children become children of this process: level by level the tree goes.
            for child in children(process::id()) {
                let _ = kill_process(child, rustix::process::Signal::KILL);
            }
            if wait(WaitOptions::empty()).is_err() {
                return;
            }
            while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        }
    }
}

fn signal_below(parent: Option<Pid>, signal: Signal) {
    let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) else { return };
    let mut parents: Vec<_> = parent.into_iter().collect();
    while let Some(parent) = parents.pop() {
        for child in children(parent.as_raw_nonzero().get().unsigned_abs()) {
            let Ok(pidfd) = pidfd_open(child, PidfdFlags::empty()) else { continue };
            if self::parent(child) == Some(parent) {
                let _ = pidfd_send_signal(pidfd, signal);
                parents.push(child);
            }
        }
    }
}

/// The children of all threads of a process.
pub(super) fn children(pid: u32) -> Vec<Pid> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let pids = |list: String| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>();
    lists.flat_map(pids).filter_map(Pid::from_raw).collect()
}

fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The program's name is in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    Pid::from_raw(rest.split_whitespace().nth(1)?.parse().ok()?)
}
