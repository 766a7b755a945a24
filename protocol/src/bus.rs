//! The bus: `bus/subscribe`, `unsubscribe` and `publish` from a plugin, `bus/deliver` from the host.
//!
//! Subjects are NATS subjects: tokens of `[A-Za-z0-9_-]` with dots between them, `*` for one token and `>` for
//! all that follow. A message is at most 1 MiB, delivered at most once, in order per sender and subscriber.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Extra, method::request};

request! {
    /// Plugin to host: deliver what is published on these subjects.
    BusSubscribe: "bus/subscribe", SubjectParams => (), [];
    /// Plugin to host: deliver it no longer.
    BusUnsubscribe: "bus/unsubscribe", SubjectParams => (), [];
    /// Plugin to host: publish a message, under the plugin's own name, `topic.`, or what it was granted.
    BusPublish: "bus/publish", PublishParams => (), [PERMISSION_DENIED];
    /// Host to plugin: a message that the plugin subscribed to; the answer lets the next one come.
    BusDeliver: "bus/deliver", DeliverParams => Extra, [HANDLER_FAILED];
}

/// Params of `bus/subscribe` and `bus/unsubscribe`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SubjectParams {
    /// The subject; wildcards are allowed.
    pub subject: String,
}

/// Params of `bus/publish`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PublishParams {
    /// The subject, without wildcards.
    pub subject: String,
    /// Any JSON.
    #[serde(default)]
    pub data: Value,
}

/// Params of `bus/deliver`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeliverParams {
    /// The message.
    pub message: BusMessage,
    /// How many messages were dropped since the last delivery, because the plugin was too slow.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

/// A message on the bus.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BusMessage {
    /// The subject that it was published on.
    pub subject: String,
    /// Any JSON.
    #[serde(default)]
    pub data: Value,
    /// The plugin that published it, set by the host; `astros` is the host itself.
    #[serde(default)]
    pub sender: String,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Whether a subscription's subject takes in a message's: `*` stands for one token, `>` at the end for one or more.
/// Both are well formed.
pub fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut rest) = (pattern.as_bytes(), subject.as_bytes());
    // Byte by byte: a bus looks through all its subscriptions for each message.
    while let [wanted, after @ ..] = pattern {
        rest = match (wanted, rest) {
            (b'>', rest) => return !rest.is_empty(),
            (b'*', [first, ..]) if *first != b'.' => {
                &rest[rest.iter().position(|byte| *byte == b'.').unwrap_or(rest.len())..]
            }
            (wanted, [byte, others @ ..]) if byte == wanted => others,
            _ => return false,
        };
        pattern = after;
    }
    rest.is_empty()
}

// Serde's `skip_serializing_if` hands over a reference.
fn is_zero(number: &u64) -> bool {
    *number == 0
}
