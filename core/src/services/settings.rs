//! A plugin's settings: defaults, the person's file and the environment put together and held against the schema.
//!
//! Later ones win: the schema's defaults, the manifest's, `astros.yaml`, secrets, the environment. Pure: no file is read.

mod environment;
mod secret;

#[cfg(test)]
mod tests;

pub use environment::{Claims, Override, RESERVED, overrides, variable};
pub use secret::{Secret, secret_names, secret_variables};

use std::collections::BTreeMap;
use std::path::Path;

use astros_protocol::manifest::Configuration;
use astros_protocol::{Error, ErrorCode, Extra};
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// All that settings come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    pub plugin: &'a str,
    /// The manifest's section.
    pub configuration: &'a Configuration,
    /// The schema of the settings, an object as a rule, and where it comes from: a file, or `plugin.yaml`.
    pub schema: Option<(&'a Value, &'a str)>,
    /// Whether the plugin does not start before the person has set something.
    pub requires_config: bool,
    /// What the person set in `file`.
    pub configured: &'a BTreeMap<String, Setting>,
    /// The person's `astros.yaml`, whether it is there or not.
    pub file: &'a Path,
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

/// Why there are no settings.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// The person has to set something first: the plugin is blocked.
    #[error("needs settings{}", list(names))]
    Missing { plugin: String, names: Vec<String>, secret: Option<String>, file: String },
    /// What is set does not fit.
    #[error("the settings of `{plugin}` do not fit: {}", join(problems))]
    Invalid { plugin: String, problems: Vec<Problem>, file: String },
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
                    "set them in `{file}` under `plugins.{plugin}.settings`, or as `{}` in the environment",
                    variable(plugin, name)
                )
            }
            SettingsError::Invalid { plugin, file, .. } => {
                format!(
                    "correct them where they are set; `{file}` holds them under `plugins.{plugin}.settings`"
                )
            }
            SettingsError::Secrets { hint, .. } => hint.clone(),
            SettingsError::BadSchema { .. } => "tell its author, or correct the schema".to_owned(),
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
            SettingsError::Secrets { plugin, .. } | SettingsError::BadSchema { plugin, .. } => {
                wire.with_plugin(plugin)
            }
        }
    }
}

/// The plugin's settings.
///
/// # Errors
/// They do not fit the schema, a required one is missing, or the schema is none.
pub fn resolve(sources: &Sources<'_>) -> Result<Extra, SettingsError> {
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
        let missing =
            missing.iter().map(|name| problem(format!("/{name}"), "is missing".to_owned(), &places));
        problems.extend(missing);
        return Err(SettingsError::Invalid { plugin, problems, file });
    }
    let untouched =
        sources.configured.is_empty() && sources.secrets.is_empty() && sources.environment.is_empty();
    if !missing.is_empty() || (sources.requires_config && untouched) {
        let secret = missing.iter().find(|name| hidden.contains(name)).cloned();
        return Err(SettingsError::Missing { plugin, names: missing, secret, file });
    }
    Ok(settings)
}

/// Settings and where each comes from.
struct Merged {
    settings: Extra,
    places: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Merged {
    /// Sets what was written there as text, or says why it cannot be meant.
    fn set(&mut self, name: &str, value: Result<Value, String>, place: &str) {
        self.places.insert(name.to_owned(), place.to_owned());
        match value {
            Ok(value) => _ = self.settings.insert(name.to_owned(), value),
            Err(reason) => self.problems.push(problem(format!("/{name}"), reason, &self.places)),
        }
    }
}

fn merge(sources: &Sources<'_>) -> Merged {
    let mut merged = Merged { settings: Extra::new(), places: BTreeMap::new(), problems: Vec::new() };
    let mut set = |name: &str, value: Value, place: String| {
        merged.places.insert(name.to_owned(), place);
        merged.settings.insert(name.to_owned(), value);
    };
    let properties = sources.schema.and_then(|(schema, _)| schema.get("properties")?.as_object());
    for (name, property) in properties.into_iter().flatten() {
        if let Some(default) = property.get("default") {
            set(name, default.clone(), "default of the schema".to_owned());
        }
    }
    for (name, value) in &sources.configuration.settings {
        set(name, value.clone(), "default of the manifest".to_owned());
    }
    for (name, Setting { value, line }) in sources.configured {
        set(name, value.clone(), format!("{}:{line}", sources.file.display()));
    }
    for (name, Secret { value, place }) in sources.secrets {
        let schema = properties.and_then(|properties| properties.get(name));
        let typed = match value {
            Value::String(text) => environment::typed(text, schema, merged.settings.get(name)),
            other => Ok(other.clone()),
        };
        merged.set(name, typed.map_err(|expected| format!("is another, {expected}")), place);
    }
    let hidden = secret_names(sources.schema.map(|(schema, _)| schema));
    for one in sources.environment {
        let known = merged.settings.keys().chain(properties.into_iter().flat_map(serde_json::Map::keys));
        let name = environment::name_of(one, known.map(String::as_str));
        let schema = properties.and_then(|properties| properties.get(&name));
        let is_hidden = hidden.contains(&name) || sources.secrets.contains_key(&name);
        let typed = environment::typed(&one.text, schema, merged.settings.get(&name));
        let found = if is_hidden { "another".into() } else { format!("`{}`", one.text.escape_debug()) };
        merged.set(&name, typed.map_err(|expected| format!("is {found}, {expected}")), &one.variable);
    }
    refuse_what_is_fixed(sources, &mut merged);
    merged
}

/// Where the manifest lists what a person may change, they may change nothing else.
fn refuse_what_is_fixed(sources: &Sources<'_>, merged: &mut Merged) {
    let Configuration { user_configurable, required_settings, optional_settings, .. } = sources.configuration;
    if user_configurable.is_empty() {
        return;
    }
    let free: Vec<&String> =
        user_configurable.iter().chain(required_settings).chain(optional_settings).collect();
    let list = user_configurable.join("`, `");
    let defaults = ["default of the schema", "default of the manifest"];
    for (name, place) in &merged.places {
        if !defaults.contains(&place.as_str()) && !free.contains(&name) {
            let reason = format!("may not be changed, expected one of `{list}`");
            merged.problems.push(problem(format!("/{name}"), reason, &merged.places));
        }
    }
}

/// The setting that a JSON pointer is within; none for all settings.
fn setting_of(pointer: &str) -> Option<String> {
    pointer.split('/').nth(1).map(|name| name.replace("~1", "/").replace("~0", "~"))
}

fn problem(pointer: String, reason: String, places: &BTreeMap<String, String>) -> Problem {
    let source = setting_of(&pointer).and_then(|name| places.get(&name)).cloned().unwrap_or_default();
    Problem { pointer, reason, source }
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
