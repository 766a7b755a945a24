//! The sections of a manifest that describe the plugin: what it can do, configuration, dependencies.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::grants::Permissions;
use super::metadata::PluginName;
use super::version::VersionReq;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// Classes that handle intents.
    pub(super) intents: Vec<NamedClass>,
    /// Classes that add commands.
    pub(super) commands: Vec<NamedClass>,
    /// Classes that answer for AI models.
    pub(super) providers: Vec<NamedClass>,
    /// Classes that draw components.
    pub(super) ui: Vec<NamedClass>,
    /// Classes of workflow parts.
    pub(super) workflow: Vec<NamedClass>,
}

/// A class and the name that it goes by.
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
