//! AI models: what a plugin asks the host for (`ai/…`), and what the host asks a provider plugin (`provider/…`).
//!
//! The host picks provider and model where the plugin does not, keeps the keys, and forwards the same request as
//! `provider/…` where a plugin is the provider.
//! Where `meta.progress` says that somebody listens, a provider may send the words as they come:
//! `$/progress` with `data: {"content": "the next words"}`; the result has all of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Extra, Meta, intent::CallMeta, method::request};

request! {
    /// Plugin to host: go on with a text.
    AiComplete: "ai/complete", Asked<CompleteRequest> => AiAnswer, [AI_FAILED, DEADLINE_EXCEEDED, PERMISSION_DENIED];
    /// Plugin to host: answer a conversation.
    AiChat: "ai/chat", Asked<ChatRequest> => AiAnswer, [AI_FAILED, DEADLINE_EXCEEDED, PERMISSION_DENIED];
    /// Plugin to host: say what is in an image.
    AiAnalyzeImage: "ai/analyze_image", Asked<ImageRequest> => AiAnswer, [AI_FAILED, DEADLINE_EXCEEDED, PERMISSION_DENIED];
    /// Plugin to host: turn texts into vectors.
    AiEmbed: "ai/embed", Asked<EmbedRequest> => Embeddings, [AI_FAILED, DEADLINE_EXCEEDED, PERMISSION_DENIED];

    /// Host to plugin: does this provider work?
    ProviderHealthCheck: "provider/health_check", ProviderParams<Extra> => ProviderHealth, [AI_FAILED];
    /// Host to plugin: as `ai/complete`, to a provider of this plugin.
    ProviderComplete: "provider/complete", ProviderParams<CompleteRequest> => AiAnswer, [AI_FAILED];
    /// Host to plugin: as `ai/chat`, to a provider of this plugin.
    ProviderChat: "provider/chat", ProviderParams<ChatRequest> => AiAnswer, [AI_FAILED];
    /// Host to plugin: as `ai/analyze_image`, to a provider of this plugin.
    ProviderAnalyzeImage: "provider/analyze_image", ProviderParams<ImageRequest> => AiAnswer, [AI_FAILED];
    /// Host to plugin: as `ai/embed`, to a provider of this plugin.
    ProviderEmbed: "provider/embed", ProviderParams<EmbedRequest> => Embeddings, [AI_FAILED];
}

/// A provider of AI models that a plugin brings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProviderDescription {
    /// The name by which requests choose it.
    pub name: String,
    /// What it is, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it serves: `complete`, `chat`, `analyze_image`, `embed`.
    pub methods: Vec<String>,
    /// The models that it is known to have; a health check may name more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `ai/…`: the request, and whose child it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Ai{T}")]
pub struct Asked<T> {
    /// Whose child the call is, and for how long.
    #[serde(default)]
    pub meta: CallMeta,
    #[serde(flatten)]
    pub request: T,
}

/// Params of `provider/…`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Provider{T}")]
pub struct ProviderParams<T> {
    /// The provider's name in this plugin.
    pub provider: String,
    /// What the plugin that asks said; `{}` for a health check.
    pub request: T,
    /// What travels beside it.
    #[serde(default)]
    pub meta: Meta,
}

/// What every request to a model may say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelOptions {
    /// Which provider; absent: the person's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Which model; absent: the provider's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The most tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// From 0, the likeliest words, up to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Texts that end the answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// A JSON Schema that the answer has to fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Functions that the model may ask to be called, each with `name`, `description` and `parameters`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Value>,
}

/// A text to go on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompleteRequest {
    /// The text.
    pub prompt: String,
    #[serde(flatten)]
    pub options: ModelOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A conversation to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChatRequest {
    /// What was said so far, oldest first.
    pub messages: Vec<ChatMessage>,
    #[serde(flatten)]
    pub options: ModelOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

/// One message of a conversation; further members (`name`, `tool_calls`, `tool_call_id`) are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChatMessage {
    /// `system`, `user`, `assistant` or `tool`.
    pub role: String,
    /// The words, or a list of parts as the provider takes them.
    #[serde(default)]
    pub content: Value,
    #[serde(flatten)]
    pub extra: Extra,
}

/// An image to look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ImageRequest {
    /// The image.
    pub image: Image,
    /// What to say about it.
    #[serde(default)]
    pub prompt: String,
    #[serde(flatten)]
    pub options: ModelOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

/// An image: a file that the plugin may read, or its bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Image {
    /// The file's absolute path.
    Path(String),
    /// The bytes.
    Bytes {
        /// The bytes, in base64.
        base64: String,
        /// What they are, for example `image/png`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
}

/// Texts to turn into vectors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EmbedRequest {
    /// The texts.
    pub input: Vec<String>,
    #[serde(flatten)]
    pub options: ModelOptions,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AiAnswer {
    /// The words; empty where it only asks for tools.
    #[serde(default)]
    pub content: String,
    /// Which provider answered.
    #[serde(default)]
    pub provider: String,
    /// Which model answered.
    #[serde(default)]
    pub model: String,
    /// What it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why it ended: `stop`, `length`, `tool_calls`, `content_filter`, or the provider's own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_reason: Option<String>,
    /// Functions that the model asks for, each with `id`, `name` and `arguments`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<Value>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a request to a model took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens that were read.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens that were written.
    #[serde(default)]
    pub output_tokens: u64,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Result of `ai/embed`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Embeddings {
    /// One vector a text, in their order.
    pub embeddings: Vec<Vec<f64>>,
    /// Which provider answered.
    #[serde(default)]
    pub provider: String,
    /// Which model answered.
    #[serde(default)]
    pub model: String,
    /// What it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Result of `provider/health_check`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProviderHealth {
    /// Whether it can answer.
    pub healthy: bool,
    /// Why not, or what to know.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The models that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl ChatMessage {
    /// What the person says.
    pub fn user(words: impl Into<String>) -> ChatMessage {
        ChatMessage::of("user", words)
    }

    /// What the model shall know before.
    pub fn system(words: impl Into<String>) -> ChatMessage {
        ChatMessage::of("system", words)
    }

    /// What the model said.
    pub fn assistant(words: impl Into<String>) -> ChatMessage {
        ChatMessage::of("assistant", words)
    }

    fn of(role: &str, words: impl Into<String>) -> ChatMessage {
        ChatMessage { role: role.to_owned(), content: Value::String(words.into()), extra: Extra::new() }
    }
}

impl AiAnswer {
    /// These words; the host says which provider they are of.
    pub fn text(content: impl Into<String>) -> AiAnswer {
        AiAnswer { content: content.into(), ..AiAnswer::default() }
    }
}

impl ProviderHealth {
    /// It can answer.
    pub fn healthy() -> ProviderHealth {
        ProviderHealth { healthy: true, message: String::new(), models: Vec::new(), extra: Extra::new() }
    }

    /// It cannot answer, and why.
    pub fn unhealthy(message: impl Into<String>) -> ProviderHealth {
        ProviderHealth { healthy: false, message: message.into(), ..ProviderHealth::healthy() }
    }
}
