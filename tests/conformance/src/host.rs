//! The host that a plugin has here: storage in memory, a bus, nobody else to call, a model that says one word.
//!
//! It answers as the daemon does, holds answers back, or refuses everything, as a check wants it.

use std::collections::BTreeMap;

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

/// What becomes of the plugin's requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Policy {
    #[default]
    Answer,
    /// Kept until they are released: who asks is slow on purpose.
    Hold,
    Refuse,
}

/// A request of the plugin's.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) id: Value,
    pub(crate) method: String,
    pub(crate) params: Value,
}

#[derive(Default)]
pub(crate) struct Host {
    pub(crate) policy: Policy,
    pub(crate) held: Vec<Asked>,
    storage: BTreeMap<String, (Value, u64)>,
    version: u64,
    pub(crate) subjects: Vec<String>,
}

type Outcome = Result<Value, Value>;

impl Host {
    /// The answer, where there is one now.
    pub(crate) fn takes(&mut self, asked: Asked) -> Option<Value> {
        match self.policy {
            Policy::Answer => Some(self.answer(&asked)),
            Policy::Refuse => Some(response(&asked.id, Err(refusal(&asked.method)))),
            Policy::Hold => {
                self.held.push(asked);
                None
            }
        }
    }

    /// Answers what was held back.
    pub(crate) fn release(&mut self) -> Vec<Value> {
        self.policy = Policy::Answer;
        let held = std::mem::take(&mut self.held);
        held.iter().map(|asked| self.answer(asked)).collect()
    }

    /// The plugin takes back a request of its own; it is answered all the same.
    pub(crate) fn cancelled(&mut self, id: &Value) -> Option<Value> {
        let at = self.held.iter().position(|asked| asked.id == *id)?;
        let asked = self.held.remove(at);
        Some(response(&asked.id, Err(error(ErrorCode::CANCELLED, "the plugin took it back"))))
    }

    /// The answer of a host.
    pub(crate) fn answer(&mut self, asked: &Asked) -> Value {
        response(&asked.id, self.outcome(&asked.method, &asked.params))
    }

    fn outcome(&mut self, method: &str, params: &Value) -> Outcome {
        let key = params["key"].as_str().unwrap_or_default();
        let usage = json!({ "input_tokens": 1, "output_tokens": 1 });
        match method {
            "storage/get" => Ok(match self.storage.get(key) {
                Some((value, version)) => json!({ "value": value, "version": version }),
                None => json!({ "value": params["default"], "version": 0 }),
            }),
            "storage/set" => self.set(key, params),
            "storage/delete" => {
                self.conflict(key, params)?;
                Ok(json!({ "deleted": self.storage.remove(key).is_some() }))
            }
            "storage/list" => {
                let prefix = params["prefix"].as_str().unwrap_or_default();
                let keys: Vec<_> = self.storage.keys().filter(|key| key.starts_with(prefix)).collect();
                Ok(json!({ "keys": keys }))
            }
            "bus/subscribe" => {
                self.subjects.extend(params["subject"].as_str().map(str::to_owned));
                Ok(Value::Null)
            }
            "bus/unsubscribe" => {
                self.subjects.retain(|subject| params["subject"] != **subject);
                Ok(Value::Null)
            }
            "bus/publish" => Ok(Value::Null),
            "call_plugin" => {
                let message =
                    format!("there is no plugin `{}`", params["plugin"].as_str().unwrap_or_default());
                Err(error(ErrorCode::PLUGIN_NOT_FOUND, &message))
            }
            "ai/complete" | "ai/chat" | "ai/analyze_image" => Ok(json!({
                "content": "conformance", "provider": "conformance", "model": "conformance",
                "finish_reason": "stop", "usage": usage,
            })),
            "ai/embed" => Ok(json!({
                "embeddings": [[0.0, 1.0]], "provider": "conformance", "model": "conformance", "usage": usage,
            })),
            "user/ask" => Ok(json!({ "declined": true })),
            _ => Err(error(ErrorCode::METHOD_NOT_FOUND, &format!("the method `{method}` is unknown here"))),
        }
    }

    fn set(&mut self, key: &str, params: &Value) -> Outcome {
        self.conflict(key, params)?;
        self.version += 1;
        if params["ttl_ms"].as_i64().is_some_and(|ttl| ttl <= 0) {
            self.storage.remove(key);
        } else {
            self.storage.insert(key.to_owned(), (params["value"].clone(), self.version));
        }
        Ok(json!({ "version": self.version }))
    }

    fn conflict(&self, key: &str, params: &Value) -> Result<(), Value> {
        let version = self.storage.get(key).map_or(0, |(_, version)| *version);
        match params["if_version"].as_u64() {
            Some(wanted) if wanted != version => {
                let mut conflict =
                    error(ErrorCode::STORAGE_FAILED, &format!("`{key}` has version {version}"));
                conflict["data"]["reason"] = "conflict".into();
                conflict["data"]["version"] = version.into();
                Err(conflict)
            }
            _ => Ok(()),
        }
    }

    /// A subject that this subscription takes in.
    pub(crate) fn example_of(subscription: &str) -> String {
        let token = |token: &str| match token {
            "*" | ">" => "conformance".to_owned(),
            token => token.to_owned(),
        };
        subscription.split('.').map(token).collect::<Vec<_>>().join(".")
    }
}

fn refusal(method: &str) -> Value {
    let code = match method {
        "call_plugin" | "bus/publish" => ErrorCode::PERMISSION_DENIED,
        method if method.starts_with("storage/") => ErrorCode::STORAGE_FAILED,
        method if method.starts_with("ai/") => ErrorCode::AI_FAILED,
        _ => ErrorCode::INTERNAL_ERROR,
    };
    error(code, "refused, to see what the plugin makes of it")
}

fn error(code: ErrorCode, message: &str) -> Value {
    json!({ "code": code, "message": message, "data": { "kind": code.kind(), "retryable": false } })
}

fn response(id: &Value, outcome: Outcome) -> Value {
    match outcome {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": id, "error": error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemas;

    #[test]
    fn answers_what_the_schemas_say() {
        let mut host = Host::default();
        for method in [
            "storage/get",
            "storage/set",
            "storage/delete",
            "storage/list",
            "bus/subscribe",
            "bus/publish",
            "ai/complete",
            "ai/chat",
            "ai/analyze_image",
            "ai/embed",
            "user/ask",
        ] {
            let result = host.outcome(method, &json!({ "key": "k", "value": 1, "subject": "a.b" })).unwrap();
            assert_eq!(schemas::misfit(&format!("{method}.result"), &result), None, "{method}");
        }
    }

    #[test]
    fn keeps_versions_of_what_is_stored() {
        let mut host = Host::default();
        let set = |version| json!({ "key": "k", "value": 1, "if_version": version });
        assert_eq!(host.outcome("storage/set", &set(0)).unwrap()["version"], 1);
        assert_eq!(host.outcome("storage/set", &set(0)).unwrap_err()["data"]["version"], 1);
        assert_eq!(host.outcome("storage/get", &json!({ "key": "k" })).unwrap()["value"], 1);
    }
}
