//! Plans how the files of a folder are sorted into folders of their kind.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::category::Sorter;
use crate::error::Error;
use crate::paths::{self, hidden};
use crate::plan::{Action, Identity, Kind, LeftAlone, NAME_TAKEN, Plan, Step};

/// Plans to sort the files directly in `path`, or all below it where `recursive`.
/// Hidden files, links and folders stay; folders that this method sorts into are not walked.
pub fn plan(path: &Path, sorter: &Sorter, recursive: bool, home: Option<&Path>) -> Result<Plan, Error> {
    paths::refuse_system(paths::folder(path)?)?;
    if recursive && home.is_some_and(|home| paths::real(home) == paths::real(path)) {
        return Err(Error::Home(path.to_path_buf()));
    }
    let mut plan = Plan {
        action: Action::Organize,
        base: path.to_path_buf(),
        steps: vec![],
        skipped: vec![],
        left_alone: LeftAlone::default(),
    };
    let files = files(&mut plan, sorter, recursive)?;
    let mut folders = Folders::look(path, &files);
    let mut taken = HashSet::new();
    for (from, was, folder) in files {
        let to = path.join(&folder).join(from.file_name().unwrap_or_default());
        match folders.get(&folder) {
            // Sorting it away would free the name, and a second run would find work again.
            _ if folders.blocks(&from) => {
                plan.skip(&from, "its name is that of a folder that files belong in")
            }
            State::Blocked => plan.skip(&from, format!("`{folder}` is in the way: it is not a folder")),
            _ if taken.contains(&to) || fs::symlink_metadata(&to).is_ok() => plan.skip(&from, NAME_TAKEN),
            state => {
                if state == State::Missing {
                    plan.steps.push(Step::Folder(path.join(&folder)));
                    folders.0.insert(path.join(&folder), State::There);
                }
                taken.insert(to.clone());
                plan.steps.push(Step::Item { from, to, was });
            }
        }
    }
    Ok(plan)
}

type Found = (PathBuf, Identity, String);

/// The files to sort and the folder that each belongs in.
fn files(plan: &mut Plan, sorter: &Sorter, recursive: bool) -> Result<Vec<Found>, Error> {
    let base = plan.base.clone();
    let depth = if recursive { usize::MAX } else { 1 };
    let mut walk = WalkDir::new(&base).min_depth(1).max_depth(depth).sort_by_file_name().into_iter();
    let mut found = vec![];
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                plan.skip(error.path().unwrap_or(&base), "it cannot be read");
                continue;
            }
        };
        if hidden(entry.file_name()) {
            plan.left_alone.hidden += 1;
            if entry.file_type().is_dir() && recursive {
                walk.skip_current_dir();
            }
        } else if entry.file_type().is_dir() {
            if recursive && entry.depth() == 1 && sorter.is_destination(entry.file_name()) {
                walk.skip_current_dir();
            }
        } else {
            consider(plan, sorter, &entry, &mut found);
        }
    }
    Ok(found)
}

fn consider(plan: &mut Plan, sorter: &Sorter, entry: &DirEntry, found: &mut Vec<Found>) {
    // Gone since it was listed: nothing is left to be told about it.
    let Ok(metadata) = entry.path().symlink_metadata() else { return };
    match Kind::of(&metadata) {
        Kind::Symlink => plan.left_alone.links += 1,
        Kind::Other => plan.left_alone.special += 1,
        Kind::File | Kind::Folder => match sorter.folder(entry.file_name(), &metadata) {
            Some(folder) => found.push((entry.path().to_path_buf(), Identity::of(&metadata), folder)),
            None => plan.skip(entry.path(), "its date is beyond the calendar"),
        },
    }
}

/// The folders that files are going to, by their paths.
struct Folders(HashMap<PathBuf, State>, PathBuf);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    There,
    Missing,
    /// Something that is no folder has the name; a link to a folder, too, is not followed.
    Blocked,
}

impl Folders {
    fn look(base: &Path, files: &[Found]) -> Self {
        let names: HashSet<&str> = files.iter().map(|(.., folder)| folder.as_str()).collect();
        let states = names.into_iter().map(|name| {
            let path = base.join(name);
            let state = match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => State::There,
                Ok(_) => State::Blocked,
                Err(_) => State::Missing,
            };
            (path, state)
        });
        Self(states.collect(), base.to_path_buf())
    }

    fn get(&self, folder: &str) -> State {
        self.0.get(&self.1.join(folder)).copied().unwrap_or(State::Missing)
    }

    fn blocks(&self, file: &Path) -> bool {
        self.0.get(file) == Some(&State::Blocked)
    }
}
