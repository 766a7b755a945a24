//! What the lines of a recording are.

use astros_protocol::Message;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};

/// The version of the format; another one is not read.
pub const FORMAT: u64 = 1;

/// Of a longer line than any that is a message only the beginning is kept.
const KEPT: usize = 1 << 10;

/// The first line of a recording.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`].
    pub astros_recording: u64,
    /// The version of the plugin protocol, `1.0`.
    pub protocol: String,
    /// The plugin whose traffic it is.
    pub plugin: String,
    /// The version of AstrOS.
    pub astros: String,
    /// The arguments of the command that was recorded: `["ask", "say hello"]`.
    pub command: Vec<String>,
    /// When it began, RFC 3339.
    pub at: String,
}

/// How a process was started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Started {
    pub program: String,
    pub args: Vec<String>,
    /// Its working directory.
    pub folder: String,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Host,
    /// On its standard output.
    Plugin,
    /// The plugin, on its standard error.
    Stderr,
}

/// The member of a line that was written, and its value as JSON: `line` as it was where it is JSON and a message;
/// `stray`, `malformed` or `text` where it is not.
pub(super) fn content(source: Source, bytes: &[u8], length: usize) -> (&'static str, String) {
    let begins = begins_as_message(bytes) || is_message(bytes);
    if source == Source::Stderr {
        return ("text", text(bytes).to_string());
    }
    if length > bytes.len() {
        let kept = json!({ "begins": text(&bytes[..KEPT.min(bytes.len())]), "bytes": length });
        return (if begins { "malformed" } else { "stray" }, kept.to_string());
    }
    match std::str::from_utf8(bytes) {
        Ok(line) if begins && serde_json::from_str::<Value>(line).is_ok() => ("line", line.trim().to_owned()),
        _ => (if begins { "malformed" } else { "stray" }, text(bytes).to_string()),
    }
}

/// What a line of the plugin's is: `line`, `stray` or `malformed`.
pub fn kind(bytes: &[u8]) -> &'static str {
    content(Source::Plugin, bytes, bytes.len()).0
}

/// Members may stand in any order: one that is whole is a message wherever it says `jsonrpc`.
fn is_message(line: &[u8]) -> bool {
    Message::<&RawValue>::parse(line).is_ok()
}

/// As the host tells a message from stray output.
fn begins_as_message(bytes: &[u8]) -> bool {
    let begin: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(64).collect();
    begin.starts_with(b"{") && begin.windows(10).any(|part| part == b"\"jsonrpc\":")
}

/// Bytes as the protocol writes them: text, or base64 where they are none.
fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_a_message_as_it_was_written_and_marks_what_is_none() {
        let of = |bytes: &[u8]| content(Source::Plugin, bytes, bytes.len());
        let message = r#"{"jsonrpc":"2.0", "id":1.50, "result":"\u0041"}"#;
        assert_eq!(of(message.as_bytes()), ("line", message.to_owned()));
        let late = format!(r#"{{"result":"{}","id":1,"jsonrpc":"2.0"}}"#, "x".repeat(80));
        assert_eq!(of(late.as_bytes()), ("line", late.clone()), "as the host reads it");
        assert_eq!(of(b"hello"), ("stray", "\"hello\"".to_owned()));
        assert_eq!(of(br#"{"jsonrpc":"2.0","#), ("malformed", r#""{\"jsonrpc\":\"2.0\",""#.to_owned()));
        assert_eq!(of(b"\xff\n"), ("stray", r#"{"base64":"/wo="}"#.to_owned()));
        assert_eq!(content(Source::Stderr, b"x", 1), ("text", "\"x\"".to_owned()));
        assert_eq!(content(Source::Plugin, b"yyy", 9), ("stray", r#"{"begins":"yyy","bytes":9}"#.to_owned()));
    }
}
