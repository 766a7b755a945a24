//! System calls by their numbers, and what their failures tell.

use std::{
    ffi::CString,
    io::{self, Error},
    os::unix::ffi::OsStrExt,
    path::Path,
};

use nix::libc;

use crate::Outcome;

/// Makes a system call.
pub(crate) fn call(number: i64, arguments: &[i64]) -> io::Result<i64> {
    let [a, b, c, d, e, f] = std::array::from_fn(|index| arguments.get(index).copied().unwrap_or(0));
    // SAFETY: what it may write to are buffers of the caller's, which live as long as the call.
    match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
        -1 => Err(Error::last_os_error()),
        result => Ok(result),
    }
}

/// It is allowed where the call succeeds, or fails with what is found only after it was allowed.
pub(crate) fn passes(number: i64, arguments: &[i64], beyond: &[i32]) -> Outcome {
    match call(number, arguments) {
        Ok(result) => Ok(format!("it was allowed, and answers {result}")),
        Err(error) if error.raw_os_error().is_some_and(|one| beyond.contains(&one)) => {
            Ok(format!("it was allowed, and then: {error}"))
        }
        Err(error) => Err(error),
    }
}

/// Where something is.
pub(crate) fn address<T: ?Sized>(of: &T) -> i64 {
    std::ptr::from_ref(of).cast::<u8>() as i64
}

/// Memory that a system call may write to.
pub(crate) fn room(bytes: usize) -> Vec<u8> {
    vec![0; bytes]
}

/// A path for a system call.
pub(crate) fn c(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).expect("no path has a zero")
}

/// What stopped it, where no system call did.
pub(crate) fn denied(why: impl std::fmt::Display) -> Error {
    Error::other(why.to_string())
}
