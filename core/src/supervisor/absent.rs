//! What a person names and what is not there yet. A sandbox lets in only what is there: it is made empty before the
//! process starts, and taken away again where nothing was written to it.

use std::{
    collections::HashMap,
    fs::{self, Metadata, OpenOptions},
    io,
    mem::MaybeUninit,
    os::{fd::OwnedFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};
use rustix::fs::inotify::{self, ReadFlags};

use super::confine::resolved;
use crate::launcher::{Access, Rule};

/// A file or folder that is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    /// Absolute; what it is in is there.
    pub path: PathBuf,
    pub folder: bool,
    /// Whether it is declared to be a path; else it may be any word.
    pub surely: bool,
}

impl Absent {
    /// Of an absolute path: the path itself, or the first folder of it that is not there. None where it is there, or
    /// is the machine's.
    pub fn of(path: &Path, folder: bool, surely: bool) -> Option<Absent> {
        // Of these the plugin has its own.
        if ["/proc", "/dev"].iter().any(|machine| path.starts_with(machine)) {
            return None;
        }
        let absent = |path: &Path| path.symlink_metadata().is_err();
        let first = path.ancestors().take_while(|one| absent(one)).last()?;
        Some(Absent { path: first.to_owned(), folder: folder || first != path, surely })
    }
}

/// What was made, and is gone again since nothing opened it to write.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwritten {
    pub path: PathBuf,
    /// It was taken for a file that is there, and empty.
    pub read: bool,
}

/// What was made for one process. Dropped, what nothing was written to is taken away.
#[derive(Default)]
pub(super) struct Made {
    all: Vec<Placeholder>,
    /// Tells what is opened; where there is none, what a file is tells whether it was written to.
    inotify: Option<OwnedFd>,
}

struct Placeholder {
    path: PathBuf,
    was: Metadata,
    watch: Option<i32>,
}

impl Made {
    /// Makes what a process with these rules could not make itself: what it may write by its own name alone.
    ///
    /// # Errors
    /// What is surely meant cannot be made.
    pub(super) fn new(absent: &[Absent], rules: &[Rule]) -> Result<Made, Error> {
        let mut made = Made::default();
        for Absent { path, folder, surely } in absent {
            let real = resolved(path);
            if !rules.iter().any(|rule| rule.path == real && rule.access == Access::Write) {
                continue;
            }
            match make(&real, *folder) {
                Ok(was) => made.keep(path, was),
                Err(error) if *surely && error.kind() != io::ErrorKind::AlreadyExists => {
                    let message = format!("`{}` is not there, and cannot be made: {error}", path.display());
                    return Err(Error::new(ErrorCode::INVALID_PARAMS, message));
                }
                // Nothing is let in by that name.
                Err(_) => {}
            }
        }
        Ok(made)
    }

    fn keep(&mut self, path: &Path, was: Metadata) {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let inotify = self.inotify.take().or_else(|| inotify::init(flags).ok());
        let closed = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::CLOSE_NOWRITE;
        let watch = inotify.as_ref().and_then(|inotify| inotify::add_watch(inotify, path, closed).ok());
        self.inotify = inotify;
        self.all.push(Placeholder { path: path.to_owned(), was, watch });
    }

    /// What was opened until now is not what the process does: its launcher had to.
    pub(super) fn begin(&self) {
        self.closed();
    }

    /// Takes away what nothing was written to; the process has ended.
    pub(super) fn clear(&mut self) -> Vec<Unwritten> {
        let closed = self.closed();
        let all = self.all.drain(..);
        let unwritten = all.filter_map(|Placeholder { path, was, watch }| {
            let closed = watch.and_then(|watch| closed.get(&watch)).copied().unwrap_or(ReadFlags::empty());
            let written = closed.contains(ReadFlags::CLOSE_WRITE) || !is_as_it_was(&path, &was);
            let gone = !written && remove(&path, &was).is_ok();
            gone.then(|| Unwritten { path, read: closed.contains(ReadFlags::CLOSE_NOWRITE) })
        });
        unwritten.collect()
    }

