//! A plugin that tries to get out: each handler is one attempt, and answers whether it escaped, and how. Raw JSON lines
//! and raw system calls, so that no library is in between; its twin in Python is `tests/plugins/escape`.
//!
//! `docs/src/escapes.md` is the table of the attempts; `tests/tests/escapes` holds it. Where everything is that an attempt
//! wants stands in the context of the call.

#![allow(unsafe_code, reason = "system calls are made past every library")]

mod alone;
mod calls;
mod files;
mod kernel;
mod links;
mod network;
mod place;
mod processes;

use std::io::{BufRead, Write, stdin, stdout};

use serde_json::{Value, json};

use place::Place;

/// How an attempt got out; an error is what stopped it.
type Outcome = std::io::Result<String>;

/// Tries what is called so; none where it is none of the module's.
type Module = fn(&str, &Place) -> Option<Outcome>;

/// The modules, and the names of their attempts.
const MODULES: [(Module, &str); 5] = [
    (files::attempt, files::NAMES),
    (links::attempt, links::NAMES),
    (processes::attempt, processes::NAMES),
    (network::attempt, network::NAMES),
    (kernel::attempt, kernel::NAMES),
];

fn main() {
    for line in stdin().lock().lines().map_while(Result::ok) {
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        let (id, params) = (&message["id"], &message["params"]);
        match message["method"].as_str() {
            Some("initialize") => {
                answer(id, &json!({ "protocol_version": "1.0", "plugin": describe(params) }))
            }
            Some("handle_intent") => {
                let name = params["handler"].as_str().unwrap_or_default();
                let (escaped, how) = alone::run(|| attempt(name, &Place::new(&params["intent"]["context"])));
                let how: String = how.chars().take(400).collect();
                answer(id, &json!({ "data": { "escaped": escaped, "how": how } }));
            }
            Some("ping") => answer(id, &json!({})),
            Some("shutdown") => answer(id, &Value::Null),
            _ => {}
        }
    }
}

fn attempt(name: &str, place: &Place) -> Outcome {
    let tried = MODULES.iter().find_map(|(module, names)| {
        names.split_whitespace().any(|one| one == name).then(|| module(name, place)).flatten()
    });
    tried.unwrap_or_else(|| panic!("no attempt is called `{name}`"))
}

fn describe(params: &Value) -> Value {
    let names = MODULES.iter().flat_map(|(_, names)| names.split_whitespace());
    let handlers: Vec<Value> = names.map(|name| json!({ "name": name, "effects": "none" })).collect();
    json!({ "name": params["plugin"]["name"], "version": "6.6.6", "handlers": handlers })
}

fn answer(id: &Value, result: &Value) {
    let mut out = stdout().lock();
    let _ = writeln!(out, "{}", json!({ "jsonrpc": "2.0", "id": id, "result": result }))
        .and_then(|()| out.flush());
}
