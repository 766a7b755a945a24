//! JSON Schemas by name: `initialize` is a method's params, `initialize.result` its result.
//!
//! Beside the methods there are `error`, and with the feature `manifest` `plugin.yaml` and `plugin-manifest.yaml`.
//! They are those of a reader: what may be absent is not required, and members that nobody knows are allowed.

use schemars::{Schema, schema_for};
use serde_json::Value;

use crate::{Error, catalog};

/// The names of all schemas.
pub fn names() -> Vec<String> {
    all().into_iter().map(|(name, _)| name).collect()
}

/// The schema of this name, a JSON object.
pub fn schema(name: &str) -> Option<Value> {
    let (_, make) = all().into_iter().find(|(known, _)| known == name)?;
    let mut schema = make();
    schema.insert("title".to_owned(), name.into());
    Some(schema.to_value())
}

/// The file of `protocol/schemas` that holds the schema of this name.
pub fn file_name(name: &str) -> String {
    format!("{}.json", name.trim_start_matches("$/").replace('/', "-"))
}

fn all() -> Vec<(String, fn() -> Schema)> {
    let mut all: Vec<(String, fn() -> Schema)> = Vec::new();
    for method in catalog::methods() {
        all.push((method.name.to_owned(), method.params.schema));
        all.extend(method.result.map(|result| (format!("{}.result", method.name), result.schema)));
    }
    all.push(("error".to_owned(), || schema_for!(Error)));
    #[cfg(feature = "manifest")]
    {
        use crate::manifest::{PluginManifestYaml, PluginYaml};
        all.push(("plugin.yaml".to_owned(), || schema_for!(PluginYaml)));
        all.push(("plugin-manifest.yaml".to_owned(), || schema_for!(PluginManifestYaml)));
    }
    all
}
