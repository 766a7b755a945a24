//! The begin of the plugin: a copy of this process is held to what it is to be held to, and becomes it.

use std::{
    io::{self, PipeReader, PipeWriter, Read, Write, pipe},
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{Command, exit},
};

use nix::{
    libc,
    sys::signal::{SigHandler, SigSet, Signal, signal},
    unistd::{ForkResult, setsid},
};
use rustix::process::Pid;

use super::{
    Policy, confine, run,
    step::{Step, failed},
};

/// Starts it: a session of its own, no signal ignored or blocked, its streams and nothing else open.
pub(super) fn begin(policy: &Policy, input: &OwnedFd) -> io::Result<Pid> {
    let input = input.try_clone()?;
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
fn become_plugin(policy: &Policy, input: OwnedFd) -> io::Error {
    let mut command = Command::new(&policy.program);
    command
        .args(&policy.args)
        .env_clear()
        .envs(policy.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&policy.folder)
        .stdin(input);
    let prepared = (|| {
        setsid()?;
        heed_signals()?;
        let alone = take_streams_alone();
        if let Some(confinement) = &policy.confinement {
            command.env("TMPDIR", confinement.temporary());
            alone.step("closing what the daemon's parents left open")?;
            confine::restrict(confinement)?;
        }
        Ok(())
    })();
    match prepared {
        Err(error) => error,
        // Only whether it can be held was to be found out.
        Ok(()) if policy.program.is_empty() => exit(0),
        Ok(()) => command.exec(),
    }
}

#[allow(unsafe_code)]
fn heed_signals() -> io::Result<()> {
    for number in Signal::iterator().filter(|number| !matches!(number, Signal::SIGKILL | Signal::SIGSTOP)) {
        // SAFETY: no handler is installed, so none can run where it must not.
        unsafe { signal(number, SigHandler::SigDfl) }?;
    }
    SigSet::empty().thread_set_mask()?;
    Ok(())
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
