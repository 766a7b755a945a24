//! A plugin's settings: defaults, the person's files and commands, and the environment, put together and held against
//! the schema.
//!
//! Later ones win: the schema's defaults, the manifest's, those of `config/defaults.yaml`, the plugin's own file,
//! `astros.yaml`, commands, secrets, the environment. Pure: no file is read.

mod environment;
mod merge;
mod secret;

#[cfg(test)]
mod tests;

pub use environment::{Claims, Override, Overrides, may_set, overrides, typed, variable};
pub use merge::BY_COMMAND;
pub use secret::{Secret, secret_names, secret_variables};

use std::collections::BTreeMap;
use std::path::Path;

use astros_protocol::manifest::Configuration;
use astros_protocol::{Error, ErrorCode, Extra};
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use merge::{Merged, merge};

/// All that settings come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub plugin: &'a str,
    /// The manifest's section.
    pub configuration: &'a Configuration,
    /// The schema of the settings, an object as a rule, and where it comes from: a file, or `plugin.yaml`.
    pub schema: Option<(&'a Value, &'a str)>,
    /// Further defaults, of the plugin's `config/defaults.yaml`.
    pub defaults: &'a Map<String, Value>,
    /// Whether the plugin does not start before the person has set something.
    pub requires_config: bool,
    /// What the person set in a file of this plugin alone, and which that is.
    pub own_file: (&'a Path, &'a BTreeMap<String, Setting>),
    /// What the person set in `file`.
    pub configured: &'a BTreeMap<String, Setting>,
    /// The person's `astros.yaml`, whether it is there or not.
    pub file: &'a Path,
    /// What the person set by command.
    pub commands: &'a BTreeMap<String, Value>,
    /// What was found among the person's secrets.
    pub secrets: &'a BTreeMap<String, Secret>,
    /// What the environment sets, from [`overrides`].
    pub environment: &'a [Override],
}

/// A setting in the person's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    pub value: Value,
    /// Where it stands, from 1.
    pub line: u64,
}

impl Sources<'_> {
    /// Nobody set anything: there are defaults only.
    fn are_untouched(&self) -> bool {
        self.own_file.1.is_empty()
            && self.configured.is_empty()
            && self.commands.is_empty()
            && self.secrets.is_empty()
            && self.environment.is_empty()
    }

    /// The schema of one setting.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.schema?.0.get("properties")?.get(name)
    }

    /// Whether the manifest leaves a setting to the person.
    pub fn is_configurable(&self, name: &str) -> bool {
        is_configurable(self.configuration, name)
    }
}

/// Whether a manifest leaves a setting to the person: all of them, where it lists none.
pub fn is_configurable(configuration: &Configuration, name: &str) -> bool {
    let Configuration { user_configurable, required_settings, optional_settings, .. } = configuration;
    let mut free = user_configurable.iter().chain(required_settings).chain(optional_settings);
    user_configurable.is_empty() || free.any(|free| free == name)
}

/// A plugin's settings, and where each comes from: `astros.yaml:7`, the variable's name, the default's place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settled {
    pub settings: Extra,
    pub places: BTreeMap<String, String>,
}

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// The person has to set something first: the plugin is blocked.
    #[error("needs settings{}", list(names))]
    Missing { plugin: String, names: Vec<String>, secret: Option<String>, file: String },
    /// What is set does not fit.
    #[error("the settings of `{plugin}` do not fit: {}", join(problems))]
    Invalid { plugin: String, problems: Vec<Problem>, file: String },
    /// Its own file cannot be read.
    #[error("{reason}")]
    File { plugin: String, reason: String },
    /// Its secrets cannot be read where they are.
    #[error("{reason}")]
    Secrets { plugin: String, reason: String, hint: String },
    /// The schema itself is none; its author has to mend it.
    #[error("the settings schema of `{plugin}` in `{origin}` is no JSON Schema: {reason}")]
    BadSchema { plugin: String, origin: String, reason: String },
}

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// JSON pointer into the settings; empty for all of them.
    pub pointer: String,
    pub reason: String,
    /// `astros.yaml:7`, the variable's name, or the default's place; empty where nothing is set.
    pub source: String,
}

impl SettingsError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            SettingsError::Missing { plugin, secret: Some(name), .. } => {
                let variable = variable(plugin, name);
                format!(
                    "`astros secrets set {plugin} {name}` keeps it, or `{variable}` in the environment does"
                )
            }
            SettingsError::Missing { plugin, names, file, .. } => {
                let name = names.first().map_or("NAME", String::as_str);
                format!(
                    "`astros settings set {plugin} {name} VALUE` sets it; so do `plugins.{plugin}.settings` in \
                     `{file}`, and `{}` in the environment",
                    variable(plugin, name)
                )
            }
            SettingsError::Invalid { plugin, problems, file } => {
                let first = problems.first();
                let source = first.map_or("", |one| &one.source);
                let source = if problems.iter().all(|one| one.source == source) { source } else { "" };
                if source.starts_with("ASTROS_") || source.starts_with("LOCALAGENT_") {
                    return format!("correct `{source}` in the environment, or unset it there");
                }
                if source == BY_COMMAND {
                    let name = first.and_then(|one| setting_of(&one.pointer)).unwrap_or_default();
                    return format!("`astros settings unset {plugin} {name}` forgets what was set");
                }
                format!(
                    "correct them where they are set: under `plugins.{plugin}.settings` in `{file}`, or by `astros \
                     settings set {plugin}`"
                )
            }
            SettingsError::File { .. } => "correct it, or remove it".to_owned(),
            SettingsError::Secrets { hint, .. } => hint.clone(),
            SettingsError::BadSchema { .. } => "tell its author, or correct the schema".to_owned(),
        }
    }
}

