//! A plugin's process with all that it starts: below a launcher, or where there is none in a group of its own.
//!
//! No signal can reach a stranger. What the daemon signals itself is its own child, through a pidfd or while it is not
//! reaped: a group's number is its leader's, and the kernel gives it to nobody else before that. The rest is the
//! launcher's to signal, which sees to the same.

use std::{
    io,
    os::{fd::OwnedFd, unix::process::ExitStatusExt},
    process::{ExitStatus, Stdio},
    sync::{Arc, OnceLock},
    time::Duration,
};

use astros_protocol::lifecycle::Sandbox;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::{UnixStream, unix::pipe},
    process::{Child, ChildStderr, ChildStdout, Command},
    time::{Instant, timeout},
};

use super::{Spec, command::Prepared, dbus::Buses};
use crate::{
    launcher::{self, Containment, Policy, Report, Rule},
    proxy::{self, Proxy},
};

/// How long a launcher may take to end what is below it; longer only where it is halted.
const SWEEP: Duration = Duration::from_secs(2);
/// How long a killed process may take to go; longer only where the kernel holds it.
const REAP: Duration = Duration::from_secs(5);

/// A running plugin. Dropped, it is killed with all that it started.
pub(crate) struct Process {
    /// The plugin's launcher, or the plugin itself.
    child: Child,
    /// Readable once that child has ended.
    exit: AsyncFd<OwnedFd>,
    reach: Reach,
    /// The plugin's id.
    pid: Pid,
    pub(crate) sandbox: Sandbox,
    /// What it sees of the files; none where it is not confined.
    pub(crate) files: Option<Arc<[Rule]>>,
    pub(crate) started: Instant,
    /// What lets it out, and ends with it.
    _ways: (Buses, Option<Proxy>, Option<TempDir>),
}

/// How the plugin's processes are reached.
enum Reach {
    /// By their group, which the plugin leads.
    Group,
    /// Through the launcher.
    Launcher {
        /// `None` once its end is wanted.
        socket: Option<UnixStream>,
        containment: Containment,
        /// How the plugin ended, once the launcher has told.
        ended: OnceLock<ExitStatus>,
    },
}

/// The ends of the plugin's pipes.
pub(crate) struct Pipes {
    pub(crate) input: pipe::Sender,
    pub(crate) output: ChildStdout,
    pub(crate) errors: ChildStderr,
}

