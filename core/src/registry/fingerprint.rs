//! What a plugin's code looks like from outside, so that what it said of itself holds while that stays the same.

use std::fs::{self, DirEntry, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// So many files count; in a larger folder the rest may change unseen.
const MAX_FILES: usize = 2_000;
/// Folders that hold no code of the plugin's own, beside the hidden ones.
const SKIPPED: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];

/// What the system says of each file and of the program that runs them, and the SDK's version.
pub(super) fn fingerprint(folder: &Path, program: Option<&Path>, sdk_version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), sdk_version).hash(&mut hasher);
    let mut left = MAX_FILES;
    walk(folder, &mut left, &mut hasher);
    if let Some(program) = program {
        program.hash(&mut hasher);
        stat(program.metadata().ok(), &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// Follows links to files, not to folders: those may lead round in circles.
fn walk(folder: &Path, left: &mut usize, hasher: &mut DefaultHasher) {
    let Ok(found) = fs::read_dir(folder) else { return };
    let mut found: Vec<_> = found.flatten().collect();
    found.sort_by_key(DirEntry::file_name);
    for entry in found {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if *left == 0 || text.starts_with('.') || text.ends_with(".pyc") || SKIPPED.contains(&&*text) {
            continue;
        }
        *left -= 1;
        name.hash(hasher);
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), left, hasher),
            Ok(kind) if kind.is_file() => stat(entry.metadata().ok(), hasher),
            _ => stat(entry.path().metadata().ok(), hasher),
        }
    }
}

/// The change time too: a tool may set the modification time back, never that one.
fn stat(about: Option<Metadata>, hasher: &mut DefaultHasher) {
    let seen = about.map(|about| {
        let times = [about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec()];
        (about.len(), about.ino(), times)
    });
    seen.hash(hasher);
}
