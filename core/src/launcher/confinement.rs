//! What a plugin is held to: the daemon says all of it, the launcher enforces all of it, or nothing starts.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use astros_protocol::lifecycle::Sandbox;
use serde::{Deserialize, Serialize};

/// What of the root is no file that anybody keeps; it can be given by its own name, where that can be.
const MACHINE: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];

/// What a plugin may see and do, beside its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confinement {
    /// What it may see of the files; of those that fit a path the longest counts, and without one it is not there.
    /// Absolute, without links; a path that does not exist is passed over.
    pub(crate) files: Vec<Rule>,
    /// Folders in which nothing can be made, and the one that stands for each, so that it can.
    #[serde(default)]
    pub(crate) stages: BTreeMap<PathBuf, PathBuf>,
    pub(crate) network: Network,
    /// Sockets of the filtering D-Bus proxies that only this plugin sees: where each is, and where it shall be.
    pub(crate) buses: Vec<(PathBuf, PathBuf)>,
    /// A private folder for temporary files where there are no namespaces; with them `/tmp` is one.
    pub(crate) scratch: PathBuf,
    pub(crate) limits: Limits,
    /// It could reach sockets of other programs that have no path: the operator lets it run even so.
    #[serde(default)]
    pub(crate) reaches_sockets: bool,
    pub(crate) means: Means,
}

impl Confinement {
    /// What each path is for the plugin, those above before those below; of two that say the same path the larger, and
    /// hidden before all. The root is what is in it, without what is the machine's.
    pub(super) fn by_path(&self) -> BTreeMap<PathBuf, Access> {
        let mut all = BTreeMap::new();
        for Rule { path, access } in &self.files {
            let known = all.entry(path.clone()).or_insert(*access);
            let hidden = *known == Access::Hidden || *access == Access::Hidden;
            *known = if hidden { Access::Hidden } else { (*known).max(*access) };
        }
        if let Some(access) = all.remove(Path::new("/")) {
            for entry in fs::read_dir("/").into_iter().flatten().flatten() {
                if !MACHINE.iter().any(|name| entry.file_name() == *name) {
                    all.entry(entry.path()).or_insert(access);
                }
            }
        }
        all
    }

    /// Where temporary files go.
    pub(super) fn temporary(&self) -> &Path {
        if self.means.namespaces { Path::new("/tmp") } else { &self.scratch }
    }

    /// How far it holds.
    pub(crate) fn sandbox(&self) -> Sandbox {
        match self.means {
            Means { namespaces: true, landlock: true } if !self.reaches_sockets => Sandbox::Full,
            _ => Sandbox::Reduced,
        }
    }
}

/// What one folder, with all below it, or one file is for the plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rule {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Access {
    /// Nothing, whatever holds above it.
    Hidden,
    /// The names in a folder.
    List,
    /// To read and execute.
    Read,
    /// To change as well.
    Write,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Network {
    #[default]
    None,
    /// The daemon's proxy alone, on [`PROXY_PORT`] of a loopback of the plugin's own.
    Proxy,
    /// All that the person can reach.
    Host,
}

/// Where a plugin finds the daemon's proxy, in a network of its own.
pub const PROXY_PORT: u16 = 3128;

/// At most so much of each; none: as much as the person may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of memory of its own that a process has.
    pub memory: Option<u64>,
    /// Processes and threads of the whole plugin.
    pub processes: Option<u64>,
    /// Files that a process has open.
    pub open_files: Option<u64>,
    /// Seconds of processor time of a process.
    pub cpu_seconds: Option<u64>,
    /// Bytes of a file that it writes.
    pub file_bytes: Option<u64>,
}

/// What enforces it, beside the filter of system calls, which always does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Means {
    /// Namespaces of mounts, processes, the network, IPC and host names.
    pub(crate) namespaces: bool,
    pub(crate) landlock: bool,
}
