//! What both sides said, as a book of account: the rules that hold for the whole traffic of a connection.
//!
//! It knows no I/O: each line is entered as it is written or read, and what breaks a rule is noted once a rule.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use astros_protocol::{ErrorCode, MAX_PROGRESS_BYTES, PROGRESS_WINDOW};
use serde_json::Value;

use crate::{
    line::{Fault, Line, Reply, is_id},
    outcome::{Miss, shown},
    schemas,
};

/// What may not be asked for before `initialize` is answered.
const NOT_AT_THE_START: [&str; 3] = ["call_plugin", "bus/publish", "user/ask"];

/// The traffic of one connection so far. Ids are kept as their JSON, so that 7 and "7" differ.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) faults: BTreeMap<&'static str, Miss>,
    /// What was sent last, to be shown.
    pub(crate) sent: String,
    /// Requests of the host that are not answered, with how much progress is not acknowledged.
    open: HashMap<String, usize>,
    answered: HashSet<String>,
    /// Ids that may be answered, once: those of lines that are no requests.
    tolerated: HashSet<String>,
    /// Ids of the plugin's own requests.
    used: HashSet<String>,
    initialize: Start,
    /// Methods of the plugin's own requests.
    pub(crate) asked: BTreeSet<String>,
    pub(crate) streamed: bool,
}

#[derive(Debug, Default, PartialEq)]
enum Start {
    #[default]
    NotAsked,
    Asked(String),
    Answered,
}

impl Ledger {
    /// Enters a line of the host's.
    pub(crate) fn sends(&mut self, line: &[u8]) {
        self.sent = shown(line);
        let Ok(message) = serde_json::from_slice::<Value>(line) else { return };
        let Some(id) = message.get("id").filter(|id| is_id(id)).map(Value::to_string) else { return };
        match message["method"].as_str() {
            Some(method) => {
                if method == "initialize" && self.initialize == Start::NotAsked {
                    self.initialize = Start::Asked(id.clone());
                }
                self.open.insert(id, 0);
            }
            None if message.get("result").is_none() && message.get("error").is_none() => {
                self.tolerates(&message["id"])
            }
            None => {}
        }
    }

    /// An id that may be answered although it is none of a request.
    pub(crate) fn tolerates(&mut self, id: &Value) {
        self.tolerated.insert(id.to_string());
    }

    /// Enters the host's `$/ack`.
    pub(crate) fn acknowledges(&mut self, id: &Value, count: usize) {
        if let Some(unread) = self.open.get_mut(&id.to_string()) {
            *unread = unread.saturating_sub(count);
        }
    }

    /// Whether a request of the host's is not answered.
    pub(crate) fn is_open(&self, id: &Value) -> bool {
        self.open.contains_key(&id.to_string())
    }

    /// Whether this id may be, or was, answered.
    pub(crate) fn knows(&self, id: &Value) -> bool {
        let id = id.to_string();
        self.open.contains_key(&id) || self.answered.contains(&id) || self.tolerated.contains(&id)
    }

    /// Enters a line of the plugin's, with what breaks rules by itself.
    pub(crate) fn reads(&mut self, bytes: &[u8], line: &Line, faults: Vec<Fault>) {
        // An id that was wrong from the start may be echoed.
        let echoes = matches!(line, Line::Response(reply) if self.tolerated.contains(&reply.id.to_string()));
        for Fault { rule, expected } in faults {
            if !(echoes && rule == "R04") {
                self.fault(rule, expected, bytes);
            }
        }
        match line {
            Line::Stray => return,
            Line::Response(reply) => self.response(reply, bytes),
            Line::Request { id, method, params } => {
                if !self.used.insert(id.to_string()) {
                    self.fault("R49", "an id that was not used before", bytes);
                }
                if !schemas::may_be_sent_by_plugins(method) {
                    self.fault("R48", "a method that a plugin may send, or `x/…`", bytes);
                }
                self.asked.insert(method.clone());
                self.asks(method, params, bytes);
            }
            Line::Notification { method, params } if method == "$/progress" => self.progress(params, bytes),
            // One that nobody knows may be of a later version.
            Line::Notification { method, params } => self.asks(method, params, bytes),
        }
        if self.initialize == Start::NotAsked && !matches!(line, Line::Response(_)) {
            self.fault("R16", "nothing before `initialize` comes", bytes);
        }
    }

    /// A line that was longer than the host takes.
    pub(crate) fn reads_too_much(&mut self, size: usize, limit: usize, begin: &[u8]) {
        let received = format!("a line of {size} bytes: {}", shown(&begin[..begin.len().min(200)]));
        let expected = format!("no line beyond the {limit} bytes that the host announced");
        self.note("R41", expected, received);
    }

    /// A last line without its end.
    pub(crate) fn ends_within(&mut self, rest: &[u8]) {
        self.fault("R02", "a line feed at the end of every line", rest);
    }

    fn response(&mut self, reply: &Reply, bytes: &[u8]) {
        if let Some(code) = reply.code()
            && !ErrorCode(code).may_come_from_plugins()
        {
            self.fault("R40", "a code that a plugin may send", bytes);
        }
        let id = reply.id.to_string();
        if self.open.remove(&id).is_some() {
            if self.initialize == Start::Asked(id.clone()) {
                self.initialize = Start::Answered;
            }
            self.answered.insert(id);
        } else if self.answered.contains(&id) {
            self.fault("R05", "one answer to each request, and this is the second", bytes);
        } else if !self.tolerated.contains(&id) && is_id(&reply.id) {
            self.nobody_asked(&reply.id, bytes);
        }
    }

