//! What a handler and its thread of work know of each other: figures one way, the wish to stop the other.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Each figure stands for itself, so no order among them is needed.
#[derive(Debug, Default)]
pub struct Meter {
    done: AtomicU64,
    total: AtomicU64,
    stop: AtomicBool,
}

impl Meter {
    /// Notes how far the work is; breaks where nobody wants it any more.
    pub fn look(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.done.store(done, Relaxed);
        self.total.store(total, Relaxed);
        if self.stop.load(Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// How many of how many things are done.
    #[must_use]
    pub fn figures(&self) -> (u64, u64) {
        (self.done.load(Relaxed), self.total.load(Relaxed))
    }
}

/// Stops the work when the handler is cancelled, which drops it.
#[derive(Debug, Default)]
pub struct StopOnDrop(pub Arc<Meter>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop.store(true, Relaxed);
    }
}
