//! The log of a daemon that was started on demand: its standard error is a file, which is kept short.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::daemon::paths::{self, Paths};

/// Beyond this it is moved aside, in bytes; with the one before it, there is twice as much.
const MAX_LOG: u64 = 1 << 20;
/// How often that is looked at.
const OFTEN: Duration = Duration::from_secs(60);

pub(super) fn path(paths: &Paths) -> PathBuf {
    paths.logs.join("daemon.log")
}

/// Opens it to go on at its end, whoever has shortened it meanwhile.
pub(super) fn open(paths: &Paths) -> io::Result<File> {
    paths::create(&paths.logs)?;
    OpenOptions::new().create(true).append(true).mode(0o600).open(path(paths))
}

/// Keeps it short as long as this is polled.
pub(super) async fn keep_short(log: PathBuf) {
    let mut often = tokio::time::interval(OFTEN);
    loop {
        often.tick().await;
        let file = io::stderr().as_fd().try_clone_to_owned().map(File::from);
        if let Err(error) = file.and_then(|file| shorten(&file, &log)) {
            tracing::warn!(%error, "the daemon's log cannot be shortened");
        }
    }
}

/// Copied and cut, not renamed: its writer holds it open.
fn shorten(file: &File, log: &Path) -> io::Result<()> {
    let about = file.metadata()?;
    if about.is_file() && about.len() > MAX_LOG {
        fs::copy(log, log.with_extension("log.1"))?;
        file.set_len(0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn keeps_the_log_and_the_one_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("daemon.log");
        let mut file = OpenOptions::new().create(true).append(true).open(&log).unwrap();
        file.write_all(b"short\n").unwrap();
        shorten(&file, &log).unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"short\n");
        file.write_all(&vec![b'x'; MAX_LOG as usize]).unwrap();
        shorten(&file, &log).unwrap();
        file.write_all(b"anew\n").unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"anew\n");
        assert_eq!(fs::metadata(folder.path().join("daemon.log.1")).unwrap().len(), MAX_LOG + 6);
    }
}
