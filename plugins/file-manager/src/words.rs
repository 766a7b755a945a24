//! Paths and numbers as people read them.

use std::fmt::Write as _;
use std::path::Path;

/// A path between backticks; bytes that are not UTF-8 become `�`, control characters escapes.
#[must_use]
pub fn shown(path: &Path) -> String {
    format!("`{}`", plain(&path.to_string_lossy()))
}

/// Text without control characters: a name with a line break cannot fake a line of ours.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

/// `1204` as `1,204`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 file`, `1,204 files`.
#[must_use]
pub fn many(n: u64, one: &str) -> String {
    let mut out = number(n);
    let _ = write!(out, " {one}{}", if n == 1 { "" } else { "s" });
    out
}

/// `was` after one thing, `were` after several.
#[must_use]
pub fn was(n: u64) -> &'static str {
    if n == 1 { "was" } else { "were" }
}
