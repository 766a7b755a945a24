//! What a plugin's folder says of its settings beside the manifest: a schema in a file, further defaults.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use astros_protocol::manifest::{Document, Manifest};
use serde_json::{Map, Value};

/// Where a schema is that the manifest does not name.
pub(super) const SCHEMA_FILES: [&str; 2] = ["config_schema.json", "config/schema.json"];
/// Where defaults are beside those of the manifest.
pub(super) const DEFAULTS_FILE: &str = "config/defaults.yaml";

/// The largest schema that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A JSON Schema, not yet held against the rules of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    pub value: Value,
    /// The file that it stands in.
    pub origin: String,
}

/// Reads it where there is one; an error says which file and why.
pub(super) fn read(folder: &Path, manifest: &Manifest) -> Result<Option<Schema>, String> {
    if let Some(schema) = &manifest.configuration.schema {
        let origin = manifest.path.display().to_string();
        return Ok(Some(Schema { value: Value::Object(schema.clone()), origin }));
    }
    let named = manifest.configuration.schema_file.as_ref().map(|file| file.as_str());
    let usual = || SCHEMA_FILES.into_iter().find(|file| folder.join(file).exists());
    let Some(file) = named.or_else(usual) else { return Ok(None) };
    let path = folder.join(file);
    let origin = path.display().to_string();
    let unreadable = |reason: String| format!("the schema `{origin}` cannot be read: {reason}");
    let text = text_of(&path).map_err(|error| unreadable(error.to_string()))?;
    let value: Value = serde_json::from_str(&without_comment(&text))
        .map_err(|error| format!("{origin}:{}:{}: {error}", error.line(), error.column()))?;
    if !value.is_object() {
        return Err(unreadable("it is no JSON object".to_owned()));
    }
    Ok(Some(Schema { value, origin }))
}

/// The defaults that `config/defaults.yaml` has; none where there is no such file.
pub(super) fn defaults(folder: &Path) -> Result<Map<String, Value>, String> {
    let path = folder.join(DEFAULTS_FILE);
    let text = match text_of(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(format!("the defaults `{}` cannot be read: {error}", path.display())),
    };
    match Document::parse(&text, &path).map_err(|error| error.to_string())?.value() {
        Value::Object(defaults) => Ok(defaults),
        _ => Ok(Map::new()),
    }
}

fn text_of(path: &Path) -> io::Result<String> {
    // Before it is opened: to open a pipe that nobody writes to would block for ever.
    let about = path.metadata()?;
    if !about.is_file() || about.len() > MAX_BYTES {
        let words = format!("expected a regular file of at most {MAX_BYTES} bytes");
        return Err(io::Error::other(words));
    }
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(text)
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
