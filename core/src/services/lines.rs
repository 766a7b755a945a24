//! Files of JSON lines that are only added to: kept to a size, with the file before them beside them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Adds lines to the file `path`, for its owner's eyes; one that has `max` bytes is moved aside first. Its folder
/// is made where it is not there.
pub(super) fn append(path: &Path, lines: &[u8], max: u64) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    // Two commands may write at once: who holds the folder's lock may move the file aside.
    let lock = File::open(folder)?;
    lock.lock()?;
    let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let mut file = open()?;
    if file.metadata()?.len() >= max {
        fs::rename(path, before(path))?;
        file = open()?;
    }
    file.write_all(lines)
}

/// What stands in both files, oldest first; nothing where there are none.
///
/// # Errors
/// One is there and cannot be read; the words name it.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Vec<T>> {
    let mut all = Vec::new();
    for path in [&before(path), path] {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                let words = format!("cannot read `{}`: {error}", path.display());
                return Err(io::Error::new(error.kind(), words));
            }
        };
        // The line of a process that was killed may be cut off.
        all.extend(bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()));
    }
    Ok(all)
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}
