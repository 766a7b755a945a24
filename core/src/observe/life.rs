//! What happens to a plugin beside its calls, counted by kind.

use std::collections::BTreeMap;

/// Counts by kind.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// What happened to a message of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    Published,
    Delivered,
    Dropped,
}

impl Bus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Bus::Published => "published",
            Bus::Delivered => "delivered",
            Bus::Dropped => "dropped",
        }
    }
}

/// The counts of one plugin.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) restarts: u64,
    pub(super) crashes: Counts,
    pub(super) kills: u64,
    pub(super) refusals: Counts,
    pub(super) denials: Counts,
    pub(super) oddities: Counts,
    pub(super) dropped_log_lines: u64,
    pub(super) bus: Counts,
    /// Requests that its proxy let through.
    pub(super) requests: u64,
    /// Bytes of its connections to the proxy.
    pub(super) bytes: Counts,
}
