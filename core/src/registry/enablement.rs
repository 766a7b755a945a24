//! Whether a plugin may run: by where it comes from, unless the person said otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Entry, Origin};

/// Why a plugin does not run that the person disabled by command.
pub const DISABLED: &str = "it was disabled by command";

/// Why a plugin does not run that nobody enabled yet.
pub const WAITS: &str = "it waits to be enabled";

/// What the person said; of two that speak of a plugin, the later one holds.
#[derive(Debug, Clone, Copy)]
pub struct Enablement<'a> {
    /// `plugins.<name>.enabled` in `astros.yaml`.
    pub file: &'a BTreeMap<String, bool>,
    /// The path of that file.
    pub path: &'a Path,
    /// Those that `LOCALAGENT_PLUGINS_ENABLED` names.
    pub environment: &'a BTreeSet<String>,
    /// `astros plugins enable` and `disable`.
    pub commands: &'a BTreeMap<String, bool>,
    /// Where the plugins are that commands enabled: one of the same name elsewhere is another one.
    pub places: &'a BTreeMap<String, PathBuf>,
}

impl Enablement<'_> {
    /// What the person said of a plugin, if anything.
    pub(super) fn said(&self, entry: &Entry) -> Option<bool> {
        let by_environment = self.environment.contains(&entry.name).then_some(true);
        self.command(entry).or(by_environment).or_else(|| self.file.get(&entry.name).copied())
    }

    /// Who was disabled is so wherever it is.
    fn command(&self, entry: &Entry) -> Option<bool> {
        let known = self.places.get(&entry.name);
        let said = self.commands.get(&entry.name).copied();
        said.filter(|enabled| !enabled || known.is_none_or(|known| *known == entry.place()))
    }

    /// Why a plugin may not run; none where it may.
    pub(super) fn refusal(&self, entry: &Entry) -> Option<String> {
        let name = &entry.name;
        match (self.said(entry), entry.origin) {
            (Some(true), _) | (None, Origin::Operator | Origin::Bundled) => None,
            (Some(false), _) if self.command(entry).is_some() => Some(DISABLED.to_owned()),
            (Some(false), _) => {
                Some(format!("`plugins.{name}.enabled` is false in `{}`", self.path.display()))
            }
            (None, Origin::User) => Some(WAITS.to_owned()),
        }
    }
}
