//! What can be seen of a running daemon: counters, latencies, traces.
//!
//! [`Metrics`] is always there and cheap: one short lock a call. What is served ([`Endpoint`]) and sent ([`Traces`])
//! exists only where a person configured it. Nothing here knows the router or the supervisor: they tell what happens.

mod endpoint;
mod plugin;
mod snapshot;
mod traces;

mod exposition;
mod latency;
mod life;
mod otlp;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use jiff::Timestamp;

pub use endpoint::Endpoint;
pub use exposition::States;
pub use life::Bus;
pub use plugin::{PluginMetrics, Timer};
pub use snapshot::{HandlerSnapshot, LastError, LatencySnapshot, PluginSnapshot};
pub use traces::{Span, Traces, collector};

/// The numbers of every plugin, since the start of the daemon.
#[derive(Debug)]
pub struct Metrics {
    since: Timestamp,
    // A std lock: held for a look, never across an await.
    plugins: RwLock<BTreeMap<Arc<str>, Arc<PluginMetrics>>>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics { since: Timestamp::now(), plugins: RwLock::default() }
    }
}

impl Metrics {
    /// The numbers of one plugin, which outlive its processes and versions; made where there are none.
    pub fn plugin(&self, name: &str) -> Arc<PluginMetrics> {
        if let Some(plugin) = self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return plugin.clone();
        }
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = Arc::from(name);
        plugins.entry(name.clone()).or_insert_with(|| Arc::new(PluginMetrics::new(name))).clone()
    }

    /// Forgets a plugin that is not there any more.
    pub fn forget(&self, name: &str) {
        self.plugins.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// When it began to count.
    pub fn since(&self) -> Timestamp {
        self.since
    }

    /// What there is to say of each plugin.
    pub fn snapshot(&self) -> BTreeMap<String, PluginSnapshot> {
        self.all().iter().map(|plugin| (plugin.name().to_owned(), plugin.snapshot())).collect()
    }

    /// By name.
    fn all(&self) -> Vec<Arc<PluginMetrics>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
