//! Holds host and child on one core where calls follow each other: only one of them works at a time, and whether the
//! scheduler has one wake the other across cores would decide more than what is measured.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

/// This thread, and the processes that it spawns, on one core until this is dropped.
pub struct OneCore {
    before: CpuSet,
}

impl OneCore {
    pub fn hold() -> io::Result<OneCore> {
        let before = sched_getaffinity(None)?;
        let mut one = CpuSet::new();
        one.set(sched_getcpu());
        sched_setaffinity(None, &one)?;
        Ok(OneCore { before })
    }
}

impl Drop for OneCore {
    fn drop(&mut self) {
        // It was allowed before.
        let _ = sched_setaffinity(None, &self.before);
    }
}
