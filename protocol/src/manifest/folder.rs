//! Finding and reading the file in a plugin's folder.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::{FILE_NAMES, MAX_BYTES, Manifest, ManifestError};

impl Manifest {
    /// Reads the manifest of the plugin in `folder`; none where no file of [`FILE_NAMES`] is there.
    ///
    /// `plugin.yaml` goes before `plugin-manifest.yaml`.
    ///
    /// # Errors
    /// The folder or the file cannot be read, or the file is no manifest.
    pub fn read(folder: &Path) -> Result<Option<Self>, ManifestError> {
        match find(folder) {
            Ok(Some(manifest)) => Ok(Some(manifest)),
            // What is wrong with the folder says more than what comes of it.
            none => std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error)).and(none),
        }
    }
}

fn find(folder: &Path) -> Result<Option<Manifest>, ManifestError> {
    for name in FILE_NAMES {
        let path = folder.join(name);
        match text_of(&path) {
            Ok(text) => return Manifest::parse(&text, &path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {}
            Err(error) => return Err(unreadable(&path, &error)),
        }
    }
    Ok(None)
}

/// One byte more than allowed is read, so that a file that grew too large is noticed and never held.
fn text_of(path: &Path) -> io::Result<String> {
    let about = path.metadata()?;
    // Before it is opened: to open a pipe that nobody writes to would block for ever.
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::with_capacity(about.len().min(MAX_BYTES as u64) as usize);
    File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

fn unreadable(path: &Path, error: &io::Error) -> ManifestError {
    let reason = match error.kind() {
        io::ErrorKind::NotFound if path.is_symlink() => {
            "it is a link to nothing; mend or remove it".to_owned()
        }
        io::ErrorKind::NotFound => "there is no such folder; name the folder of a plugin".to_owned(),
        io::ErrorKind::NotADirectory => "it is no folder; name the folder of a plugin".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied; let the user of the daemon read it".to_owned(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".to_owned(),
        _ => error.to_string(),
    };
    ManifestError::Unreadable { path: path.to_owned(), reason }
}
