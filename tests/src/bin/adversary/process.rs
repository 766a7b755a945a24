//! What goes wrong with the process, by the switches among its arguments.

use std::{fs::OpenOptions, io::Write, process::ExitCode, thread::sleep, time::Duration};

use serde_json::{Value, json};

use crate::{handlers, harm::start_a_grandchild, wire::Wire};

/// Longer than any test.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(600);

pub(crate) struct Switches(Vec<String>);

impl Switches {
    pub(crate) fn from_arguments() -> Switches {
        Switches(std::env::args().skip(1).collect())
    }

    pub(crate) fn has(&self, switch: &str) -> bool {
        self.0.iter().any(|one| one == switch)
    }

    pub(crate) fn before_initialize(&self) -> Option<ExitCode> {
        if self.has("counted") {
            let count = std::env::home_dir().unwrap_or_default().join("notes/starts");
            let file = OpenOptions::new().create(true).append(true).open(count);
            file.and_then(|mut file| file.write_all(b"I")).expect("the start can be noted");
        }
        if self.has("exit-before-initialize") {
            eprintln!("no licence was found");
            return Some(ExitCode::from(3));
        }
        if self.has("stray-output") {
            Wire.line("Welcome to the adversary, version 6.6.6");
        }
        if self.has("grandchild") {
            start_a_grandchild();
        }
        None
    }

    /// Answers `initialize`, or does not.
    pub(crate) fn initialize(&self, id: &Value, params: &Value) -> Option<ExitCode> {
        let name = params["plugin"]["name"].as_str().unwrap_or_default();
        if self.has("exit-in-initialize") {
            eprintln!("the configuration is missing");
            return Some(ExitCode::from(4));
        }
        if self.has("silent") {
            sleep(FOR_EVER);
        }
        if self.has("garbage") {
            Wire.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"protocol_version":}}}}"#));
            return None;
        }
        if self.has("shapeless") {
            Wire.answer(id, Ok(json!({ "hello": "world" })));
            return None;
        }
        if self.has("refuses") {
            Wire.answer(id, Err(json!({ "code": -32012, "message": "it is not my day" })));
            return None;
        }
        let version = if self.has("wrong-version") { "9.0" } else { "1.0" };
        Wire.answer(id, Ok(json!({ "protocol_version": version, "plugin": handlers::describe(name) })));
        if self.has("exit-after-initialize") {
            eprintln!("the port is taken");
            return Some(ExitCode::from(5));
        }
        None
    }

    pub(crate) fn at_the_end_of_input(&self) {
        if self.has("deaf") {
            sleep(FOR_EVER);
        }
    }
}
