//! What a plugin's folder says of its settings beside the manifest: a schema in a file, further defaults.

use std::io;

use astros_protocol::manifest::{Document, Folder, Manifest};
use serde_json::{Map, Value};

/// Where a schema is that the manifest does not name.
pub(super) const SCHEMA_FILES: [&str; 2] = ["config_schema.json", "config/schema.json"];
/// Where defaults are beside those of the manifest.
pub(super) const DEFAULTS_FILE: &str = "config/defaults.yaml";

/// A JSON Schema, not yet held against the rules of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub value: Value,
    /// The file that it stands in.
    pub origin: String,
}

/// Reads it where there is one; an error says which file and why.
pub(super) fn read(folder: &Folder, manifest: &Manifest) -> Result<Option<Schema>, String> {
    if let Some(schema) = &manifest.configuration.schema {
        let origin = manifest.path.display().to_string();
        return Ok(Some(Schema { value: Value::Object(schema.clone()), origin }));
    }
    let read = |file| (file, folder.text(file));
    let named = manifest.configuration.schema_file.as_ref().map(|file| read(file.as_str()));
    let usual = || SCHEMA_FILES.into_iter().map(read).find(|(_, text)| !is_absent(text));
    let Some((file, text)) = named.or_else(usual) else { return Ok(None) };
    let origin = folder.path().join(file).display().to_string();
    let unreadable = |reason: String| format!("the schema `{origin}` cannot be read: {reason}");
    let text = text.map_err(|error| unreadable(error.to_string()))?;
    let value: Value = serde_json::from_str(&without_comment(&text))
        .map_err(|error| format!("{origin}:{}:{}: {error}", error.line(), error.column()))?;
    if !value.is_object() {
        return Err(unreadable("it is no JSON object".to_owned()));
    }
    Ok(Some(Schema { value, origin }))
}

/// The defaults that `config/defaults.yaml` has; none where there is no such file.
pub(super) fn defaults(folder: &Folder) -> Result<Map<String, Value>, String> {
    let path = folder.path().join(DEFAULTS_FILE);
    let text = folder.text(DEFAULTS_FILE);
    if is_absent(&text) {
        return Ok(Map::new());
    }
    let text = text.map_err(|error| format!("the defaults `{}` cannot be read: {error}", path.display()))?;
    match Document::parse(&text, &path).map_err(|error| error.to_string())?.value() {
        Value::Object(defaults) => Ok(defaults),
        _ => Ok(Map::new()),
    }
}

fn is_absent(text: &io::Result<String>) -> bool {
    let kind = text.as_ref().err().map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

/// A first line that is a comment, as examples have it, is left out; the lines keep their numbers.
fn without_comment(text: &str) -> String {
    if !text.trim_start().starts_with('#') {
        return text.to_owned();
    }
    let start = text.find('#').unwrap_or_default();
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    format!("{}{}", &text[..start], &text[end..])
}
