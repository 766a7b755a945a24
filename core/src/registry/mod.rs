//! Which plugins there are: looked for in folders, read, ranked by where they come from, and enabled or not.
//!
//! Nothing is started here. What is wrong with one plugin blocks that one, with its reason, and no other.

mod discover;
mod enablement;
mod entry;
mod fingerprint;
mod installed;
mod order;
mod parts;
mod places;
mod program;
mod schema;
mod spread;

#[cfg(test)]
mod tests;

pub use enablement::{DISABLED, Enablement, WAITS};
pub use entry::{Entry, Origin, Status};
pub use order::{Lack, Node, Nodes, lacks, order};
pub use places::{Places, bundled_folder, plugin_path};
pub use schema::Schema;
pub use spread::spread;

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The plugins by name, and what a person should look at.
#[derive(Debug, Default)]
pub struct Registry {
    pub entries: BTreeMap<String, Entry>,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// Why plugins cannot be looked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A folder that the operator named for this run.
    #[error("the plugin folder `{}` cannot be used: {reason}", path.display())]
    Folder { path: PathBuf, reason: String },
}

impl Registry {
    /// Looks for plugins.
    ///
    /// # Errors
    /// A folder of `--plugin-dir` is not there or cannot be read.
    pub fn discover(places: &Places<'_>, enablement: &Enablement<'_>) -> Result<Registry, RegistryError> {
        discover::discover(places, enablement)
    }

    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// The plugin whose name is most like this one, where one is like it.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let likeness = |other: &str| strsim::jaro_winkler(name, other);
        let names = self.entries.keys().map(String::as_str);
        names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|other| likeness(other) >= 0.75)
    }
}
