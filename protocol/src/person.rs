//! What a plugin says to people: `user/ask`, and `log`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Extra,
    intent::CallMeta,
    method::{notification, request},
};

request! {
    /// Plugin to host: ask the person whose request is being served; their time does not count.
    UserAsk: "user/ask", UserAskParams => UserAnswer, [];
}

notification! {
    /// Plugin to host: a record for the plugin's log.
    Log: "log", LogParams;
}

/// Params of `user/ask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserAskParams {
    /// The question, one sentence.
    pub question: String,
    /// What may be answered; empty: anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// A JSON Schema that the answer has to fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Whose child the call is, and for how long.
    #[serde(default)]
    pub meta: CallMeta,
}

/// Result of `user/ask`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UserAnswer {
    /// The answer; null where the person declined.
    #[serde(default)]
    pub answer: Value,
    /// The person does not want to answer, or nobody is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub declined: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `log`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogParams {
    /// How much it matters.
    #[serde(default)]
    pub level: Level,
    /// What happened.
    pub message: String,
    /// What belongs to it.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub fields: Extra,
    /// Which part of the plugin speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logger: Option<String>,
}

/// How much a log record matters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Trace,
    Debug,
    #[default]
    Info,
    #[serde(alias = "warning")]
    Warn,
    #[serde(alias = "critical", alias = "fatal")]
    Error,
    /// A word of a later version, or a language's own.
    #[serde(untagged)]
    Other(String),
}
