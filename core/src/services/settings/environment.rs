//! Settings from the environment: `ASTROS_<PLUGIN>_<KEY>`, and LocalAgent's `LOCALAGENT_<PLUGIN>_<KEY>`.

use std::collections::BTreeMap;

use astros_protocol::{RESERVED_VARIABLES, manifest};
use serde_json::{Number, Value};

/// The prefixes; where both set a key, the last one holds.
const PREFIXES: [&str; 2] = ["LOCALAGENT_", "ASTROS_"];

/// A variable that sets something of a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Its name.
    pub variable: String,
    /// What is left of the name after the plugin's, as it stands there.
    pub key: String,
    /// Its value.
    pub text: String,
}

/// Variables that hold a plugin's secret, and whose they may be.
pub type Claims = BTreeMap<String, Vec<String>>;

/// What the environment sets.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// By plugin.
    pub of: BTreeMap<String, Vec<Override>>,
    /// What nobody has, for several plugins may be meant: one sentence each.
    pub unclear: Vec<String>,
}

/// Whether a variable of this name may set something of a plugin.
pub fn may_set(variable: &str) -> bool {
    PREFIXES.iter().any(|prefix| variable.starts_with(prefix)) && !RESERVED_VARIABLES.contains(&variable)
}

/// Which variables set something of which plugin: of the longest plugin's name that fits. Where another one says that it
/// is a secret of its own, or two names are the same there, nobody has it: either might be after the other's.
pub fn overrides<'a>(
    plugins: impl IntoIterator<Item = &'a str>,
    claims: &Claims,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Overrides {
    let mut names: Vec<(String, &str)> = plugins.into_iter().map(|name| (upper(name) + "_", name)).collect();
    names.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    let mut found = Overrides::default();
    let variables: BTreeMap<String, String> =
        variables.into_iter().filter(|(name, _)| may_set(name)).collect();
    for prefix in PREFIXES {
        for (variable, text) in &variables {
            let Some(rest) = variable.strip_prefix(prefix) else { continue };
            let fits = |prefix: &str| rest.len() > prefix.len() && rest.starts_with(prefix);
            let longest = names.iter().map(|(prefix, _)| prefix).find(|prefix| fits(prefix));
            let is_claimed = |name: &str| {
                claims.get(variable).is_some_and(|owners| owners.iter().any(|owner| owner == name))
            };
            let meant: Vec<_> = names
                .iter()
                .filter(|(prefix, name)| Some(prefix) == longest || fits(prefix) && is_claimed(name))
                .collect();
            match meant[..] {
                [] => {}
                [(prefix, plugin)] => {
                    let key = rest[prefix.len()..].to_owned();
                    let (variable, text) = (variable.clone(), text.clone());
                    found.of.entry((*plugin).to_owned()).or_default().push(Override { variable, key, text });
                }
                _ => found.unclear.push(unclear(variable, &meant)),
            }
        }
    }
    found
}

fn unclear(variable: &str, meant: &[&(String, &str)]) -> String {
    let names: Vec<_> = meant.iter().map(|(_, name)| format!("`{name}`")).collect();
    let names = names.join(" or ");
    format!(
        "`{variable}` may be of {names}, and none of them gets it; `astros.yaml` and secrets name the plugin"
    )
}

/// The variable that sets `key` of a plugin.
pub fn variable(plugin: &str, key: &str) -> String {
    format!("ASTROS_{}_{}", upper(plugin), upper(key))
}

/// The setting that a variable means: a known one that is written so, else its key in lower case.
pub(super) fn name_of<'a>(one: &Override, mut known: impl Iterator<Item = &'a str>) -> String {
    known.find(|name| upper(name) == one.key).map_or_else(|| one.key.to_lowercase(), str::to_owned)
}

/// The text as the type that the schema, or else the default, has; text where neither says one. The error says what
/// was expected.
pub fn typed(text: &str, schema: Option<&Value>, default: Option<&Value>) -> Result<Value, String> {
    let types = match schema.and_then(types) {
        Some(types) => types,
        None => default.map(type_of).into_iter().collect(),
    };
    if schema.is_some_and(is_size)
        && let Some(bytes) = manifest::bytes(text.trim())
    {
        return Ok(bytes.into());
    }
    // Text fits everything: the other types have the first say.
    let others = types.iter().filter(|name| **name != "string");
    if let Some(value) = others.clone().find_map(|name| parse(text, name)) {
        return Ok(value);
    }
    if types.is_empty() || types.contains(&"string") {
        return Ok(Value::String(text.to_owned()));
    }
    let expected: Vec<&str> = others.map(|name| words(name)).collect();
    Err(format!("expected {}", expected.join(" or ")))
}

/// Whether a setting is a number of bytes that may be written as a size: `100MB`.
pub(super) fn is_size(schema: &Value) -> bool {
    let is_number =
        types(schema).is_some_and(|types| types.contains(&"integer") || types.contains(&"number"));
    is_number && schema.get("format").is_some_and(|format| format == "size")
}

/// The types that a schema names, where it names any.
fn types(schema: &Value) -> Option<Vec<&str>> {
    match schema.get("type")? {
        Value::String(one) => Some(vec![one]),
        Value::Array(several) => Some(several.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

fn type_of(default: &Value) -> &'static str {
    match default {
        // An empty default says nothing.
        Value::Null | Value::String(_) => "string",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn parse(text: &str, name: &str) -> Option<Value> {
    let text = text.trim();
    match name {
        "boolean" => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => match text.parse::<i64>() {
            Ok(whole) => Some(whole.into()),
            Err(_) => Number::from_f64(text.parse().ok()?).map(Value::Number),
        },
        "null" => text.is_empty().then_some(Value::Null),
        "array" if text.starts_with('[') => {
            serde_json::from_str(text).ok().filter(|value: &Value| value.is_array())
        }
        "array" => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(items.map(|item| Value::String(item.to_owned())).collect())
        }
        "object" => serde_json::from_str(text).ok().filter(|value: &Value| value.is_object()),
        _ => None,
    }
}

fn words(name: &str) -> &str {
    match name {
        "boolean" => "`true` or `false`",
        "integer" => "a whole number",
        "number" => "a number",
        "array" => "a JSON array or words with commas between them",
        "object" => "a JSON object",
        "null" => "nothing",
        other => other,
    }
}

pub(super) fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}
