//! Reads the exchanges that a test has made between real processes: `protocol/exchanges.json`.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A request and its answer, or a notification.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// Our host sends or serves it; else the test has asked.
    pub(crate) by_host: bool,
    pub(crate) messages: Vec<Said>,
}

/// A message, and which side has sent it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Said {
    pub(crate) message: Value,
}

/// One of each method.
pub(crate) fn read(protocol: &Path) -> Vec<Exchange> {
    let path = protocol.join("exchanges.json");
    let text = std::fs::read_to_string(&path).expect("the exchanges are there");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
