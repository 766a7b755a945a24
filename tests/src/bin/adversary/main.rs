//! A plugin that misbehaves on purpose: raw JSON lines, no SDK. Its twin in Python is `tests/plugins/adversary.py`.
//!
//! Its arguments are switches that say what goes wrong with its process (`process.rs`); each of its handlers is named
//! by what it does wrong (`handlers.rs`, `broken.rs`, `harm.rs`), and is asked for by the words `make PLUGIN HANDLER`.

mod broken;
mod handlers;
mod harm;
mod process;
mod wire;

use std::{
    io::{BufRead, stdin},
    process::ExitCode,
};

use serde_json::{Value, json};

use handlers::Handlers;
use process::Switches;
use wire::Wire;

fn main() -> ExitCode {
    let switches = Switches::from_arguments();
    if let Some(code) = switches.before_initialize() {
        return code;
    }
    let mut handlers = Handlers::default();
    for line in stdin().lock().lines() {
        let Ok(message) = line.map_err(|_| ()).and_then(|line| serde_json::from_str(&line).map_err(|_| ()))
        else {
            Wire.answer(&Value::Null, Err(json!({ "code": -32700, "message": "no JSON" })));
            continue;
        };
        if let Some(code) = take(&message, &switches, &mut handlers) {
            return code;
        }
    }
    switches.at_the_end_of_input();
    ExitCode::SUCCESS
}

/// Takes one message; a code ends the process.
fn take(message: &Value, switches: &Switches, handlers: &mut Handlers) -> Option<ExitCode> {
    let (id, params) = (&message["id"], &message["params"]);
    match message["method"].as_str() {
        Some("initialize") => switches.initialize(id, params),
        Some("handle_intent") => handlers.handle(id, params),
        Some("$/cancel") => {
            handlers.cancel(&params["id"]);
            None
        }
        Some("$/ack") => {
            handlers.acknowledged(params);
            None
        }
        Some("shutdown") => {
            if !switches.has("deaf") {
                Wire.answer(id, Ok(Value::Null));
            }
            None
        }
        Some("ping") => {
            Wire.answer(id, Ok(json!({})));
            None
        }
        Some(_) => None,
        None => {
            handlers.answered(message);
            None
        }
    }
}
