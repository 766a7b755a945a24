//! The begin of the plugin: a copy of this process is held to what it is to be held to, and becomes it.
//!
//! One that has a person's streams speaks the protocol on descriptors of its own.

use std::{
    ffi::{CString, OsStr, OsString},
    io::{self, PipeReader, PipeWriter, Read, Write, pipe},
    os::{
        fd::{AsFd, IntoRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    process::exit,
};

use nix::{
    libc,
    sys::signal::{SigHandler, SigSet, Signal, signal},
    unistd::{
        ForkResult, Pid as NixPid, chdir, dup2_raw, dup2_stderr, dup2_stdin, dup2_stdout, execve, setpgid,
        setsid,
    },
};
use rustix::{io::fcntl_dupfd_cloexec, process::Pid};

use super::{
    Policy, confine, limits,
    run::{self, Streams},
    step::{Step, failed},
    tree::Tree,
};

/// The protocol's input and output beside a person's streams, as `ASTROS_RPC_FDS` says.
const RPC: [RawFd; 2] = [3, 4];
/// Above them.
const ABOVE: RawFd = 5;

/// Starts it: out of the reach of any terminal, no signal ignored or blocked, its streams and nothing else open.
pub(super) fn begin(policy: &Policy, streams: &Streams, tree: &Tree) -> io::Result<Pid> {
    let (told, low) = pipe()?;
    // What is below may be taken for the plugin.
    let tell = PipeWriter::from(fcntl_dupfd_cloexec(&low, ABOVE)?);
    drop(low);
    match run::fork()? {
        ForkResult::Child => {
            drop(told);
            say(&become_plugin(policy, streams, tree), tell);
            exit(127)
        }
        ForkResult::Parent { child } => {
            drop(tell);
            hear(told)?;
            Pid::from_raw(child.as_raw()).ok_or_else(|| failed("a process without an id"))
        }
    }
}

/// Comes back only with what went wrong.
fn become_plugin(policy: &Policy, streams: &Streams, tree: &Tree) -> io::Error {
    let become_it = || {
        lead(streams, tree)?;
        heed_signals()?;
        chdir(&*policy.folder)?;
        let kept = take_streams(streams)?;
        let program = text(&policy.program)?;
        let args = [Ok(program.clone())].into_iter().chain(policy.args.iter().map(|arg| text(arg)));
        let args = args.collect::<io::Result<Vec<_>>>()?;
        let environment = environment(policy)?;
        let alone = close_from(kept);
        if let Some(most) = policy.open_files {
            limits::open_files(most)?;
        }
        if let Some(confinement) = &policy.confinement {
            alone.step("closing what the daemon's parents left open")?;
            confine::restrict(confinement)?;
        }
        if policy.program.is_empty() {
            // Only whether it can be held was to be found out.
            exit(0);
        }
        // Not as a shell would, which takes any text for a script.
        let Err(error) = execve(&program, &args, &environment);
        Err::<(), io::Error>(error.into())
    };
    become_it().err().unwrap_or_else(|| failed("it has become nothing"))
}

/// Leads a session of its own. Who has a person's terminal leads a group in the init's session, which has none either: a
/// group without a parent in its session would not stop for a terminal's Ctrl-Z.
fn lead(streams: &Streams, tree: &Tree) -> nix::Result<()> {
    match (tree, &streams.persons) {
        (Tree::Namespace, Some(_)) => setpgid(NixPid::from_raw(0), NixPid::from_raw(0)),
        _ => setsid().map(drop),
    }
}

/// Puts its streams in their places; gives the number from which on nothing is its.
fn take_streams(streams: &Streams) -> io::Result<RawFd> {
    match &streams.persons {
        None => {
            dup2_stdin(&streams.input)?;
            Ok(RPC[0])
        }
        Some(persons) => {
            take_persons(&streams.input, persons)?;
            Ok(ABOVE)
        }
    }
}

#[allow(unsafe_code)]
fn take_persons(input: &OwnedFd, persons: &super::Streams) -> io::Result<()> {
    let output = io::stdout();
    let rpc = [input.as_fd(), output.as_fd()].map(|one| fcntl_dupfd_cloexec(one, ABOVE));
    let persons = [&persons[0], &persons[1], &persons[2]].map(|one| fcntl_dupfd_cloexec(one, ABOVE));
    let [stdin, stdout, stderr] = persons;
    dup2_stdin(stdin?)?;
    dup2_stdout(stdout?)?;
    dup2_stderr(stderr?)?;
    for (one, number) in rpc.into_iter().zip(RPC) {
        // SAFETY: this copy of the launcher uses nothing any more that may have had the number: all that it still
        // needs is above. What it is now is the plugin's.
        let _ = unsafe { dup2_raw(one?, number) }?.into_raw_fd();
    }
    Ok(())
}

fn text(text: &OsStr) -> io::Result<CString> {
    Ok(CString::new(text.as_bytes())?)
}

fn environment(policy: &Policy) -> io::Result<Vec<CString>> {
    let temporary = policy.confinement.as_ref().map(|confinement| confinement.temporary().as_os_str());
    let own = temporary.map(|temporary| (OsStr::new("TMPDIR"), temporary));
    let given = policy.environment.iter().map(|(name, value)| (&**name, &**value));
    let given = given.filter(|(name, _)| own.is_none_or(|(own, _)| *name != own));
    let joined = |(name, value): (&OsStr, &OsStr)| {
        text(&[name, OsStr::new("="), value].into_iter().collect::<OsString>())
    };
    given.chain(own).map(joined).collect()
}

#[allow(unsafe_code)]
fn heed_signals() -> nix::Result<()> {
    for number in Signal::iterator().filter(|number| !matches!(number, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: no handler is installed, so none can run where it must not.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    // The launcher's own mask is inherited, and would be kept over `exec`.
    SigSet::empty().thread_set_mask()
}

/// Whoever started the daemon may have left descriptors open below it: they end where the plugin begins.
#[allow(unsafe_code)]
fn close_from(first: RawFd) -> io::Result<()> {
    // SAFETY: it closes nothing here, where descriptors have owners; it marks them, to be closed by the kernel.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if marked == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Says what went wrong: the system's number, or 0 and words.
fn say(error: &io::Error, mut tell: PipeWriter) {
    let mut message = error.raw_os_error().unwrap_or(0).to_ne_bytes().to_vec();
    if error.raw_os_error().is_none() {
        message.extend(error.to_string().as_bytes());
    }
    // Where nobody hears it the launcher is gone.
    let _ = tell.write_all(&message);
}

/// Nothing is said where it has become the plugin.
fn hear(mut told: PipeReader) -> io::Result<()> {
    let mut message = Vec::new();
    told.read_to_end(&mut message)?;
    match message.split_first_chunk() {
        None => Ok(()),
        Some((errno, words)) => match i32::from_ne_bytes(*errno) {
            0 => Err(failed(String::from_utf8_lossy(words))),
            errno => Err(io::Error::from_raw_os_error(errno)),
        },
    }
}
