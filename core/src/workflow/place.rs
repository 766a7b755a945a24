//! The folder of a run: who has it runs it, and the report and the intermediate results are kept there.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};

/// The folder of a run, held by this process until it is dropped.
pub(super) struct Place {
    pub(super) folder: PathBuf,
    /// The kernel lets go of it with the process, however that ends.
    _lock: File,
}

impl Place {
    /// Takes the folder of a run.
    ///
    /// # Errors
    /// Another process runs it, or the folder cannot be used.
    pub(super) fn take(folder: PathBuf) -> Result<Place, Error> {
        let unusable = |error: io::Error| failed(&folder, &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(unusable)?;
        let lock = File::create(folder.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(Place { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                let id = folder.file_name().unwrap_or_default().to_string_lossy();
                let message = format!("the run `{id}` goes on in another process");
                Err(Error::new(ErrorCode::INVALID_REQUEST, message).with_hint("wait for its end"))
            }
            Err(TryLockError::Error(error)) => Err(unusable(error)),
        }
    }

    /// Writes a file there, whole or not at all.
    pub(super) async fn write(&self, name: &str, text: String) -> Result<PathBuf, Error> {
        let path = self.folder.join(name);
        let aside = self.folder.join(format!("{name}.new"));
        let to = path.clone();
        let write = move || {
            to.parent().map(fs::create_dir_all).transpose()?;
            fs::write(&aside, text)?;
            fs::rename(&aside, &to)
        };
        let written =
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| failed(&path, &error))?;
        Ok(path)
    }
}

/// Whether a process has the folder of a run.
pub(super) fn is_taken(folder: &Path) -> bool {
    File::open(folder.join("lock")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::new(ErrorCode::INTERNAL_ERROR, format!("`{}` cannot be written: {error}", path.display()))
}
