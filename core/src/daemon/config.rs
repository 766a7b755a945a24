//! The person's `astros.yaml`: read, never written.
//!
//! ```yaml
//! plugins:
//!   weather:
//!     enabled: true
//!     settings: {city: Oslo}      # or `config:`
//!     permissions: [network: [api.example.org]] # all that it may do
//!     sandbox: enforced
//!     limits: {memory: 512MB}
//!     supervision: {idle_stop: 10m}
//! plugin_dirs: [~/src/my-plugins] # relative to this file
//! python_environments: [~/venvs/astros] # that plugins are installed into
//! limits: {memory: 4GB}           # at most, for each plugin
//! user_id: ada
//! recognition: {threshold: 55, margin: 5} # per cent, points
//! daemon: {start: on_demand}
//! providers: {default: my-model} # the rest: a provider's own configuration, by its name
//! observability: {prometheus: 127.0.0.1:9464, otlp: http://127.0.0.1:4318}
//! workflow: {detailed_error_traces: true}
//! ```

mod observability;
mod own;
mod providers;
mod start;
mod workflow;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use astros_protocol::manifest::{
    Document, Limits, ManifestError, Permission, Permissions, Supervision, text_of,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::services::settings::Setting;
use crate::supervisor::Sandboxed;

pub use observability::Observability;
pub use own::own_settings;
pub use providers::Providers;
pub use start::{DaemonSection, Start};
pub use workflow::WorkflowSection;

/// What the person configured; everything has a default.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The file, whether it exists or not.
    pub path: PathBuf,
    pub plugins: BTreeMap<String, PluginConfig>,
    /// Folders of plugins, absolute.
    pub plugin_dirs: Vec<PathBuf>,
    /// Python environments that plugins are installed into, absolute.
    pub python_environments: Vec<PathBuf>,
    /// At most so much for each plugin.
    pub limits: Limits,
    pub user_id: Option<String>,
    pub recognition: Recognition,
    pub daemon: DaemonSection,
    pub providers: Providers,
    pub observability: Observability,
    /// What is wanted of every run of a workflow.
    pub workflow: WorkflowSection,
    /// What a person should look at, one sentence each.
    pub warnings: Vec<String>,
    /// What the files of configuration looked like before they were read.
    pub stamp: Stamp,
}

/// When files were written, and how long they are.
pub type Stamp = [Option<(SystemTime, u64)>; 3];

/// The section of one plugin.
#[derive(Debug, Clone, Default)]
pub struct PluginConfig {
    pub enabled: Option<bool>,
    pub settings: BTreeMap<String, Setting>,
    /// All that it may do.
    pub permissions: Option<Vec<Permission>>,
    pub sandbox: Sandboxed,
    /// In the place of the manifest's.
    pub limits: Limits,
    /// The members of the manifest's section that are other here.
    supervision: SupervisionChange,
}

/// When a text counts as understood.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct Recognition {
    /// The least confidence, in per cent.
    pub threshold: f64,
    /// Within so many points of the best, priority decides.
    pub margin: f64,
}

impl Default for Recognition {
    fn default() -> Recognition {
        Recognition { threshold: 55.0, margin: 5.0 }
    }
}

/// Why `astros.yaml` cannot be used; displayed beginning with the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is there and cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    /// It is no YAML, or a member is not what it has to be.
    #[error(transparent)]
    Invalid(#[from] ManifestError),
}

impl Config {
    /// Reads `path`; a file that is missing configures nothing. `home` is what `~` stands for.
    ///
    /// # Errors
    /// The file is there, and cannot be read or understood.
    pub fn read(path: &Path, home: Option<&Path>) -> Result<Config, ConfigError> {
        match text_if_there(path)? {
            Some(text) => Config::parse(&text, path, home),
            None => Ok(Config { path: path.to_owned(), ..Config::default() }),
        }
    }

