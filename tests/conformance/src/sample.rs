//! A value that fits a JSON Schema: what a handler is called with that nobody has said anything about.

use std::cell::Cell;

use astros_protocol::Extra;
use serde_json::{Map, Value, json};

/// Schemas that refer to themselves are followed no deeper.
const DEEPEST: usize = 16;
/// The longest text or list that is made because a schema asks for it.
const LONGEST: u64 = 10_000;
/// So many values are made for one schema; one that asks for more, or goes round in circles, has no sample.
const MOST: usize = 20_000;

/// Any word.
const WORD: &str = "conformance";
/// Words beyond ASCII: within Latin-1, where languages like to write a byte a character, and beyond the basic plane.
pub(crate) const FOREIGN: [&str; 2] = ["Zo\u{eb}", "\u{2192} \u{1f600}"];

/// An object that fits, with what is required; none where none was found.
pub(crate) fn object(schema: &Value) -> Option<Extra> {
    let made = Schemas { root: schema, left: Cell::new(MOST) }.sample(schema, 0)?;
    let Value::Object(made) = made else { return None };
    let made = Value::Object(made);
    let fits = jsonschema::validator_for(schema).ok()?.is_valid(&made);
    match made {
        Value::Object(made) if fits => Some(made),
        _ => None,
    }
}

/// An object that does not fit: one member of a type that it may not have.
pub(crate) fn misfit(schema: &Value) -> Option<Extra> {
    let validator = jsonschema::validator_for(schema).ok()?;
    let names =
        schema["properties"].as_object().map(|properties| properties.keys().cloned().collect::<Vec<_>>());
    let base = object(schema).unwrap_or_default();
    let wrong = [json!({ "not": ["what", "it", "is"] }), json!("not what it is"), json!(-0.5)];
    let one = |name: &String| {
        wrong.iter().find_map(|wrong| {
            let mut candidate = base.clone();
            candidate.insert(name.clone(), wrong.clone());
            Some(candidate).filter(|candidate| !validator.is_valid(&Value::Object(candidate.clone())))
        })
    };
    let none = || Some(Extra::new()).filter(|empty| !validator.is_valid(&Value::Object(empty.clone())));
    names.iter().flatten().find_map(one).or_else(none)
}

/// A context for a handler without a schema: its examples' slots, each a word.
pub(crate) fn slots(examples: &Value) -> Extra {
    let mut slots = Extra::new();
    for example in examples.as_array().into_iter().flatten().filter_map(Value::as_str) {
        let parts = example.split('{').skip(1).filter_map(|part| part.split_once('}'));
        // `{name:rest}` and `{name?}` name `name`.
        let name = |slot: &str| {
            slot.chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect::<String>()
        };
        slots.extend(parts.map(|(slot, _)| (name(slot), json!(WORD))).filter(|(name, _)| !name.is_empty()));
    }
    slots
}

/// The same with words beyond ASCII in place of those that were made, where there are such and the schema takes them.
pub(crate) fn foreign(schema: &Value, context: &Extra) -> Vec<Extra> {
    let with = |words: &&str| {
        let mut foreign = context.clone();
        let made = foreign.values_mut().filter(|value| **value == *WORD);
        let count = made.map(|word| *word = json!(words)).count();
        let fits = schema.is_null() || jsonschema::is_valid(schema, &Value::Object(foreign.clone()));
        Some(foreign).filter(|_| count > 0 && fits)
    };
    FOREIGN.iter().filter_map(with).collect()
}

struct Schemas<'a> {
    root: &'a Value,
    left: Cell<usize>,
}

