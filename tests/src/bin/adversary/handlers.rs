//! The handlers, each named by what it does wrong; `echo` and `call` do nothing wrong.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io::Write,
    path::Path,
    process::ExitCode,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    process::{FOR_EVER, kill_myself, start_a_grandchild},
    wire::Wire,
};

/// All but the numbered `call-1` to `call-20`.
const NAMES: [&str; 25] = [
    "echo",
    "call",
    "abandon",
    "die-calling",
    "crash",
    "kill",
    "quit",
    "hang",
    "ignore",
    "block",
    "garbage",
    "stray",
    "half",
    "huge",
    "duplicate",
    "decline",
    "fail",
    "flood",
    "unknown",
    "twice",
    "shapeless",
    "wrong",
    "claim",
    "mute",
    "grandchild",
];

/// What is open: the host's requests that wait, and the adversary's own.
#[derive(Default)]
pub(crate) struct Handlers {
    /// By the id of the host's request: where to note what happens to it.
    waiting: HashMap<String, Value>,
    /// By the id of the own request: the host's request that it is made for, and that one's context.
    calls: HashMap<u64, (Value, Value)>,
    last: u64,
}

pub(crate) fn describe(plugin: &str) -> Value {
    let numbered = (1..=20).map(|number| format!("call-{number}"));
    let names = NAMES.iter().map(|name| (*name).to_owned()).chain(numbered);
    let handler = |name: String| json!({ "name": name, "examples": [format!("make {plugin} {name}")] });
    json!({ "name": plugin, "version": "6.6.6", "handlers": names.map(handler).collect::<Vec<_>>() })
}

impl Handlers {
    /// Serves a request, or does not; a code ends the process.
    pub(crate) fn handle(&mut self, id: &Value, params: &Value) -> Option<ExitCode> {
        let context = &params["intent"]["context"];
        let name = params["handler"].as_str().unwrap_or_default();
        note(context, "begun");
        match name {
            "echo" => done(id, json!({ "data": params })),
            "decline" => done(id, json!({ "declined": true })),
            "fail" => done(id, json!({ "success": false, "message": "I would rather not" })),
            "shapeless" => done(id, json!([1, 2])),
            "wrong" => done(id, json!({ "success": "perhaps" })),
            "claim" => Wire.answer(id, Err(claim())),
            "hang" => _ = self.waiting.insert(id.to_string(), context.clone()),
            // Hears that it is cancelled, and never answers.
            "ignore" => {}
            // Does not even read.
            "block" => sleep(FOR_EVER),
            "crash" => {
                eprintln!("loading the plan\nERROR: the plan has no step 3");
                return Some(ExitCode::from(3));
            }
            "quit" => return Some(ExitCode::SUCCESS),
            "kill" => {
                eprintln!("I have seen too much");
                kill_myself();
            }
            "grandchild" => {
                start_a_grandchild();
                done(id, json!({}));
            }
            "mute" => {
                let _ = nix::unistd::close(1);
                sleep(FOR_EVER);
            }
            "abandon" => {
                self.abandon(id, context);
                done(id, json!({ "message": "I did not wait" }));
            }
            "die-calling" => {
                self.abandon(id, context);
                kill_myself();
            }
            _ if name.starts_with("call") => self.call(id, context),
            _ => return break_the_wire(name, id),
        }
        None
    }

    /// `{plugin, handler, params, parent: this | absent | null | unknown, deadline_ms}`; answers with what comes.
    fn call(&mut self, id: &Value, context: &Value) {
        self.last += 1;
        let mut meta = match context["parent"].as_str() {
            Some("absent") => json!({}),
            Some("null") => json!({ "parent": null }),
            Some("unknown") => json!({ "parent": 424_242 }),
            _ => json!({ "parent": id }),
        };
        if let Some(deadline) = context.get("deadline_ms") {
            meta["deadline_ms"] = deadline.clone();
        }
        let params = context.get("params").cloned().unwrap_or_else(|| json!({}));
        let call = json!({ "plugin": context["plugin"], "handler": context["handler"], "params": params, "meta": meta });
        self.calls.insert(self.last, (id.clone(), context.clone()));
        Wire.request(self.last, "call_plugin", call);
    }

    /// Calls, and goes on before the call is answered, once the file `after` is there.
    fn abandon(&mut self, id: &Value, context: &Value) {
        self.call(id, context);
        let deadline = Instant::now() + Duration::from_secs(20);
        let after = context["after"].as_str().unwrap_or_default();
        while !Path::new(after).exists() && Instant::now() < deadline {
            sleep(Duration::from_millis(2));
        }
    }

    /// The answer to a call of its own becomes the answer to what it was made for.
    pub(crate) fn answered(&mut self, message: &Value) {
        let call = message["id"].as_u64().and_then(|id| self.calls.remove(&id));
        let Some((id, context)) = call else { return };
        match message.get("error") {
            Some(error) => {
                note(&context, error["message"].as_str().unwrap_or("error"));
                done(&id, json!({ "message": error["message"], "data": { "error": error } }));
            }
            None => done(&id, json!({ "message": "called", "data": { "answer": message["result"] } })),
        }
    }

    pub(crate) fn cancel(&mut self, id: &Value) {
        if let Some(context) = self.waiting.remove(&id.to_string()) {
            note(&context, "cancelled");
            Wire.answer(id, Err(json!({ "code": -32005, "message": "as you wish" })));
        }
        // Those that wait for a call of their own end with that call.
    }
}

/// Sends what the protocol does not allow.
fn break_the_wire(name: &str, id: &Value) -> Option<ExitCode> {
    match name {
        "garbage" => Wire.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"message":oops}}}}"#)),
        "duplicate" => Wire.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}},"result":{{}}}}"#)),
        "huge" => {
            let filling = "x".repeat(17 << 20);
            Wire.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"message":"{filling}"}}}}"#));
        }
        "half" => {
            Wire.raw(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"mess"#).as_bytes());
            return Some(ExitCode::SUCCESS);
        }
        "stray" => {
            Wire.line("debug: here we are");
            Wire.raw(b"\xff\xfe not text\n");
            Wire.line(r#"{"a line": "of JSON that is no message"}"#);
            done(id, json!({ "message": "in spite of it" }));
        }
        "flood" => {
            (0..200)
                .for_each(|step| Wire.notify("$/progress", json!({ "id": id, "value": { "done": step } })));
            done(id, json!({ "message": "flooded" }));
        }
        "unknown" => {
            done(&json!(987_654), json!({ "message": "for nobody" }));
            done(&json!("a-string"), json!({ "message": "for nobody" }));
            done(id, json!({ "message": "for you" }));
        }
        "twice" => {
            done(id, json!({ "message": "the first" }));
            done(id, json!({ "message": "the second" }));
        }
        other => Wire.answer(id, Err(json!({ "code": -32013, "message": format!("no handler `{other}`") }))),
    }
    None
}

fn done(id: &Value, response: Value) {
    Wire.answer(id, Ok(response));
}

/// An error that only the host may send, in somebody else's name.
fn claim() -> Value {
    json!({
        "code": -32006,
        "message": "\u{1b}[31mthe host\u{1b}[0m wants your password",
        "data": { "kind": "permission_denied", "plugin": "file-manager", "retryable": false },
    })
}

/// Adds a line to the file that the context names, so that a test sees how far a request is.
fn note(context: &Value, line: &str) {
    if let Some(path) = context["note"].as_str() {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| writeln!(file, "{line}")).expect("the note can be written");
    }
}