    /// Reads the text of the file `path`.
    ///
    /// # Errors
    /// It is no YAML, or a member is not what it has to be.
    pub fn parse(text: &str, path: &Path, home: Option<&Path>) -> Result<Config, ConfigError> {
        let document = Document::parse(text, path)?;
        let file: File = document.read()?;
        let written = document.value();
        let plugins = file.plugins.into_iter().map(|(name, section)| {
            let settings = settings(&document, &written, &name);
            let Section { enabled, permissions, sandbox, limits, supervision, .. } = section;
            let permissions = permissions.map(|Grantable(list)| list);
            (name, PluginConfig { enabled, settings, permissions, sandbox: sandbox.0, limits, supervision })
        });
        let base = path.parent().unwrap_or(Path::new("/"));
        let absolute = |paths: &[String]| paths.iter().map(|dir| base.join(expand(dir, home))).collect();
        Ok(Config {
            path: path.to_owned(),
            plugins: plugins.collect(),
            plugin_dirs: absolute(&file.plugin_dirs),
            python_environments: absolute(&file.python_environments),
            limits: file.limits,
            user_id: file.user_id.filter(|user| !user.is_empty()),
            recognition: file.recognition.0,
            daemon: file.daemon,
            providers: file.providers,
            observability: file.observability,
            workflow: file.workflow,
            warnings: unknown_members(&document, &written, path),
            stamp: Stamp::default(),
        })
    }

    /// One warning for each of a plugin's secrets that stands here.
    pub(super) fn open_secrets(&self, plugin: &str, secrets: &[String]) -> Vec<String> {
        let settings = self.plugin(plugin).map(|own| &own.settings);
        let open = secrets.iter().filter_map(|name| Some((name, settings?.get(name)?.line)));
        let warning = |(name, line)| {
            format!(
                "{}:{line}: `plugins.{plugin}.settings.{name}` is a secret; `astros secrets set {plugin} {name}` \
                 keeps it where nobody else reads it",
                self.path.display()
            )
        };
        open.map(warning).collect()
    }

    /// The section of a plugin, where there is one.
    pub fn plugin(&self, name: &str) -> Option<&PluginConfig> {
        self.plugins.get(name)
    }
}

impl PluginConfig {
    /// The manifest's supervision with what the person changed.
    pub fn supervision(&self, manifest: &Supervision) -> Supervision {
        // The changes fitted when they were read, and no member depends on another.
        manifest.with(&self.supervision.0).unwrap_or_else(|_| manifest.clone())
    }
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
struct File {
    plugins: BTreeMap<String, Section>,
    plugin_dirs: Vec<String>,
    python_environments: Vec<String>,
    limits: Limits,
    user_id: Option<String>,
    recognition: Checked,
    daemon: DaemonSection,
    providers: Providers,
    observability: Observability,
    workflow: WorkflowSection,
}

#[derive(Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
struct Section {
    enabled: Option<bool>,
    permissions: Option<Grantable>,
    sandbox: Confined,
    limits: Limits,
    supervision: SupervisionChange,
    /// These two are here for their shape; [`settings`] takes them as they were written.
    #[serde(rename = "settings")]
    _settings: Map<String, Value>,
    #[serde(rename = "config")]
    _config: Map<String, Value>,
}

/// A recognition whose numbers are percentages.
#[derive(Default, Deserialize)]
#[serde(try_from = "Recognition")]
struct Checked(Recognition);

impl TryFrom<Recognition> for Checked {
    type Error = &'static str;

    fn try_from(numbers: Recognition) -> Result<Self, Self::Error> {
        let percent = 0.0..=100.0;
        let good = percent.contains(&numbers.threshold) && percent.contains(&numbers.margin);
        let expected = "is beyond its range, expected `threshold` and `margin` from 0 to 100";
        good.then_some(Self(numbers)).ok_or(expected)
    }
}

/// A word; YAML has `off` without quotes for false.
#[derive(Default, Deserialize)]
#[serde(try_from = "Value")]
struct Confined(Sandboxed);

impl TryFrom<Value> for Confined {
    type Error = &'static str;

    fn try_from(written: Value) -> Result<Self, Self::Error> {
        let written = if written == Value::Bool(false) { Value::from("off") } else { written };
        serde_json::from_value(written).map(Self).map_err(|_| "expected `enforced`, `reduced` or `off`")
    }
}

/// Permissions that can be granted as they are written.
#[derive(Deserialize)]
#[serde(try_from = "Permissions")]
struct Grantable(Vec<Permission>);

impl TryFrom<Permissions> for Grantable {
    type Error = String;

