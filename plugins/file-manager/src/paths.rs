//! Paths in messages, and which folders may be touched.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A path, or a name, as messages carry it: a string, or `{"base64": "…"}` where it is not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct WirePath(pub PathBuf);

/// The two forms of a [`WirePath`].
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path: a string, or `{\"base64\": \"…\"}`")]
enum Wire {
    #[schemars(extend("format" = "path"))]
    Text(String),
    Bytes {
        base64: String,
    },
}

impl From<WirePath> for Wire {
    fn from(WirePath(path): WirePath) -> Self {
        match path.into_os_string().into_string() {
            Ok(text) => Self::Text(text),
            Err(raw) => Self::Bytes { base64: BASE64.encode(raw.as_bytes()) },
        }
    }
}

impl TryFrom<Wire> for WirePath {
    type Error = base64::DecodeError;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        Ok(Self(match wire {
            Wire::Text(text) => text.into(),
            Wire::Bytes { base64 } => OsString::from_vec(BASE64.decode(base64)?).into(),
        }))
    }
}

impl From<&Path> for WirePath {
    fn from(path: &Path) -> Self {
        Self(path.to_path_buf())
    }
}

/// `path`, if it is absolute.
pub fn absolute(path: &Path) -> Result<&Path, Error> {
    if path.is_absolute() { Ok(path) } else { Err(Error::NotAbsolute(path.to_path_buf())) }
}

/// `path`, if it is absolute and a folder that can be read.
pub fn folder(path: &Path) -> Result<&Path, Error> {
    let metadata = absolute(path)?.metadata().map_err(|error| Error::of(path, error))?;
    if !metadata.is_dir() {
        return Err(Error::NotAFolder(path.to_path_buf()));
    }
    path.read_dir().map_err(|error| Error::of(path, error))?;
    Ok(path)
}

/// Refuses folders that the machine needs as they are; links on the way are followed.
pub fn refuse_system(path: &Path) -> Result<(), Error> {
    let real = real(path);
    let open = OPEN_TREES.iter().any(|tree| real.starts_with(tree));
    let closed = SYSTEM_TREES.iter().any(|tree| real.starts_with(tree));
    if SHARED_FOLDERS.iter().any(|folder| real == Path::new(folder)) || (closed && !open) {
        return Err(Error::System(path.to_path_buf()));
    }
    Ok(())
}

/// `path` with links resolved as far as it exists.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    match (path.canonicalize(), path.parent(), path.file_name()) {
        (Ok(real), ..) => real,
        (Err(_), Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_path_buf(),
    }
}

/// Whether the name begins with a dot.
#[must_use]
pub fn hidden(name: &std::ffi::OsStr) -> bool {
    name.as_bytes().first() == Some(&b'.')
}

/// These and all below them belong to the system.
const SYSTEM_TREES: &[&str] = &[
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr",
    "/Library", "/System",
];

/// What people keep their own in, within those.
const OPEN_TREES: &[&str] = &["/dev/shm", "/run/media", "/run/user"];

/// These themselves are shared; what is in them need not be.
const SHARED_FOLDERS: &[&str] =
    &["/", "/home", "/media", "/mnt", "/opt", "/run/media", "/run/user", "/srv", "/tmp", "/var", "/var/lib"];
