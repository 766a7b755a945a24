//! What an operation is going to do, before it does anything.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::paths::WirePath;

/// The steps of one operation, in order, and what it will leave alone.
#[derive(Debug)]
pub struct Plan {
    pub action: Action,
    /// The folder that it is about; the journal keeps paths below it short.
    pub base: PathBuf,
    pub steps: Vec<Step>,
    pub skipped: Vec<Skipped>,
    pub left_alone: LeftAlone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Organize,
    Move,
    Copy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make this folder, which is not there yet.
    Folder(PathBuf),
    /// Put what is at `from` at `to`, a name that is free.
    Item { from: PathBuf, to: PathBuf, was: Identity },
}

/// Tells whether what is at a path is still what was there: undo touches nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub kind: Kind,
    /// Bytes; 0 for a folder, whose size says nothing.
    pub size: u64,
    /// Seconds and nanoseconds of its last change; 0 for a folder, which changes with its content.
    pub modified: (i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Folder,
    Symlink,
    Other,
}

/// One thing that stayed where it is, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    pub path: WirePath,
    pub reason: String,
}

/// What an organizer does not even consider, counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LeftAlone {
    pub hidden: u64,
    pub links: u64,
    /// Sockets, pipes and devices.
    pub special: u64,
}

/// The reason where a name is taken; messages count these apart.
pub const NAME_TAKEN: &str = "a file of that name was there already";

impl Plan {
    /// How many files, links and folders it will put somewhere.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.steps.iter().filter(|step| matches!(step, Step::Item { .. })).count() as u64
    }

    pub(crate) fn skip(&mut self, path: &Path, reason: impl Into<String>) {
        self.skipped.push(Skipped { path: path.into(), reason: reason.into() });
    }
}

impl Kind {
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        let kind = metadata.file_type();
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_symlink() {
            Self::Symlink
        } else {
            Self::Other
        }
    }
}

impl Identity {
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        match Kind::of(metadata) {
            Kind::Folder => Self { kind: Kind::Folder, size: 0, modified: (0, 0) },
            kind => Self { kind, size: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) },
        }
    }

    /// What is at `path` now, a link itself and not its target; `None` where nothing is.
    pub fn at(path: &Path) -> io::Result<Option<Self>> {
        match fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::of(&metadata))),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
