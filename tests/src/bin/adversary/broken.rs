//! Answers that the protocol does not allow, each named by what is wrong with it.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{handlers::done, wire::Wire};

/// Answers `id` in a way that the protocol does not allow; a code ends the process.
pub(crate) fn answer(name: &str, id: &Value) -> Option<ExitCode> {
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
        "text" => {
            Wire.raw(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"message":""#).as_bytes());
            Wire.raw(b"caf\xe9\"}}\n");
        }
        "deep" => {
            let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
            Wire.line(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"data":{open}{close}}}}}"#));
        }
        // A line that never ends.
        "endless" => {
            Wire.raw(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"message":""#).as_bytes());
            (0..48).for_each(|_| Wire.raw(&[b'x'; 1 << 20]));
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
