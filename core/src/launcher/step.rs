//! What failed of all that a launcher does to hold a plugin, in words: an errno alone says nothing.

use std::{fmt::Display, io};

pub(super) trait Step<T> {
    /// Says what was done where it fails: "mounting `/x`: Operation not permitted".
    fn step(self, what: impl Display) -> io::Result<T>;
}

impl<T, E: Display> Step<T> for Result<T, E> {
    fn step(self, what: impl Display) -> io::Result<T> {
        self.map_err(|error| failed(format_args!("{what}: {error}")))
    }
}

/// An error without the system's number: one with it is about the plugin's program.
pub(super) fn failed(what: impl Display) -> io::Error {
    io::Error::other(what.to_string())
}
