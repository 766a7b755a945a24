//! The daemon's own open files: as many as it may have, while what it starts has as many as is usual.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many there were at first.
static USUAL: OnceLock<u64> = OnceLock::new();

/// Raises the limit of this process as far as it goes. For the `astros` command: an embedding program has its own.
pub fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Some(usual) = current
        && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
    {
        let _ = USUAL.set(usual);
    }
}

/// What a plugin has instead, where this process has more.
pub(crate) fn usual_open_files() -> Option<u64> {
    USUAL.get().copied()
}
