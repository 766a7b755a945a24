//! Reads the golden messages of `protocol/golden`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A message as it may go over the wire.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Golden {
    pub(crate) name: String,
    /// `host` or `plugin`.
    pub(crate) from: String,
    pub(crate) message: Value,
}

/// The files, in the order of their names, each with its messages in their order.
pub(crate) fn files(protocol: &Path) -> Vec<(String, Vec<Golden>)> {
    let folder = protocol.join("golden");
    let entries = std::fs::read_dir(&folder).expect("the folder of golden messages is there");
    let mut names: Vec<_> = entries.map(|entry| entry.expect("it can be listed").file_name()).collect();
    names.sort();
    let valid =
        names.into_iter().filter_map(|name| name.into_string().ok()).filter(|name| name != "invalid.json");
    valid.map(|name| (name.clone(), read(&folder.join(name)))).collect()
}

fn read(path: &Path) -> Vec<Golden> {
    let text = std::fs::read_to_string(path).expect("a golden file can be read");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
