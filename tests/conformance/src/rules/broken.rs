//! What a plugin survives: lines that are no messages, that are too long, or nest too deep.

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

use super::messages::GOES_ON;
use crate::{
    outcome::{Checked, skip},
    profile::intent,
    session::Session,
    subject::{Subject, initialize},
};

/// The limit that the host announces where it takes little.
const LITTLE: usize = 64 << 10;
/// More than there is in a request around the words that a check puts in.
const AROUND: usize = 8 << 10;
/// No longer line is made to see what becomes of it, whatever a plugin says that it takes.
const LONGEST: usize = 64 << 20;

/// Sends what is no message, and looks at the answers with the id null: only with these codes.
async fn survives(session: &mut Session, line: &[u8], codes: &[ErrorCode], expected: &str) -> Checked {
    session.send(line);
    session.fence(GOES_ON).await?;
    let wrong = |code: Option<i64>| !code.is_some_and(|code| codes.iter().any(|known| known.0 == code));
    match std::mem::take(&mut session.nameless).into_iter().find(|reply| wrong(reply.code())) {
        Some(reply) => session.missed(expected, &reply),
        None => Ok(()),
    }
}

pub(super) async fn survives_what_is_no_json(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let expected = "-32700 with the id null, or nothing";
    for line in [
        &b"this is no json"[..],
        b"{\"jsonrpc\":\"2.0\",\"id\":\"half\",\"method\":",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"x/y\",\"params\":{\"a\":NaN}}",
        b"{\"jsonrpc\":\"2.0\",\"method\":\"x/y\",\"params\":{\"a\":\"\xff\xfe\"}}",
        b"}{",
        b"\x00",
    ] {
        // Some take bytes that are not UTF-8 for characters, and what is left is a notification.
        survives(&mut session, line, &[ErrorCode::PARSE_ERROR], expected).await?;
    }
    Ok(())
}

pub(super) async fn survives_batches(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let expected = "-32600 with the id null, or nothing";
    for line in ["[]", r#"[{"jsonrpc":"2.0","id":"in a batch","method":"ping","params":{}}]"#, "[1,[]]"] {
        let id = json!("in a batch");
        session.ledger.tolerates(&id);
        survives(&mut session, line.as_bytes(), &[ErrorCode::INVALID_REQUEST], expected).await?;
        if session.has_answer(&id) {
            let reply = session.answer(&id, expected).await?;
            return session.missed(expected, &reply);
        }
    }
    Ok(())
}

