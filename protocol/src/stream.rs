//! What either side may say of an open request: `$/cancel`, `$/progress`, `$/ack`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Id, method::notification};

notification! {
    /// Takes back a request of the sender's own; it is answered once all the same.
    Cancel: "$/cancel", CancelParams;
    /// News of a request from the side that serves it, before its response.
    Progress: "$/progress", ProgressParams;
    /// So many progress messages were taken; opens the window again.
    Ack: "$/ack", AckParams;
}

/// Params of `$/cancel`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CancelParams {
    /// The request, by the id that the sender gave it.
    pub id: Id,
}

/// Params of `$/progress`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressParams {
    /// The request, by the id that the receiver gave it.
    pub id: Id,
    /// How far it is.
    pub value: ProgressValue,
}

/// How far a request is; at most 64 KiB as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgressValue {
    /// What is being done now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Units done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<f64>,
    /// Units in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// A part of the result, or anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

/// Params of `$/ack`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AckParams {
    /// The request, by the id that the sender gave it.
    pub id: Id,
    /// How many progress messages were taken since the last `$/ack`.
    pub count: u64,
}
