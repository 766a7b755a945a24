//! What of a plugin's settings must not stand in a recording, and how it is hidden. Pure.
//!
//! Secret is a setting that the schema marks `writeOnly` or `format: password`, or whose name says so; with it every
//! text in which its value stands.

use serde_json::Value;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden: a secret setting)";
/// A shorter secret is hidden where it is all of a text: within others it would be found by chance.
const SHORT: usize = 4;
const NAMES: [&str; 7] = ["password", "passphrase", "secret", "token", "api_key", "apikey", "credential"];
/// Schemas may refer to themselves.
const DEPTH: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Secrets {
    schema: Value,
    /// Nobody said which settings are secret: all are.
    all: bool,
    /// The texts of secret settings.
    texts: Vec<String>,
}

impl Secrets {
    /// From now on settings are held against this schema.
    pub(super) fn set_schema(&mut self, schema: &Value) {
        self.schema = schema.clone();
    }

    /// These texts are secret.
    pub(super) fn add(&mut self, texts: &[String]) {
        let new: Vec<_> = texts.iter().filter(|text| !self.texts.contains(text)).cloned().collect();
        self.texts.extend(new);
    }

    /// Which settings are secret is not to be learned: none is shown.
    pub(super) fn hide_all(&mut self) {
        self.all = true;
    }

    /// Hides what is secret in a message; false where nothing was.
    pub(super) fn hide_in_message(&mut self, message: &mut Value) -> bool {
        let mut hidden = false;
        let members: &[&str] = match message["method"].as_str() {
            Some("initialize") => &["settings"],
            Some("settings/changed") => &["old", "new"],
            _ => &[],
        };
        for member in members {
            if let Some(settings) = message.pointer_mut(&format!("/params/{member}")) {
                let mut walk = Walk { root: &self.schema, texts: &mut self.texts };
                hidden |= walk.hide(&[&self.schema], settings, self.all, 0);
            }
        }
        hidden | self.hide_texts(message)
    }

    /// Hides the texts of secrets in all strings; false where there was none.
    pub(super) fn hide_texts(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) => self.hide_in_text(text),
            Value::Array(items) => {
                items.iter_mut().fold(false, |hidden, item| self.hide_texts(item) | hidden)
            }
            Value::Object(members) => {
                members.values_mut().fold(false, |hidden, member| self.hide_texts(member) | hidden)
            }
            _ => false,
        }
    }

    fn hide_in_text(&self, text: &mut String) -> bool {
        let found = |secret: &&String| text == *secret || secret.len() >= SHORT && text.contains(*secret);
        let found: Vec<&String> = self.texts.iter().filter(found).collect();
        found.iter().for_each(|secret| *text = text.replace(secret.as_str(), HIDDEN));
        !found.is_empty()
    }
}

/// The way through the settings, held against their schema.
struct Walk<'a> {
    root: &'a Value,
    texts: &'a mut Vec<String>,
}

impl<'a> Walk<'a> {
    fn hide(&mut self, schemas: &[&'a Value], value: &mut Value, secret: bool, depth: usize) -> bool {
        let mut all = Vec::new();
        schemas.iter().for_each(|schema| self.spell_out(schema, &mut all, depth));
        let secret = secret || all.iter().any(|one| one["writeOnly"] == true || one["format"] == "password");
        match value {
            Value::Object(members) => members.iter_mut().fold(false, |hidden, (name, member)| {
                let of = |schema: &'a Value| match schema["properties"].get(name) {
                    Some(own) => vec![own],
                    // A pattern that does not fit hides too much, which is better than too little.
                    None => {
                        within(schema, "patternProperties").chain([&schema["additionalProperties"]]).collect()
                    }
                };
                let below: Vec<&Value> = all.iter().copied().flat_map(of).collect();
                self.hide(&below, member, secret || is_secret(name), depth + 1) | hidden
            }),
            Value::Array(items) => items.iter_mut().fold(false, |hidden, item| {
                let of = |schema: &'a Value| within(schema, "prefixItems").chain([&schema["items"]]);
                let below: Vec<&Value> = all.iter().copied().flat_map(of).collect();
                self.hide(&below, item, secret, depth + 1) | hidden
            }),
            Value::Null => false,
            scalar if secret => {
                if let Value::String(text) = scalar
                    && !text.is_empty()
                    && text != HIDDEN
                    && !self.texts.contains(text)
                {
                    self.texts.push(text.clone());
                }
                *scalar = HIDDEN.into();
                true
            }
            _ => false,
        }
    }

