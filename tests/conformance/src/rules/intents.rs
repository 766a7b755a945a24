//! What a plugin does: handlers, messages of the bus, direct messages.

use astros_protocol::{ErrorCode, Extra, MESSAGE_HANDLER};
use serde_json::{Value, json};

use super::messages::GOES_ON;
use crate::{
    host::Host,
    line::Reply,
    outcome::Checked,
    profile::{Handler, intent},
    sample::FOREIGN,
    schemas,
    session::Session,
    subject::Subject,
};

/// Calls each handler that may be called; its answer, with the session as it is then.
async fn each_answer(plugin: &Subject<'_>, look: impl Fn(&Session, &Handler, &Reply) -> Checked) -> Checked {
    let handlers = plugin.handlers()?;
    let mut session = plugin.ready().await?;
    for handler in handlers {
        let id = session.ask("handle_intent", handler.intent());
        let reply = session.answer(&id, &format!("an answer of `{}`", handler.name)).await?;
        look(&session, handler, &reply)?;
    }
    Ok(())
}

pub(super) async fn does_what_it_describes(plugin: &Subject<'_>) -> Checked {
    let described = |name: &str| {
        let handlers = plugin.profile.description["handlers"].as_array().into_iter().flatten();
        handlers.into_iter().any(|handler| handler["name"] == *name)
    };
    each_answer(plugin, |session, handler, reply| {
        let unknown = [ErrorCode::METHOD_NOT_FOUND.0, ErrorCode::HANDLER_NOT_FOUND.0];
        match reply.code() {
            Some(code) if unknown.contains(&code) && described(&handler.name) => {
                session.missed(format!("`{}`, which it describes, is known", handler.name), reply)
            }
            _ => Ok(()),
        }
    })
    .await
}

pub(super) async fn answers_with_a_response(plugin: &Subject<'_>) -> Checked {
    each_answer(plugin, |session, _, reply| fits_a_response(session, reply)).await
}

/// An error is an answer, too.
fn fits_a_response(session: &Session, reply: &Reply) -> Checked {
    let Some(result) = &reply.result else { return Ok(()) };
    match schemas::misfit("handle_intent.result", result) {
        Some(why) => session.missed(format!("a Response: {why}"), reply),
        None => Ok(()),
    }
}

pub(super) async fn refuses_unknown_handlers(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let [near, far] = FOREIGN;
    for name in ["no_such_handler", "$conformance", "", near, far] {
        let reply = session.call("handle_intent", intent(name, Extra::new()), "the error -32013").await?;
        if reply.code() != Some(ErrorCode::HANDLER_NOT_FOUND.0) {
            return session.missed("the error -32013", &reply);
        }
    }
    session.fence(GOES_ON).await
}

pub(super) async fn refuses_params_that_do_not_fit(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    // Nothing is called that may do harm where it is called all the same.
    let handler = plugin.handler().map_or("no_such_handler", |handler| &handler.name);
    let mut wrong = vec![
        json!({}),
        json!({ "handler": 7, "intent": { "text": "", "context": {} } }),
        json!({ "intent": { "text": "", "context": {} } }),
        json!({ "handler": handler }),
        json!({ "handler": handler, "intent": "words" }),
        json!({ "handler": handler, "intent": { "text": "", "context": 7 } }),
    ];
    // What its own schema refuses, where it has one.
    let described = plugin.profile.description["handlers"].as_array().into_iter().flatten();
    let own = described.into_iter().find(|described| described["name"] == *handler);
    let required =
        own.and_then(|own| own["parameters"]["required"].as_array()).is_some_and(|names| !names.is_empty());
    if required {
        wrong.push(intent(handler, Extra::new()));
    }
    for (at, params) in wrong.into_iter().enumerate() {
        let reply = session.call("handle_intent", params, "an error").await?;
        // A handler may say in its own words what it lacks.
        let refused = reply.error.is_some()
            || at == 6 && reply.result.as_ref().is_some_and(|result| result["success"] == false);
        if !refused {
            return session.missed("an error", &reply);
        }
    }
    session.fence(GOES_ON).await
}

pub(super) async fn answers_deliveries(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let declared = plugin.profile.description["subscriptions"].as_array().into_iter().flatten();
    let declared = declared.filter_map(Value::as_str).map(str::to_owned);
    let subscribed: Vec<_> = declared.chain(session.host.subjects.iter().cloned()).take(8).collect();
    let examples = subscribed.iter().map(|subject| Host::example_of(subject));
    for subject in examples.chain(["topic.conformance.unheard".to_owned()]) {
        let message = json!({ "subject": subject, "data": {}, "sender": "conformance" });
        let expected = "an object, or -32601";
        let reply = session.call("bus/deliver", json!({ "message": message }), expected).await?;
        let known = reply.code() != Some(ErrorCode::METHOD_NOT_FOUND.0);
        if known && !reply.result.as_ref().is_some_and(Value::is_object) {
            return session.missed(expected, &reply);
        }
    }
    session.fence(GOES_ON).await
}

pub(super) async fn answers_direct_messages(plugin: &Subject<'_>) -> Checked {
    let mut session = plugin.ready().await?;
    let expected = "a Response, -32013, or an error of its own";
    let reply = session.call("handle_intent", intent(MESSAGE_HANDLER, Extra::new()), expected).await?;
    if reply.code() == Some(ErrorCode::METHOD_NOT_FOUND.0) {
        return session.missed(expected, &reply);
    }
    fits_a_response(&session, &reply)?;
    session.fence(GOES_ON).await
}