    fn try_from(Permissions(list): Permissions) -> Result<Self, Self::Error> {
        let refused = list.iter().find_map(|one| one.grantable().err());
        refused.map_or(Ok(Self(list)), |error| Err(format!("does not fit: {error}")))
    }
}

/// A part of a `supervision` section, held against the defaults when it is read.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
struct SupervisionChange(Map<String, Value>);

impl TryFrom<Map<String, Value>> for SupervisionChange {
    type Error = String;

    fn try_from(changes: Map<String, Value>) -> Result<Self, Self::Error> {
        match Supervision::default().with(&changes) {
            Ok(_) => Ok(Self(changes)),
            Err(words) => Err(format!("does not fit: {words}")),
        }
    }
}

/// The settings of a plugin with their lines; where `config` names one too, `settings` holds.
fn settings(document: &Document<'_>, written: &Value, plugin: &str) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    for section in ["config", "settings"] {
        for (key, value) in written["plugins"][plugin][section].as_object().into_iter().flatten() {
            let line = document.line(&["plugins", plugin, section, key]).unwrap_or(1);
            settings.insert(key.clone(), Setting { value: value.clone(), line });
        }
    }
    settings
}

const DAEMON: [&str; 1] = ["start"];
const FILE: [&str; 10] = [
    "plugins",
    "plugin_dirs",
    "python_environments",
    "limits",
    "user_id",
    "recognition",
    "daemon",
    "providers",
    "observability",
    "workflow",
];
const SECTION: [&str; 7] =
    ["enabled", "settings", "config", "permissions", "sandbox", "limits", "supervision"];
const RECOGNITION: [&str; 2] = ["threshold", "margin"];
const OBSERVABILITY: [&str; 2] = ["prometheus", "otlp"];

/// One warning for each member that nobody reads.
fn unknown_members(document: &Document<'_>, written: &Value, path: &Path) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut check = |prefix: &[&str], value: &Value, known: &[&str]| {
        warnings.extend(unknown(document, path, prefix, value, known));
    };
    check(&[], written, &FILE);
    check(&["limits"], &written["limits"], &Limits::NAMES);
    check(&["recognition"], &written["recognition"], &RECOGNITION);
    check(&["daemon"], &written["daemon"], &DAEMON);
    check(&["observability"], &written["observability"], &OBSERVABILITY);
    check(&["workflow"], &written["workflow"], &WorkflowSection::NAMES);
    for (plugin, section) in written["plugins"].as_object().into_iter().flatten() {
        check(&["plugins", plugin], section, &SECTION);
        check(&["plugins", plugin, "limits"], &section["limits"], &Limits::NAMES);
    }
    warnings
}

/// One warning for each member of one mapping that is none of these.
pub(super) fn unknown(
    document: &Document<'_>,
    path: &Path,
    prefix: &[&str],
    value: &Value,
    known: &[&str],
) -> Vec<String> {
    let members = value.as_object().into_iter().flat_map(Map::keys);
    let unknown = members.filter(|key| !known.contains(&key.as_str()));
    let warning = |key: &String| {
        let names = [prefix, &[key.as_str()]].concat();
        let near = known.iter().find(|name| strsim::normalized_damerau_levenshtein(key, name) >= 0.7);
        let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let line = document.line(&names).unwrap_or(1);
        format!("{}:{line}: `{}` is not known and was ignored{near}", path.display(), names.join("."))
    };
    unknown.map(warning).collect()
}

pub(super) fn expand(dir: &str, home: Option<&Path>) -> PathBuf {
    match (dir.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            home.join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(dir),
    }
}

/// The text of a file; none where it is not there.
fn text_if_there(path: &Path) -> Result<Option<String>, ConfigError> {
    match text_of(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    let reason = match error.kind() {
        io::ErrorKind::InvalidData => "it is not UTF-8 text; save it as UTF-8".to_owned(),
        io::ErrorKind::NotFound => "it is a link to nothing; mend or remove it".to_owned(),
        _ => error.to_string(),
    };
    ConfigError::Unreadable { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
