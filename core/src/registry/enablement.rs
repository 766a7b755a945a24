//! Whether a plugin may run: by where it comes from, unless the person said otherwise.

use std::collections::BTreeMap;
use std::path::Path;

use super::Origin;

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
    /// `astros plugins enable` and `disable`.
    pub commands: &'a BTreeMap<String, bool>,
}

impl Enablement<'_> {
    /// What the person said of a plugin, if anything.
    pub(super) fn said(&self, name: &str) -> Option<bool> {
        self.commands.get(name).or_else(|| self.file.get(name)).copied()
    }

    /// Why a plugin may not run; none where it may.
    pub(super) fn refusal(&self, name: &str, origin: Origin) -> Option<String> {
        match (self.commands.get(name), self.file.get(name), origin) {
            (Some(true), ..) | (None, Some(true), _) => None,
            (Some(false), ..) => Some(DISABLED.to_owned()),
            (None, Some(false), _) => {
                Some(format!("`plugins.{name}.enabled` is false in `{}`", self.path.display()))
            }
            (None, None, Origin::Operator | Origin::Bundled) => None,
            (None, None, Origin::User) => Some(WAITS.to_owned()),
        }
    }
}
