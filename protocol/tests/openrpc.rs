//! The OpenRPC document is one: it fits the meta-schema of OpenRPC, and its examples fit its own schemas.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::path::Path;

use astros_protocol::{ErrorCode, catalog, schema::OPENRPC};
use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(OPENRPC).unwrap()
}

fn meta_schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openrpc").join(name);
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    // It names itself as its own meta-schema, which nobody can look up here; what it uses is of draft 7.
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema
}

fn errors(validator: &jsonschema::Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_document_fits_the_meta_schema_of_openrpc() {
    let json_schema = meta_schema("json-schema.json");
    let registry = jsonschema::Registry::new();
    let registry = registry.add("https://meta.json-schema.tools", json_schema).unwrap().prepare().unwrap();
    let validator =
        jsonschema::options().with_registry(&registry).build(&meta_schema("open-rpc.json")).unwrap();
    assert_eq!(errors(&validator, &document()), Vec::<String>::new());
    let mut broken = document();
    broken["methods"][0]["params"][0]["schema"] = json!({ "type": "stirng" });
    assert!(!validator.is_valid(&broken), "it looks into schemas, too");
}

#[test]
fn its_references_lead_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), Vec::new());
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn its_examples_fit_its_schemas() {
    let document = document();
    for method in document["methods"].as_array().unwrap() {
        let check = |descriptor: &Value, value: &Value| {
            let schema = json!({ "allOf": [descriptor["schema"]], "components": document["components"] });
            let validator = jsonschema::validator_for(&schema).unwrap();
            assert_eq!(errors(&validator, value), Vec::<String>::new(), "{} {value}", method["name"]);
        };
        let example = &method["examples"][0];
        let given = |name: &Value| {
            let mut params = example["params"].as_array().unwrap().iter();
            params.find(|param| param["name"] == *name).map(|param| &param["value"])
        };
        for param in method["params"].as_array().unwrap() {
            match given(&param["name"]) {
                Some(value) => check(param, value),
                None => assert_eq!(param["required"], false, "{} {}", method["name"], param["name"]),
            }
        }
        if let Some(result) = example.get("result") {
            check(&method["result"], &result["value"]);
        }
    }
}

#[test]
fn it_has_every_method_and_every_error() {
    let document = document();
    let methods = document["methods"].as_array().unwrap();
    for method in catalog::methods() {
        let described = methods.iter().find(|one| one["name"] == method.name).unwrap();
        assert_eq!(described.get("result").is_some(), method.result.is_some(), "{}", method.name);
    }
    for code in ErrorCode::ALL {
        assert_eq!(document["components"]["errors"][code.kind()]["code"], code.0);
    }
}
