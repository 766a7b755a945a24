//! The golden messages go through envelope and types and come back equal; every SDK holds itself to the same files.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

#[path = "support/golden.rs"]
mod golden;

use std::path::Path;

use astros_protocol::{
    Message,
    catalog::{self, Method},
    message::write,
    schema,
};
use golden::Golden;
use serde_json::{Value, json};

const PROTOCOL: &str = env!("CARGO_MANIFEST_DIR");

/// The method that a message belongs to: its own, or that of the request before it which it answers.
fn method_of(messages: &[Golden], index: usize) -> Option<Method> {
    let message = &messages[index];
    let asked = |other: &&Golden| other.from != message.from && other.message["id"] == message.message["id"];
    let request = match message.message.get("method") {
        Some(_) => Some(message),
        None => {
            messages[..index].iter().rev().filter(|other| other.message.get("method").is_some()).find(asked)
        }
    };
    catalog::method(request?.message["method"].as_str()?)
}

/// Reads a message and writes it again, `params` or `result` by their types.
fn round_trip(messages: &[Golden], index: usize) -> Value {
    let line = serde_json::to_vec(&messages[index].message).unwrap();
    let method = method_of(messages, index);
    let name = &messages[index].name;
    let understand = |shape: Option<catalog::Shape>, raw: &str| -> Value {
        let value: Value = serde_json::from_str(raw).unwrap();
        let Some(shape) = shape else { return value };
        (shape.understand)(&value).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    let mut out = Vec::new();
    let parsed: Result<Message<'_>, _> = Message::parse(&line);
    match parsed.unwrap_or_else(|error| panic!("{name}: {error}")) {
        Message::Request { id, method: called, params } => {
            let params = understand(method.map(|method| method.params), params.unwrap().get());
            write::request(&mut out, &id, &called, &params).unwrap();
        }
        Message::Notification { method: called, params } => {
            let params = understand(method.map(|method| method.params), params.unwrap().get());
            write::notification(&mut out, &called, &params).unwrap();
        }
        Message::Response { id, outcome: Ok(result) } => {
            let shape = method.unwrap_or_else(|| panic!("{name}: no request before it has its id")).result;
            let result = understand(shape, result.get());
            write::result(&mut out, &id.unwrap(), &result).unwrap();
        }
        Message::Response { id, outcome: Err(error) } => write::error(&mut out, id.as_ref(), &error).unwrap(),
    }
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1, "{name}: one line");
    serde_json::from_slice(&out).unwrap()
}

/// The message without the envelope's unknown members, its numbers as a reader with doubles has them.
fn comparable(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(comparable).collect(),
        Value::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), comparable(value))).collect()
        }
        other => other.clone(),
    }
}

fn envelope(message: &Value) -> Value {
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    let members = message.as_object().unwrap().iter();
    members
        .filter(|(key, _)| known.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[test]
fn golden_messages_survive_a_round_trip() {
    for (file, messages) in golden::files(Path::new(PROTOCOL)) {
        for (index, golden) in messages.iter().enumerate() {
            let (written, expected) = (round_trip(&messages, index), envelope(&golden.message));
            assert_eq!(comparable(&written), comparable(&expected), "{file}: {}", golden.name);
        }
    }
}

#[test]
fn golden_messages_fit_the_schemas() {
    let check = |name: &str, value: &Value, golden: &Golden| {
        let validator = jsonschema::validator_for(&schema::schema(name).unwrap()).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{}: {errors:?}", golden.name);
    };
    for (_, messages) in golden::files(Path::new(PROTOCOL)) {
        for (index, golden) in messages.iter().enumerate() {
            check("message", &golden.message, golden);
            if let Some(error) = golden.message.get("error") {
                check("error", error, golden);
            }
            let Some(method) = method_of(&messages, index) else { continue };
            if let Some(params) = golden.message.get("params") {
                check(method.name, params, golden);
            }
            if let Some(result) = golden.message.get("result") {
                check(&format!("{}.result", method.name), result, golden);
            }
        }
    }
}

#[test]
fn golden_messages_cover_every_method_and_every_error() {
    let files = golden::files(Path::new(PROTOCOL));
    let messages = || files.iter().flat_map(|(_, messages)| messages);
    for method in catalog::methods() {
        let named = |golden: &Golden| golden.message["method"] == method.name;
        assert!(messages().any(named), "no golden message for `{}`", method.name);
    }
    for code in astros_protocol::ErrorCode::ALL {
        let has = |golden: &Golden| golden.message["error"]["code"] == code.0;
        assert!(messages().any(has), "no golden message for the error {}", code.kind());
    }
}

#[test]
fn golden_messages_have_names_and_senders_of_their_own() {
    for (file, messages) in golden::files(Path::new(PROTOCOL)) {
        for (index, golden) in messages.iter().enumerate() {
            assert!(["host", "plugin"].contains(&&*golden.from), "{file}: {}", golden.name);
            assert!(
                messages[..index].iter().all(|other| other.name != golden.name),
                "{file}: {}",
                golden.name
            );
        }
    }
}

#[test]
fn invalid_lines_are_refused() {
    #[derive(serde::Deserialize)]
    struct Invalid {
        name: String,
        line: String,
        why: String,
    }
    let text = std::fs::read_to_string(Path::new(PROTOCOL).join("golden/invalid.json")).unwrap();
    for Invalid { name, line, why } in serde_json::from_str::<Vec<Invalid>>(&text).unwrap() {
        let message: Result<Message<'_>, _> = Message::parse(line.as_bytes());
        assert!(message.is_err(), "{name} was taken: {line}; {why}");
    }
}

#[test]
fn the_messages_that_the_book_shows_fit_the_schemas() {
    let text = std::fs::read_to_string(Path::new(PROTOCOL).join("../docs/src/languages.md")).unwrap();
    let blocks = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next());
    let check = |name: &str, value: &Value| {
        let validator = jsonschema::validator_for(&schema::schema(name).unwrap()).unwrap();
        assert!(validator.is_valid(value), "{name}: {value}");
    };
    let mut shown = 0;
    for block in blocks {
        let mut asked = String::new();
        for line in block.lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            check("message", &message);
            if let Some(method) = message["method"].as_str() {
                check(method, &message["params"]);
                method.clone_into(&mut asked);
            } else if message.get("result").is_some() && !asked.is_empty() {
                check(&format!("{asked}.result"), &message["result"]);
            }
            shown += 1;
        }
    }
    assert!(shown > 8, "{shown}");
}

#[test]
fn the_schema_of_messages_refuses_what_is_none() {
    let validator = jsonschema::validator_for(&schema::schema("message").unwrap()).unwrap();
    for message in [
        json!([]),
        json!({ "jsonrpc": "2.0" }),
        json!({ "jsonrpc": "1.0", "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": null, "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": 1.5, "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "a", "params": [] }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": 1, "error": { "code": 1, "message": "" } }),
        json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": 1 } }),
        json!({ "jsonrpc": "2.0", "result": 1 }),
    ] {
        assert!(!validator.is_valid(&message), "{message}");
    }
}