    /// Whose id is of another type than the request's answers it even so, and wrongly.
    fn nobody_asked(&mut self, id: &Value, bytes: &[u8]) {
        let id = id.to_string();
        let alike = |open: &String| open.trim_matches('"') == id.trim_matches('"');
        match self.open.keys().any(alike) {
            true => self.fault("R04", "the id of the request, of the same type", bytes),
            false => self.fault("R05", "answers to requests that were sent, and to no others", bytes),
        }
    }

    fn asks(&mut self, method: &str, params: &Value, bytes: &[u8]) {
        if let Some(why) = schemas::misfit(method, params) {
            self.fault("R48", format!("params that fit the schema of `{method}`: {why}"), bytes);
        }
        let starting = matches!(self.initialize, Start::Asked(_));
        if starting && NOT_AT_THE_START.contains(&method) {
            self.fault("R50", format!("no `{method}` before `initialize` is answered"), bytes);
        }
    }

    fn progress(&mut self, params: &Value, bytes: &[u8]) {
        self.streamed = true;
        if let Some(why) = schemas::misfit("$/progress", params) {
            self.fault("R55", format!("params that fit the schema of `$/progress`: {why}"), bytes);
        }
        if params.get("value").is_some_and(|value| value.to_string().len() > MAX_PROGRESS_BYTES) {
            self.fault("R55", format!("a `value` of at most {MAX_PROGRESS_BYTES} bytes"), bytes);
        }
        let id = params.get("id").map(Value::to_string).unwrap_or_default();
        let unread = self.open.get_mut(&id).map(|unread| {
            *unread += 1;
            *unread
        });
        match unread {
            None => self.fault("R55", "progress of a request that is open", bytes),
            Some(unread) if unread > PROGRESS_WINDOW => {
                let expected = format!(
                    "at most {PROGRESS_WINDOW} messages without `$/ack`, and this is number {unread}"
                );
                self.fault("R56", expected, bytes);
            }
            Some(_) => {}
        }
    }

    fn fault(&mut self, rule: &'static str, expected: impl Into<String>, bytes: &[u8]) {
        self.note(rule, expected.into(), shown(bytes));
    }

    fn note(&mut self, rule: &'static str, expected: String, received: String) {
        let sent = self.sent.clone();
        self.faults.entry(rule).or_insert(Miss { sent, expected, received });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line;

    /// Lines of the host begin with `>`, those of the plugin with `<`.
    fn broken(lines: &[&str]) -> Vec<&'static str> {
        let mut ledger = Ledger::default();
        let (request, answer) = (
            r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}"#,
            r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
        );
        ledger.sends(request.as_bytes());
        let (line, faults) = line::read(answer.as_bytes());
        ledger.reads(answer.as_bytes(), &line, faults);
        for entry in lines {
            match entry.split_at(1) {
                (">", text) => ledger.sends(text.as_bytes()),
                (_, text) => {
                    let (line, faults) = line::read(text.as_bytes());
                    ledger.reads(text.as_bytes(), &line, faults);
                }
            }
        }
        ledger.faults.into_keys().collect()
    }

    const PING: &str = r#">{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
    const PONG: &str = r#"<{"jsonrpc":"2.0","id":7,"result":{}}"#;

    #[test]
    fn takes_one_answer_to_each_request() {
        assert_eq!(broken(&[PING, PONG]), [""; 0]);
        assert_eq!(broken(&[PING, PONG, PONG]), ["R05"]);
        assert_eq!(broken(&[r#"<{"jsonrpc":"2.0","id":8,"result":{}}"#]), ["R05"]);
        assert_eq!(broken(&[PING, r#"<{"jsonrpc":"2.0","id":"7","result":{}}"#]), ["R04"]);
    }

    #[test]
    fn holds_progress_against_what_is_open_and_the_window() {
        let progress = r#"<{"jsonrpc":"2.0","method":"$/progress","params":{"id":7,"value":{"done":1}}}"#;
        assert_eq!(broken(&[PING, progress, PONG]), [""; 0]);
        assert_eq!(broken(&[PING, PONG, progress]), ["R55"]);
        let mut flood = vec![PING];
        flood.extend([progress; PROGRESS_WINDOW]);
        assert_eq!(broken(&flood), [""; 0]);
        flood.push(progress);
        assert_eq!(broken(&flood), ["R56"]);
    }

    #[test]
    fn holds_requests_of_the_plugin_against_the_reference() {
        let get = r#"<{"jsonrpc":"2.0","id":1,"method":"storage/get","params":{"key":"k"}}"#;
        assert_eq!(broken(&[get]), [""; 0]);
        assert_eq!(broken(&[get, get]), ["R49"]);
        assert_eq!(broken(&[&get.replace("storage/get", "storage/fetch")]), ["R48"]);
        assert_eq!(broken(&[&get.replace("\"k\"", "7")]), ["R48"]);
        assert_eq!(broken(&[r#"<{"jsonrpc":"2.0","method":"x/vendor/news","params":{}}"#]), [""; 0]);
    }
}
