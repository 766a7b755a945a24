//! How a plugin reads and answers messages: ids, unknown methods, notifications and members, bytes as they come.

use astros_protocol::{ErrorCode, message::MAX_ID};
use serde_json::{Value, json};

use crate::{
    outcome::Checked,
    profile::intent,
    sample::FOREIGN,
    session::Session,
    subject::{Subject, ask_to_initialize},
};

/// Where a rule asks for nothing but that it goes on.
pub(super) const GOES_ON: &str = "that it goes on: an answer to `ping`";

/// A ping with this id, as JSON.
fn ping(id: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": "ping", "params": {} }).to_string()
}

/// A session with a bit of everything, to its end; the ledger holds what holds for all of it.
pub(super) async fn does_everything_once(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    session.fence(GOES_ON).await?;
    session.call("x/conformance/unknown", json!({}), "an answer").await?;
    session.call("handle_intent", json!({}), "an answer").await?;
    session.call("handle_intent", intent("no_such_handler", json_object()), "an answer").await?;
    for handler in plugin.profile.handlers.iter().filter(|handler| handler.answers) {
        session.call("handle_intent", handler.intent(), "an answer").await?;
        for foreign in &handler.foreign {
            session.call("handle_intent", intent(&handler.name, foreign.clone()), "an answer").await?;
        }
    }
    session.fence(GOES_ON).await?;
    let id = session.ask("shutdown", json!({ "reason": "conformance", "grace_ms": 5_000 }));
    session.answer(&id, "an answer to `shutdown`").await?;
    session.close();
    // To the end of its output: what comes late is held, too.
    session.end(plugin.options.timeout).await;
    Ok(())
}

fn json_object() -> serde_json::Map<String, Value> {
    serde_json::Map::new()
}

pub(super) async fn echoes_ids(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let ids = [
        json!(0),
        json!(-1),
        json!(MAX_ID),
        json!(-MAX_ID),
        json!("7"),
        json!(""),
        json!("a b\t\"c\"\\d/é\u{1f600}\u{7f}\n"),
        json!("null"),
        json!("x".repeat(1_000)),
    ];
    for id in ids {
        session.send(ping(&id));
        session
            .answer(
                &id,
                &format!("an answer with the id {}", crate::outcome::shown(id.to_string().as_bytes())),
            )
            .await?;
    }
    Ok(())
}

pub(super) async fn refuses_unknown_methods(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let [near, far] = FOREIGN;
    for method in ["x/conformance/unknown", "no_such_method", "Ping", near, far] {
        let reply = session.call(method, json!({}), "the error -32601").await?;
        if reply.code() != Some(ErrorCode::METHOD_NOT_FOUND.0) {
            return session.missed("the error -32601", &reply);
        }
    }
    session.fence(GOES_ON).await
}

