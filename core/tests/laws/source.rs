//! The project's source files, and their code without comments, texts and tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One file.
pub(crate) struct Source {
    /// From the project's folder on.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Without comments, and without the tests at its end.
    pub(crate) code: String,
}

impl Source {
    /// The module of a file below `core/src`: `["router", "tree"]`; empty for `main.rs`.
    pub(crate) fn module(&self) -> Vec<String> {
        let below = self.path.strip_prefix("core/src").unwrap_or(&self.path).with_extension("");
        let mut names: Vec<String> = below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if names.last().is_some_and(|last| last == "mod" || last == "main") {
            names.pop();
        }
        names
    }
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder that have this extension, files of tests left out where the folder is one of sources.
pub(crate) fn files(folder: &str, extension: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    collect(&root().join(folder), extension, &mut paths);
    let mut sources: Vec<Source> = paths.iter().map(|path| read(path)).collect();
    if folder.ends_with("src") || folder.contains("src/") {
        sources.retain(|source| source.path.file_stem().is_none_or(|stem| stem != "tests"));
    }
    assert!(!sources.is_empty(), "no `.{extension}` is below `{folder}`");
    sources
}

/// The module of this name: `settings` is `settings.rs` and what is in `settings/`; `state.rs` is one file.
pub(crate) fn file_and_folder(name: &str) -> Vec<Source> {
    let path = root().join(name);
    let mut sources = if path.is_dir() { files(name, "rs") } else { Vec::new() };
    let file = [path.clone(), path.with_extension("rs")].into_iter().find(|path| path.is_file());
    sources.extend(file.map(|file| read(&file)));
    sources
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let path = path.strip_prefix(root()).unwrap_or(path).to_owned();
    let code = without_comments(text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
    Source { path, text, code }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        // What is made: builds, environments, caches.
        let made =
            name.starts_with(['.', '_']) || name == "target" || name == "venv" || name == "node_modules";
        if path.is_dir() && !made && !path.is_symlink() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
    found.sort();
}
