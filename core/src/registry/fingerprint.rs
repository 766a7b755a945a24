//! What a plugin's code looks like from outside, so that what it said of itself holds while that stays the same.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use astros_protocol::manifest::FILE_NAMES;

/// So many files count; in a larger folder the rest may change unseen.
const MAX_FILES: usize = 2_000;
/// So much of a manifest counts, in bytes; a larger one is refused anyway.
const MAX_BYTES: u64 = 1 << 20;
/// Folders that hold no code of the plugin's own, beside the hidden ones.
const SKIPPED: [&str; 4] = ["__pycache__", "node_modules", "target", "venv"];

/// The bytes of the manifest, what the system says of each file, the programs that run it, the SDK's version.
pub(super) fn fingerprint(folder: &Path, programs: &[&Path], sdk_version: &str) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), sdk_version).hash(&mut hasher);
    for name in FILE_NAMES {
        // Absent, unreadable: then the file's own entry says as much as there is.
        bytes_of(&folder.join(name)).hash(&mut hasher);
    }
    let mut left = MAX_FILES;
    walk(folder, &mut left, &mut hasher);
    for program in programs {
        program.hash(&mut hasher);
        stat(program.metadata().ok(), &mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

/// The beginning of a regular file: a pipe would block, a device may have no end.
fn bytes_of(path: &Path) -> Option<Vec<u8>> {
    let file = path.metadata().ok().filter(Metadata::is_file).and_then(|_| File::open(path).ok())?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Follows links to files, not to folders: those may lead round in circles.
fn walk(folder: &Path, left: &mut usize, hasher: &mut DefaultHasher) {
    let Ok(found) = fs::read_dir(folder) else { return };
    let mut found: Vec<_> = found.flatten().collect();
    found.sort_by_key(fs::DirEntry::file_name);
    for entry in found {
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if *left == 0 || text.starts_with('.') || text.ends_with(".pyc") || SKIPPED.contains(&&*text) {
            continue;
        }
        *left -= 1;
        name.hash(hasher);
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), left, hasher);
        } else {
            stat(entry.path().metadata().ok(), hasher);
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