impl SettingsError {
    /// What of this a change of one setting is to blame for, where `before` it did not fit either: what is wrong with
    /// that setting, and what was not wrong before.
    pub fn caused_by(self, key: &str, before: Option<&SettingsError>) -> Option<SettingsError> {
        let Some(before) = before.map(SettingsError::problems) else { return Some(self) };
        let (plugin, file) = match &self {
            SettingsError::Missing { plugin, file, .. } | SettingsError::Invalid { plugin, file, .. } => {
                (plugin.clone(), file.clone())
            }
            _ => return Some(self),
        };
        let is_new =
            |one: &Problem| setting_of(&one.pointer).as_deref() == Some(key) || !before.contains(one);
        let problems: Vec<Problem> = self.problems().into_iter().filter(is_new).collect();
        (!problems.is_empty()).then_some(SettingsError::Invalid { plugin, problems, file })
    }

    fn problems(&self) -> Vec<Problem> {
        match self {
            SettingsError::Missing { names, .. } => {
                names.iter().map(|name| missing(name, &BTreeMap::new())).collect()
            }
            SettingsError::Invalid { problems, .. } => problems.clone(),
            _ => Vec::new(),
        }
    }
}

impl From<SettingsError> for Error {
    fn from(error: SettingsError) -> Error {
        let wire = Error::new(ErrorCode::INVALID_SETTINGS, error.to_string()).with_hint(error.hint());
        match error {
            SettingsError::Missing { plugin, names, .. } => wire.with_plugin(plugin).with("missing", names),
            SettingsError::Invalid { plugin, problems, .. } => {
                let problem = |one: &Problem| serde_json::json!({ "pointer": one.pointer, "reason": one.reason, "source": one.source });
                wire.with_plugin(plugin).with("problems", problems.iter().map(problem).collect::<Vec<_>>())
            }
            SettingsError::File { plugin, .. }
            | SettingsError::Secrets { plugin, .. }
            | SettingsError::BadSchema { plugin, .. } => wire.with_plugin(plugin),
        }
    }
}

/// What is set, whether it fits or not.
pub fn merged(sources: &Sources<'_>) -> Settled {
    let Merged { settings, places, .. } = merge(sources);
    Settled { settings, places }
}

/// The plugin's settings.
///
/// # Errors
/// They do not fit the schema, a required one is missing, or the schema is none.
pub fn resolve(sources: &Sources<'_>) -> Result<Settled, SettingsError> {
    let plugin = sources.plugin.to_owned();
    let file = sources.file.display().to_string();
    let Merged { settings, places, mut problems } = merge(sources);
    let hidden = secret_names(sources.schema.map(|(schema, _)| schema));
    let is_hidden = |pointer: &str| {
        setting_of(pointer).is_none_or(|name| hidden.contains(&name) || sources.secrets.contains_key(&name))
    };
    let mut missing = unset(&sources.configuration.required_settings, &settings);
    if let Some((schema, origin)) = sources.schema {
        let validator = jsonschema::validator_for(schema).map_err(|error| SettingsError::BadSchema {
            plugin: plugin.clone(),
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
        for name in unset(&strings(&schema["required"]), &settings) {
            if !missing.contains(&name) {
                missing.push(name);
            }
        }
        let all = Value::Object(settings.clone());
        for error in validator.iter_errors(&all) {
            let pointer = error.instance_path().to_string();
            match error.kind() {
                // Also of a schema within, such as one that is referred to; said already of the outermost.
                ValidationErrorKind::Required { property } if pointer.is_empty() => {
                    let name = property.as_str().unwrap_or_default();
                    if !missing.iter().any(|said| said == name) {
                        missing.push(name.to_owned());
                    }
                }
                _ if is_hidden(&pointer) => {
                    problems.push(problem(pointer, error.masked().to_string(), &places));
                }
                _ => problems.push(problem(pointer, error.to_string(), &places)),
            }
        }
    }
    if !problems.is_empty() {
        problems.extend(missing.iter().map(|name| self::missing(name, &places)));
        return Err(SettingsError::Invalid { plugin, problems, file });
    }
    if !missing.is_empty() || (sources.requires_config && sources.are_untouched()) {
        let secret = missing.iter().find(|name| hidden.contains(name)).cloned();
        return Err(SettingsError::Missing { plugin, names: missing, secret, file });
    }
    Ok(Settled { settings, places })
}

/// The setting that a JSON pointer is within; none for all settings.
fn setting_of(pointer: &str) -> Option<String> {
    pointer.split('/').nth(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
}

fn problem(pointer: String, reason: String, places: &BTreeMap<String, String>) -> Problem {
    let source = setting_of(&pointer).and_then(|name| places.get(&name)).cloned().unwrap_or_default();
    Problem { pointer, reason, source }
}

fn missing(name: &str, places: &BTreeMap<String, String>) -> Problem {
    problem(format!("/{name}"), "is missing".to_owned(), places)
}

/// The names that are not set; null counts as not set.
fn unset(names: &[String], settings: &Extra) -> Vec<String> {
    names.iter().filter(|name| settings.get(*name).is_none_or(Value::is_null)).cloned().collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": `{}`", names.join("`, `")) }
}

fn join(problems: &[Problem]) -> String {
    let words = |Problem { pointer, reason, source }: &Problem| {
        let source = if source.is_empty() { String::new() } else { format!(" ({source})") };
        let subject = if pointer.is_empty() { String::new() } else { format!("`{pointer}`: ") };
        format!("{subject}{reason}{source}")
    };
    problems.iter().map(words).collect::<Vec<_>>().join("; ")
}
