//! The sections of a manifest that describe the plugin: who it is, what it can do, configuration, dependencies.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::permission::Permissions;
use super::version::{PluginVersion, VersionReq};

/// Who the plugin is: `metadata` in `plugin.yaml`, the top level in `plugin-manifest.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub struct Metadata {
    /// Its name: lowercase letters, digits, `_` and `-`, up to 64 of them.
    pub name: PluginName,
    /// Its version, for example `1.2.0`.
    #[serde(default)]
    pub version: PluginVersion,
    /// One sentence for people.
    #[serde(default)]
    pub description: String,
    /// Its author, for example `Ada Lovelace <ada@example.org>`.
    pub author: Option<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// Its page on the web.
    pub homepage: Option<String>,
}

/// A plugin's name: `[a-z0-9][a-z0-9_-]{0,63}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct PluginName(#[schemars(regex(pattern = r"^[a-z0-9][a-z0-9_-]{0,63}$"))] String);

impl PluginName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PluginName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let good = name.len() <= 64
            && name.chars().all(allowed)
            && !name.is_empty()
            && !name.starts_with(['_', '-']);
        if good {
            return Ok(Self(name));
        }
        let rule = "expected up to 64 lowercase letters, digits, `_` and `-`, a letter or digit first";
        let joined = name.to_lowercase().replace([' ', '.'], "-");
        match Self::try_from_clean(&joined) {
            Some(better) => Err(format!("{rule}, for example `{better}`")),
            None => Err(rule.to_owned()),
        }
    }
}

impl PluginName {
    /// What an invalid name could be instead: its allowed characters, where enough of them are left.
    fn try_from_clean(name: &str) -> Option<String> {
        let kept: String =
            name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_').collect();
        let kept = kept.trim_matches(['-', '_']);
        (!kept.is_empty() && kept.len() <= 64).then(|| kept.to_owned())
    }
}

/// What the plugin says it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Capabilities {
    /// Categories of intents, for example `file_management`.
    pub handles: Vec<String>,
    /// Whether it is of no use without an AI model.
    pub requires_ai: bool,
    /// Permissions by their plain names; scopes stand in the section `permissions`.
    pub(super) requires_permissions: Permissions,
    /// Whether its answers can be spoken.
    pub supports_voice: bool,
    /// Whether it has components to draw.
    pub supports_gui: bool,
}

/// The plugin's settings: defaults and schema.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Configuration {
    /// The defaults by name; `100MB` stays the text that it is.
    pub settings: Map<String, Value>,
    /// Settings that a person may change; empty: all.
    pub user_configurable: Vec<String>,
    /// A JSON Schema of the settings.
    pub schema: Option<Map<String, Value>>,
    /// A file of the plugin's folder with that schema.
    pub schema_file: Option<RelativePath>,
    /// Settings that a person has to set before the plugin starts.
    pub required_settings: Vec<String>,
    /// Settings that a person may set.
    pub optional_settings: Vec<String>,
}

/// A path that stays inside the plugin's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct RelativePath(String);

impl RelativePath {
    /// The path, relative to the plugin's folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RelativePath {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let outside =
            text.is_empty() || text.starts_with('/') || text.split(['/', '\\']).any(|part| part == "..");
        if outside { Err("expected a path inside the plugin's folder") } else { Ok(Self(text)) }
    }
}

/// What the plugin needs; LocalAgent's `compatibility` is in it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Dependencies {
    /// The Python interpreter, for example `>=3.10`.
    pub python: Option<VersionReq>,
    /// AstrOS itself, for example `>=1.0.0`.
    pub astros: Option<VersionReq>,
    /// LocalAgent's level of compatibility; from `compatibility.localagent_min_version`.
    #[serde(skip)]
    pub localagent: Option<VersionReq>,
    /// Packages that it needs, as its language's installer takes them.
    pub external: Vec<String>,
    /// LocalAgent's spelling of `external`, where they go when the file is read.
    pub(super) required: Vec<String>,
    /// Packages that it can use.
    pub optional: Vec<String>,
    /// Other plugins, for example `file-manager` or `file-manager>=1.0`.
    pub plugins: Vec<PluginDependency>,
}

/// Another plugin that a plugin needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct PluginDependency {
    /// Its name.
    pub name: PluginName,
    /// Which versions of it serve; absent: all.
    pub version: Option<VersionReq>,
}

impl TryFrom<String> for PluginDependency {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let end = text.find(['>', '<', '=', '!', '~']).unwrap_or(text.len());
        let (name, version) = text.split_at(end);
        let version = (!version.is_empty()).then(|| VersionReq::try_from(version.to_owned())).transpose()?;
        Ok(Self { name: PluginName::try_from(name.trim().to_owned())?, version })
    }
}

/// LocalAgent's section of oldest versions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub(super) struct Compatibility {
    /// The oldest LocalAgent that it works with; AstrOS is at level 1.0.
    pub(super) localagent_min_version: Option<VersionReq>,
    /// The oldest Python that it works with.
    pub(super) python_min_version: Option<VersionReq>,
}

/// What a plugin can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It handles intents.
    Intent,
    /// It adds commands.
    Command,
    /// It answers for AI models.
    Provider,
    /// It draws components.
    Ui,
    /// It brings phases, agents or orchestrators.
    Workflow,
}

impl Kind {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Command => "command",
            Self::Provider => "provider",
            Self::Ui => "ui",
            Self::Workflow => "workflow",
        }
    }
}

/// The section `entry_points`: classes by kind.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub(super) struct EntryPoints {
    pub(super) intents: Vec<NamedClass>,
    pub(super) commands: Vec<NamedClass>,
    pub(super) providers: Vec<NamedClass>,
    pub(super) ui: Vec<NamedClass>,
    pub(super) workflow: Vec<NamedClass>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping with `name` and `class`")]
pub(super) struct NamedClass {
    /// The name that it goes by.
    name: String,
    /// Where it is: `module:Class`.
    class: String,
}

/// A class that the plugin offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// What it is.
    pub kind: Kind,
    /// The name that it goes by.
    pub name: String,
    /// Where it is: `module:Class`.
    pub class: String,
}

impl EntryPoints {
    pub(super) fn list(self) -> Vec<EntryPoint> {
        let Self { intents, commands, providers, ui, workflow } = self;
        let all = [
            (Kind::Intent, intents),
            (Kind::Command, commands),
            (Kind::Provider, providers),
            (Kind::Ui, ui),
            (Kind::Workflow, workflow),
        ];
        let of = |(kind, classes): (Kind, Vec<NamedClass>)| {
            classes.into_iter().map(move |NamedClass { name, class }| EntryPoint { kind, name, class })
        };
        all.into_iter().flat_map(of).collect()
    }
}

/// How the author tests it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Testing {
    /// The command that runs its tests.
    pub test_command: Option<String>,
    /// The least part of its lines that tests have to run, in per cent.
    pub coverage_threshold: Option<f64>,
    /// Whether it has tests that need a running daemon.
    pub integration_tests: bool,
}

/// Where its documentation is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Documentation {
    /// A file of its folder.
    pub readme: Option<String>,
    /// A page on the web.
    pub docs_url: Option<String>,
    /// A file of its folder.
    pub api_docs: Option<String>,
}
