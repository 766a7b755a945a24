//! The daemon's side: starts a launcher, tells it what to start, hears how that went.

use std::{
    io,
    net::TcpListener,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as Socket,
    },
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use rustix::{net::sockopt::set_socket_passcred, process::Pid};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{UnixStream, unix::pipe},
    process::{Child, Command},
    time::timeout,
};

use super::{Containment, NAME, Policy, Report, Streams, descriptors, message::Heard};

/// How long a launcher may take until the plugin begins; longer only where it is halted.
const LAUNCH: Duration = Duration::from_secs(10);

/// No user namespace can be set up here: found out once.
static NO_NAMESPACE: AtomicBool = AtomicBool::new(false);

/// A plugin that has begun, below its launcher.
pub(crate) struct Launched {
    /// The launcher; its stdout and stderr are the plugin's.
    pub(crate) launcher: Child,
    /// Its end is the launcher's, and of all below.
    pub(crate) socket: UnixStream,
    /// The plugin's id.
    pub(crate) pid: Pid,
    pub(crate) containment: Containment,
    pub(crate) input: pipe::Sender,
    /// Where it looks for its proxy, in a network of its own.
    pub(crate) listener: Option<TcpListener>,
}

/// Starts `launcher`, and the plugin through it; one that is given a person's streams speaks the protocol beside them.
///
/// # Errors
/// The system's, about the plugin's program as if it had been started directly; or one about the launcher, which says
/// so.
pub(crate) async fn start(
    launcher: &Path,
    policy: &Policy,
    streams: Option<&Streams>,
) -> io::Result<Launched> {
    if policy.confinement.is_some() {
        return attempt(launcher, policy, streams)
            .await?
            .ok_or_else(|| broken(launcher, "finds no namespace, and does not say why"));
    }
    if policy.containment == Containment::Namespace && !NO_NAMESPACE.load(Ordering::Relaxed) {
        if let Some(launched) = attempt(launcher, policy, streams).await? {
            return Ok(launched);
        }
        NO_NAMESPACE.store(true, Ordering::Relaxed);
    }
    let without = Policy { containment: Containment::Subreaper, ..policy.clone() };
    attempt(launcher, &without, streams)
        .await?
        .ok_or_else(|| broken(launcher, "wants a namespace that it was not to make"))
}

/// `None` where there can be no namespace, and this launcher was spent on finding that out.
async fn attempt(
    launcher: &Path,
    policy: &Policy,
    streams: Option<&Streams>,
) -> io::Result<Option<Launched>> {
    let (length, body) = policy.frame()?;
    let (ours, theirs) = Socket::pair()?;
    set_socket_passcred(&ours, true)?;
    ours.set_nonblocking(true)?;
    let mut socket = UnixStream::from_std(ours)?;
    let (input, plugins_input) = pipe::pipe()?;
    let plugins_input = plugins_input.into_blocking_fd()?;
    let mut child = Command::new(launcher)
        .arg0(NAME)
        // For people who look at the list of processes.
        .arg(&policy.program)
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Out of the terminal's reach.
        .process_group(0)
        .spawn()
        .map_err(|error| broken(launcher, &format!("cannot be started: {error}")))?;
    let report = async {
        // With the length goes the plugin's end of its input, which is then the launcher's alone.
        let persons = streams.into_iter().flatten().map(AsFd::as_fd);
        let beside: Vec<_> = [plugins_input.as_fd()].into_iter().chain(persons).collect();
        let sent = descriptors::send(&socket, &length, &beside);
        drop(plugins_input);
        if sent.is_ok() {
            // One that gives up before it has read all of this still says why.
            let _ = socket.write_all(&body).await;
        }
        socket.async_io(Interest::READABLE, || Report::receive(&socket)).await
    };
    let heard = timeout(LAUNCH, report).await;
    let (pid, containment, listener) = match heard {
        Ok(Ok(Some(Heard { report: Report::Inside(_), sender: Some(pid), listener }))) => {
            (pid, Containment::Namespace, listener)
        }
        Ok(Ok(Some(Heard { report: Report::Below(pid), .. }))) => match Pid::from_raw(pid) {
            Some(pid) => (pid, Containment::Subreaper, None),
            None => return Err(broken(launcher, "says that the plugin has the id 0")),
        },
        other => {
            let other = other.map(|heard| heard.map(|heard| heard.map(|heard| heard.report)));
            let words = match other {
                Ok(Ok(Some(Report::Refused(bytes)))) => words(&mut socket, bytes).await,
                _ => String::new(),
            };
            // It ends with the socket, and kills what it may have started.
            drop(socket);
            if timeout(LAUNCH, child.wait()).await.is_err() {
                let _ = child.start_kill();
            }
            return match other {
                Ok(Ok(Some(Report::NoNamespace))) => Ok(None),
                Ok(Ok(Some(Report::Failed(errno)))) => Err(io::Error::from_raw_os_error(errno)),
                Ok(Ok(Some(Report::Refused(_)))) => Err(io::Error::other(words)),
                Ok(_) => Err(broken(launcher, "ended before it had started the plugin")),
                Err(_) => Err(broken(launcher, &format!("did not answer within {} s", LAUNCH.as_secs()))),
            };
        }
    };
    Ok(Some(Launched { launcher: child, socket, pid, containment, input, listener }))
}

/// Why a launcher refuses.
async fn words(socket: &mut UnixStream, bytes: i32) -> String {
    let mut words = Vec::new();
    let mut said = socket.take(u64::try_from(bytes).unwrap_or_default());
    // What was read until then is what there is.
    let _ = timeout(LAUNCH, said.read_to_end(&mut words)).await;
    format!("its sandbox cannot be set up: {}", String::from_utf8_lossy(&words))
}

fn broken(launcher: &Path, what: &str) -> io::Error {
    io::Error::other(format!("its launcher `{}` {what}", launcher.display()))
}
