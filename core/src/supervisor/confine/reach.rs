//! Whether a plugin reaches a path, by the very rules that its launcher enforces.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use astros_protocol::manifest::{FilePaths, Permission};

use super::{
    files::{Files, resolved},
    home,
};
use crate::{
    launcher::{Access, Rule},
    supervisor::{Sandboxed, Session, Spec},
};

/// The files that a plugin reaches.
#[derive(Debug)]
pub struct FileAccess {
    rules: Arc<[Rule]>,
    home: Option<PathBuf>,
}

/// Why it does not reach a path.
#[derive(Clone, Debug, PartialEq)]
pub enum OutOfReach {
    /// It was not granted this.
    Needs(Permission),
    /// It is AstrOS's own, and no grant helps.
    Own,
}

impl FileAccess {
    /// Of one that is started now; looks at the files, and may take a moment. None where nothing keeps it from any.
    pub fn of(spec: &Spec) -> Option<FileAccess> {
        // Without a program it needs nothing more than its own.
        let program = spec.program_file().unwrap_or_else(|| spec.folder.clone());
        let confined = spec.sandboxed != Sandboxed::Off;
        confined.then(|| FileAccess { rules: Files::of(spec, &program).rules().into(), home: home(spec) })
    }

    /// Of a process: what came to be after its start it may not reach. None where it is not confined.
    pub fn of_process(session: &Session) -> Option<FileAccess> {
        Some(FileAccess { rules: session.files.clone()?, home: None })
    }

    /// Whether it may read an absolute path, or change it as well: what links lead to counts. What is not there has to
    /// be in a folder that may be changed, where it may come to be; without one there is nothing to be kept from.
    ///
    /// # Errors
    /// What it needs.
    pub fn check(&self, path: &Path, writes: bool) -> Result<(), OutOfReach> {
        let Some((place, is_there)) = place(path, writes) else { return Ok(()) };
        let rule = self.rule(&place);
        let needed = match rule {
            // The names in a folder are all that can be read of it, and tell whether something is there.
            Some(rule) if rule.path == place && !(writes && is_there) => Access::List,
            _ if writes => Access::Write,
            _ => Access::Read,
        };
        self.holds(rule, needed, &place, writes)
    }

    /// The same for who is not to learn whether something is there: what is not has to be where it would be reached
    /// if it were.
    ///
    /// # Errors
    /// What it needs.
    pub fn check_unseen(&self, path: &Path, writes: bool) -> Result<(), OutOfReach> {
        // What a link leads to is held against the rules first, whether it is there or not.
        let place = resolved(path);
        if place.exists() {
            return self.check(&place, writes);
        }
        let rule = self.rule(&place);
        // What came to a home would be given, unless its name begins with a dot.
        let above = place.ancestors().skip(1).find(|above| above.exists());
        let is_of_home = rule.is_some_and(|rule| {
            let inside = place.strip_prefix(&rule.path).unwrap_or(&place);
            let shown = !inside.to_string_lossy().starts_with('.');
            rule.access == Access::List && above == Some(&rule.path) && shown
        });
        let needed = match writes {
            _ if is_of_home => Access::List,
            true => Access::Write,
            false => Access::Read,
        };
        self.holds(rule, needed, &place, writes)
    }

    /// The one that counts for a path without links.
    fn rule(&self, place: &Path) -> Option<&Rule> {
        let fitting = self.rules.iter().filter(|rule| place.starts_with(&rule.path));
        fitting.max_by_key(|rule| rule.path.components().count())
    }

    fn holds(
        &self,
        rule: Option<&Rule>,
        needed: Access,
        place: &Path,
        writes: bool,
    ) -> Result<(), OutOfReach> {
        match rule.map(|rule| rule.access) {
            Some(Access::Hidden) => Err(OutOfReach::Own),
            Some(access) if access >= needed => Ok(()),
            _ => Err(OutOfReach::Needs(self.permission(place, writes))),
        }
    }

    /// What would have to be granted for a path, as it is written.
    pub fn permission(&self, place: &Path, writes: bool) -> Permission {
        let (path, none) = (vec![place.to_string_lossy().into_owned()], Vec::new());
        let (read, write) = if writes { (none, path) } else { (path, none) };
        let permission = Permission::FileSystem(Some(FilePaths { read, write }));
        self.home.as_ref().map_or(permission.clone(), |home| permission.at_home(home))
    }
}

/// What is reached by a path, and whether it is there: what it is without links, or the folder where it would be made.
fn place(path: &Path, writes: bool) -> Option<(PathBuf, bool)> {
    match path.canonicalize() {
        Ok(real) => Some((real, true)),
        Err(_) if writes => Some((path.parent()?.canonicalize().ok()?, false)),
        Err(_) => None,
    }
}
