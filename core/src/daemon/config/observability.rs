//! The section `observability`: where metrics are served and traces are sent. Nothing is, unless it is written.

use std::net::SocketAddr;

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;

use crate::observe;

/// What can be seen of the daemon from outside.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct Observability {
    /// Where `GET /metrics` is answered, by a daemon that stays. Whoever reaches it can read it.
    #[serde(deserialize_with = "address")]
    pub prometheus: Option<SocketAddr>,
    /// Where a collector takes spans, `/v1/traces` included.
    #[serde(deserialize_with = "collector")]
    pub otlp: Option<String>,
}

fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let written = Value::deserialize(deserializer)?;
    // `localhost` is what people write; every other name would have to be looked up.
    let text = written.as_str().unwrap_or_default().replace("localhost:", "127.0.0.1:");
    let expected = "expected an address and a port such as `127.0.0.1:9464`";
    text.parse().map(Some).map_err(|_| D::Error::custom(expected))
}

fn collector<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let written = Value::deserialize(deserializer)?;
    observe::collector(written.as_str().unwrap_or_default()).map(Some).map_err(D::Error::custom)
}
