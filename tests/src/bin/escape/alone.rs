//! Tries something in a process of its own: whatever that does to itself ends with it.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::FromRawFd,
    process::exit,
};

use nix::{
    libc,
    sys::wait::waitpid,
    unistd::{ForkResult, fork, pipe},
};

use crate::Outcome;

/// Longer than any attempt takes, in seconds.
const PATIENCE: u32 = 10;

/// Whether it got out, and how; none and why where the attempt is broken.
pub(crate) fn run(attempt: impl FnOnce() -> Outcome) -> (Option<bool>, String) {
    let (reader, writer) = pipe().expect("a pipe");
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Err(error) => (Some(false), format!("no process: {error}")),
        Ok(ForkResult::Child) => {
            drop(reader);
            // SAFETY: it only asks for a signal.
            unsafe { libc::alarm(PATIENCE) };
            let said = match attempt() {
                Ok(how) => format!("+{how}"),
                Err(error) => format!("-{error}"),
            };
            let _ = File::from(writer).write_all(said.as_bytes());
            exit(0);
        }
        Ok(ForkResult::Parent { child }) => {
            drop(writer);
            let mut said = String::new();
            let _ = File::from(reader).read_to_string(&mut said);
            let ended = waitpid(child, None);
            match said.split_at_checked(1) {
                Some(("+", how)) => (Some(true), how.to_owned()),
                Some(("-", why)) => (Some(false), why.to_owned()),
                // A filter may kill; a panic ends with a status of its own.
                _ if matches!(ended, Ok(nix::sys::wait::WaitStatus::Exited(..))) => {
                    (None, format!("{ended:?}"))
                }
                _ => (Some(false), format!("{ended:?}")),
            }
        }
    }
}

/// A descriptor that a system call gave.
pub(crate) fn owned(descriptor: i64) -> File {
    // SAFETY: the kernel has just made it, and nobody else knows of it.
    unsafe { File::from_raw_fd(i32::try_from(descriptor).expect("a descriptor")) }
}
