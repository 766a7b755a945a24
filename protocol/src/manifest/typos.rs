//! Members that nobody knows: kept, and reported where they look like a misspelling of a known one.

use serde_json::{Map, Value};

use super::source::printable;
use super::yaml::Node;

/// How alike two names have to be, from 0 to 1.
const ALIKE: f64 = 0.7;

/// One warning for each unknown member of `node` that resembles one that `schema` knows, at any depth.
pub(super) fn warnings(node: &Node, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    walk(node, schema, "", &mut found);
    found
}

/// The members of the top level that `schema` does not know.
pub(super) fn unknown(node: &Node, schema: &Value) -> Map<String, Value> {
    let known = &schema["properties"];
    let unknown = node.members().iter().filter(|(key, _)| known.get(key).is_none());
    unknown.map(|(key, value)| (key.clone(), value.value())).collect()
}

/// The known name that `key` most resembles.
pub(super) fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let key = key.to_lowercase().replace('-', "_");
    let scored = known.map(|name| (strsim::normalized_damerau_levenshtein(&key, name), name));
    let (score, name) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (score >= ALIKE || name.strip_suffix('s') == Some(&key)).then_some(name)
}

fn walk(node: &Node, schema: &Value, path: &str, found: &mut Vec<String>) {
    let Some(known) = schema["properties"].as_object() else { return };
    for (key, value) in node.members() {
        if let Some(schema) = known.get(key) {
            walk(value, schema, &format!("{path}{key}."), found);
        } else if let Some(near) = nearest(key, known.keys().map(String::as_str)) {
            let line = value.at.line;
            let warning =
                format!("line {line}: `{path}{key}` is not known and was ignored; did you mean `{near}`?");
            found.push(printable(&warning));
        }
    }
}
