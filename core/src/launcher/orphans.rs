//! The daemon as the last subreaper: what a launcher that was killed left behind comes to it, and is killed.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::{
    sys::prctl,
    unistd::{self, getsid},
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::timeout,
};

use super::tree::children;

/// How long what was killed may take to go.
const GONE: Duration = Duration::from_secs(2);

static ADOPTS: AtomicBool = AtomicBool::new(false);

/// Takes in whatever loses its parent below this process, to kill it. For the `astros` command: an embedding program
/// may have children of other sorts.
pub fn adopt() {
    ADOPTS.store(prctl::set_child_subreaper(true).is_ok(), Ordering::Relaxed);
}

/// Kills and reaps what was adopted, until nobody is left or it takes too long.
pub(crate) async fn sweep() {
    if !ADOPTS.load(Ordering::Relaxed) {
        return;
    }
    let Ok(mut deaths) = signal(SignalKind::child()) else { return };
    let swept = async {
        let mut found = orphans();
        while !found.is_empty() {
            // Those that were reaped may have had children, which are here now.
            if !kill(found) {
                deaths.recv().await;
            }
            found = orphans();
        }
    };
    let _ = timeout(GONE, swept).await;
}

/// The children that were adopted. Launchers and all else that the daemon starts stay in its session; plugins and
/// inits lead sessions of their own.
fn orphans() -> Vec<Pid> {
    let own = getsid(None).ok();
    let session = |child: &Pid| getsid(Some(unistd::Pid::from_raw(child.as_raw_nonzero().get()))).ok();
    children(process::id()).into_iter().filter(|child| session(child) != own).collect()
}

/// Kills them, and reaps those that are gone; whether any is. Nobody else reaps them, and until then their numbers are
/// theirs.
fn kill(orphans: Vec<Pid>) -> bool {
    let mut reaped = false;
    for orphan in orphans {
        let _ = kill_process(orphan, Signal::KILL);
        reaped |= !matches!(waitpid(Some(orphan), WaitOptions::NOHANG), Ok(None));
    }
    reaped
}
