//! The launcher: a small process between the daemon and a plugin that sees to it that its whole tree ends.
//!
//! `daemon ── socket ── launcher ── init, pid 1 of a namespace ── plugin ── whatever it starts`
//!
//! It is `astros-launcher` beside the program, or the same program again: [`run_if_asked`] tells the two apart. The
//! daemon sends it a [`Policy`] and the plugin's input, it starts the plugin, reports, reaps and forwards signals. It
//! ends with the daemon, with the plugin and with the socket, and nothing below outlives it: the kernel empties a pid
//! namespace whose init is gone. Where no namespace can be had the launcher adopts what loses its parent, and kills
//! until nothing is left.

mod confinement;
pub(crate) mod descriptors;
mod machine;
mod message;
mod open_files;
mod orphans;
mod start;

mod begin;
mod namespace;
mod run;
mod serve;
mod tree;

mod capabilities;
mod confine;
mod files;
mod landlock;
mod limits;
mod loopback;
mod mounts;
mod root;
mod step;
mod syscalls;

#[cfg(test)]
mod tests;

use std::{
    env,
    fs::File,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    sync::{
        LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use serde::{Deserialize, Serialize};

pub use confinement::{Limits, PROXY_PORT};
pub use machine::{Machine, machine};
pub use message::Streams;
pub use open_files::raise_open_files;
pub use orphans::adopt as adopt_orphans;

pub(crate) use confinement::{Access, Confinement, Means, Network, Rule};
pub(crate) use message::{Policy, Report};
pub(crate) use open_files::usual_open_files;
pub(crate) use orphans::sweep as sweep_orphans;
pub(crate) use root::TEMPORARY;
pub(crate) use start::start;

/// What a launcher is called, and known by.
const NAME: &str = "astros-launcher";
/// The program itself, also where an upgrade has replaced its file.
const ITSELF: &str = "/proc/self/exe";

/// The small program beside this one. It is kept open, and started by its descriptor.
static SMALL: LazyLock<Option<File>> = LazyLock::new(|| File::open(beside(NAME)?).ok());

/// Whether this program's `main` asks [`run_if_asked`].
static RUNS_ITSELF: AtomicBool = AtomicBool::new(false);

/// What keeps a plugin's processes together, the weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Containment {
    /// Its process group; what leaves that outlives the plugin.
    Group,
    /// A launcher that adopts what loses its parent; the plugin could kill that launcher.
    Subreaper,
    /// A pid namespace of its own.
    #[default]
    Namespace,
}

/// Becomes a launcher where the daemon started this process as one, and does not return then. The first line of a
/// `main` whose program may be started again as its own launcher: before any thread.
pub fn run_if_asked() {
    let asked = env::args_os().next().is_some_and(|name| name == NAME);
    if asked && run::has_a_socket_as_input() {
        run::run();
    }
    RUNS_ITSELF.store(true, Ordering::Relaxed);
    // Opened before an upgrade can put another version in its place.
    LazyLock::force(&SMALL);
}

/// The program to start as a launcher: the one that is named, a small one beside this, this one where it can be, an
/// `astros` beside it. A program whose `main` does not ask [`run_if_asked`] is never started again.
pub(crate) fn program(named: Option<&Path>) -> Option<PathBuf> {
    static BESIDE: LazyLock<Option<PathBuf>> = LazyLock::new(|| beside("astros"));
    if let Some(named) = named {
        return Some(named.to_owned());
    }
    if let Some(small) = &*SMALL {
        return Some(format!("/proc/self/fd/{}", small.as_raw_fd()).into());
    }
    if RUNS_ITSELF.load(Ordering::Relaxed) { Some(ITSELF.into()) } else { BESIDE.clone() }
}

/// A program in the folder of this one, or above that of a test or an example.
fn beside(name: &str) -> Option<PathBuf> {
    let folder = env::current_exe().ok()?.parent()?.to_owned();
    let above = folder.parent().filter(|_| folder.ends_with("deps") || folder.ends_with("examples"));
    [Some(&*folder), above].into_iter().flatten().map(|folder| folder.join(name)).find(|path| path.is_file())
}
