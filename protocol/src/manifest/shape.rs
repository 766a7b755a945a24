//! The two shapes of the file, as types: they read the sections and give editors their JSON Schemas.

use schemars::JsonSchema;
use serde::Deserialize;

use super::grants::Permissions;
use super::limits::Limits;
use super::metadata::Metadata;
use super::run::{Run, RunSection};
use super::sections::{
    Capabilities, Compatibility, Configuration, Dependencies, Documentation, EntryPoints, Kind, Testing,
};
use super::supervision::Supervision;

/// The sections that stand at the top level in both shapes.
#[derive(Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
#[derive(Default)]
pub(super) struct Sections {
    /// What the plugin says it can do.
    pub(super) capabilities: Capabilities,
    /// Its settings: defaults and schema.
    pub(super) configuration: Configuration,
    /// What it needs.
    pub(super) dependencies: Dependencies,
    /// The oldest versions that it works with (LocalAgent's spelling).
    pub(super) compatibility: Compatibility,
    /// What kinds of plugin are in it; absent: those of the entry points, or what its code offers.
    pub(super) plugin_types: Vec<Kind>,
    /// The classes that it offers by kind.
    pub(super) entry_points: EntryPoints,
    /// How it is started.
    #[schemars(with = "RunSection")]
    pub(super) run: Run,
    /// How it is kept running.
    pub(super) supervision: Supervision,
    /// How much of the machine it may use.
    pub(super) limits: Limits,
    /// What it asks for.
    pub(super) permissions: Permissions,
    /// What it is good for.
    pub(super) features: Vec<String>,
    /// Words that a search finds it by.
    pub(super) tags: Vec<String>,
    /// How its author tests it.
    pub(super) testing: Testing,
    /// Where its documentation is.
    pub(super) documentation: Documentation,
}

/// The shape of `plugin.yaml`; it exists for its JSON Schema.
#[derive(JsonSchema)]
#[schemars(title = "plugin.yaml", description = "What a folder says about the AstrOS plugin in it.")]
pub struct PluginYaml {
    /// Who the plugin is.
    #[expect(dead_code, reason = "only the schema is used")]
    metadata: Metadata,
    #[expect(dead_code, reason = "only the schema is used")]
    #[serde(flatten)]
    sections: Sections,
}

/// The shape of `plugin-manifest.yaml`; it exists for its JSON Schema.
#[derive(JsonSchema)]
#[schemars(
    title = "plugin-manifest.yaml",
    description = "What a folder says about the LocalAgent plugin in it: as plugin.yaml, its metadata at the top level."
)]
pub struct PluginManifestYaml {
    #[expect(dead_code, reason = "only the schema is used")]
    #[serde(flatten)]
    metadata: Metadata,
    #[expect(dead_code, reason = "only the schema is used")]
    #[serde(flatten)]
    sections: Sections,
}