impl Schemas<'_> {
    fn sample(&self, schema: &Value, depth: usize) -> Option<Value> {
        if depth > DEEPEST {
            return None;
        }
        self.left.set(self.left.get().checked_sub(1)?);
        let given = schema.get("const").or_else(|| schema.get("default"));
        let given = given.or_else(|| schema.get("examples")?.get(0)).or_else(|| schema.get("enum")?.get(0));
        if let Some(given) = given {
            return Some(given.clone());
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return self.sample(self.root.pointer(reference.strip_prefix('#')?)?, depth + 1);
        }
        for either in ["anyOf", "oneOf"] {
            if let Some(choices) = schema.get(either).and_then(Value::as_array) {
                return choices.iter().find_map(|choice| self.sample(choice, depth + 1));
            }
        }
        match self.kind(schema) {
            "object" => self.members(schema, depth),
            "array" => {
                let count = schema["minItems"].as_u64().unwrap_or(0).min(LONGEST);
                let items =
                    (0..count).map(|_| self.sample(schema.get("items").unwrap_or(&Value::Null), depth + 1));
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            "string" => Some(Value::String(text(schema))),
            "integer" => Some(whole(schema)),
            "number" => Some(schema.get("minimum").cloned().unwrap_or_else(|| json!(1))),
            "boolean" => Some(json!(false)),
            _ => Some(Value::Null),
        }
    }

    fn kind<'a>(&self, schema: &'a Value) -> &'a str {
        match &schema["type"] {
            Value::String(kind) => kind,
            Value::Array(kinds) => kinds.first().and_then(Value::as_str).unwrap_or("null"),
            _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
            _ if schema.as_object().is_none_or(Map::is_empty) => "string",
            _ => "object",
        }
    }

    /// What is required; each part of `allOf` adds its own.
    fn members(&self, schema: &Value, depth: usize) -> Option<Value> {
        let mut members = Map::new();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            if let Value::Object(more) = self.sample(part, depth + 1)? {
                members.extend(more);
            }
        }
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let member = schema["properties"].get(name).unwrap_or(&Value::Null);
            members.insert(name.to_owned(), self.sample(member, depth + 1)?);
        }
        Some(Value::Object(members))
    }
}

fn text(schema: &Value) -> String {
    let made = match schema["format"].as_str() {
        Some("date-time") => "2026-01-31T12:00:00Z",
        Some("date") => "2026-01-31",
        Some("time") => "12:00:00Z",
        Some("uri" | "url" | "iri") => "https://example.org/",
        Some("email") => "ada@example.org",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        _ => WORD,
    };
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0).min(LONGEST)).unwrap_or(0);
    let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(LONGEST)).unwrap_or(usize::MAX);
    let padding = "x".repeat(least.saturating_sub(made.len()));
    made.chars().chain(padding.chars()).take(most).collect()
}

fn whole(schema: &Value) -> Value {
    let least = schema["minimum"]
        .as_i64()
        .or(schema["exclusiveMinimum"].as_i64().map(|bound| bound.saturating_add(1)));
    let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
    let step = schema["multipleOf"].as_i64().filter(|step| *step > 0).unwrap_or(1);
    let wanted = least.unwrap_or(1).min(most);
    json!(wanted.checked_add(step - 1).map_or(wanted, |above| above.div_euclid(step) * step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_what_fits() {
        let schema = json!({
            "type": "object",
            "properties": {
                "path": { "type": "string", "minLength": 20 },
                "count": { "type": "integer", "minimum": 5, "multipleOf": 4 },
                "by": { "$ref": "#/$defs/By" },
                "tags": { "type": "array", "minItems": 2, "items": { "enum": ["a", "b"] } },
                "not_needed": { "type": "string" },
                "either": { "anyOf": [{ "type": "boolean" }, { "type": "null" }] },
            },
            "required": ["path", "count", "by", "tags", "either"],
            "$defs": { "By": { "type": "string", "enum": ["kind", "date"] } },
        });
        let made = object(&schema).unwrap();
        assert_eq!(
            (&made["count"], &made["by"], &made["tags"]),
            (&json!(8), &json!("kind"), &json!(["a", "a"]))
        );
        assert!(!made.contains_key("not_needed"));
        let wrong = misfit(&schema).unwrap();
        assert!(!jsonschema::is_valid(&schema, &Value::Object(wrong)));
    }

    #[test]
    fn says_words_beyond_ascii_where_any_do() {
        let schema = |more: Value| {
            let mut word = json!({ "type": "string" });
            word.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "type": "object", "required": ["word"], "properties": { "word": word } })
        };
        let of = |schema: &Value| foreign(schema, &object(schema).unwrap());
        let words: Vec<_> = of(&schema(json!({}))).iter().map(|made| made["word"].clone()).collect();
        assert_eq!(words, FOREIGN.map(Value::from));
        assert!(of(&schema(json!({ "pattern": "^[a-z]+$" }))).is_empty());
        assert!(of(&schema(json!({ "enum": ["by_date"] }))).is_empty());
    }

    #[test]
    fn gives_up_on_what_it_cannot_make() {
        let pattern = json!({
            "type": "object", "required": ["a"], "properties": { "a": { "type": "string", "pattern": "^[0-9]$" } }
        });
        assert_eq!(object(&pattern), None);
        let endless = json!({ "type": "object", "required": ["a"], "properties": { "a": { "$ref": "#" } } });
        assert_eq!(object(&endless), None);
    }

    #[test]
    fn reads_slots_out_of_examples() {
        let made = slots(&json!(["shout {text}", "say {text} to {who?}", "{"]));
        assert_eq!(Value::Object(made), json!({ "text": "conformance", "who": "conformance" }));
    }
}
