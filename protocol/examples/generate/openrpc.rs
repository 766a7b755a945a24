//! The protocol as an OpenRPC document: methods of both sides, shapes and errors once each, examples that were run.

use std::path::Path;

use astros_protocol::{
    ErrorCode,
    catalog::{self, Method, Sender},
    rules, schema,
    version::SUPPORTED,
};
use serde_json::{Map, Value, json};

use crate::{
    exchanges::{self, Exchange},
    reference::what_for,
};

/// The document.
pub(crate) fn document(protocol: &Path) -> Value {
    let (exchanges, mut shapes) = (exchanges::read(protocol), Map::new());
    let methods: Vec<_> =
        catalog::methods().iter().map(|method| describe(method, &exchanges, &mut shapes)).collect();
    let errors: Map<_, _> = ErrorCode::ALL
        .iter()
        .map(|code| (code.kind().to_owned(), json!({ "code": code.0, "message": code.when() })))
        .collect();
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "AstrOS plugin protocol",
            "version": SUPPORTED.last().map(ToString::to_string),
            "description": "JSON-RPC 2.0, one message a line, over the plugin's stdin and stdout. \
                `x-from` says which side sends a method; a method without a result is a notification.",
            "license": { "name": "Apache-2.0" },
        },
        "methods": methods,
        "components": { "schemas": shapes, "errors": errors },
    })
}

fn describe(method: &Method, exchanges: &[Exchange], shapes: &mut Map<String, Value>) -> Value {
    let params = part(method.name, shapes);
    let required =
        |name: &str| params["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let described = |(name, shape): (&String, &Value)| json!({ "name": name, "required": required(name), "schema": shape });
    let rules = rules::PLUGIN.iter().chain(rules::HOST).filter(|rule| rule.methods.contains(&method.name));
    let mut described = json!({
        "name": method.name,
        "summary": what_for(method),
        "paramStructure": "by-name",
        "params": params["properties"].as_object().into_iter().flatten().map(described).collect::<Vec<_>>(),
        "x-from": from(method.from),
        "x-rules": rules.map(|rule| rule.id).collect::<Vec<_>>(),
    });
    if method.result.is_some() {
        let name = format!("{}.result", method.name);
        described["result"] = json!({ "name": name, "schema": part(&name, shapes) });
        let errors = method.all_errors();
        let reference = |code: ErrorCode| json!({ "$ref": format!("#/components/errors/{}", code.kind()) });
        described["errors"] = errors.map(reference).collect();
    }
    let exchange = exchanges.iter().find(|exchange| exchange.method == method.name);
    described["examples"] = exchange.map(example).into_iter().collect();
    described
}

/// The schema of this name; what it refers to is moved to the document's own shapes.
fn part(name: &str, shapes: &mut Map<String, Value>) -> Value {
    let mut schema = schema::schema(name).expect("every method has its schemas");
    point_to_components(&mut schema);
    let members = schema.as_object_mut().expect("a schema is an object");
    members.remove("$schema");
    if let Some(Value::Object(definitions)) = members.remove("$defs") {
        shapes.extend(definitions);
    }
    schema
}

fn point_to_components(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref") {
                *reference = reference.replace("#/$defs/", "#/components/schemas/");
            }
            members.values_mut().for_each(point_to_components);
        }
        Value::Array(items) => items.iter_mut().for_each(point_to_components),
        _ => {}
    }
}

fn example(exchange: &Exchange) -> Value {
    let message = |index: usize| exchange.messages.get(index).map(|said| &said.message);
    let params = message(0).and_then(|asked| asked["params"].as_object()).into_iter().flatten();
    let mut example = json!({
        "name": exchange.method,
        "params": params.map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
    });
    // OpenRPC has no place for an error in an example.
    if let Some(result) = message(1).and_then(|answer| answer.get("result")) {
        example["result"] = json!({ "name": format!("{}.result", exchange.method), "value": result });
    } else if let Some(error) = message(1).and_then(|answer| answer.get("error")) {
        example["description"] =
            format!("answered with the error {}: {}", error["code"], error["message"]).into();
    }
    example
}

fn from(sender: Sender) -> &'static str {
    match sender {
        Sender::Host => "host",
        Sender::Plugin => "plugin",
        Sender::Both => "both",
    }
}
