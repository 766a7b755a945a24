//! Reading one section of the file, and the words for what does not fit.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::ManifestError;
use super::typos;
use super::yaml::{Node, Position};

/// The text and its file: what errors need.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl Source<'_> {
    pub(super) fn error(&self, at: Position, problem: String) -> ManifestError {
        let (path, problem) = (self.path.to_owned(), printable(&problem));
        ManifestError::Invalid { path, line: at.line, column: at.column, problem }
    }

    /// Reads a section that stands under `prefix`.
    pub(super) fn section<T: DeserializeOwned>(&self, node: &Node, prefix: &str) -> Result<T, ManifestError> {
        let value = without_empty(node.value());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let (place, name) = follow(node, prefix, error.path());
            self.error(place.at, self.words(place, &name, &error.inner().to_string()))
        })
    }

    /// Puts serde's words, and those of our own types, into one form: subject, found, expected.
    fn words(&self, node: &Node, name: &str, message: &str) -> String {
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            let name = if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
            let near = typos::nearest(field, node.members().iter().map(|(key, _)| key.as_str()));
            let near = near.map(|key| format!("; is `{key}` a misspelling of it?")).unwrap_or_default();
            return format!("`{name}` is missing, expected a value{near}");
        }
        if let Some((_, expected)) =
            message.strip_prefix("unknown field ").and_then(|rest| rest.split_once(", "))
        {
            return format!("`{name}` is not known, {expected}");
        }
        let Some(expected) = expectation(message) else { return format!("`{name}` {message}") };
        let quote = if expected == "a string" { node.quoted(self.text) } else { None };
        let hint = quote.map(|quoted| format!("; write it in quotes: `{quoted}`")).unwrap_or_default();
        format!("`{name}` is {}, expected {}{hint}", node.describe(self.text), plain(expected))
    }

    pub(super) fn missing_metadata(&self, root: &Node) -> ManifestError {
        let near = typos::nearest("metadata", root.members().iter().map(|(key, _)| key.as_str()));
        let near = near.map(|key| format!("; is `{key}` a misspelling of it?")).unwrap_or_default();
        let problem = format!("`metadata` is missing, expected a mapping with `name` and `version`{near}");
        self.error(root.at, problem)
    }
}

/// Words on one line, without what would disturb a terminal: names that an author wrote may hold anything.
pub(super) fn printable(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        if c.is_control() { text.extend(c.escape_debug()) } else { text.push(c) }
    }
    text
}

/// The node that an error's path leads to, as far as it exists, and the path in words.
fn follow<'a>(node: &'a Node, prefix: &str, path: &serde_path_to_error::Path) -> (&'a Node, String) {
    let mut place = node;
    let mut name = prefix.to_owned();
    for segment in path.iter() {
        let next = match segment {
            Segment::Map { key } => {
                name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                place.get(key)
            }
            Segment::Seq { index } => {
                name = format!("{name}[{index}]");
                place.item(*index)
            }
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        place = next.unwrap_or(place);
    }
    (place, name)
}

/// What serde or one of our types expected, where the message says no more than that and what it found.
fn expectation(message: &str) -> Option<&str> {
    if let Some(expected) = message.strip_prefix("expected ") {
        return Some(expected);
    }
    let (found, expected) = message.split_once(", expected ")?;
    let plain = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    plain.iter().any(|prefix| found.starts_with(prefix)).then_some(expected)
}

/// What serde says of a value, in an author's words.
pub(super) fn in_words(message: &str) -> String {
    let found = message.split_once(", expected ").and_then(|(found, _)| found.split_once(": "));
    match (found, expectation(message)) {
        (Some((_, found)), Some(expected)) => format!("found {found}, expected {}", plain(expected)),
        _ => message.to_owned(),
    }
}

/// Serde's names of types in an author's words.
fn plain(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a mapping",
        "variant identifier" | "string or map" => "a word",
        "a boolean" => "`true` or `false`",
        "a nonzero u32" => "a whole number from 1",
        "a nonzero u64" => "a whole number from 1",
        "u32" | "u64" => "a whole number",
        "f64" => "a number",
        other => other,
    }
}

/// A member that stands there without a value is as good as absent; a permission without a scope is not.
fn without_empty(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let kept = members.into_iter().filter(|(_, value)| !value.is_null());
    let inner = |(key, value): (String, Value)| match key.as_str() {
        "permissions" | "requires_permissions" => (key, value),
        _ => (key, without_empty(value)),
    };
    Value::Object(kept.map(inner).collect::<Map<_, _>>())
}
