//! News of a request, and the window that it keeps to.

use astros_protocol::PROGRESS_WINDOW;
use serde_json::Value;

use crate::{
    outcome::{Checked, skip},
    profile::Handler,
    session::Session,
    subject::Subject,
};

/// A handler that sends more than so much progress.
fn streamer<'a>(plugin: &'a Subject<'_>, more_than: usize) -> Option<&'a Handler> {
    let mut handlers = plugin.profile.handlers.iter();
    // Who stops at the full window never answers.
    handlers.find(|handler| match handler.answers {
        true => handler.progress > more_than,
        false => handler.progress == PROGRESS_WINDOW,
    })
}

fn told(session: &Session, id: &Value) -> usize {
    session.progress.get(&id.to_string()).copied().unwrap_or(0)
}

pub(super) async fn keeps_to_the_window(plugin: &Subject<'_>) -> Checked {
    let Some(handler) = streamer(plugin, PROGRESS_WINDOW) else {
        return skip(format!(
            "no handler that may be called sends more than {PROGRESS_WINDOW} messages of progress"
        ));
    };
    let mut session = plugin.ready().await?;
    session.acknowledges = false;
    let id = session.ask("handle_intent", handler.intent());
    fills_the_window(plugin, &mut session, &id).await
}

/// Waits for a full window; one that is more than full the ledger sees.
async fn fills_the_window(plugin: &Subject<'_>, session: &mut Session, id: &Value) -> Checked {
    let is_full = |session: &Session| told(session, id) >= PROGRESS_WINDOW || session.has_answer(id);
    session.until(&format!("{PROGRESS_WINDOW} messages of progress"), is_full).await?;
    // What came beyond comes before this; one that is serial does not read now.
    if !plugin.profile.is_serial() {
        session.fence("an answer to `ping` while progress waits for `$/ack`").await?;
    }
    Ok(())
}

pub(super) async fn goes_on_when_the_window_opens(plugin: &Subject<'_>) -> Checked {
    let Some(handler) = streamer(plugin, PROGRESS_WINDOW) else {
        return skip(format!(
            "no handler that may be called sends more than {PROGRESS_WINDOW} messages of progress"
        ));
    };
    let mut session = plugin.ready().await?;
    session.acknowledges = false;
    let id = session.ask("handle_intent", handler.intent());
    fills_the_window(plugin, &mut session, &id).await?;
    let open = told(&session, &id);
    session.acknowledge(&id, open);
    session.ledger.sent = format!("`$/ack` of {open} messages");
    let more = (open + PROGRESS_WINDOW).min(handler.progress);
    let opened = |session: &Session| told(session, &id) >= more || session.has_answer(&id);
    session.until(&format!("{} messages of progress more", more - open), opened).await?;
    session.acknowledges = true;
    session.acknowledge(&id, told(&session, &id) - open);
    session.ledger.sent = format!("`$/ack` of {open} messages, then of each that comes");
    session.answer(&id, "the rest of the progress after `$/ack`, and then the answer").await?;
    let all = told(&session, &id);
    if all == handler.progress {
        return Ok(());
    }
    let expected = format!("{} messages of progress in all, as before", handler.progress);
    Err(session.miss(expected, format!("{all} before the answer")))
}
