//! Why a request could not be served at all; what concerns one file of many is a [`Skipped`](crate::plan::Skipped).

use std::io;
use std::path::{Path, PathBuf};

use crate::words::shown;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path depends on a folder that the plugin does not know.
    #[error("{} is not an absolute path; say it from `/` on", shown(.0))]
    NotAbsolute(PathBuf),
    #[error("{} does not exist; check how it is spelled", shown(.0))]
    Missing(PathBuf),
    #[error("{} is not a folder; name the folder that it is in", shown(.0))]
    NotAFolder(PathBuf),
    #[error("no permission to read {}; its owner can give it", shown(.0))]
    NoPermission(PathBuf),
    /// A folder that the machine needs as it is.
    #[error("{} belongs to the system and stays as it is; choose a folder of your own", shown(.0))]
    System(PathBuf),
    #[error("{} is your home folder: programs keep theirs below it; organize it without `recursive`", shown(.0))]
    Home(PathBuf),
    #[error("method `{0}` is unknown; it is one of by_type, by_date and by_size")]
    UnknownMethod(String),
    #[error("`{0}` cannot be the name of a folder; use a plain name that does not begin with a dot")]
    BadCategory(String),
    #[error("`{pattern}` is not a pattern: {reason}; `*`, `?` and `[a-z]` stand for letters of a name")]
    BadPattern { pattern: String, reason: String },
    #[error("nothing says {0}; give {1}")]
    Lacks(&'static str, &'static str),
    /// Neither done nor undone: the journal could not be kept, so nothing was begun.
    #[error("the journal for undo cannot be kept, so nothing was changed: {0}")]
    Journal(String),
    #[error("there is nothing to undo")]
    NothingToUndo,
    #[error("stopped, as asked")]
    Cancelled,
    #[error("cannot read {}: {source}", shown(path))]
    Io { path: PathBuf, source: io::Error },
}

impl Error {
    /// What an I/O error on `path` means to a person.
    #[must_use]
    pub fn of(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound => Self::Missing(path),
            io::ErrorKind::NotADirectory => Self::NotAFolder(path),
            io::ErrorKind::PermissionDenied => Self::NoPermission(path),
            _ => Self::Io { path, source },
        }
    }
}
