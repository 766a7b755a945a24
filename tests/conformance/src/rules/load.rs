//! Many requests at once, nobody who reads, and requests that are taken back.

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

use super::messages::GOES_ON;
use crate::{host::Policy, outcome::Checked, subject::Subject};

/// No more than these are sent at once, whatever a plugin says that it takes.
const MOST: u64 = 1_024;
/// Answers to so many pings are more than a pipe holds.
const UNREAD: usize = 8_000;

pub(super) async fn answers_what_is_cancelled(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    // One that waits for the host is surely open when it is taken back; of others nobody knows.
    let (method, params) = plugin.work();
    let (method, params) = plugin.asker().map_or((method, params), |asker| ("handle_intent", asker.intent()));
    session.host.policy = Policy::Hold;
    let id = session.ask(method, params);
    let sent = session.ledger.sent.clone();
    if plugin.asker().is_some() {
        session
            .until("a request of the handler's own, as before", |session| {
                !session.host.held.is_empty() || session.has_answer(&id)
            })
            .await?;
    }
    session.notify("$/cancel", json!({ "id": id }));
    // Who reads nothing while it waits answers once it has what it waits for.
    if plugin.profile.is_serial() {
        session.release();
    }
    session.ledger.sent = format!("{sent}, then $/cancel of it");
    let expected = "one answer: its result, or -32005";
    let reply = session.answer(&id, expected).await?;
    let fails = plugin.asker().is_some_and(|asker| asker.fails);
    if plugin.asker().is_some() && !fails && reply.code().is_some_and(|code| code != ErrorCode::CANCELLED.0) {
        return session.missed(expected, &reply);
    }
    session.release();
    session.fence(GOES_ON).await?;
    if session.has_answer(&id) {
        let second = session.answer(&id, expected).await?;
        return session.missed(expected, &second);
    }
    Ok(())
}

pub(super) async fn takes_many_at_once(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    // A serial plugin finds them in its input.
    let count = if plugin.profile.is_serial() { 8 } else { plugin.profile.max_in_flight.min(MOST) };
    let (method, params) = plugin.work();
    let lines: Vec<(Value, String)> =
        (0..count).map(|_| session.write_request(method, params.clone())).collect();
    let together: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    session.write(together);
    for (id, line) in &lines {
        session.ledger.sent =
            format!("{count} requests at once, among them {}", crate::outcome::shown(line.as_bytes()));
        session.answer(id, "an answer to each").await?;
    }
    session.fence(GOES_ON).await
}

pub(super) async fn does_not_wait_for_its_reader(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let lines: Vec<(Value, String)> = (0..UNREAD).map(|_| session.write_request("ping", json!({}))).collect();
    let together: String = lines.iter().map(|(_, line)| format!("{line}\n")).collect();
    session.write(together);
    session.ledger.sent = format!("{UNREAD} pings, and read nothing meanwhile");
    // A plugin that does one thing after the other waits for its reader, and loses nothing.
    if !plugin.profile.is_serial() && !session.is_read().await {
        let story = session.story().await;
        return Err(session.miss("that it reads all of them", format!("some are not read; {story}")));
    }
    for (id, _) in &lines {
        session.answer(id, "an answer to each").await?;
    }
    session.fence(GOES_ON).await
}
