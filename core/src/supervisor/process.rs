//! A child process that leads a group of its own: started, signalled, ended with all of its group.
//!
//! No signal can reach a stranger: the group's number is the leader's, and the kernel gives that number to nobody
//! else before the leader is reaped. So its end is watched through a pidfd, which does not reap; the group is
//! killed while the leader is at most a zombie; only then it is reaped, and after that nothing is signalled.

use std::{io, os::fd::OwnedFd, process::ExitStatus, time::Duration};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::{
    io::{Interest, unix::AsyncFd},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    time::{Instant, timeout},
};

/// How long a killed process may take to go; longer only where the kernel holds it.
const REAP: Duration = Duration::from_secs(5);

/// A running child. Dropped, it is killed with its group.
pub(crate) struct Process {
    child: Child,
    group: Pid,
    /// Readable once the leader has ended.
    exit: AsyncFd<OwnedFd>,
    pub(crate) started: Instant,
}

/// The ends of the child's pipes.
pub(crate) struct Pipes {
    pub(crate) input: ChildStdin,
    pub(crate) output: ChildStdout,
    pub(crate) errors: ChildStderr,
}

impl Process {
    /// Starts what was made by [`super::command::command`].
    pub(crate) fn spawn(command: &mut Command) -> io::Result<(Process, Pipes)> {
        let started = Instant::now();
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let group = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
        let exit = pidfd_open(group, PidfdFlags::empty())?;
        let exit = AsyncFd::register_with_interest(exit, Interest::READABLE)?;
        let pipes = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(input), Some(output), Some(errors)) => Pipes { input, output, errors },
            _ => return Err(io::Error::other("the child has no pipes")),
        };
        Ok((Process { child, group, exit, started }, pipes))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.group.as_raw_nonzero().get().unsigned_abs()
    }

    /// Resolves when the leader has ended, whatever its children hold open; as often as it is asked.
    pub(crate) async fn exited(&self) {
        if self.exit.readable().await.is_err() {
            // Only where the runtime shuts down; then nobody is left to be told.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for that, and not longer than `limit`; false where it still runs.
    pub(crate) async fn exits_within(&self, limit: Duration) -> bool {
        timeout(limit, self.exited()).await.is_ok()
    }

    /// Signals every process of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        // `None` once the leader is reaped. An error means that nobody is left.
        if self.child.id().is_some() {
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Kills what is left of the group and reaps the leader; `None` where it does not go even so.
    pub(crate) async fn end(mut self) -> Option<ExitStatus> {
        self.signal(Signal::KILL);
        timeout(REAP, self.child.wait()).await.ok()?.ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
