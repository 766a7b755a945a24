//! JSON Schemas by name: `initialize` is a method's params, `initialize.result` its result.
//!
//! Beside the methods there are `message`, the envelope of them all, `error`, and with the feature `manifest` `plugin.yaml` and `plugin-manifest.yaml`.
//! They are those of a reader: what may be absent is not required, and members that nobody knows are allowed.

use schemars::{Schema, json_schema, schema_for};
use serde_json::Value;

use crate::{Error, catalog, message::MAX_ID};

/// All methods, errors and shapes as an OpenRPC document, with examples; it is generated, as the reference is.
pub const OPENRPC: &str = include_str!("../openrpc.json");

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
    all.push(("message".to_owned(), message));
    all.push(("error".to_owned(), || schema_for!(Error)));
    #[cfg(feature = "manifest")]
    {
        use crate::manifest::{PluginManifestYaml, PluginYaml};
        all.push(("plugin.yaml".to_owned(), || schema_for!(PluginYaml)));
        all.push(("plugin-manifest.yaml".to_owned(), || schema_for!(PluginManifestYaml)));
    }
    all
}

/// The envelope: one line is one of these. What `params`, `result` and `error` have to be is said by their own schemas.
fn message() -> Schema {
    let id = json_schema!({
        "type": ["string", "integer"], "minimum": -MAX_ID, "maximum": MAX_ID,
        "description": "Echoed as it came; not used again by its sender on the connection."
    });
    let head = json_schema!({ "const": "2.0", "description": "Comes first, as does what follows." });
    let method = json_schema!({ "type": "string" });
    let params = json_schema!({ "type": "object" });
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "description": "One line of the protocol.",
        "type": "object",
        "required": ["jsonrpc"],
        "properties": { "jsonrpc": head },
        "oneOf": [
            {
                "title": "request",
                "required": ["id", "method"],
                "properties": { "id": id, "method": method, "params": params }
            },
            {
                "title": "notification",
                "required": ["method"],
                "properties": { "id": false, "method": method, "params": params }
            },
            {
                "title": "result",
                "required": ["id", "result"],
                "properties": { "id": id, "method": false, "error": false }
            },
            {
                "title": "error",
                "required": ["id", "error"],
                "properties": {
                    "id": { "anyOf": [id, { "type": "null", "description": "The request could not be told." }] },
                    "method": false,
                    "result": false,
                    "error": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": { "code": { "type": "integer" }, "message": { "type": "string" } }
                    }
                }
            }
        ]
    })
}
