//! Work beside a process's requests: it takes no slot, and puts off no idleness, but it drains first as they do.

use std::sync::{Arc, atomic::Ordering};

use super::{Session, session::Work};

impl Session {
    /// Counts such a piece of work until the guard is dropped.
    pub fn attend(&self) -> Attended {
        self.work.attended.fetch_add(1, Ordering::Relaxed);
        Attended(self.work.clone())
    }

    pub(super) fn attended(&self) -> usize {
        self.work.attended.load(Ordering::Relaxed)
    }
}

/// A piece of work beside the requests, for as long as this lives.
pub struct Attended(Arc<Work>);

impl Drop for Attended {
    fn drop(&mut self) {
        if self.0.attended.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.done.notify_waiters();
        }
    }
}
