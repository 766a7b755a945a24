//! Where plugins are looked for.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The folders by rank: a plugin of an earlier one shadows those of its name in later ones.
///
/// Each may be a plugin's folder, or hold plugins' folders. All are absolute.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Of `--plugin-dir`: they have to be there. First rank.
    pub named: &'a [PathBuf],
    /// Of `ASTROS_PLUGIN_PATH` and `astros.yaml`: one that is missing is a warning. First rank too.
    pub configured: &'a [PathBuf],
    /// Where plugins are written, in development mode; those that are missing are passed over. First rank too.
    pub development: &'a [PathBuf],
    /// Python environments that plugins are installed into: interpreters, or folders of virtual ones. Second rank.
    pub environments: &'a [PathBuf],
    /// The person's own, in the data folder. Second rank.
    pub user: &'a Path,
    /// The installation's, from [`bundled_folder`]. Third rank.
    pub bundled: Option<&'a Path>,
}

/// The folders of a variable such as `ASTROS_PLUGIN_PATH`: colons between them, made absolute.
pub fn plugin_path(variable: &OsStr) -> Vec<PathBuf> {
    let folders = std::env::split_paths(variable).filter(|path| !path.as_os_str().is_empty());
    folders.map(|path| std::path::absolute(&path).unwrap_or(path)).collect()
}

/// The folder of the plugins that come with AstrOS, for the daemon's executable `exe`; never the current folder's.
pub fn bundled_folder(exe: &Path) -> Option<PathBuf> {
    if let Some(folder) = option_env!("ASTROS_BUNDLED_PLUGINS") {
        return Some(PathBuf::from(folder));
    }
    let beside = exe.parent()?;
    let candidates = [
        beside.join("plugins"),
        beside.parent()?.join("share/astros/plugins"),
        // A build that was not installed has the source beside it.
        PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins")),
    ];
    candidates.into_iter().find_map(|folder| folder.canonicalize().ok()).filter(|folder| folder.is_dir())
}
