//! The generated files: where they are, and what is in them.

use std::path::{Path, PathBuf};

use astros_protocol::schema;
use serde_json::Value;

use crate::{openrpc, reference};

const SCHEMAS: &str = "protocol/schemas";

/// Every generated file by its path in the repository, with its text.
pub(crate) fn all(root: &Path) -> Vec<(PathBuf, String)> {
    let mut files: Vec<_> = schema::names().iter().map(|name| schema_file(name)).collect();
    let protocol = root.join("protocol");
    files.push((PathBuf::from("protocol/openrpc.json"), pretty(&openrpc::document(&protocol))));
    files.push((PathBuf::from("docs/src/reference.md"), reference::page(&protocol)));
    files
}

/// Files that are there and are generated no longer.
pub(crate) fn stale(root: &Path) -> Vec<PathBuf> {
    let current: Vec<_> = schema::names().iter().map(|name| schema::file_name(name)).collect();
    let Ok(entries) = std::fs::read_dir(root.join(SCHEMAS)) else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.file_name().is_some_and(|name| current.iter().all(|one| name != &**one)))
        .collect()
}

fn schema_file(name: &str) -> (PathBuf, String) {
    let schema = schema::schema(name).expect("every name has a schema");
    (Path::new(SCHEMAS).join(schema::file_name(name)), pretty(&schema))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
