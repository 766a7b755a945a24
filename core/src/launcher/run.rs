//! The launcher's own `main`: it has one thread, no runtime, and nothing open but its socket and the plugin's streams.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{fs::FileTypeExt, net::UnixStream},
    },
    process::exit,
};

use nix::{
    sys::{
        prctl,
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
    unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, setsid},
};
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, WaitOptions, kill_process, waitpid},
};

use super::{
    Containment, Policy, Report, confine, limits,
    namespace::{self, Entered},
    serve,
    tree::Tree,
};

/// Whether it was the daemon who started this: nobody else would know to give a socket.
pub(super) fn has_a_socket_as_input() -> bool {
    let input = io::stdin().as_fd().try_clone_to_owned();
    let about = input.and_then(|input| File::from(input).metadata());
    about.is_ok_and(|about| about.file_type().is_socket())
}

/// Starts the plugin, and stays until all of it has ended.
pub(super) fn run() -> ! {
    let done = io::stdin().as_fd().try_clone_to_owned().and_then(|socket| {
        let socket = UnixStream::from(socket);
        launch(&socket).inspect_err(|error| {
            Report::send_failure(&socket, error);
        })
    });
    exit(i32::from(done.is_err()))
}

fn launch(socket: &UnixStream) -> io::Result<()> {
    prctl::set_name(c"astros-launcher")?;
    // No signal is for a launcher but SIGKILL: a terminal's, a service manager's are the daemon's to hear.
    SigSet::all().thread_block()?;
    let (policy, input, persons) = Policy::receive(socket)?;
    limits::go_first();
    // Soon there may be another root.
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let streams = Streams { input, persons, null };
    match &policy.confinement {
        Some(confinement) if confinement.means.namespaces => {
            namespace::enter_all(confinement.network)?;
            return inside(socket, &policy, streams);
        }
        // What is held otherwise is held below a subreaper.
        Some(_) => {}
        None if policy.containment == Containment::Namespace => match namespace::enter() {
            Entered::Yes => return inside(socket, &policy, streams),
            Entered::No => {}
            Entered::HalfWay => {
                Report::NoNamespace.send(socket);
                return Ok(());
            }
        },
        None => {}
    }
    prctl::set_child_subreaper(true)?;
    serve::serve(socket, &policy, streams, Tree::Descendants, None)
}

/// Makes the namespace's init, and watches over it.
fn inside(socket: &UnixStream, policy: &Policy, streams: Streams) -> io::Result<()> {
    let init = match fork()? {
        ForkResult::Child => {
            let served = init(socket, policy, streams);
            if let Err(error) = &served {
                Report::send_failure(socket, error);
            }
            exit(i32::from(served.is_err()))
        }
        ForkResult::Parent { child } => Pid::from_raw(child.as_raw()),
    };
    streams.release()?;
    let deaths = deaths()?;
    let Some(init) = init else { return Ok(()) };
    loop {
        // Only the end of the socket is for the launcher, what comes over it is for the init.
        let mut fds = [PollFd::new(socket, PollFlags::empty()), PollFd::new(&deaths, PollFlags::IN)];
        poll(&mut fds, None)?;
        if !fds[0].revents().is_empty() {
            // A child that is not reaped: its number is nobody else's.
            let _ = kill_process(init, rustix::process::Signal::KILL);
            waitpid(Some(init), WaitOptions::empty())?;
            return Ok(());
        }
        while deaths.read_signal()?.is_some() {}
        // It goes after all of its namespace has gone.
        if waitpid(Some(init), WaitOptions::NOHANG)?.is_some() {
            return Ok(());
        }
    }
}

fn init(socket: &UnixStream, policy: &Policy, streams: Streams) -> io::Result<()> {
    // Should the launcher be gone already, the daemon notices and closes the socket.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_name(c"astros-init")?;
    // No longer of the daemon's session: that is how it tells who was adopted from its own children.
    setsid()?;
    let listener = match &policy.confinement {
        Some(confinement) => confine::surround(confinement)?,
        None => {
            namespace::mount();
            None
        }
    };
    serve::serve(socket, policy, streams, Tree::Namespace, listener)
}

/// What is only held for the plugin.
pub(super) struct Streams {
    pub(super) input: OwnedFd,
    /// A person's, for one that has them.
    pub(super) persons: Option<super::Streams>,
    null: File,
}

impl Streams {
    /// The plugin's ends of its pipes are the plugin's alone, or nobody would see them close.
    pub(super) fn release(self) -> io::Result<()> {
        dup2_stdin(&self.null)?;
        dup2_stdout(&self.null)?;
        dup2_stderr(&self.null)?;
        Ok(())
    }
}

/// Readable when a child has ended.
pub(super) fn deaths() -> io::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    Ok(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?)
}

#[allow(unsafe_code)]
pub(super) fn fork() -> nix::Result<ForkResult> {
    // SAFETY: a launcher has a single thread, so no lock is held by another one in the copy.
    unsafe { nix::unistd::fork() }
}
