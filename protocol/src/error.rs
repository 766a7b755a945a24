//! Errors on the wire: JSON-RPC's own codes and AstrOS's, each with a kind that people and programs can name.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::Extra;

/// An error code; unknown ones survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ErrorCode(pub i64);

macro_rules! codes {
    ($($name:ident = $code:literal $kind:literal $when:literal)*) => {
        impl ErrorCode {
            $(#[doc = $when] pub const $name: ErrorCode = ErrorCode($code);)*

            /// Every code that the protocol names.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// The code's name, such as `plugin_crashed`; `unknown` where the protocol has none.
            pub fn kind(self) -> &'static str {
                match self.0 { $($code => $kind,)* _ => "unknown" }
            }

            /// When the code is used, in one sentence; empty where the protocol has none.
            pub fn when(self) -> &'static str {
                match self.0 { $($code => $when,)* _ => "" }
            }
        }
    };
}

codes! {
    PARSE_ERROR = -32700 "parse_error" "The line is not JSON."
    INVALID_REQUEST = -32600 "invalid_request" "The JSON is not a JSON-RPC 2.0 message, or a batch."
    METHOD_NOT_FOUND = -32601 "method_not_found" "The method is unknown here: unsupported, never refused."
    INVALID_PARAMS = -32602 "invalid_params" "The params do not fit the method."
    INTERNAL_ERROR = -32603 "internal_error" "A fault of the side that answers."
    PLUGIN_NOT_FOUND = -32001 "plugin_not_found" "No such plugin; the hint names the nearest."
    PLUGIN_UNAVAILABLE = -32002 "plugin_unavailable" "It is starting, backing off, disabled, blocked or quarantined; says which and until when."
    PLUGIN_CRASHED = -32003 "plugin_crashed" "It ended while it served this; says its exit status or signal."
    DEADLINE_EXCEEDED = -32004 "deadline_exceeded" "The time that the request was given is over."
    CANCELLED = -32005 "cancelled" "The side that asked took the request back."
    PERMISSION_DENIED = -32006 "permission_denied" "Names the permission and how to grant it."
    CALL_CYCLE = -32007 "call_cycle" "The call would wait for itself, or is nested too deeply; names the chain."
    OVERLOADED = -32008 "overloaded" "The queue is full; says when to try again."
    FRAME_TOO_LARGE = -32009 "frame_too_large" "A message is larger than the other side takes; says size and limit."
    UNSUPPORTED_VERSION = -32010 "unsupported_version" "The two sides have no protocol version in common; names both lists."
    INVALID_SETTINGS = -32011 "invalid_settings" "The settings do not fit; names the pointer and the reason of each."
    HANDLER_FAILED = -32012 "handler_failed" "The handler raised; names the exception's type and message."
    HANDLER_NOT_FOUND = -32013 "handler_not_found" "The plugin has no such handler; the hint names the nearest."
    NOT_INITIALIZED = -32014 "not_initialized" "Asked before the plugin was initialized."
    SHUTTING_DOWN = -32015 "shutting_down" "The plugin is ending and has not begun this."
    AI_FAILED = -32016 "ai_failed" "The model could not answer; names provider and status."
    STORAGE_FAILED = -32017 "storage_failed" "Quota, conflict of versions, or unreadable storage."
    BAD_RESPONSE = -32018 "bad_response" "What the plugin sent is not what the protocol says."
    NOT_UNDERSTOOD = -32019 "not_understood" "Nobody can do what the text asks; names the nearest candidates."
}

impl ErrorCode {
    /// Whether a plugin may answer with it. The others are the host's to say; a plugin's are taken as
    /// `handler_failed`.
    pub fn may_come_from_plugins(self) -> bool {
        matches!(
            self,
            ErrorCode::PARSE_ERROR
                | ErrorCode::INVALID_REQUEST
                | ErrorCode::METHOD_NOT_FOUND
                | ErrorCode::INVALID_PARAMS
                | ErrorCode::INTERNAL_ERROR
                | ErrorCode::CANCELLED
                | ErrorCode::FRAME_TOO_LARGE
                | ErrorCode::UNSUPPORTED_VERSION
                | ErrorCode::INVALID_SETTINGS
                | ErrorCode::HANDLER_FAILED
                | ErrorCode::HANDLER_NOT_FOUND
                | ErrorCode::SHUTTING_DOWN
                | ErrorCode::AI_FAILED
        )
    }
}

/// The error of a failed request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
pub struct Error {
    /// What went wrong, as a number.
    pub code: ErrorCode,
    /// One line that names its subject in backticks.
    pub message: String,
    /// What else is known.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient_data")]
    pub data: Option<Box<ErrorData>>,
}

/// What an error says beside code and message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorData {
    /// The code's name; set by the host where a plugin did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The plugin that failed; set by the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Whether the same request may succeed later.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retryable: bool,
    /// More words, several lines at times: a plugin's last words, say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What to do next, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Further members: `chain`, `retry_after_ms`, `size`, `limit`, `candidates`…
    #[serde(flatten)]
    pub extra: Extra,
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), data: None }
    }

    /// The code's name.
    pub fn kind(&self) -> &'static str {
        self.code.kind()
    }

    /// The data, made where there is none; its kind is that of the code.
    pub fn data_mut(&mut self) -> &mut ErrorData {
        let kind = self.code.kind();
        self.data.get_or_insert_with(|| Box::new(ErrorData { kind: kind.to_owned(), ..ErrorData::default() }))
    }

    pub fn with_plugin(mut self, plugin: impl Into<String>) -> Error {
        self.data_mut().plugin = Some(plugin.into());
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.data_mut().hint = Some(hint.into());
        self
    }

    pub fn with_detail(mut self, detail: impl Into<String>) -> Error {
        self.data_mut().detail = Some(detail.into());
        self
    }

    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Error {
        self.data_mut().extra.insert(member.to_owned(), value.into());
        self
    }

    pub fn retryable(mut self) -> Error {
        self.data_mut().retryable = true;
        self
    }

    /// The hint, where there is one.
    pub fn hint(&self) -> Option<&str> {
        self.data.as_ref()?.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Data that is no object, as JSON-RPC allows, becomes the detail; members of a wrong type are kept as extra ones.
fn lenient_data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<ErrorData>>, D::Error> {
    let data = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::String(detail) => ErrorData { detail: Some(detail), ..ErrorData::default() },
        Value::Object(members) => serde_json::from_value(Value::Object(members.clone()))
            .unwrap_or(ErrorData { extra: members, ..ErrorData::default() }),
        other => ErrorData { detail: Some(other.to_string()), ..ErrorData::default() },
    };
    Ok(Some(Box::new(data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_unknown_codes_and_members() {
        let text = r#"{"code":-31999,"message":"m","data":{"kind":"x","retry_after_ms":5}}"#;
        let error: Error = serde_json::from_str(text).unwrap();
        assert_eq!(error.kind(), "unknown");
        assert_eq!(serde_json::to_string(&error).unwrap(), text);
    }

    #[test]
    fn takes_data_that_is_no_object_as_detail() {
        let error: Error = serde_json::from_str(r#"{"code":1,"message":"m","data":"why"}"#).unwrap();
        assert_eq!(error.data.unwrap().detail.as_deref(), Some("why"));
        let error: Error = serde_json::from_str(r#"{"code":1,"message":"m","data":{"hint":5}}"#).unwrap();
        assert_eq!(error.data.unwrap().extra["hint"], 5);
    }
}
