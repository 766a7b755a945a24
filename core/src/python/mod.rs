//! What can be told of Python's interpreters and packages by their files: none is started.

mod environment;
mod offered;
mod packages;

pub use environment::Environment;
pub use offered::{About, Distribution, Offer, offers};
pub use packages::{Installed, Requirement, Unmet, normalised};

use std::{fs, path::Path};

/// The largest file of an environment that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A small text file; none where it is not one.
fn text_of(path: &Path) -> Option<String> {
    let about = fs::metadata(path).ok()?;
    (about.is_file() && about.len() <= MAX_BYTES).then(|| fs::read_to_string(path).ok()).flatten()
}
