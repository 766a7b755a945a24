//! Goes the steps of an operation backwards, and touches only what is still as the operation left it.
//!
//! The journal says what was planned, not what was done: each step is judged by what is on the disk, so that an
//! operation that was killed at any point, and an undo that was, are both taken back by undoing (again).

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::place::{GoOn, move_to, unfinished_prefix};
use crate::plan::{Action, Identity, Kind, Skipped, Step};
use crate::run::{Watch, reason};

/// What became of an undo.
#[derive(Debug, Default)]
pub struct Undone {
    /// Things that are back, or copies that are gone.
    pub restored: u64,
    pub folders_removed: Vec<PathBuf>,
    pub skipped: Vec<Skipped>,
    pub cancelled: bool,
}

/// Takes the steps back, the last first.
pub fn undo(action: Action, steps: &[Step], operation: &str, mut watch: impl Watch) -> Undone {
    let mut undone = Undone::default();
    remove_unfinished(steps, operation);
    let total = steps.len() as u64;
    for (seen, step) in (0..).zip(steps.iter().rev()) {
        if watch(seen, total).is_break() {
            undone.cancelled = true;
            return undone;
        }
        let (path, back) = match step {
            Step::Folder(path) => (path, Ok(remove_folder(path))),
            Step::Item { from, to, was } if action == Action::Copy => (to, remove_copy(from, to, was)),
            Step::Item { from, to, was } => {
                (to, bring_back(from, to, was, operation, &mut || watch(seen, total)))
            }
        };
        match back {
            Ok(Back::Done) => undone.restored += 1,
            Ok(Back::FolderRemoved) => undone.folders_removed.push(path.clone()),
            Ok(Back::NothingToDo) => {}
            Ok(Back::Refused(reason)) => undone.skip(path, reason.to_owned()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                undone.cancelled = true;
                return undone;
            }
            Err(error) => undone.skip(path, reason(&error)),
        }
    }
    // The last figure; there is nothing left to stop.
    let _ = watch(total, total);
    undone
}

enum Back {
    Done,
    FolderRemoved,
    /// The step had not been done, or was taken back before.
    NothingToDo,
    /// A person did something since that is worth more than the undo.
    Refused(&'static str),
}

/// One that has something in it stays.
fn remove_folder(path: &Path) -> Back {
    if fs::remove_dir(path).is_ok() { Back::FolderRemoved } else { Back::NothingToDo }
}

fn bring_back(from: &Path, to: &Path, was: &Identity, operation: &str, go_on: GoOn<'_>) -> io::Result<Back> {
    match (Identity::at(from)?, Identity::at(to)?) {
        (None, Some(now)) if now == *was => {
            fs::create_dir_all(from.parent().unwrap_or(from))?;
            move_to(to, from, operation, go_on).map(|()| Back::Done)
        }
        (None, Some(_)) => Ok(Back::Refused("it was changed since")),
        (None, None) => Ok(Back::Refused("it was moved or deleted since")),
        (Some(first), Some(second)) if first == *was && second == *was && same_content(from, to)? => {
            // Killed between the new name and the end of the old one.
            fs::remove_file(to).map(|()| Back::Done)
        }
        (Some(first), Some(second)) if second == *was && first != *was => {
            Ok(Back::Refused("another file has its old name"))
        }
        (Some(_), _) => Ok(Back::NothingToDo),
    }
}

/// A copy goes only while its original is there: it is never the last one of its kind.
fn remove_copy(from: &Path, to: &Path, was: &Identity) -> io::Result<Back> {
    match (Identity::at(from)?, Identity::at(to)?) {
        (_, None) => Ok(Back::NothingToDo),
        (_, Some(copy)) if copy != *was => Ok(Back::Refused("it was changed since")),
        (Some(original), _) if original == *was => fs::remove_file(to).map(|()| Back::Done),
        _ => Ok(Back::Refused("its original is gone or was changed since")),
    }
}

impl Undone {
    fn skip(&mut self, path: &Path, reason: String) {
        self.skipped.push(Skipped { path: path.into(), reason });
    }
}

/// Copies that a kill left half done; they bear the operation's name.
fn remove_unfinished(steps: &[Step], operation: &str) {
    let folders: HashSet<&Path> = steps.iter().filter_map(target).collect();
    let prefix = unfinished_prefix(operation);
    for entry in folders.into_iter().filter_map(|folder| folder.read_dir().ok()).flatten().flatten() {
        if entry.file_name().as_bytes().starts_with(prefix.as_bytes()) {
            // One that cannot be removed stays hidden and harms nobody.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn target(step: &Step) -> Option<&Path> {
    match step {
        Step::Item { to, .. } => to.parent(),
        Step::Folder(_) => None,
    }
}

fn same_content(a: &Path, b: &Path) -> io::Result<bool> {
    match Identity::at(a)?.map(|found| found.kind) {
        Some(Kind::Symlink) => Ok(fs::read_link(a)? == fs::read_link(b)?),
        Some(Kind::File) => {
            let (mut a, mut b) =
                (BufReader::new(File::open(a)?).bytes(), BufReader::new(File::open(b)?).bytes());
            loop {
                match (a.next().transpose()?, b.next().transpose()?) {
                    (None, None) => return Ok(true),
                    (x, y) if x != y => return Ok(false),
                    _ => {}
                }
            }
        }
        _ => Ok(false),
    }
}
