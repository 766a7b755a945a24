//! The begin of the plugin: a copy of this process is held to what it is to be held to, and becomes it.

use std::{
    ffi::{CString, OsStr, OsString},
    io::{self, PipeReader, PipeWriter, Read, Write, pipe},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    process::exit,
};

use nix::{
    libc,
    sys::signal::{SigHandler, SigSet, Signal, signal},
    unistd::{ForkResult, chdir, dup2_stdin, execve, setsid},
};
use rustix::process::Pid;

use super::{
    Policy, confine, limits, run,
    step::{Step, failed},
};

/// Starts it: a session of its own, no signal ignored or blocked, its streams and nothing else open.
pub(super) fn begin(policy: &Policy, input: &OwnedFd) -> io::Result<Pid> {
    let (told, tell) = pipe()?;
    match run::fork()? {
        ForkResult::Child => {
            drop(told);
            say(&become_plugin(policy, input), tell);
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
fn become_plugin(policy: &Policy, input: &OwnedFd) -> io::Error {
    let become_it = || {
        setsid()?;
        heed_signals()?;
        chdir(&*policy.folder)?;
        dup2_stdin(input)?;
        let program = text(&policy.program)?;
        let args = [Ok(program.clone())].into_iter().chain(policy.args.iter().map(|arg| text(arg)));
        let args = args.collect::<io::Result<Vec<_>>>()?;
        let environment = environment(policy)?;
        let alone = take_streams_alone();
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
fn take_streams_alone() -> io::Result<()> {
    // SAFETY: it closes nothing here, where descriptors have owners; it marks them, to be closed by the kernel.
    let marked = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
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