pub(super) async fn survives_what_is_no_message(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let expected = "an error, or nothing";
    for (line, id) in [
        (r#"{"jsonrpc":"2.0","id":"no method"}"#, json!("no method")),
        (r#"{"jsonrpc":"2.0","id":"no text","method":7}"#, json!("no text")),
        (r#"{"jsonrpc":"2.0","id":{"a":1},"method":"ping","params":{}}"#, json!({ "a": 1 })),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"ping","params":{}}"#, json!([1])),
        (r#"{"jsonrpc":"2.0","id":true,"method":"ping","params":{}}"#, json!(true)),
        (r#"{"jsonrpc":"2.0","id":"a list","method":"handle_intent","params":[1]}"#, json!("a list")),
        (r#"{"jsonrpc":"2.0","id":"a word","method":"handle_intent","params":"word"}"#, json!("a word")),
        ("{}", Value::Null),
        ("7", Value::Null),
    ] {
        session.ledger.tolerates(&id);
        session.send(line);
        session.fence(GOES_ON).await?;
        // To nothing there may be nothing; what there is is an error.
        if session.has_answer(&id) {
            let reply = session.answer(&id, expected).await?;
            if reply.result.is_some() {
                return session.missed(expected, &reply);
            }
        }
    }
    Ok(())
}

pub(super) async fn survives_lines_beyond_its_limit(plugin: &Subject<'_>) -> Checked {
    let limit = plugin.profile.max_frame_bytes;
    if limit > LONGEST {
        return skip(format!("its limit is {limit} bytes, and no line beyond {LONGEST} is tried"));
    }
    let mut session = plugin.ready().await?;
    let id = json!("too long");
    // Some count the end of the line, some do not.
    let size = limit + 16;
    let line = padded(&id, size);
    session.ledger.tolerates(&id);
    session.put(line + "\n");
    session.ledger.sent = format!("a line of {size} bytes, its limit is {limit}");
    session.fence(GOES_ON).await?;
    // Wherever it is cut: what is left is white space and a request, and no message.
    let within = json!("within");
    let (begin, end) = ("y".repeat(limit), padded(&within, 0));
    session.ledger.tolerates(&within);
    session.put(format!("{begin}{}{end}\n", " ".repeat(256 << 10)));
    session.ledger.sent = "a line beyond its limit that ends as a request does".to_owned();
    session.fence(GOES_ON).await?;
    if session.has_answer(&within) {
        let expected = "that all of the line is thrown away";
        let reply = session.answer(&within, expected).await?;
        return session.missed(expected, &reply);
    }
    Ok(())
}

pub(super) async fn takes_large_messages(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    // Some count the end of the line, some do not.
    let size = (plugin.profile.max_frame_bytes - 1).min(4 << 20);
    let id = json!("large");
    session.send(padded(&id, size));
    session.answer(&id, &format!("an answer to a `ping` of {size} bytes")).await?;
    session.fence(GOES_ON).await
}

/// A ping of so many bytes, the end of its line excluded.
fn padded(id: &Value, size: usize) -> String {
    let begin =
        json!({ "jsonrpc": "2.0", "id": id, "method": "ping", "params": { "padding": "" } }).to_string();
    let padding = "x".repeat(size.saturating_sub(begin.len()));
    begin.replace("\"padding\":\"\"", &format!("\"padding\":\"{padding}\""))
}

pub(super) async fn survives_deep_nesting(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    for (id, line) in [
        ("deep", format!(r#"{{"jsonrpc":"2.0","id":"deep","method":"ping","params":{{"deep":{deep}}}}}"#)),
        (
            "deeper",
            format!(
                r#"{{"jsonrpc":"2.0","id":"deeper","method":"no_such_method","params":{{"deep":{deep}}}}}"#
            ),
        ),
    ] {
        session.ledger.tolerates(&json!(id));
        session.put(line + "\n");
        session.ledger.sent = "params that nest 1000 deep".to_owned();
        session.fence(GOES_ON).await?;
    }
    Ok(())
}

/// The ledger holds the length of lines; here much is asked of who may write little.
pub(super) async fn keeps_within_the_hosts_limit(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    // It has to describe itself within it.
    let limit = LITTLE.max(plugin.profile.description.to_string().len() * 2);
    session.limit(limit);
    initialize(&mut session, json!({ "limits": { "max_frame_bytes": limit } })).await?;
    // The plugin has a limit, too, and some of the requests say the words twice.
    let takes = plugin.profile.max_frame_bytes.saturating_sub(AROUND);
    let long = "y".repeat((limit * 2).min(takes / 2));
    let expected = "an answer within the host's limit";
    session.call("ping", json!({ "padding": long }), expected).await?;
    session.call(&format!("x/conformance/{long}"), json!({}), expected).await?;
    session.call("handle_intent", intent(&long, serde_json::Map::new()), expected).await?;
    for handler in plugin.profile.handlers.iter().filter(|handler| handler.answers) {
        // What says its parameters back says much.
        let mut context = handler.context.clone();
        let words = context.values_mut().filter(|value| value.is_string());
        words.for_each(|value| *value = json!(long));
        if Value::Object(context.clone()).to_string().len() > takes {
            continue;
        }
        session.call("handle_intent", intent(&handler.name, context), expected).await?;
    }
    session.fence(GOES_ON).await
}
