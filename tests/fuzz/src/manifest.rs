//! The manifest in both its shapes, and the reader of `astros.yaml`: no text breaks them, and what they say of it is fit
//! for a terminal and points into it.

use std::path::Path;

use astros_protocol::manifest::{Document, Manifest, ManifestError};
use serde_json::Value;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("/p/plugin.yaml");
    match Manifest::parse(text, path) {
        Ok(manifest) => is_whole(&manifest),
        Err(error) => points_into(text, &error),
    }
    match Document::parse(text, path) {
        Ok(document) => is_its_own_json(&document.value()),
        Err(error) => points_into(text, &error),
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = ["file-manager", "hello-world", "notification-manager", "smart-organizer"]
        .iter()
        .map(|plugin| super::read(&format!("plugins/{plugin}/plugin.yaml")))
        .collect();
    // The spellings of the guides stand in the page.
    let page = String::from_utf8(super::read("docs/src/manifest.md")).expect("the page is UTF-8");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    seeds.extend(blocks.map(|block| block.as_bytes().to_vec()));
    let small = [
        "name: a\nversion: 1.0\nrun: {python: no}",
        "metadata: {name: a, verison: '1.0'}\nsupervision: {idle_stop: 5x, backoff_initial: 100}",
        "metadata: &a\n  name: a\n  version: 1.0.0\npermissions: {network: [a.b], file_system: {read: [~]}}\nx: *a",
        "name: a\npermissions: [storage, {bus: [a.>]}]\nentry_points: {commands: [{name: a, class: 'm:C'}]}",
    ];
    seeds.extend(small.map(|text| text.as_bytes().to_vec()));
    seeds
}

fn is_whole(manifest: &Manifest) {
    assert_eq!(manifest.path, Path::new("/p/plugin.yaml"));
    let each_once = |names: Vec<&str>| {
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        unique.len() == names.len()
    };
    assert!(each_once(manifest.kinds.iter().map(|kind| kind.name()).collect()));
    assert!(each_once(manifest.permissions.iter().map(|permission| permission.name()).collect()));
    for permission in &manifest.permissions {
        assert!(!permission.sentence().is_empty() && !permission.to_string().is_empty());
    }
    for warning in &manifest.warnings {
        is_printable(warning);
    }
}

fn points_into(text: &str, error: &ManifestError) {
    let ManifestError::Invalid { line, column, problem, .. } = error else {
        panic!("nothing was read: {error}")
    };
    // YAML has more ends of lines than `\n`.
    let lines = text.split(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}']).count();
    let longest = text.chars().count();
    assert!((1..=lines as u64 + 1).contains(line), "line {line} of {lines}: {error}");
    assert!((1..=longest as u64 + 1).contains(column), "column {column}: {error}");
    assert!(!problem.is_empty());
    is_printable(problem);
}

fn is_printable(words: &str) {
    assert!(!words.contains(char::is_control), "{words:?} would disturb a terminal");
}

/// JSON is YAML: the value as JSON is the same document.
fn is_its_own_json(value: &Value) {
    let json = value.to_string();
    let again = Document::parse(&json, Path::new("x")).map(|document| document.value());
    assert_eq!(again.as_ref(), Ok(value), "{json}");
}
