//! The watch over the memory of a plugin: of all that its process started together, which no limit of a process counts.

use std::time::Duration;

use tokio::{
    task::{JoinSet, spawn_blocking},
    time::sleep,
};

use super::{usage::Family, watchdog::until_round};

/// Where half of it is used the next look comes so much sooner.
const SOONER: u32 = 20;

/// The watch over one process and its descendants; nothing is watched where there is no limit.
pub(crate) struct Outgrown {
    // A set of one: dropping it ends its task.
    watch: JoinSet<String>,
    told: Option<String>,
}

impl Outgrown {
    /// `limit` is in bytes; a look is taken each time that `every` has passed.
    pub(crate) fn watch(top: u32, limit: Option<u64>, every: Duration) -> Outgrown {
        let mut watch = JoinSet::new();
        if let Some(limit) = limit {
            watch.spawn(grows(top, limit, every));
        }
        Outgrown { watch, told: None }
    }

    /// Resolves when it took more than its limit.
    pub(crate) async fn seen(&mut self) {
        match self.watch.join_next().await {
            Some(Ok(told)) => self.told = Some(told),
            _ => std::future::pending().await,
        }
    }

    /// How much it took, if that was too much: what it did.
    pub(crate) fn told(&self) -> Option<&str> {
        self.told.as_deref()
    }
}

async fn grows(top: u32, limit: u64, every: Duration) -> String {
    let mut near = false;
    loop {
        sleep(if near { every / SOONER } else { until_round(every) }).await;
        let mut used = Family::of(top).memory();
        near = used > limit / 2;
        if used > limit {
            // What forks share is there once.
            used = spawn_blocking(move || Family::of(top).memory_divided()).await.unwrap_or_default();
        }
        if used > limit {
            let [used, limit] = [used, limit].map(|bytes| bytes.div_ceil(1 << 20));
            return format!(
                "took {used} MiB of memory with all that it started, its limit is {limit} MiB (`limits.memory` in \
                 its manifest, or in `astros.yaml`)"
            );
        }
    }
}
