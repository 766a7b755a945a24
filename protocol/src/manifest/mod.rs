//! What a plugin's folder says about it: `plugin.yaml`, or LocalAgent's `plugin-manifest.yaml`.
//!
//! Both shapes become one [`Manifest`]. [`Manifest::parse`] is pure; [`Manifest::read`] looks into a folder.
//! Every error names the file, the line and the column, what was found against what was expected.
//! Members that nobody knows are kept; where one looks like a misspelling, [`Manifest::warnings`] says so.

mod error;
mod exit;
mod limits;
mod metadata;
mod permission;
mod run;
mod sections;
mod supervision;
mod version;

mod document;
mod duration;
mod folder;
mod grants;
mod parse;
mod shape;
mod size;
mod source;
mod typos;
mod yaml;

pub use document::Document;
pub use duration::DurationText;
pub use error::ManifestError;
pub use exit::Exit;
pub use grants::Permissions;
pub use limits::Limits;
pub use metadata::{Metadata, PluginName};
pub use permission::{BusKind, DBus, FilePaths, PERMISSIONS, Permission, PermissionError};
pub use run::{Program, PythonTarget, Run};
pub use sections::{
    Capabilities, Configuration, Dependencies, Documentation, EntryPoint, Kind, PluginDependency,
    RelativePath, Testing,
};
pub use shape::{PluginManifestYaml, PluginYaml};
pub use size::bytes;
pub use supervision::{Restart, Start, Supervision};
pub use version::{PluginVersion, VersionReq};

use std::path::PathBuf;

use serde_json::{Map, Value};

/// The names a manifest's file may have, in the order in which they are looked for.
pub const FILE_NAMES: [&str; 2] = ["plugin.yaml", "plugin-manifest.yaml"];

/// The largest manifest that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// All that a plugin's folder says about it, with every default filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// The file it was read from, as it was given.
    pub path: PathBuf,
    /// Name, version and who made it.
    pub metadata: Metadata,
    /// What it says it can do; its code's own description adds the handlers.
    pub capabilities: Capabilities,
    /// Defaults and schema of its settings.
    pub configuration: Configuration,
    /// What it needs: interpreter, host, packages, other plugins.
    pub dependencies: Dependencies,
    /// What kinds of plugin are in it, each once; empty where it does not say.
    pub kinds: Vec<Kind>,
    /// Whether it says so itself; else it may be of any other kind as well.
    pub says_kinds: bool,
    /// The classes it offers by kind (LocalAgent's shape).
    pub entry_points: Vec<EntryPoint>,
    /// How it is started.
    pub run: Run,
    /// How it is kept running.
    pub supervision: Supervision,
    /// How much of the machine it says that it needs.
    pub limits: Limits,
    /// What it asks for, each permission once.
    pub permissions: Vec<Permission>,
    /// What it is good for, as sentences for people.
    pub features: Vec<String>,
    /// Words that a search finds it by.
    pub tags: Vec<String>,
    /// How its author tests it.
    pub testing: Testing,
    /// Where its documentation is.
    pub documentation: Documentation,
    /// Members of the top level that this version does not know, as they were.
    pub extra: Map<String, Value>,
    /// What a person should look at, one sentence each, with the position where there is one.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests;