    /// How each watched one was open, of those that were closed since the last time.
    fn closed(&self) -> HashMap<i32, ReadFlags> {
        let mut closed = HashMap::new();
        let mut buffer = [MaybeUninit::uninit(); 1024];
        if let Some(inotify) = &self.inotify {
            let mut reader = inotify::Reader::new(inotify, &mut buffer);
            while let Ok(event) = reader.next() {
                *closed.entry(event.wd()).or_insert(ReadFlags::empty()) |= event.events();
            }
        }
        closed
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        self.clear();
    }
}

fn make(path: &Path, folder: bool) -> io::Result<Metadata> {
    if folder {
        fs::create_dir(path)?;
        return path.symlink_metadata();
    }
    OpenOptions::new().write(true).create_new(true).open(path)?.metadata()
}

/// Whether nobody has put something else there, or has written to it, if nothing.
fn is_as_it_was(path: &Path, was: &Metadata) -> bool {
    let same = |now: Metadata| {
        let written = |of: &Metadata| (of.size(), of.mtime(), of.mtime_nsec());
        (now.dev(), now.ino()) == (was.dev(), was.ino()) && written(&now) == written(was)
    };
    path.symlink_metadata().is_ok_and(same)
}

fn remove(path: &Path, was: &Metadata) -> io::Result<()> {
    if was.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn rule(path: &Path, access: Access) -> Rule {
        Rule { path: path.to_owned(), access }
    }

    #[test]
    fn makes_what_is_let_in_by_its_name_and_takes_away_what_stays_empty() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let at = |name: &str| real.join(name);
        let all = ["kept", "emptied", "unwritten", "read", "inside/any", "new/deep/file", "other/file"];
        let absent: Vec<_> = all.iter().filter_map(|name| Absent::of(&at(name), false, true)).collect();
        let paths: Vec<_> = absent.iter().map(|one| (one.path.clone(), one.folder)).collect();
        assert_eq!(paths[4..], [(at("inside"), true), (at("new"), true), (at("other"), true)]);
        let given =
            ["kept", "emptied", "unwritten", "new", "other"].map(|name| rule(&at(name), Access::Write));
        let read = rule(&at("read"), Access::Read);
        let mut made = Made::new(&absent, &[&given[..], &[read]].concat()).unwrap();
        let there = || {
            let mut names: Vec<_> =
                fs::read_dir(&real).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(there(), ["emptied", "kept", "new", "other", "unwritten"]);
        fs::read_dir(at("other")).unwrap().count();
        made.begin();
        fs::write(at("kept"), "text").unwrap();
        fs::write(at("new/file"), "").unwrap();
        fs::write(at("emptied"), "").unwrap();
        fs::read(at("unwritten")).unwrap();
        let unwritten: Vec<_> = made.clear().into_iter().map(|one| (one.path, one.read)).collect();
        assert_eq!(unwritten, [(at("unwritten"), true), (at("other"), false)]);
        assert_eq!(there(), ["emptied", "kept", "new"]);
    }

    #[test]
    fn leaves_what_is_there_and_says_what_it_cannot_make() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let (file, link) = (real.join("file"), real.join("link"));
        fs::write(&file, "").unwrap();
        symlink("nowhere", &link).unwrap();
        assert_eq!(Absent::of(&file, false, true), None);
        assert_eq!(Absent::of(&link, false, true), None, "a link may lead anywhere");
        assert_eq!(Absent::of(Path::new("/dev/fd/1000"), false, true), None);
        let below = Absent::of(&file.join("below"), false, true).unwrap();
        let rules = [rule(&below.path, Access::Write)];
        let refused = Made::new(std::slice::from_ref(&below), &rules).err().unwrap();
        assert!(refused.message.contains("is not there, and cannot be made: Not a directory"), "{refused}");
        let word = Absent { surely: false, ..below };
        assert!(Made::new(&[word], &rules).unwrap().all.is_empty());
        // Somebody else was quicker.
        let late = Absent { path: file.clone(), folder: false, surely: true };
        drop(Made::new(&[late], &[rule(&file, Access::Write)]).unwrap());
        assert!(file.exists());
    }
}
