//! How long a plugin is waited for: some time, and more while it works.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{process::Process, writer::Writer};

/// How often a plugin that works is given as much time again.
const AGAIN: u32 = 3;
/// How long it is looked whether it works.
const LOOK: Duration = Duration::from_millis(20);

/// How long is waited. On a machine with more to do than it can, a plugin is given more time while it works.
pub(crate) struct Patience {
    pub(crate) until: Instant,
    pub(crate) within: Duration,
    left: u32,
    /// Lines that came meanwhile.
    pub(crate) lines: usize,
}

impl Patience {
    pub(crate) fn new(within: Duration) -> Patience {
        Patience { until: Instant::now() + within, within, left: AGAIN, lines: 0 }
    }

    /// The time is over: whether there is more of it.
    pub(crate) async fn is_longer(&mut self, process: &Process, writer: Option<&Writer>) -> bool {
        if self.left == 0 || !works(process, writer).await {
            return false;
        }
        (self.until, self.left) = (Instant::now() + self.within, self.left - 1);
        true
    }
}

/// Whether the plugin uses the processor, or waits for it, or for what is still being written to it.
async fn works(process: &Process, writer: Option<&Writer>) -> bool {
    let written = || writer.map_or(0, Writer::written);
    let (begun, (before, mut wants)) = (written(), process.effort());
    for _ in 0..5 {
        if wants {
            break;
        }
        sleep(LOOK).await;
        let (effort, runs) = process.effort();
        wants = runs || effort > before || written() > begun;
    }
    wants
}
