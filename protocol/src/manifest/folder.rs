//! Finding and reading the file in a plugin's folder.

use std::io;
use std::path::Path;

use super::{FILE_NAMES, Folder, Manifest, ManifestError};

impl Manifest {
    /// Reads the manifest of the plugin in `folder`; none where no file of [`FILE_NAMES`] is there.
    ///
    /// `plugin.yaml` goes before `plugin-manifest.yaml`.
    ///
    /// # Errors
    /// The folder or the file cannot be read, or the file is no manifest.
    pub fn read(folder: &Path) -> Result<Option<Self>, ManifestError> {
        let opened = Folder::open(folder).map_err(|error| unreadable(folder, &error))?;
        for name in FILE_NAMES {
            let path = folder.join(name);
            match opened.text(name) {
                Ok(text) => return Self::parse(&text, &path).map(Some),
                Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
                }
                Err(error) => return Err(unreadable(&path, &error)),
            }
        }
        Ok(None)
    }
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
