//! A plugin's own requests to its host: refused, held back, and whom they are made for.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;

use super::messages::GOES_ON;
use crate::{
    host::Policy,
    outcome::{Checked, skip},
    profile::Handler,
    session::Session,
    subject::Subject,
};

/// How long an answer to what was taken back may take.
const SOON: Duration = Duration::from_secs(2);
const NO_ASKER: &str = "no handler that may be called asks the host for something";

/// Requests of these have `meta`.
const WITH_META: [&str; 6] =
    ["call_plugin", "user/ask", "ai/complete", "ai/chat", "ai/analyze_image", "ai/embed"];

/// A request that waits for the host: the session, and the request's id.
async fn waiting(plugin: &Subject<'_>, asker: &Handler) -> Checked<(Session, Value)> {
    let mut session = plugin.ready().await?;
    session.host.policy = Policy::Hold;
    let id = session.ask("handle_intent", asker.intent());
    let asks = |session: &Session| !session.host.held.is_empty() || session.has_answer(&id);
    session.until("a request of the handler's own, as before", asks).await?;
    if session.has_answer(&id) {
        return skip(format!("`{}` asked the host the first time, and not again", asker.name));
    }
    Ok((session, id))
}

pub(super) async fn survives_refusals(plugin: &Subject<'_>) -> Checked {
    let askers: Vec<_> = plugin
        .profile
        .handlers
        .iter()
        .filter(|handler| handler.answers && !handler.asks.is_empty())
        .collect();
    if askers.is_empty() {
        return skip(NO_ASKER);
    }
    let mut session = plugin.ready().await?;
    session.host.policy = Policy::Refuse;
    for asker in askers {
        let expected = format!("an answer of `{}`, whose own requests are refused", asker.name);
        session.call("handle_intent", asker.intent(), &expected).await?;
    }
    session.fence(GOES_ON).await
}

pub(super) async fn reads_while_it_waits(plugin: &Subject<'_>) -> Checked {
    if plugin.profile.is_serial() {
        return skip("it works on one request at a time");
    }
    let Some(asker) = plugin.asker() else { return skip(NO_ASKER) };
    let (mut session, id) = waiting(plugin, asker).await?;
    session.fence("an answer to `ping` while a handler waits for the host").await?;
    session.release();
    session.answer(&id, "an answer of the handler's, once it has what it waited for").await.map(drop)
}

pub(super) async fn ends_soon_when_cancelled(plugin: &Subject<'_>) -> Checked {
    let Some(asker) = plugin.asker() else { return skip(NO_ASKER) };
    let (mut session, id) = waiting(plugin, asker).await?;
    session.notify("$/cancel", serde_json::json!({ "id": id }));
    session.answer_within(&id, SOON, "an answer within 2 s, while the host holds back its own").await?;
    session.release();
    session.fence(GOES_ON).await
}

pub(super) async fn says_whom_it_serves(plugin: &Subject<'_>) -> Checked {
    if plugin.profile.is_serial() {
        return skip("it works on one request at a time");
    }
    let has_meta = |handler: &&Handler| handler.asks.iter().any(|method| WITH_META.contains(&&**method));
    let Some(asker) = plugin.profile.handlers.iter().filter(|handler| handler.answers).find(has_meta) else {
        return skip("no handler that may be called makes a request whose params have `meta`");
    };
    let mut session = plugin.ready().await?;
    session.host.policy = Policy::Hold;
    let ids = [(); 2].map(|()| session.ask("handle_intent", asker.intent()));
    let mut parents = HashSet::new();
    while parents.len() < ids.len() {
        let done =
            |session: &Session| !session.host.held.is_empty() || ids.iter().all(|id| session.has_answer(id));
        session.until("requests of both handlers", done).await?;
        let held = std::mem::take(&mut session.host.held);
        if held.is_empty() {
            break;
        }
        for asked in held {
            if WITH_META.contains(&&*asked.method) {
                let parent = asked.params["meta"].get("parent").cloned();
                // Null is a root on purpose.
                let named = parent.as_ref().is_some_and(|parent| parent.is_null() || ids.contains(parent));
                if !named {
                    let received = crate::outcome::shown(asked.params.to_string().as_bytes());
                    return Err(session
                        .miss("`meta.parent`: the id of one of the two requests that are open", received));
                }
                parents.insert(parent.unwrap_or_default().to_string());
            }
            // It may ask more before it comes to the request that is looked for.
            session.answer_held(asked);
        }
    }
    if parents.len() == 1 && !parents.contains("null") {
        let both = parents.into_iter().collect::<String>();
        return Err(
            session.miss("each request names the one that it is made for", format!("both name {both}"))
        );
    }
    Ok(())
}
