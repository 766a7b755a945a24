//! Does what a plan says, step by step.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::place;
use crate::plan::{Action, NAME_TAKEN, Plan, Skipped, Step};

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Things that were moved or copied.
    pub done: u64,
    /// How many of them went into each folder.
    pub folders: HashMap<PathBuf, u64>,
    pub folders_created: Vec<PathBuf>,
    pub skipped: Vec<Skipped>,
    /// Somebody stopped it before its end.
    pub cancelled: bool,
}

/// Told how many of how many things are done; says whether to go on.
pub trait Watch: FnMut(u64, u64) -> ControlFlow<()> {}
impl<F: FnMut(u64, u64) -> ControlFlow<()>> Watch for F {}

/// Carries the plan out. Files that cannot be had, or whose new name was taken meanwhile, are skipped.
pub fn run(plan: &Plan, operation: &str, mut watch: impl Watch) -> Outcome {
    let mut outcome = Outcome { skipped: plan.skipped.clone(), ..Outcome::default() };
    let mut missing = HashMap::new();
    let (total, mut seen) = (plan.items(), 0);
    for step in &plan.steps {
        match step {
            Step::Folder(path) => match make_folder(path) {
                Ok(true) => outcome.folders_created.push(path.clone()),
                Ok(false) => {}
                Err(error) => {
                    missing.insert(path.as_path(), format!("its folder cannot be made: {}", reason(&error)));
                }
            },
            Step::Item { from, to, .. } => {
                let parent = to.parent().unwrap_or(to);
                let placed = match (watch(seen, total), missing.get(parent)) {
                    (ControlFlow::Break(()), _) => Err(io::ErrorKind::Interrupted.into()),
                    (_, Some(why)) => Err(io::Error::other(why.clone())),
                    _ => place(plan.action, from, to, operation, &mut || watch(seen, total)),
                };
                match placed {
                    Ok(()) => outcome.count(parent),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                        outcome.cancelled = true;
                        break;
                    }
                    Err(error) => {
                        outcome.skipped.push(Skipped { path: from.as_path().into(), reason: reason(&error) })
                    }
                }
                seen += 1;
            }
        }
    }
    if plan.action != Action::Copy {
        remove_unused(&mut outcome.folders_created);
    }
    // The last figure; there is nothing left to stop.
    let _ = watch(seen, total);
    outcome
}

/// What [`run`] would do, without doing it.
#[must_use]
pub fn rehearse(plan: &Plan) -> Outcome {
    let mut outcome = Outcome { skipped: plan.skipped.clone(), ..Outcome::default() };
    for step in &plan.steps {
        match step {
            Step::Folder(path) => outcome.folders_created.push(path.clone()),
            Step::Item { to, .. } => outcome.count(to.parent().unwrap_or(to)),
        }
    }
    outcome
}

impl Outcome {
    fn count(&mut self, folder: &Path) {
        self.done += 1;
        *self.folders.entry(folder.to_path_buf()).or_default() += 1;
    }
}

fn place(action: Action, from: &Path, to: &Path, operation: &str, go_on: place::GoOn<'_>) -> io::Result<()> {
    match action {
        Action::Organize | Action::Move => place::move_to(from, to, operation, go_on),
        Action::Copy => place::copy_to(from, to, operation, go_on),
    }
}

/// Forgets folders that got nothing; one that has something cannot be removed this way.
fn remove_unused(folders: &mut Vec<PathBuf>) {
    let unused: HashSet<PathBuf> =
        folders.iter().rev().filter(|f| fs::remove_dir(f).is_ok()).cloned().collect();
    folders.retain(|folder| !unused.contains(folder));
}

/// Whether it had to be made.
fn make_folder(path: &Path) -> io::Result<bool> {
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Why one file stayed, in a person's words.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AlreadyExists => NAME_TAKEN.to_owned(),
        io::ErrorKind::NotFound => "it is no longer there".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "its disk can only be read".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "no space is left".to_owned(),
        io::ErrorKind::InvalidFilename => "its new name would be too long".to_owned(),
        _ => error.to_string(),
    }
}
