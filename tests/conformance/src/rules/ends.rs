//! How a plugin ends: `shutdown`, the end of its input, and what it leaves.

use std::time::Duration;

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::{
    host::Policy,
    outcome::Checked,
    session::Session,
    subject::{Subject, initialize},
};

/// The time from the end of the input to that of the process.
const BY_ITSELF: Duration = Duration::from_secs(5);
/// The same after a `shutdown`.
const SOON: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(5);

fn ask_to_shut_down(session: &mut Session) -> Value {
    session.ask("shutdown", json!({ "reason": "conformance", "grace_ms": 5_000 }))
}

async fn shut_down(session: &mut Session) -> Checked {
    let id = ask_to_shut_down(session);
    let reply = session.answer_within(&id, GRACE, "null, within `grace_ms`").await?;
    match reply.result {
        Some(Value::Null) => Ok(()),
        _ => session.missed("null", &reply),
    }
}

pub(super) async fn answers_shutdown(plugin: &Subject<'_>) -> Checked {
    shut_down(&mut plugin.ready().await?).await
}

pub(super) async fn ends_when_shut_down(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let id = ask_to_shut_down(&mut session);
    session.answer(&id, "an answer to `shutdown`").await?;
    session.close();
    session.ledger.sent = "`shutdown`, and after its answer the end of the input".to_owned();
    let expected = "its end with status 0 within 1 s";
    match session.end(SOON).await {
        Some(status) if status.success() => Ok(()),
        _ => {
            let story = session.story();
            Err(session.miss(expected, story))
        }
    }
}

pub(super) async fn ends_with_its_input(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    ends(&mut session, "`initialize`, and after its answer the end of the input").await?;
    ends(&mut plugin.start()?, "nothing but the end of the input").await
}

/// Closes the input; the process has to end by itself.
async fn ends(session: &mut Session, sent: &str) -> Checked {
    session.close();
    session.ledger.sent = sent.to_owned();
    if session.end(BY_ITSELF).await.is_some() {
        return Ok(());
    }
    let story = session.story();
    Err(session.miss("its end within 5 s", story))
}

pub(super) async fn ends_in_the_midst_of_work(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    begin_work(plugin, &mut session).await?;
    ends(&mut session, "a request, and before its answer the end of the input").await?;
    let mut session = plugin.ready().await?;
    session.put(r#"{"jsonrpc":"2.0","id":"half","meth"#);
    ends(&mut session, "half a line, and the end of the input").await
}

/// Sends a request that stays open where that can be done: its id.
async fn begin_work(plugin: &Subject<'_>, session: &mut Session) -> Checked<Value> {
    let Some(asker) = plugin.asker() else {
        let (method, params) = plugin.work();
        return Ok(session.ask(method, params));
    };
    session.host.policy = Policy::Hold;
    let id = session.ask("handle_intent", asker.intent());
    let is_open = |session: &Session| !session.host.held.is_empty() || session.has_answer(&id);
    session.until("a request of the handler's own, as before", is_open).await?;
    Ok(id)
}

pub(super) async fn answers_what_is_open(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let open = begin_work(plugin, &mut session).await?;
    let shutdown = ask_to_shut_down(&mut session);
    // A host goes on answering.
    session.release();
    session.ledger.sent = "a request, and before its answer `shutdown`".to_owned();
    let expected = "an answer to the request that is open: its result, -32005 or -32015";
    let reply = session.answer_within(&open, GRACE, expected).await?;
    let codes = [ErrorCode::CANCELLED.0, ErrorCode::SHUTTING_DOWN.0];
    // One that fails always fails now, too.
    let fails = plugin.asker().or(plugin.handler()).is_some_and(|handler| handler.fails);
    if !fails && plugin.handler().is_some() && reply.code().is_some_and(|code| !codes.contains(&code)) {
        return session.missed(expected, &reply);
    }
    session.answer_within(&shutdown, GRACE, "an answer to `shutdown`").await.map(drop)
}

pub(super) async fn takes_no_new_work(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let (shutdown, first) =
        session.write_request("shutdown", json!({ "reason": "conformance", "grace_ms": 5_000 }));
    let intent = match plugin.handler() {
        Some(handler) => handler.intent(),
        None => crate::profile::intent("no_such_handler", serde_json::Map::new()),
    };
    let (late, second) = session.write_request("handle_intent", intent);
    // In one piece: the second is there before the process ends.
    session.write(format!("{first}\n{second}\n"));
    session.ledger.sent = format!("`shutdown`, then {}", crate::outcome::shown(second.as_bytes()));
    session.answer_within(&shutdown, GRACE, "an answer to `shutdown`").await?;
    session.close();
    session.end(BY_ITSELF).await;
    if !session.has_answer(&late) {
        return Ok(());
    }
    let reply = session.answer(&late, "-32015").await?;
    match reply.code() {
        Some(code) if code == ErrorCode::SHUTTING_DOWN.0 => Ok(()),
        _ => session.missed("-32015, or no answer", &reply),
    }
}

pub(super) async fn leaves_nobody_behind(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.start()?;
    initialize(&mut session, json!({})).await?;
    for handler in plugin.profile.handlers.iter().filter(|handler| handler.answers) {
        session.call("handle_intent", handler.intent(), "an answer").await?;
    }
    let id = ask_to_shut_down(&mut session);
    session.answer(&id, "an answer to `shutdown`").await?;
    session.close();
    session.ledger.sent = "`shutdown`, and after its answer the end of the input".to_owned();
    if session.gone(BY_ITSELF).await.is_none() {
        let story = session.story();
        return Err(session.miss("its end", story));
    }
    // Who was ended with it may take a moment.
    let mut left = session.left();
    let until = tokio::time::Instant::now() + SOON;
    while !left.is_empty() && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
        left = session.left();
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(session
        .miss("that every process that it started has ended", format!("these run: {}", left.join(", "))))
}