impl Process {
    /// Starts what [`super::command::command`] describes; with a launcher that is named, or one that can be found.
    /// `tell` hears of its requests to the network, as [`proxy::serve`] says.
    pub(crate) async fn spawn(
        spec: &Spec,
        prepared: Prepared,
        tell: impl Fn(proxy::Report) + Send + Sync + 'static,
    ) -> io::Result<(Process, Pipes)> {
        let started = Instant::now();
        let Prepared { policy, buses, scratch, streams } = prepared;
        let launcher = match policy.containment {
            Containment::Group => None,
            _ => launcher::program(spec.launcher.as_deref()),
        };
        let mut network = None;
        let (mut child, input, pid, reach) = match launcher {
            Some(launcher) => {
                let launched = launcher::start(&launcher, &policy, streams.as_ref()).await?;
                if let Some(listener) = launched.listener {
                    network = Some(proxy::serve(
                        listener,
                        &spec.name,
                        &spec.hosts(),
                        spec.granted_in.is_some(),
                        tell,
                    )?);
                }
                let reach = Reach::Launcher {
                    socket: Some(launched.socket),
                    containment: launched.containment,
                    ended: OnceLock::new(),
                };
                (launched.launcher, launched.input, Some(launched.pid), reach)
            }
            None if policy.confinement.is_some() => {
                return Err(io::Error::other("its sandbox cannot be set up: there is no `astros-launcher`"));
            }
            None if streams.is_some() => {
                return Err(io::Error::other(
                    "only an `astros-launcher` gives it a person's streams: there is none",
                ));
            }
            None => {
                let (child, input) = directly(&policy)?;
                let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
                (child, input, pid, Reach::Group)
            }
        };
        let exit = watch(&child)?;
        let pipes = match (child.stdout.take(), child.stderr.take()) {
            (Some(output), Some(errors)) => Pipes { input, output, errors },
            _ => return Err(io::Error::other("the child has no pipes")),
        };
        let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
        let (sandbox, _ways) = (policy.sandbox(), (buses, network, scratch));
        let files = policy.confinement.map(|confinement| confinement.files.into());
        Ok((Process { child, exit, reach, pid, sandbox, files, started, _ways }, pipes))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Its launcher, or itself: all that it starts is below.
    pub(crate) fn top(&self) -> u32 {
        self.child.id().unwrap_or(self.pid())
    }

    /// What keeps its processes together.
    pub(crate) fn containment(&self) -> Containment {
        match &self.reach {
            Reach::Group => Containment::Group,
            Reach::Launcher { containment, .. } => *containment,
        }
    }

    /// Resolves when the plugin has ended, whatever its children hold open; as often as it is asked.
    pub(crate) async fn exited(&self) {
        tokio::select! {
            () = self.told() => {}
            readable = self.exit.readable() => if readable.is_err() {
                // Only where the runtime shuts down; then nobody is left to be told.
                std::future::pending::<()>().await;
            },
        }
    }

    /// Waits for that, and not longer than `limit`; false where it still runs.
    pub(crate) async fn exits_within(&self, limit: Duration) -> bool {
        timeout(limit, self.exited()).await.is_ok()
    }

    /// Signals the plugin and all that it started.
    pub(crate) fn signal(&self, signal: Signal) {
        match &self.reach {
            // `None` once the leader is reaped. An error means that nobody is left.
            Reach::Group if self.child.id().is_some() => {
                let _ = kill_process_group(self.pid, signal);
            }
            Reach::Launcher { socket: Some(socket), .. } => {
                self.wake();
                // One that does not read even so is ended by what follows.
                let _ = socket.try_write(&[u8::try_from(signal.as_raw()).unwrap_or_default()]);
            }
            _ => {}
        }
    }

    /// Kills what is left and reaps it. Gives how the plugin ended; `None` where something does not go even so.
    pub(crate) async fn end(mut self) -> Option<ExitStatus> {
        self.hear();
        let Reach::Launcher { socket, ended, .. } = &mut self.reach else {
            self.signal(Signal::KILL);
            return timeout(REAP, self.child.wait()).await.ok()?.ok();
        };
        drop(socket.take());
        let killed = ExitStatus::from_raw(Signal::KILL.as_raw());
        let ended = ended.get().copied().unwrap_or(killed);
        self.wake();
        if timeout(SWEEP, self.child.wait()).await.is_err() {
            let _ = pidfd_send_signal(self.exit.get_ref(), Signal::KILL);
        }
        let launcher = timeout(REAP, self.child.wait()).await.ok()?.ok()?;
        if !launcher.success() {
            // It was killed itself, and its orphans came here.
            launcher::sweep_orphans().await;
        }
        Some(ended)
    }

    /// Somebody may have halted the launcher.
    fn wake(&self) {
        let _ = pidfd_send_signal(self.exit.get_ref(), Signal::CONT);
    }

    /// Resolves when the launcher has told how the plugin ended, or its socket has.
    async fn told(&self) {
        let Reach::Launcher { socket: Some(socket), .. } = &self.reach else {
            return std::future::pending().await;
        };
        while !self.hear() {
            if socket.readable().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Reads what the launcher has told; true at the end of the plugin, or of the socket.
    fn hear(&self) -> bool {
        let Reach::Launcher { socket: Some(socket), ended, .. } = &self.reach else { return false };
        let mut report = [0; Report::BYTES];
        while ended.get().is_none() {
            match socket.try_read(&mut report) {
                Ok(Report::BYTES) => {
                    if let Some(Report::Ended(status)) = Report::from_bytes(report) {
                        let _ = ended.set(ExitStatus::from_raw(status));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                _ => return true,
            }
        }
        true
    }
}

/// Starts a plugin without a launcher.
fn directly(policy: &Policy) -> io::Result<(Child, pipe::Sender)> {
    let (input, plugins_input) = pipe::pipe()?;
    let child = Command::new(&policy.program)
        .args(&policy.args)
        .env_clear()
        .envs(policy.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&policy.folder)
        .stdin(plugins_input.into_blocking_fd()?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok((child, input))
}

/// Lets the runtime tell when a child has ended.
#[allow(deprecated, reason = "its successor is unsafe, for descriptors that may change; this one is owned")]
fn watch(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let pid = pid.ok_or_else(|| io::Error::other("the child has no process id"))?;
    AsyncFd::with_interest(pidfd_open(pid, PidfdFlags::empty())?, Interest::READABLE)
}

impl Drop for Process {
    fn drop(&mut self) {
        match self.reach {
            Reach::Group => self.signal(Signal::KILL),
            // The end of its socket ends the launcher with all that is below it.
            Reach::Launcher { .. } => self.wake(),
        }
    }
}
