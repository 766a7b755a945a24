//! What `status` and `plugins show` tell in numbers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The numbers of one plugin since the start of the daemon; they outlive its processes and versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginSnapshot {
    /// Calls that have ended, well or not.
    pub calls: u64,
    /// Calls that go on, those that wait included.
    pub in_flight: u64,
    /// Calls that failed, by kind of error.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Of calls that the plugin had begun, from the request to its outcome, waiting included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<LatencySnapshot>,
    /// The three handlers with the greatest p99, the slowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<HandlerSnapshot>,
    /// Starts after a crash.
    pub restarts: u64,
    /// Processes that ended badly though nobody had asked them to, by reason: `exit` (with a status that is not 0),
    /// `signal`, `hung`, `overran`, `outgrown`, `closed_pipes`, `broke_rules`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub crashes: BTreeMap<String, u64>,
    /// Processes that AstrOS killed.
    pub kills: u64,
    /// Calls that were refused before the plugin was asked, by reason: `overloaded`, `call_cycle`, `quarantined`…
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub refusals: BTreeMap<String, u64>,
    /// What it wanted and was not granted, by the name of the permission.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub denials: BTreeMap<String, u64>,
    /// What should not have come from it: `stray_output`, `malformed`, `too_large`, `unknown_response`,
    /// `duplicate_id`, `other`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub oddities: BTreeMap<String, u64>,
    /// Lines of its log that came faster than they could be written.
    pub dropped_log_lines: u64,
    /// Messages of the bus: `published` by it, `delivered` to it, `dropped` on the way to it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bus: BTreeMap<String, u64>,
    /// Requests to hosts of the network that it was granted.
    #[serde(skip_serializing_if = "is_zero")]
    pub requests: u64,
    /// Bytes to and from these, by direction: `sent`, `received`; of connections that have ended.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bytes: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// How long calls took, in milliseconds, true to one per cent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySnapshot {
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

/// One handler.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandlerSnapshot {
    pub handler: String,
    /// Calls that have ended, well or not.
    pub calls: u64,
    #[serde(flatten)]
    pub latency: LatencySnapshot,
}

/// The last call that failed and was not cancelled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastError {
    pub time: Timestamp,
    pub handler: String,
    /// `handler_failed`, `plugin_crashed`…
    pub kind: String,
    /// For people; the beginning of a long one.
    pub message: String,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
