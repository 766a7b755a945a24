//! The sources of settings on top of each other, each value with the place that it comes from.

use std::collections::BTreeMap;

use astros_protocol::{Extra, manifest};
use serde_json::{Map, Value};

use super::{Problem, Secret, Setting, Sources, environment, is_configurable, problem, secret_names};

/// Where a setting comes from that `astros settings set` changed.
pub const BY_COMMAND: &str = "`astros settings set`";
/// What the places of defaults begin with.
const DEFAULT: &str = "default of ";

/// Settings and where each comes from.
pub(super) struct Merged {
    pub(super) settings: Extra,
    pub(super) places: BTreeMap<String, String>,
    pub(super) problems: Vec<Problem>,
}

impl Merged {
    fn set(&mut self, name: &str, value: &Value, place: impl Into<String>) {
        self.places.insert(name.to_owned(), place.into());
        self.settings.insert(name.to_owned(), value.clone());
    }

    fn set_all<'a>(&mut self, all: impl IntoIterator<Item = (&'a String, &'a Value)>, place: &str) {
        all.into_iter().for_each(|(name, value)| self.set(name, value, place));
    }

    /// Sets what was written there as text, or says why it cannot be meant.
    fn set_text(&mut self, name: &str, value: Result<Value, String>, place: &str) {
        match value {
            Ok(value) => self.set(name, &value, place),
            Err(reason) => {
                self.problems.push(Problem { pointer: format!("/{name}"), reason, source: place.to_owned() });
            }
        }
    }
}

pub(super) fn merge(sources: &Sources<'_>) -> Merged {
    let mut merged = Merged { settings: Extra::new(), places: BTreeMap::new(), problems: Vec::new() };
    let properties = sources.schema.and_then(|(schema, _)| schema.get("properties")?.as_object());
    let defaults = properties.into_iter().flatten();
    let defaults = defaults.filter_map(|(name, property)| Some((name, property.get("default")?)));
    merged.set_all(defaults, &format!("{DEFAULT}the schema"));
    merged.set_all(&sources.configuration.settings, &format!("{DEFAULT}the manifest"));
    merged.set_all(sources.defaults, &format!("{DEFAULT}`config/defaults.yaml`"));
    for (file, settings) in [sources.own_file, (sources.file, sources.configured)] {
        for (name, Setting { value, line }) in settings {
            merged.set(name, value, format!("{}:{line}", file.display()));
        }
    }
    merged.set_all(sources.commands, BY_COMMAND);
    for (name, Secret { value, place }) in sources.secrets {
        let schema = properties.and_then(|properties| properties.get(name));
        let typed = match value {
            Value::String(text) => environment::typed(text, schema, merged.settings.get(name)),
            other => Ok(other.clone()),
        };
        merged.set_text(name, typed.map_err(|expected| format!("is another, {expected}")), place);
    }
    override_by_environment(sources, properties, &mut merged);
    read_sizes(properties, &mut merged);
    refuse_what_is_fixed(sources, &mut merged);
    merged
}

fn override_by_environment(
    sources: &Sources<'_>,
    properties: Option<&Map<String, Value>>,
    merged: &mut Merged,
) {
    let hidden = secret_names(sources.schema.map(|(schema, _)| schema));
    for one in sources.environment {
        let known = merged.settings.keys().chain(properties.into_iter().flat_map(Map::keys));
        let name = environment::name_of(one, known.map(String::as_str));
        let schema = properties.and_then(|properties| properties.get(&name));
        let is_hidden = hidden.contains(&name) || sources.secrets.contains_key(&name);
        let typed = environment::typed(&one.text, schema, merged.settings.get(&name));
        let found = if is_hidden { "another".into() } else { format!("`{}`", one.text.escape_debug()) };
        merged.set_text(&name, typed.map_err(|expected| format!("is {found}, {expected}")), &one.variable);
    }
}

/// A text such as `100MB` becomes a number of bytes, where the schema has a number of the format `size`.
fn read_sizes(properties: Option<&Map<String, Value>>, merged: &mut Merged) {
    for (name, property) in properties.into_iter().flatten() {
        if environment::is_size(property)
            && let Some(Value::String(text)) = merged.settings.get(name)
            && let Some(bytes) = manifest::bytes(text)
        {
            merged.settings.insert(name.clone(), bytes.into());
        }
    }
}

/// Where the manifest lists what a person may change, they may change nothing else.
fn refuse_what_is_fixed(sources: &Sources<'_>, merged: &mut Merged) {
    let list = sources.configuration.user_configurable.join("`, `");
    for (name, place) in &merged.places {
        if !place.starts_with(DEFAULT) && !is_configurable(sources.configuration, name) {
            let reason = format!("may not be changed, expected one of `{list}`");
            merged.problems.push(problem(format!("/{name}"), reason, &merged.places));
        }
    }
}
