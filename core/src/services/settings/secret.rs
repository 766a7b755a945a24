//! Which settings are secrets: those that the schema marks `writeOnly: true`.

use std::collections::HashSet;

use serde_json::Value;

use super::{Override, environment::upper};
use crate::services::schema::{parts, referred};

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

/// The names of the settings that are secrets, each whole: also where the mark stands deep within one.
pub fn secret_names(schema: Option<&Value>) -> Vec<String> {
    let mut names = Vec::new();
    let Some(root) = schema else { return names };
    for schema in parts(root, root) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if !names.contains(name) && has_secret(root, property) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// The variables that set one of these.
pub fn secret_variables(overrides: &[Override], names: &[String]) -> Vec<String> {
    let of_secret =
        |one: &&Override| names.iter().any(|name| upper(name) == one.key || *name == one.key.to_lowercase());
    overrides.iter().filter(of_secret).map(|one| one.variable.clone()).collect()
}

/// Whether a secret is marked anywhere within; each schema is looked at once, since they may refer to themselves.
fn has_secret(root: &Value, property: &Value) -> bool {
    let mut seen = HashSet::new();
    let mut open = vec![property];
    while let Some(schema) = open.pop() {
        if schema.get("writeOnly") == Some(&Value::Bool(true)) {
            return true;
        }
        if seen.insert(std::ptr::from_ref(schema)) {
            open.extend(referred(root, schema));
            open.extend(schema.as_object().into_iter().flat_map(|members| members.values()));
            open.extend(schema.as_array().into_iter().flatten());
        }
    }
    false
}