    /// A schema with all that it is made of.
    fn spell_out(&self, schema: &'a Value, all: &mut Vec<&'a Value>, depth: usize) {
        all.push(schema);
        if depth > DEPTH {
            return;
        }
        for part in ["allOf", "anyOf", "oneOf"] {
            let parts = schema[part].as_array().into_iter().flatten();
            parts.for_each(|part| self.spell_out(part, all, depth + 1));
        }
        let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        if let Some(referred) = pointer.and_then(|pointer| self.root.pointer(pointer)) {
            self.spell_out(referred, all, depth + 1);
        }
    }
}

/// The schemas in an object or a list of a schema.
fn within<'a>(schema: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    let members = schema[list].as_object().into_iter().flat_map(|members| members.values());
    members.chain(schema[list].as_array().into_iter().flatten())
}

fn is_secret(name: &str) -> bool {
    let name = name.to_lowercase().replace('-', "_");
    NAMES.iter().any(|secret| name.contains(secret))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn hides_what_the_schema_or_the_name_says_and_wherever_it_stands_again() {
        let mut secrets = Secrets::default();
        secrets.set_schema(&json!({
            "$defs": { "key": { "type": "string", "writeOnly": true } },
            "properties": {
                "key": { "$ref": "#/$defs/key" },
                "pin": { "allOf": [{ "writeOnly": true }], "type": "integer" },
                "hosts": { "items": { "properties": { "login": { "format": "password" } } } },
                "city": { "type": "string" },
                "pair": { "prefixItems": [{}, { "writeOnly": true }] },
                "map": { "patternProperties": { "^k": { "writeOnly": true } } },
            },
        }));
        let settings = json!({
            "key": "abcd-1", "pin": 12, "hosts": [{ "login": "xyzw-2", "url": "u" }],
            "city": "Oslo", "my-api-key": "efgh-3", "pair": [1, 2], "map": { "k": 3 },
        });
        let mut initialize = json!({ "method": "initialize", "params": { "settings": settings } });
        assert!(secrets.hide_in_message(&mut initialize));
        let expected = json!({
            "key": HIDDEN, "pin": HIDDEN, "hosts": [{ "login": HIDDEN, "url": "u" }],
            "city": "Oslo", "my-api-key": HIDDEN, "pair": [HIDDEN, HIDDEN], "map": { "k": HIDDEN },
        });
        assert_eq!(initialize["params"]["settings"], expected);
        let mut told = json!({ "result": ["I use abcd-1 and xyzw-2", "Oslo"] });
        assert!(secrets.hide_in_message(&mut told));
        assert_eq!(told["result"][0], format!("I use {HIDDEN} and {HIDDEN}"));
        assert!(!secrets.hide_in_message(&mut json!({ "result": "Oslo" })));
    }

    #[test]
    fn hides_all_settings_where_nobody_said_which_are_secret() {
        let mut secrets = Secrets::default();
        secrets.hide_all();
        let mut message =
            json!({ "method": "settings/changed", "params": { "old": { "a": 1 }, "new": { "a": 2 } } });
        assert!(secrets.hide_in_message(&mut message));
        assert_eq!(message["params"], json!({ "old": { "a": HIDDEN }, "new": { "a": HIDDEN } }));
    }

    #[test]
    fn ends_on_a_schema_that_refers_to_itself() {
        let mut secrets = Secrets::default();
        secrets.set_schema(&json!({ "$ref": "#", "properties": { "a": { "$ref": "#" } } }));
        assert!(!secrets.hide_in_message(
            &mut json!({ "method": "initialize", "params": { "settings": { "a": { "a": 1 } } } })
        ));
    }
}
