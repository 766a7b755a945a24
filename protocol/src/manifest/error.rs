//! What can be wrong with a manifest, in words for its author.

use std::path::{Path, PathBuf};

/// Why a manifest could not be read; displayed as one sentence that begins with the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The folder or its file cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said, and what to do.
        reason: String,
    },
    /// The file is no manifest: its YAML is broken, or a member is not what it has to be.
    #[error("{}:{line}:{column}: {problem}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column in characters, from 1.
        column: u64,
        /// The subject, what was found, what was expected.
        problem: String,
    },
}

impl ManifestError {
    /// The folder or file that the error is about.
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. } | Self::Invalid { path, .. } => path,
        }
    }
}
