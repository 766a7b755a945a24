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

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::{broken, harm, harm::signal_myself, process::FOR_EVER, wire::Wire};

/// All but the numbered `call-1` to `call-20`.
const NAMES: &str = "echo decline fail shapeless wrong claim hang late ignore block crash quit kill abandon die-calling \
    call ask count stream garbage duplicate huge half stray flood unknown twice text deep endless same-id \
    mute halt grandchild daemon bomb spin eat leak pour";

/// What is open: the host's requests that wait, and the adversary's own.
#[derive(Default)]
pub(crate) struct Handlers {
    /// By the id of the host's request: its params, which say where to note what happens to it.
    waiting: HashMap<String, Value>,
    /// By the id of the own request: the host's request that it is made for, and that one's context.
    calls: HashMap<u64, (Value, Value)>,
    /// By the id of the host's request: its values that are still to come, and those that may.
    streams: HashMap<String, (u64, u64)>,
    last: u64,
}

pub(crate) fn describe(plugin: &str) -> Value {
    let numbered = (1..=20).map(|number| format!("call-{number}"));
    let names = NAMES.split_whitespace().map(str::to_owned).chain(numbered);
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
            "hang" | "late" => _ = self.waiting.insert(id.to_string(), params.clone()),
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
                signal_myself(Signal::SIGKILL);
            }
            "abandon" => {
                self.abandon(id, context);
                done(id, json!({ "message": "I did not wait" }));
            }
            "die-calling" => {
                self.abandon(id, context);
                signal_myself(Signal::SIGKILL);
            }
            _ if name.starts_with("call") => self.call(id, context),
            "ask" => self.ask(
                id,
                context,
                context["method"].as_str().unwrap_or_default(),
                context["params"].clone(),
            ),
            "count" => self.count(id, context, 1),
            "stream" => {
                self.streams.insert(id.to_string(), (context["values"].as_u64().unwrap_or(100), 32));
                self.stream(id);
            }
            "same-id" => self.same_id(id, context),
            _ if harm::does(name, id, context) => {}
            _ => return broken::answer(name, id),
        }
        None
    }

    /// `{plugin, handler, params, parent: this | absent | null | unknown, deadline_ms}`; answers with what comes.
    fn call(&mut self, id: &Value, context: &Value) {
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
        self.ask(id, context, "call_plugin", call);
    }

    /// `{method, params}`: asks the host; answers with what comes.
    fn ask(&mut self, id: &Value, context: &Value, method: &str, params: Value) {
        self.last += 1;
        self.calls.insert(self.last, (id.clone(), context.clone()));
        Wire.request(self.last, method, params);
    }

    /// Stores 1, 2, 3 and so on under `count`, each after the one before, and notes what is stored.
    fn count(&mut self, id: &Value, context: &Value, number: u64) {
        let mut context = context.clone();
        context["counted"] = number.into();
        // Large enough that writing takes a while.
        let value = json!({ "number": number, "filling": "x".repeat(100_000) });
        self.ask(id, &context, "storage/set", json!({ "key": "count", "value": value }));
    }

    /// `{values}`: sends so many values, and no more at a time than may be unacknowledged; answers after the last.
    fn stream(&mut self, id: &Value) {
        let Some((left, room)) = self.streams.get_mut(&id.to_string()) else { return };
        while *left > 0 && *room > 0 {
            (*left, *room) = (*left - 1, *room - 1);
            Wire.notify("$/progress", json!({ "id": id, "value": { "done": *left } }));
        }
        if *left == 0 {
            self.streams.remove(&id.to_string());
            done(id, json!({ "message": "streamed" }));
        }
    }

    pub(crate) fn acknowledged(&mut self, params: &Value) {
        if let Some((_, room)) = self.streams.get_mut(&params["id"].to_string()) {
            *room += params["count"].as_u64().unwrap_or_default();
            self.stream(&params["id"]);
        }
    }

    /// Calls somebody as `call` does, and uses the id of that request for three more.
    fn same_id(&mut self, id: &Value, context: &Value) {
        self.call(id, context);
        (0..3).for_each(|_| Wire.request(self.last, "storage/get", json!({ "key": "any" })));
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
        if let (Some(number), None) = (context["counted"].as_u64(), message.get("error")) {
            note(&context, &number.to_string());
            return self.count(&id, &context, number + 1);
        }
        match message.get("error") {
            Some(error) => {
                note(&context, error["message"].as_str().unwrap_or("error"));
                done(&id, json!({ "message": error["message"], "data": { "error": error } }));
            }
            None => done(&id, json!({ "message": "called", "data": { "answer": message["result"] } })),
        }
    }

    pub(crate) fn cancel(&mut self, id: &Value) {
        self.streams.remove(&id.to_string());
        if let Some(params) = self.waiting.remove(&id.to_string()) {
            note(&params["intent"]["context"], "cancelled");
            if params["handler"] == "late" {
                done(id, json!({ "message": "late" }));
                return done(id, json!({ "message": "later still" }));
            }
            Wire.answer(id, Err(json!({ "code": -32005, "message": "as you wish" })));
        }
        // Those that wait for a call of their own end with that call.
    }
}

pub(crate) fn done(id: &Value, response: Value) {
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
