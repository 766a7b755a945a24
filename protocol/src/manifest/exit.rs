//! How a process ended, as a manifest names it: an exit status, or the signal that killed it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

const EXPECTED: &str = "expected an exit status from 0 to 255, or the name of a signal such as `SIGTERM`";

/// The signals that end a process, as Linux names them.
const SIGNALS: [&str; 23] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

/// A status (`3`), or a signal (`SIGTERM`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It ended by itself, with this status.
    Status(u8),
    /// It was killed by the signal of this name.
    Signal(String),
}

impl Serialize for Exit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Exit::Status(status) => serializer.serialize_u8(*status),
            Exit::Signal(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Exit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let exit = match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_u64().and_then(|n| u8::try_from(n).ok()).map(Exit::Status),
            Value::String(name) if SIGNALS.contains(&name.as_str()) => Some(Exit::Signal(name)),
            _ => None,
        };
        exit.ok_or_else(|| D::Error::custom(EXPECTED))
    }
}

impl JsonSchema for Exit {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Exit".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An exit status, or the name of the signal that killed it.",
            "anyOf": [
                { "type": "integer", "minimum": 0, "maximum": 255 },
                { "type": "string", "pattern": "^SIG[A-Z0-9]+$" },
            ],
        })
    }
}
