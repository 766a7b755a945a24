//! One line of a plugin's output: what it is, and which rules it breaks by itself.

use astros_protocol::{Message, message::MAX_ID};
use serde_json::{Map, Value};

use crate::outcome::shown;

/// What a line says. What breaks a rule is read as far as it can be, so that each rule is held by itself.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Request {
        id: Value,
        method: String,
        params: Value,
    },
    Notification {
        method: String,
        params: Value,
    },
    Response(Reply),
    /// No message at all.
    Stray,
}

/// An answer of the plugin's.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) id: Value,
    pub(crate) result: Option<Value>,
    pub(crate) error: Option<Value>,
    /// The line, to be shown.
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn code(&self) -> Option<i64> {
        self.error.as_ref()?.get("code")?.as_i64()
    }
}

/// A rule that a line breaks, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) expected: String,
}

/// Reads a line without its end.
pub(crate) fn read(bytes: &[u8]) -> (Line, Vec<Fault>) {
    let mut faults = Vec::new();
    if let Err(error) = std::str::from_utf8(bytes) {
        faults.push(fault("R02", format!("one JSON-RPC 2.0 message a line: this is not UTF-8: {error}")));
    }
    let line = match object(&String::from_utf8_lossy(bytes)) {
        Ok(members) => {
            if !begins_as_message(bytes) {
                faults.push(fault("R03", "`\"jsonrpc\"` among the first 64 bytes of the line"));
            }
            message(bytes, members, &mut faults)
        }
        Err(why) => {
            faults.push(fault("R02", format!("one JSON-RPC 2.0 message a line: {why}")));
            Line::Stray
        }
    };
    // What a host's own reader refuses besides, such as members that stand twice.
    if faults.is_empty()
        && let Err(malformed) = Message::<&serde_json::value::RawValue>::parse(bytes)
    {
        faults.push(fault("R02", format!("one JSON-RPC 2.0 message a line: {malformed}")));
    }
    (line, faults)
}

fn fault(rule: &'static str, expected: impl Into<String>) -> Fault {
    Fault { rule, expected: expected.into() }
}

/// The members of a JSON-RPC 2.0 message, or why it is none.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    let members: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(members)) => members,
        Ok(_) => return Err("this is no object".to_owned()),
        Err(error) => return Err(format!("this is not JSON: {error}")),
    };
    match members.get("jsonrpc") {
        Some(Value::String(version)) if version == "2.0" => Ok(members),
        Some(_) => Err("`jsonrpc` is not \"2.0\"".to_owned()),
        None => Err("`jsonrpc` is missing".to_owned()),
    }
}

/// As a host tells a message from stray output; white space does not count.
fn begins_as_message(line: &[u8]) -> bool {
    let begin: Vec<u8> = line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(64).collect();
    begin.windows(10).any(|window| window == b"\"jsonrpc\":")
}

fn message(bytes: &[u8], mut members: Map<String, Value>, faults: &mut Vec<Fault>) -> Line {
    let id = members.remove("id");
    match (members.remove("method"), id) {
        (Some(Value::String(method)), id) => {
            let params = members.remove("params").unwrap_or_else(|| Value::Object(Map::new()));
            match id {
                None => Line::Notification { method, params },
                Some(id) => {
                    if !is_id(&id) {
                        faults.push(fault("R48", "an id that is a string or a whole number within ±(2⁵³−1)"));
                    }
                    Line::Request { id, method, params }
                }
            }
        }
        (None, Some(id)) => Line::Response(reply(bytes, id, members, faults)),
        (Some(_), _) => {
            faults.push(fault("R02", "one JSON-RPC 2.0 message a line: `method` is no string"));
            Line::Stray
        }
        (None, None) => {
            faults.push(fault("R02", "one JSON-RPC 2.0 message a line: there is neither `method` nor `id`"));
            Line::Stray
        }
    }
}

fn reply(bytes: &[u8], id: Value, mut members: Map<String, Value>, faults: &mut Vec<Fault>) -> Reply {
    let (result, error) = (members.remove("result"), members.remove("error"));
    match (&result, &error) {
        (Some(_), None) => {}
        (None, Some(error)) if is_error(error) => {}
        (None, Some(_)) => {
            faults.push(fault("R06", "an error with a whole number as `code` and a string as `message`"));
        }
        (Some(_), Some(_)) => faults.push(fault("R06", "`result` or `error`, not both")),
        (None, None) => faults.push(fault("R06", "`result` or `error`")),
    }
    // Of a line that could not be read nobody knows the id.
    let unreadable = id.is_null() && error.is_some();
    if !is_id(&id) && !unreadable {
        faults.push(fault("R04", "the request's id, a string or a whole number within ±(2⁵³−1)"));
    }
    Reply { id, result, error, text: shown(bytes) }
}

pub(crate) fn is_id(id: &Value) -> bool {
    id.is_string() || id.as_i64().is_some_and(|number| (-MAX_ID..=MAX_ID).contains(&number))
}

fn is_error(error: &Value) -> bool {
    error.get("code").is_some_and(Value::is_i64) && error.get("message").is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(line: &[u8]) -> Vec<&'static str> {
        read(line).1.into_iter().map(|fault| fault.rule).collect()
    }

    #[test]
    fn finds_nothing_wrong_with_messages() {
        for line in [
            &br#"{"jsonrpc":"2.0","id":1,"result":null}"#[..],
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no"}}"#,
            br#"{"jsonrpc":"2.0","method":"log","params":{}}"#,
            br#" { "id" : "a", "jsonrpc" : "2.0", "method" : "storage/get" } "#,
        ] {
            assert_eq!(broken(line), [""; 0]);
        }
    }

    #[test]
    fn names_the_rule_that_a_line_breaks() {
        let late = format!(r#"{{"id":"{}","jsonrpc":"2.0","result":1}}"#, "x".repeat(80));
        for (line, rule) in [
            (&b"hello"[..], "R02"),
            (b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}", "R02"),
            (br#"[{"jsonrpc":"2.0","id":1,"result":1}]"#, "R02"),
            (br#"{"id":1,"result":1}"#, "R02"),
            (br#"{"jsonrpc":"2.0","id":1,"id":1,"result":1}"#, "R02"),
            (late.as_bytes(), "R03"),
            (br#"{"jsonrpc":"2.0","id":1.5,"result":1}"#, "R04"),
            (br#"{"jsonrpc":"2.0","id":1,"result":1,"error":null}"#, "R06"),
            (br#"{"jsonrpc":"2.0","id":1,"error":{"code":"no","message":"no"}}"#, "R06"),
            (br#"{"jsonrpc":"2.0","id":1}"#, "R06"),
        ] {
            assert_eq!(broken(line), [rule], "{}", String::from_utf8_lossy(line));
        }
    }
}
