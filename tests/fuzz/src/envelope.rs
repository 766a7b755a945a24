//! The envelope: what serde_json says of a line against what we say, and what a connection makes of it.

use std::{fmt, sync::Mutex};

use astros_peer::{Failure, Incoming, Oddity, Options, Service, connect};
use astros_protocol::{
    ErrorCode, Id, Malformed, Message,
    message::{MAX_ID, write},
};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Value, json, value::RawValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

pub(super) fn run(data: &[u8]) {
    // A reader of frames gives no line with its end in it.
    if data.contains(&b'\n') {
        return;
    }
    let message = Message::parse(data);
    agrees(data, &message);
    if let Ok(message) = &message {
        comes_back_as_it_was(message);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(connections(data, &message));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for name in ["calls", "errors", "intents", "invalid", "lifecycle", "others", "storage", "streams"] {
        let golden: Vec<Value> =
            serde_json::from_slice(&super::read(&format!("protocol/golden/{name}.json")))
                .expect("the golden messages are JSON");
        seeds.extend(golden.iter().map(|golden| match &golden["line"] {
            Value::String(line) => line.clone().into_bytes(),
            _ => golden["message"].to_string().into_bytes(),
        }));
    }
    seeds.push(br#"{"jsonrpc":"2.0","id":1,"result":{"x":NaN}}"#.to_vec());
    seeds.push(
        [
            br#"{"jsonrpc":"2.0","id":1,"result":"#,
            "[".repeat(140).as_bytes(),
            "]".repeat(140).as_bytes(),
            b"}",
        ]
        .concat(),
    );
    seeds
}

/// The members of an object, those that stand there twice included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members, D::Error> {
        struct MembersVisitor;
        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl Members {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// Whether they make a message, by the rules as they are written down.
    fn are_a_message(&self) -> bool {
        let names: std::collections::BTreeSet<_> = self.0.iter().map(|(name, _)| name).collect();
        let is_id = |id: &Value| {
            id.is_string() || id.as_i64().is_some_and(|number| (-MAX_ID..=MAX_ID).contains(&number))
        };
        let has = |name| self.get(name).is_some();
        let kind = match self.get("method") {
            Some(method) => {
                method.is_string() && !has("result") && !has("error") && self.get("id").is_none_or(is_id)
            }
            None => match (self.get("result"), self.get("error"), self.get("id")) {
                (Some(_), None, Some(id)) => !has("params") && is_id(id),
                (None, Some(error), Some(id)) => {
                    let error_fits =
                        error.is_object() && error["code"].is_i64() && error["message"].is_string();
                    error_fits && !has("params") && (is_id(id) || id.is_null())
                }
                _ => false,
            },
        };
        names.len() == self.0.len() && self.get("jsonrpc") == Some(&json!("2.0")) && kind
    }
}

fn agrees(line: &[u8], ours: &Result<Message<'_>, Malformed>) {
    let shown = String::from_utf8_lossy(line);
    let members = match serde_json::from_slice::<Members>(line) {
        Ok(members) => members,
        Err(error) => {
            // What is only passed on is skimmed: numbers and surrogates in it are its reader's to judge.
            let words = error.to_string();
            let skimmed = [
                "number out of range",
                "surrogate",
                "unexpected end of hex escape",
                "code point",
                "recursion limit",
            ];
            assert!(
                ours.is_err() || skimmed.iter().any(|skimmed| words.contains(skimmed)),
                "{words}: {shown}"
            );
            return;
        }
    };
    match ours {
        Ok(message) => {
            assert!(members.are_a_message(), "it is no message: {shown}");
            is_of(message, &members);
        }
        // Members of an error are read by their type, which refuses what stands there twice.
        Err(error) if error.to_string().contains("duplicate field") => {}
        Err(error) => assert!(!members.are_a_message(), "it is a message: {error}: {shown}"),
    }
}

/// What was read is what stands there.
fn is_of(message: &Message<'_>, members: &Members) {
    let value = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    let said = |id: &Id| Some(serde_json::to_value(id).expect("an id is JSON"));
    match message {
        Message::Request { id, method, params } => {
            assert_eq!(said(id).as_ref(), members.get("id"));
            assert_eq!(members.get("method"), Some(&json!(method)));
            assert_eq!(params.and_then(value).as_ref(), members.get("params"));
        }
        Message::Notification { method, params } => {
            assert_eq!(members.get("method"), Some(&json!(method)));
            assert_eq!(params.and_then(value).as_ref(), members.get("params"));
        }
        Message::Response { id, outcome } => {
            assert_eq!(
                id.as_ref().and_then(said).unwrap_or_default(),
                members.get("id").cloned().unwrap_or_default()
            );
            match outcome {
                Ok(result) => assert_eq!(value(result).as_ref(), members.get("result")),
                Err(error) => {
                    let there = members.get("error").expect("it was read");
                    assert_eq!(
                        (json!(error.code.0), json!(error.message)),
                        (there["code"].clone(), there["message"].clone())
                    );
                }
            }
        }
    }
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let nothing = RawValue::from_string("{}".to_owned()).expect("an object is JSON");
    match message {
        Message::Request { id, method, params } => {
            write::request(&mut out, id, method, &params.unwrap_or(&nothing))
        }
        Message::Notification { method, params } => {
            write::notification(&mut out, method, &params.unwrap_or(&nothing))
        }
        Message::Response { id: Some(id), outcome: Ok(result) } => write::result(&mut out, id, result),
        Message::Response { id, outcome: Err(error) } => write::error(&mut out, id.as_ref(), error),
        Message::Response { id: None, outcome: Ok(_) } => panic!("a result for nobody"),
    }
    .expect("what was read can be written");
    out
}

fn comes_back_as_it_was(message: &Message<'_>) {
    let out = written(message);
    let line = out.strip_suffix(b"\n").expect("a line ends");
    assert!(!line.contains(&b'\n'), "one message is one line");
    let again =
        Message::parse(line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
    assert_eq!(written(&again), out);
}

/// Counts what comes of a line.
#[derive(Default)]
struct Counts(Mutex<Vec<&'static str>>);

impl Service for &'static Counts {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        self.0.lock().expect("nobody panics with it").push("request");
        request.responder.result(&());
    }

    fn notification(&self, _: &str, _: Option<&RawValue>) {
        self.0.lock().expect("nobody panics with it").push("notification");
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        self.0.lock().expect("nobody panics with it").push(match oddity {
            Oddity::Stray(_) => "stray",
            Oddity::Malformed { .. } => "malformed",
            Oddity::UnknownResponse(..) => "unknown response",
            Oddity::TooLarge { .. } | Oddity::DuplicateId(_) => "impossible",
        });
    }
}

/// A connection that has asked one thing, with the id 1, hears the line and then nothing more.
async fn connections(line: &[u8], message: &Result<Message<'_>, Malformed>) {
    for answer_malformed in [false, true] {
        let counts: &'static Counts = Box::leak(Box::default());
        let (near, far) = duplex(1 << 20);
        let (input, output) = tokio::io::split(near);
        let options = Options { answer_malformed, ..Options::default() };
        let (peer, connection) = connect(input, output, counts, options);
        let call = peer.call("m", &json!({}));
        let (mut from, mut to) = tokio::io::split(far);
        let speaking = async {
            to.write_all(&[line, b"\n"].concat()).await.expect("it takes a line");
            to.shutdown().await.expect("it takes an end");
            let mut answers = Vec::new();
            from.read_to_end(&mut answers).await.expect("it can be read");
            answers
        };
        let ((), outcome, answers) = tokio::join!(connection.run(), call, speaking);
        let seen = counts.0.lock().expect("nobody panics with it").clone();
        assert_eq!(peer.open_calls() + peer.serving(), 0);
        settles(line, message, &outcome);
        let shown = String::from_utf8_lossy(line);
        let expected: &[&[&str]] = match message {
            Ok(Message::Request { .. }) => &[&["request"]],
            Ok(Message::Notification { method, .. }) if method.starts_with("$/") => &[&[], &["malformed"]],
            Ok(Message::Notification { .. }) => &[&["notification"]],
            Ok(Message::Response { id: Some(Id::Number(1)), .. }) => &[&[]],
            Ok(Message::Response { .. }) => &[&["unknown response"]],
            Err(_) if line.is_empty() || line == b"\r" => &[&[]],
            Err(_) => &[&["stray"], &["malformed"]],
        };
        is_recorded_so(line, message, &seen);
        assert!(expected.contains(&&*seen), "{seen:?}, expected one of {expected:?}: {shown}");
        for answer in answers.split(|byte| *byte == b'\n').filter(|answer| !answer.is_empty()) {
            let answer: Result<Message<'_>, _> = Message::parse(answer);
            assert!(answer.is_ok(), "it writes what it would not read: {answer:?}: {shown}");
        }
    }
}

/// A recording tells messages from what is none as the connection does; it keeps only what everybody can read.
fn is_recorded_so(line: &[u8], message: &Result<Message<'_>, Malformed>, seen: &[&str]) {
    let shown = String::from_utf8_lossy(line);
    match astros_core::recording::kind(line) {
        "stray" => assert!(message.is_err() && (seen == ["stray"] || seen.is_empty()), "{seen:?}: {shown}"),
        "line" => assert_ne!(seen, ["stray"], "{shown}"),
        _ => assert!(seen != ["stray"], "{shown}"),
    }
}

/// The one call has the outcome that the line gives it, if any.
fn settles(line: &[u8], message: &Result<Message<'_>, Malformed>, outcome: &Result<Box<RawValue>, Failure>) {
    match (message, outcome) {
        (Ok(Message::Response { id: Some(Id::Number(1)), outcome: Ok(said) }), Ok(result)) => {
            assert_eq!(said.get(), result.get());
        }
        (
            Ok(Message::Response { id: Some(Id::Number(1)), outcome: Err(said) }),
            Err(Failure::Error(error)),
        ) => {
            assert_eq!(said, error);
        }
        (Err(_), Err(Failure::Here(error))) if error.code == ErrorCode::BAD_RESPONSE => {
            let begin: Vec<u8> = line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
            let begins = |member: &str| {
                begin.starts_with(format!(r#"{{"jsonrpc":"2.0","id":1,"{member}":"#).as_bytes())
            };
            assert!(begins("result") || begins("error"), "it was guessed: {}", String::from_utf8_lossy(line));
        }
        (_, Err(Failure::Closed | Failure::Unsent)) => {}
        (_, outcome) => panic!("{outcome:?} of {}", String::from_utf8_lossy(line)),
    }
}
