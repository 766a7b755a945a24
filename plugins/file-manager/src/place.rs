//! Puts one file under a name, only where that name is free: nothing is overwritten, whatever races.

use std::fs::{self, File, FileTimes, Metadata};
use std::io::{self, Read as _};
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use tempfile::Builder;

use crate::plan::Kind;

/// How many bytes are copied between two looks at whether to go on.
const STRETCH: u64 = 64 << 20;

/// Copies under a name of this beginning until they are whole.
#[must_use]
pub fn unfinished_prefix(operation: &str) -> String {
    format!(".astros-{operation}-")
}

/// A look at whether to go on, as often as it may be wanted.
pub type GoOn<'a> = &'a mut dyn FnMut() -> ControlFlow<()>;

/// Moves a file, link or folder; a file or link also to another file system, where the first one goes only when
/// the second is on the disk.
pub fn move_to(from: &Path, to: &Path, operation: &str, go_on: GoOn<'_>) -> io::Result<()> {
    match rename(from, to) {
        Err(error) if error.raw_os_error() == Some(Errno::EXDEV as i32) => {
            let before = fs::symlink_metadata(from)?;
            if before.is_dir() {
                let reason =
                    "a folder cannot be moved to another disk at once; copy it, then delete the original";
                return Err(io::Error::new(io::ErrorKind::CrossesDevices, reason));
            }
            copy_to(from, to, operation, go_on)?;
            if before.is_file() {
                File::open(to)?.sync_all()?;
            }
            File::open(parent(to))?.sync_all()?;
            remove_unchanged(from, to, &before)
        }
        done => done,
    }
}

/// Copies a file or link with its bytes, mode and times; it has its name only when it is whole.
pub fn copy_to(from: &Path, to: &Path, operation: &str, go_on: GoOn<'_>) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    match Kind::of(&metadata) {
        Kind::Symlink => copy_link(from, to, &metadata),
        Kind::File => copy_file(from, to, operation, go_on),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is neither a file nor a link")),
    }
}

fn copy_link(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    std::os::unix::fs::symlink(fs::read_link(from)?, to)?;
    let atime = TimeSpec::new(metadata.atime(), metadata.atime_nsec());
    let mtime = TimeSpec::new(metadata.mtime(), metadata.mtime_nsec());
    Ok(utimensat(AT_FDCWD, to, &atime, &mtime, UtimensatFlags::NoFollowSymlink)?)
}

fn copy_file(from: &Path, to: &Path, operation: &str, go_on: GoOn<'_>) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = Builder::new().prefix(&unfinished_prefix(operation)).tempfile_in(parent(to))?;
    while io::copy(&mut source.by_ref().take(STRETCH), copy.as_file_mut())? > 0 {
        if go_on().is_break() {
            return Err(io::ErrorKind::Interrupted.into());
        }
    }
    let metadata = source.metadata()?;
    let times = FileTimes::new().set_accessed(metadata.accessed()?).set_modified(metadata.modified()?);
    copy.as_file().set_permissions(metadata.permissions())?;
    copy.as_file().set_times(times)?;
    copy.persist_noclobber(to).map_err(|error| error.error)?;
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

/// Ends a move across file systems. Where somebody wrote to the file meanwhile, the copy goes instead.
fn remove_unchanged(from: &Path, to: &Path, before: &Metadata) -> io::Result<()> {
    let now = fs::symlink_metadata(from)?;
    let same = (now.ino(), now.len(), now.mtime(), now.mtime_nsec())
        == (before.ino(), before.len(), before.mtime(), before.mtime_nsec());
    let removed =
        if same { fs::remove_file(from) } else { Err(io::Error::other("it changed while it was moved")) };
    if removed.is_err() {
        fs::remove_file(to)?;
    }
    removed
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    use nix::fcntl::{RenameFlags, renameat2};
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, RenameFlags::RENAME_NOREPLACE) {
        // The file system, or the kernel, does not know the flag.
        Err(Errno::EINVAL | Errno::ENOSYS | Errno::EOPNOTSUPP) => link_and_unlink(from, to),
        done => Ok(done?),
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    link_and_unlink(from, to)
}

/// A second name, which fails where it is taken, then the first one's end.
fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on() -> impl FnMut() -> ControlFlow<()> {
        || ControlFlow::Continue(())
    }

    #[test]
    fn each_way_refuses_a_name_that_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        let ways: [&dyn Fn() -> io::Result<()>; 3] =
            [&|| move_to(&from, &to, "1", &mut on()), &|| copy_to(&from, &to, "1", &mut on()), &|| {
                link_and_unlink(&from, &to)
            }];
        for way in ways {
            assert_eq!(way().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&from).unwrap(), b"new");
            assert_eq!(fs::read(&to).unwrap(), b"old");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no unfinished copy stays behind");
        }
    }

    #[test]
    fn a_file_system_without_the_flag_moves_by_linking() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "text").unwrap();
        link_and_unlink(&from, &to).unwrap();
        assert!(!from.exists());
        assert_eq!(fs::read(&to).unwrap(), b"text");
    }

    #[test]
    fn a_stopped_copy_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "text").unwrap();
        let stopped = copy_to(&from, &to, "1", &mut || ControlFlow::Break(())).unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::Interrupted);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
