//! Doing what was asked: the host's `handle_intent`, and `call_plugin` from one plugin to another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Intent, Meta, Response, intent::CallMeta, method::request};

request! {
    /// Host to plugin: let a handler do what a person or another plugin asks.
    HandleIntent: "handle_intent", HandleIntentParams => Response, [HANDLER_NOT_FOUND, HANDLER_FAILED, AI_FAILED];
    /// Plugin to host: let another plugin's handler do something.
    CallPlugin: "call_plugin", CallPluginParams => Response, [
        PLUGIN_NOT_FOUND, PLUGIN_UNAVAILABLE, PLUGIN_CRASHED, DEADLINE_EXCEEDED, PERMISSION_DENIED, CALL_CYCLE,
        HANDLER_NOT_FOUND, HANDLER_FAILED, NOT_INITIALIZED, AI_FAILED, BAD_RESPONSE
    ];
}

/// Params of `handle_intent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HandleIntentParams {
    /// The handler, by its name.
    pub handler: String,
    /// What is asked.
    pub intent: Intent,
    /// What travels beside it.
    #[serde(default)]
    pub meta: Meta,
}

/// Params of `call_plugin`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallPluginParams {
    /// The other plugin, by its name.
    pub plugin: String,
    /// Its handler, by its name.
    pub handler: String,
    /// Becomes the `intent.context` that the other plugin sees: an object.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub params: Value,
    /// Whose child the call is, and for how long.
    #[serde(default)]
    pub meta: CallMeta,
}
