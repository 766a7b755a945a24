//! Plans moves and copies that a person names one by one.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::error::Error;
use crate::paths;
use crate::plan::{Action, Identity, Kind, LeftAlone, NAME_TAKEN, Plan, Step};

/// One thing to put somewhere, under the whole path that it shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// Where each source goes: into `destination` where that is, or must become, a folder.
///
/// A destination that is not there is a new folder if it ends in `/`, if several things go there, or if
/// a file with an extension goes to a name without one (`move report.pdf to Archive`); else it is the new name.
pub fn pairs(sources: &[PathBuf], destination: &Path) -> Result<Vec<Pair>, Error> {
    paths::absolute(destination)?;
    let slash = destination.as_os_str().as_encoded_bytes().ends_with(b"/");
    let named_like_folder =
        |from: &Path| from.is_file() && from.extension().is_some() && destination.extension().is_none();
    let into = match destination.metadata() {
        Ok(metadata) => metadata.is_dir(),
        Err(_) => slash || sources.len() > 1 || sources.iter().any(|from| named_like_folder(from)),
    };
    let pair = |from: &PathBuf| {
        let to = match from.file_name() {
            Some(name) if into => destination.join(name),
            _ => destination.to_path_buf(),
        };
        Pair { from: from.clone(), to }
    };
    Ok(sources.iter().map(pair).collect())
}

/// Plans to move or copy each pair. A single source that cannot be had is an error, one of several is left alone.
pub fn plan(action: Action, pairs: &[Pair]) -> Result<Plan, Error> {
    let base = pairs.first().and_then(|pair| pair.to.parent()).unwrap_or(Path::new("/")).to_path_buf();
    let mut planner = Planner {
        plan: Plan { action, base, steps: vec![], skipped: vec![], left_alone: LeftAlone::default() },
        names: HashSet::new(),
    };
    for pair in pairs {
        match planner.pair(pair) {
            Err(error) if pairs.len() == 1 => return Err(error),
            Err(error) => planner.plan.skip(&pair.from, error.to_string()),
            Ok(()) => {}
        }
    }
    Ok(planner.plan)
}

struct Planner {
    plan: Plan,
    /// Names that earlier steps make.
    names: HashSet<PathBuf>,
}

impl Planner {
    fn pair(&mut self, Pair { from, to }: &Pair) -> Result<(), Error> {
        let metadata = paths::absolute(from)?.symlink_metadata().map_err(|error| Error::of(from, error))?;
        paths::refuse_system(paths::absolute(to)?)?;
        if self.plan.action == Action::Move {
            paths::refuse_system(from)?;
        }
        let was = Identity::of(&metadata);
        let same = paths::real(to.parent().unwrap_or(to)).join(to.file_name().unwrap_or_default())
            == paths::real(from.parent().unwrap_or(from)).join(from.file_name().unwrap_or_default());
        if same {
            self.plan.skip(from, "it is there already");
        } else if was.kind == Kind::Other {
            self.plan.skip(from, "it is neither a file, a folder nor a link");
        } else if was.kind == Kind::Folder && paths::real(to).starts_with(paths::real(from)) {
            self.plan.skip(from, "it cannot be put into itself");
        } else if self.taken(to) {
            self.plan.skip(from, NAME_TAKEN);
        } else if self.folders(to.parent().unwrap_or(to)) {
            self.put(from, to, was);
        } else {
            self.plan.skip(from, "its destination is below something that is not a folder");
        }
        Ok(())
    }

    fn put(&mut self, from: &Path, to: &Path, was: Identity) {
        if was.kind == Kind::Folder && self.plan.action == Action::Copy {
            return self.tree(from, to);
        }
        self.names.insert(to.to_path_buf());
        self.plan.steps.push(Step::Item { from: from.to_path_buf(), to: to.to_path_buf(), was });
    }

    /// A folder is copied thing by thing; links in it stay links.
    fn tree(&mut self, from: &Path, to: &Path) {
        for entry in WalkDir::new(from).sort_by_file_name() {
            let found = entry.and_then(|entry| Ok((entry.metadata()?, entry)));
            let (metadata, entry) = match found {
                Ok(found) => found,
                Err(error) => {
                    self.plan.skip(error.path().unwrap_or(from), "it cannot be read");
                    continue;
                }
            };
            let rest = entry.path().strip_prefix(from).unwrap_or(Path::new(""));
            let target = if rest.as_os_str().is_empty() { to.to_path_buf() } else { to.join(rest) };
            match Kind::of(&metadata) {
                Kind::Folder => self.folder(target),
                Kind::Other => self.plan.skip(entry.path(), "it is neither a file, a folder nor a link"),
                _ => self.put(entry.path(), &target, Identity::of(&metadata)),
            }
        }
    }

    fn folder(&mut self, path: PathBuf) {
        self.names.insert(path.clone());
        self.plan.steps.push(Step::Folder(path));
    }

    /// Plans `path` and what is missing above it; false where something else is in the way.
    fn folders(&mut self, path: &Path) -> bool {
        if self.names.contains(path) || path.is_dir() {
            return true;
        }
        if path.symlink_metadata().is_ok() || !path.parent().is_some_and(|parent| self.folders(parent)) {
            return false;
        }
        self.folder(path.to_path_buf());
        true
    }

    fn taken(&self, path: &Path) -> bool {
        self.names.contains(path) || path.symlink_metadata().is_ok()
    }
}
