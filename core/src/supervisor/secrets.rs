//! What of a plugin's settings nobody else is to see: hidden wherever the plugin says it.

use astros_protocol::{Error, Extra};
use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "***";
/// A shorter secret would be found within other words by chance.
const SHORT: usize = 4;

/// A plugin's secrets.
#[derive(Clone, Default, PartialEq)]
pub struct Secrets {
    /// The settings that are secret.
    pub settings: Vec<String>,
    /// The variables of the daemon's environment that hold some.
    pub variables: Vec<String>,
    texts: Vec<String>,
}

/// Nobody is to print one by accident.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Secrets {
    /// Those of these settings that have these names.
    pub fn new(names: Vec<String>, variables: Vec<String>, settings: &Extra) -> Secrets {
        let mut texts = Vec::new();
        names.iter().filter_map(|name| settings.get(name)).for_each(|value| collect(value, &mut texts));
        // One may be a part of another: the whole is hidden first.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Secrets { settings: names, variables, texts }
    }

    /// Those of the same names that stand elsewhere, too.
    pub fn and(mut self, elsewhere: &Extra) -> Secrets {
        let also = Secrets::new(self.settings.clone(), Vec::new(), elsewhere);
        self.texts.extend(also.texts);
        self.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self
    }

    /// What is hidden, the longest first.
    pub(crate) fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The settings for people to look at.
    pub fn masked(&self, settings: &Extra) -> Extra {
        let mut masked = settings.clone();
        let secret =
            masked.iter_mut().filter(|(name, value)| self.settings.contains(name) && !value.is_null());
        secret.for_each(|(_, value)| *value = HIDDEN.into());
        self.hide_in_members(&mut masked);
        masked
    }

    /// Hides them in a text.
    pub fn hide(&self, text: &mut String) {
        for secret in &self.texts {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), HIDDEN);
            }
        }
    }

    /// Hides them in all texts of what has such members.
    pub fn hide_in_members(&self, members: &mut Extra) {
        if !self.texts.is_empty() {
            members.values_mut().for_each(|value| self.hide_in(value));
        }
    }

    /// Hides them in what a plugin says of a failure.
    pub fn hide_in_error(&self, error: &mut Error) {
        if self.texts.is_empty() {
            return;
        }
        self.hide(&mut error.message);
        if let Some(data) = &mut error.data {
            data.detail.iter_mut().chain(&mut data.hint).for_each(|text| self.hide(text));
            self.hide_in_members(&mut data.extra);
        }
    }

    fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide_in(member)),
            _ => {}
        }
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() >= SHORT => texts.push(text.clone()),
        Value::Number(number) if number.to_string().len() >= SHORT => texts.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values().for_each(|member| collect(member, texts)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use astros_protocol::ErrorCode;
    use serde_json::json;

    use super::*;

    #[test]
    fn hides_secrets_wherever_they_stand_and_nothing_else() {
        let Value::Object(settings) = json!({ "key": "abcd", "keys": ["abcdef", { "a": { "b": 123_456 } }], "pin": "1", "city": "Oslo" })
        else {
            panic!("an object")
        };
        let names = ["key", "keys", "pin", "none"].map(str::to_owned).to_vec();
        let secrets = Secrets::new(names, Vec::new(), &settings);
        let mut text = "abcdef, abcd, 1123456 and Oslo 1".to_owned();
        secrets.hide(&mut text);
        assert_eq!(text, "***, ***, 1*** and Oslo 1");
        let masked = json!(secrets.masked(&settings));
        assert_eq!(masked, json!({ "key": "***", "keys": "***", "pin": "***", "city": "Oslo" }));
        let error = Error::new(ErrorCode::HANDLER_FAILED, "no abcd").with_detail("abcdef");
        let mut error = error.with("url", json!([{ "q": "?key=abcd" }]));
        secrets.hide_in_error(&mut error);
        let shown = format!("{error:?} {secrets:?}");
        assert!(shown.contains("?key=***") && !shown.contains("abcd"), "{shown}");
    }
}