pub(super) async fn passes_over_unknown_notifications(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    for method in ["x/conformance/news", "no_such_news", "$/news", "handle_news"] {
        session.notify(method, json!({ "of": [1, 2] }));
        nothing_comes(&mut session).await?;
    }
    // Without params.
    session.send(r#"{"jsonrpc":"2.0","method":"x/conformance/news"}"#);
    nothing_comes(&mut session).await
}

/// Nothing is answered to what was sent last, and the plugin goes on.
async fn nothing_comes(session: &mut Session) -> Checked {
    session.fence(GOES_ON).await?;
    match session.nameless.first().cloned() {
        Some(reply) => session.missed("no answer to what has no id", &reply),
        None => Ok(()),
    }
}

pub(super) async fn passes_over_unknown_members(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    let later = json!({ "of": ["a", { "later": 1 }], "version": null });
    let mut params = crate::subject::initialize_params(
        &session,
        json!({
            "sandbox": "of-a-later-version",
            "features": ["x/conformance/unknown"],
            "permissions": [{ "later": true }],
            "x_later": later,
        }),
    );
    for part in ["host", "plugin", "directories", "limits"] {
        params[part]["x_later"] = later.clone();
    }
    let reply = ask_to_initialize(&mut session, params).await?;
    if reply.result.is_none() {
        return session.missed("`initialize` is answered as without the members that are unknown", &reply);
    }
    // In the envelope.
    let id = json!("envelope");
    session.send(json!({ "jsonrpc": "2.0", "id": id, "method": "ping", "x_later": later, "params": { "x_later": later } }).to_string());
    session.answer(&id, "an answer, whatever members are beside").await?;
    for (name, context) in known_and_not(plugin) {
        let plain = session.call("handle_intent", intent(&name, context.clone()), "an answer").await?;
        let mut more = intent(&name, context);
        more["x_later"] = later.clone();
        more["intent"]["x_later"] = later.clone();
        more["meta"]["x_later"] = later.clone();
        let reply = session.call("handle_intent", more, "an answer, whatever members are beside").await?;
        if reply.code() != plain.code() {
            return session.missed(
                format!("the answer that comes without the unknown members: {}", plain.text),
                &reply,
            );
        }
    }
    Ok(())
}

/// A handler that there is, where one may be called, and one that there is not.
fn known_and_not(plugin: &Subject<'_>) -> Vec<(String, serde_json::Map<String, Value>)> {
    let known = plugin.handler().map(|handler| (handler.name.clone(), handler.context.clone()));
    known.into_iter().chain([("no_such_handler".to_owned(), json_object())]).collect()
}

pub(super) async fn reads_json_as_it_may_be_written(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    for (line, id) in [
        (r#"{"params":{},"method":"ping","id":"order","jsonrpc":"2.0"}"#, json!("order")),
        (
            "\t { \"jsonrpc\" :\t\"2.0\" , \"id\" : 70 ,  \"method\" : \"ping\", \"params\" : { } } \t",
            json!(70),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"\u0065scaped\/","method":"\u0070in\u0067","params":{"\u00e4":"\ud83d\ude00"}}"#,
            json!("escaped/"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":"plane \ud83d\ude00","method":"ping","params":{}}"#,
            json!("plane \u{1f600}"),
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":\"as it is \u{1f600}\",\"method\":\"ping\",\"params\":{\"\u{1f600}\":\"\u{10ffff}\"}}",
            json!("as it is \u{1f600}"),
        ),
        (
            r#"{"jsonrpc":"2.0","id":71,"method":"ping","params":{"n":[1e3,-0.5,1E-2,12345678901234567890,true,null]}}"#,
            json!(71),
        ),
    ] {
        session.send(line);
        session.answer(&id, &format!("an answer with the id {id}")).await?;
    }
    Ok(())
}

pub(super) async fn reads_lines_however_they_come(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let ids: Vec<Value> = (0..5).map(|number| json!(format!("together {number}"))).collect();
    let together: String = ids.iter().map(|id| ping(id) + "\n").collect();
    session.write(together.clone());
    for id in &ids {
        session.answer(id, "an answer to each of five lines that came at once").await?;
    }
    // Cut within a word, within a character of four bytes, and before the end of the line.
    let id = json!("in pieces \u{1f600}");
    let line = ping(&id) + "\n";
    let face = line.find('\u{1f600}').unwrap_or(0);
    session.ledger.sends(line.trim_end().as_bytes());
    let mut begin = 0;
    for end in [1, 5, face + 1, face + 3, line.len() - 1, line.len()] {
        session.put(&line.as_bytes()[begin..end]);
        // What comes next comes alone, since this was read.
        if !session.is_read().await {
            return Err(session.miss("that it reads a line that comes in pieces", "some of it is not read"));
        }
        begin = end;
    }
    session.answer(&id, "an answer to a line that came in pieces").await?;
    // The end of one and the begin of the next in one piece.
    let (one, two) = (json!("one"), json!("two"));
    let both = format!("{}\n{}\n", ping(&one), ping(&two));
    both.lines().for_each(|line| session.ledger.sends(line.as_bytes()));
    let cut = both.len() - 20;
    session.put(&both.as_bytes()[..cut]);
    session.is_read().await;
    session.put(&both.as_bytes()[cut..]);
    session.answer(&one, "an answer to a line that came with half of another").await?;
    session.answer(&two, "an answer to a line whose begin came with another").await.map(drop)
}

pub(super) async fn passes_over_empty_lines(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    for (lines, id) in [("\n\n\r\n", "empty lines"), ("", "carriage return")] {
        let id = json!(id);
        let end = if lines.is_empty() { "\r\n" } else { "\n" };
        session.write(format!("{lines}{}{end}", ping(&id)));
        session.answer(&id, "an answer to the `ping` after empty lines, or that ends with `\\r\\n`").await?;
        nothing_comes(&mut session).await?;
    }
    Ok(())
}

pub(super) async fn answers_ping(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let reply = session.call("ping", json!({}), "an object, or -32601").await?;
    match (&reply.result, reply.code()) {
        (Some(Value::Object(_)), None) => {}
        (None, Some(code)) if code == ErrorCode::METHOD_NOT_FOUND.0 => return Ok(()),
        _ => return session.missed("an object, or -32601", &reply),
    }
    let misfit = reply.result.as_ref().and_then(|result| crate::schemas::misfit("ping.result", result));
    misfit.map_or(Ok(()), |why| session.missed(format!("an object that fits its schema: {why}"), &reply))
}

pub(super) async fn passes_over_cancellations_of_nothing(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let answered = session.ask("ping", json!({}));
    session.answer(&answered, "an answer to `ping`").await?;
    for id in [json!(424_242), json!("never asked"), answered] {
        session.ledger.tolerates(&id);
        session.notify("$/cancel", json!({ "id": id }));
        nothing_comes(&mut session).await?;
        if session.has_answer(&id) {
            let reply = session.answer(&id, "").await?;
            return session.missed("no answer to what has no id", &reply);
        }
    }
    let (method, params) = plugin.work();
    session.call(method, params, "an answer as before").await.map(drop)
}

pub(super) async fn passes_over_answers_to_nothing(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    for line in [
        r#"{"jsonrpc":"2.0","id":424242,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":"never asked","result":null}"#,
        r#"{"jsonrpc":"2.0","id":"never asked","error":{"code":-32603,"message":"what?"}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}"#,
    ] {
        session.send(line);
        nothing_comes(&mut session).await?;
    }
    Ok(())
}
