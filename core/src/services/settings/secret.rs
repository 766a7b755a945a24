//! Which settings are secrets: those that the schema marks `writeOnly: true`.

use serde_json::Value;

use super::{Override, environment::upper};

/// A secret that was found for a setting.
#[derive(Clone, PartialEq)]
pub struct Secret {
    pub value: Value,
    /// Where: a file, or the keyring.
    pub place: String,
}

/// Nobody is to print one by accident.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("place", &self.place).finish_non_exhaustive()
    }
}

/// The names of the settings that are secrets.
pub fn secret_names(schema: Option<&Value>) -> Vec<String> {
    let Some(schema) = schema else { return Vec::new() };
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let marked = properties.filter(|(_, property)| is_secret(schema, property, 0));
    marked.map(|(name, _)| name.clone()).collect()
}

/// The variables that set one of these.
pub fn secret_variables(overrides: &[Override], names: &[String]) -> Vec<String> {
    let of_secret =
        |one: &&Override| names.iter().any(|name| upper(name) == one.key || *name == one.key.to_lowercase());
    overrides.iter().filter(of_secret).map(|one| one.variable.clone()).collect()
}

fn is_secret(root: &Value, property: &Value, depth: usize) -> bool {
    // Schemas may refer to themselves.
    const DEPTH: usize = 8;
    let refers = || {
        let pointer = property.get("$ref")?.as_str()?.strip_prefix('#')?;
        root.pointer(pointer).map(|referred| is_secret(root, referred, depth + 1))
    };
    let parts = || ["allOf", "anyOf", "oneOf"].into_iter().filter_map(|part| property.get(part)?.as_array());
    depth < DEPTH
        && (property.get("writeOnly") == Some(&Value::Bool(true))
            || refers() == Some(true)
            || parts().flatten().any(|part| is_secret(root, part, depth + 1)))
}
