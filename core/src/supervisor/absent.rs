//! What a person names and what is not there yet. A sandbox lets in only what is there: it is made empty before the
//! process starts, and taken away again where nothing was written to it.

use std::{
    collections::HashMap,
    ffi::OsStr,
    io,
    mem::MaybeUninit,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};
use rustix::{
    fs::{
        AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat,
        inotify::{self, ReadFlags},
        mkdirat, openat, openat2, statat, unlinkat,
    },
    io::Errno,
};

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
    /// What it is in, opened: nobody leads elsewhere meanwhile.
    above: OwnedFd,
    was: Stat,
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
                Ok((above, was)) => made.keep(path, above, was),
                Err(error) if *surely && error != Errno::EXIST => {
                    let error = io::Error::from(error);
                    let message = format!("`{}` is not there, and cannot be made: {error}", path.display());
                    return Err(Error::new(ErrorCode::INVALID_PARAMS, message));
                }
                // Nothing is let in by that name.
                Err(_) => {}
            }
        }
        Ok(made)
    }

    fn keep(&mut self, path: &Path, above: OwnedFd, was: Stat) {
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let inotify = self.inotify.take().or_else(|| inotify::init(flags).ok());
        let closed = inotify::WatchFlags::CLOSE_WRITE | inotify::WatchFlags::CLOSE_NOWRITE;
        let watch = inotify.as_ref().and_then(|inotify| inotify::add_watch(inotify, path, closed).ok());
        self.inotify = inotify;
        self.all.push(Placeholder { path: path.to_owned(), above, was, watch });
    }

    /// What was opened until now is not what the process does: its launcher had to.
    pub(super) fn begin(&self) {
        self.closed();
    }

    /// Takes away what nothing was written to; the process has ended.
    pub(super) fn clear(&mut self) -> Vec<Unwritten> {
        let closed = self.closed();
        let all = self.all.drain(..);
        let unwritten = all.filter_map(|one| {
            let closed =
                one.watch.and_then(|watch| closed.get(&watch)).copied().unwrap_or(ReadFlags::empty());
            let gone = !closed.contains(ReadFlags::CLOSE_WRITE) && one.is_as_it_was() && one.remove().is_ok();
            gone.then(|| Unwritten { path: one.path, read: closed.contains(ReadFlags::CLOSE_NOWRITE) })
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

impl Placeholder {
    /// Whether nobody has put something else there, or has written to it, if nothing.
    fn is_as_it_was(&self) -> bool {
        let now = statat(&self.above, name(&self.path), AtFlags::SYMLINK_NOFOLLOW);
        let told = |of: &Stat| (of.st_dev, of.st_ino, of.st_size, of.st_mtime, of.st_mtime_nsec);
        now.is_ok_and(|now| told(&now) == told(&self.was))
    }

    fn remove(&self) -> Result<(), Errno> {
        let is_folder = FileType::from_raw_mode(self.was.st_mode) == FileType::Directory;
        let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        unlinkat(&self.above, name(&self.path), flags)
    }
}

/// Makes a file or folder of a path without links; gives what it is in, and how it is.
fn make(path: &Path, folder: bool) -> Result<(OwnedFd, Stat), Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let above = path.parent().ok_or(Errno::EXIST)?;
    let above = openat2(CWD, above, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?;
    let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
    if folder {
        mkdirat(&above, name(path), all)?;
    } else {
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        drop(openat(&above, name(path), new, all - Mode::XUSR - Mode::XGRP - Mode::XOTH)?);
    }
    let was = statat(&above, name(path), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok((above, was))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

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
