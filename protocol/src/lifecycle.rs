//! A plugin's life: `initialize`, `describe`, `ping`, `shutdown`, and how it describes itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Extra, MAX_FRAME_BYTES, Version, ai::ProviderDescription, command::CommandDescription, method::request,
    ui::ComponentDescription, workflow::PartDescription,
};

request! {
    /// Host to plugin, first of all: agree on a version, hand over what the plugin needs, learn what it offers.
    Initialize: "initialize", InitializeParams => InitializeResult, [UNSUPPORTED_VERSION, INVALID_SETTINGS, HANDLER_FAILED];
    /// Host to plugin, before `initialize` and without side effects: what would you offer?
    Describe: "describe", DescribeParams => DescribeResult, [UNSUPPORTED_VERSION];
    /// Host to plugin: are you alive? Answered beside the handlers.
    Ping: "ping", PingParams => PingResult, [];
    /// Host to plugin, last of all: clean up; answered when that is done.
    Shutdown: "shutdown", ShutdownParams => (), [HANDLER_FAILED];
}

/// Params of `initialize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InitializeParams {
    /// The highest MINOR that the host speaks of each MAJOR.
    pub protocol_versions: Vec<Version>,
    /// Extensions (`x/<vendor>/…`) that the host knows.
    #[serde(default)]
    pub features: Vec<String>,
    /// The host itself.
    pub host: Product,
    /// Who the plugin is to the host.
    pub plugin: Identity,
    /// Defaults, the person's own and the environment's, merged.
    #[serde(default)]
    pub settings: Extra,
    /// What the person's configuration says of the plugin's providers of AI models, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, Extra>,
    /// What was granted.
    #[serde(default)]
    pub permissions: Vec<Value>,
    /// How the plugin is confined: `none`, `reduced` or `full`.
    #[serde(default)]
    pub sandbox: Sandbox,
    /// Folders of the plugin's own.
    pub directories: Directories,
    /// What the host takes.
    #[serde(default)]
    pub limits: Limits,
    /// The author is at work: say more, check more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dev_mode: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Result of `initialize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InitializeResult {
    /// The version to speak from now on.
    pub protocol_version: Version,
    /// Extensions (`x/<vendor>/…`) that the plugin knows.
    #[serde(default)]
    pub features: Vec<String>,
    /// What the plugin takes.
    #[serde(default)]
    pub limits: Limits,
    /// What the plugin is and offers.
    pub plugin: PluginDescription,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DescribeParams {
    /// The highest MINOR that the host speaks of each MAJOR.
    pub protocol_versions: Vec<Version>,
}

/// Result of `describe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DescribeResult {
    /// The version that would be spoken.
    pub protocol_version: Version,
    /// What the plugin is and offers.
    pub plugin: PluginDescription,
}

/// Params of `ping`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PingParams {}

/// Result of `ping`; every gauge is optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PingResult {
    /// Requests that are being served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// How late its event loop is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_loop_lag_ms: Option<f64>,
    /// The memory that it has, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `shutdown`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShutdownParams {
    /// Such as `idle`, `restart`, `daemon stops`.
    pub reason: String,
    /// The time until the input is closed, in milliseconds.
    pub grace_ms: u64,
}

/// A program and its version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// Its name, for people.
    pub name: String,
    /// Its own version, which is not the protocol's.
    pub version: String,
}

/// Which plugin this process is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// The plugin's name as the host knows it.
    pub name: String,
    /// Counts the processes of one plugin that run side by side.
    #[serde(default)]
    pub instance: u32,
}

/// How far the kernel confines a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sandbox {
    #[default]
    None,
    Reduced,
    Full,
    /// A word of a later version.
    #[serde(other)]
    Unknown,
}

/// Folders of the plugin's own, absolute.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Directories {
    /// For what has to last.
    pub data: String,
    /// For what can be made again.
    pub cache: String,
    /// For the person's own files of settings, to read.
    pub config: String,
}

/// What a side takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The longest line that it reads, in bytes.
    #[serde(default = "max_frame_bytes")]
    pub max_frame_bytes: u64,
    /// The requests that it works on at once; 1 is a serial plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<u32>,
    /// The time of a request that says none, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_deadline_ms: Option<u64>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_frame_bytes: max_frame_bytes(), max_in_flight: None, default_deadline_ms: None }
    }
}

fn max_frame_bytes() -> u64 {
    MAX_FRAME_BYTES as u64
}

/// What a plugin is and offers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PluginDescription {
    /// The plugin's name; the manifest's holds where they differ.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One sentence for people.
    pub description: String,
    /// Who made it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub author: String,
    /// Its licence, as an SPDX expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub license: String,
    /// Its page on the web.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub homepage: String,
    /// The language that it is written in, for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// Categories of intents, such as `file_management`.
    pub handles: Vec<String>,
    /// What it can do.
    pub handlers: Vec<HandlerDescription>,
    /// Commands that it adds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandDescription>,
    /// Providers of AI models that it brings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderDescription>,
    /// Components that it draws.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ui_components: Vec<ComponentDescription>,
    /// Phases, agents and orchestrators that it brings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub workflow_parts: Vec<PartDescription>,
    /// Bus subjects that it wants from the start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<String>,
    /// JSON Schema of its settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings_schema: Option<Value>,
    /// Plugins that it calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<String>,
    /// Permissions by name, for plugins without a manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub requires_permissions: Vec<String>,
    /// Stays blocked until a person has configured it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_config: bool,
    /// Is of no use without an AI model.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub requires_ai: bool,
    /// Its answers can be spoken.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub supports_voice: bool,
    /// It has components to draw.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub supports_gui: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

/// One thing that a plugin can do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HandlerDescription {
    /// The handler's name, by which it is called.
    pub name: String,
    /// One sentence for people; recognition reads it too.
    pub description: String,
    /// Decides among candidates of about the same confidence; higher first.
    pub priority: i64,
    /// Utterances, with `{slot}` places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// JSON Schema of `intent.context`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    /// What it does to the world; `write` where it does not say.
    pub effects: Effects,
    /// Doing it twice is as doing it once.
    pub idempotent: bool,
    /// The time that it may take, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a handler does to the world; the least comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effects {
    None,
    Read,
    #[default]
    Write,
    Destructive,
    /// A word of a later version; treated as `destructive`.
    #[serde(other)]
    Unknown,
}
