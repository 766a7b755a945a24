//! Small texts in files: of a plugin's folder only those that are in it, wherever links there lead.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags, open, openat2};
use rustix::io::Errno;

use super::MAX_BYTES;

/// To open a pipe that nobody writes to does not block.
const TEXT: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The text of a regular file of at most [`MAX_BYTES`].
///
/// # Errors
/// It is not there, is something else, or not UTF-8.
pub fn text_of(path: &Path) -> io::Result<String> {
    text(open(path, TEXT, Mode::empty())?)
}

/// A folder, which may be reached by a link; what is read in it is below it, and is not where a link leads out.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    opened: OwnedFd,
}

impl Folder {
    /// # Errors
    /// There is no such folder.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let opened = open(path, OFlags::PATH | FOLDER, Mode::empty())?;
        Ok(Folder { path: path.to_owned(), opened })
    }

    /// As it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text of one of its files, as [`text_of`].
    ///
    /// # Errors
    /// As [`text_of`], or a link leads out of the folder.
    pub fn text(&self, file: impl AsRef<Path>) -> io::Result<String> {
        text(self.below(file.as_ref(), TEXT)?)
    }

    /// The names in one of its folders.
    ///
    /// # Errors
    /// It cannot be read, or a link leads out of the folder.
    pub fn names(&self, folder: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
        let entries = Dir::new(self.below(folder.as_ref(), OFlags::RDONLY | FOLDER)?)?;
        let name = |entry: rustix::fs::DirEntry| {
            std::ffi::OsStr::from_bytes(entry.file_name().to_bytes()).to_owned()
        };
        let names = entries.map(|entry| Ok(name(entry?)));
        names.filter(|name| name.as_ref().map_or(true, |name| name != "." && name != "..")).collect()
    }

    fn below(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.opened, path, flags, Mode::empty(), resolve) {
            Err(Errno::XDEV) => Err(leads_out()),
            Err(Errno::NOSYS) => self.below_by_name(path, flags),
            opened => Ok(opened?),
        }
    }

    /// The same where the kernel has no such call: then nobody may change links meanwhile.
    fn below_by_name(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let real = self.path.join(path).canonicalize()?;
        if !real.starts_with(self.path.canonicalize()?) {
            return Err(leads_out());
        }
        Ok(open(&real, flags | OFlags::NOFOLLOW, Mode::empty())?)
    }
}

fn leads_out() -> io::Error {
    io::Error::other("it is or goes through a link that leads out of the folder; put what it leads to there")
}

fn text(opened: OwnedFd) -> io::Result<String> {
    let file = File::from(opened);
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut text = String::with_capacity(about.len().min(MAX_BYTES as u64) as usize);
    // One byte more, so that a file that grew too large is noticed and never held.
    file.take(MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    if text.len() > MAX_BYTES {
        return Err(io::Error::other(format!("it is too large, expected at most {MAX_BYTES} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn reads_below_the_folder_and_follows_no_link_out_of_it() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::create_dir_all(path("real/deep")).unwrap();
        fs::create_dir(path("outside")).unwrap();
        fs::write(path("real/deep/file"), "in").unwrap();
        fs::write(path("outside/file"), "secret").unwrap();
        symlink("deep/../deep/file", path("real/inner")).unwrap();
        symlink("../outside", path("real/folder")).unwrap();
        symlink("../outside/file", path("real/relative")).unwrap();
        symlink(path("outside/file"), path("real/absolute")).unwrap();
        symlink("nowhere", path("real/dangling")).unwrap();
        symlink("real", path("link")).unwrap();
        let folder = Folder::open(&path("link")).unwrap();
        for file in ["deep/file", "inner"] {
            assert_eq!(folder.text(file).unwrap(), "in");
            folder.below_by_name(file.as_ref(), TEXT).unwrap();
        }
        for file in ["relative", "absolute", "folder/file", "../outside/file", "/proc/version"] {
            let file = Path::new(file);
            let errors = [folder.text(file).unwrap_err(), folder.below_by_name(file, TEXT).unwrap_err()];
            for error in errors {
                assert!(error.to_string().contains("leads out of the folder"), "{}: {error}", file.display());
            }
        }
        for file in ["gone", "dangling"] {
            assert_eq!(folder.text(file).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
        assert_eq!(folder.names("deep").unwrap(), ["file"]);
        assert!(folder.names("folder").unwrap_err().to_string().contains("leads out of the folder"));
        assert_eq!(text_of(&path("real/relative")).unwrap(), "secret");
    }

    #[test]
    fn reads_nothing_that_has_no_end_or_is_too_large() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for endless in [&*pipe, Path::new("/dev/zero"), place.path()] {
            assert!(text_of(endless).unwrap_err().to_string().contains("no regular file"));
        }
        let file = place.path().join("file");
        fs::write(&file, "x".repeat(MAX_BYTES)).unwrap();
        assert_eq!(text_of(&file).unwrap().len(), MAX_BYTES);
        fs::write(&file, "x".repeat(MAX_BYTES + 1)).unwrap();
        assert!(text_of(&file).unwrap_err().to_string().contains("at most 1048576 bytes"));
    }
}
