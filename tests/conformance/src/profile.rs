//! What a plugin is, learned in a first session: limits, what it offers, what of it may be called, and what that does.

use std::{collections::BTreeSet, time::Instant};

use astros_protocol::{Extra, MESSAGE_HANDLER};
use serde_json::{Value, json};

use crate::{check::budget, options::Options, outcome::Checked, sample, session::Session, subject};

/// More handlers than these are not looked at.
const HANDLERS: usize = 32;

#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Value,
    pub(crate) max_in_flight: u64,
    pub(crate) max_frame_bytes: usize,
    /// What is called, in the order of the description.
    pub(crate) handlers: Vec<Handler>,
}

/// A handler that may be called.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) name: String,
    pub(crate) context: Extra,
    /// The same with words beyond ASCII, where it takes any words.
    pub(crate) foreign: Vec<Extra>,
    /// It answered when it was called for the first time.
    pub(crate) answers: bool,
    /// With an error.
    pub(crate) fails: bool,
    /// Methods of what it asks the host for.
    pub(crate) asks: BTreeSet<String>,
    /// How much `$/progress` it sends.
    pub(crate) progress: usize,
}

impl Profile {
    /// Works on one request at a time.
    pub(crate) fn is_serial(&self) -> bool {
        self.max_in_flight == 1
    }

    /// Starts a session, and looks at all that may be called.
    pub(crate) async fn learn(session: &mut Session, options: &Options) -> Checked<Profile> {
        let result = subject::initialize(session, json!({})).await?;
        let mut profile = Profile::read(&result, options);
        session.call("ping", json!({}), "an answer to `ping`").await?;
        let begun = Instant::now();
        for at in 0..profile.handlers.len() {
            if begun.elapsed() > budget(options) {
                // Those that took so long are enough to say so.
                profile.handlers.truncate(at);
                break;
            }
            profile.look_at(at, session).await;
        }
        Ok(profile)
    }

    fn read(result: &Value, options: &Options) -> Profile {
        let description = result["plugin"].clone();
        let text = |member: &str| description[member].as_str().unwrap_or_default().to_owned();
        let limits = &result["limits"];
        let limit = limits["max_frame_bytes"].as_u64().and_then(|bytes| usize::try_from(bytes).ok());
        Profile {
            name: text("name"),
            version: text("version"),
            max_in_flight: limits["max_in_flight"].as_u64().filter(|most| *most > 0).unwrap_or(64),
            max_frame_bytes: limit.filter(|limit| *limit > 0).unwrap_or(astros_protocol::MAX_FRAME_BYTES),
            handlers: callable(&description, options),
            description,
        }
    }

    /// A handler that the options call, and that it does not describe.
    pub(crate) fn unknown_call(&self, options: &Options) -> Option<String> {
        let described = self.description["handlers"].as_array().map_or(&[][..], Vec::as_slice);
        let known = |name: &str| name == MESSAGE_HANDLER || described.iter().any(|one| one["name"] == *name);
        options.calls.iter().map(|call| &call.handler).find(|name| !known(name)).cloned()
    }

    async fn look_at(&mut self, at: usize, session: &mut Session) {
        let handler = &mut self.handlers[at];
        let asked = std::mem::take(&mut session.ledger.asked);
        let id = session.ask("handle_intent", handler.intent());
        let reply = session.answer(&id, "an answer").await;
        handler.answers = reply.is_ok();
        handler.fails = reply.is_ok_and(|reply| reply.error.is_some());
        handler.progress = session.progress.get(&id.to_string()).copied().unwrap_or(0);
        handler.asks = std::mem::replace(&mut session.ledger.asked, asked);
        // The findings know both.
        session.ledger.asked.extend(handler.asks.iter().cloned());
    }
}

impl Handler {
    /// Params of `handle_intent`.
    pub(crate) fn intent(&self) -> Value {
        intent(&self.name, self.context.clone())
    }
}

/// Params of `handle_intent` for a handler and its context.
pub(crate) fn intent(handler: &str, context: Extra) -> Value {
    json!({
        "handler": handler,
        "intent": {
            "text": "", "intent_type": handler, "confidence": 1.0, "user_id": "ada", "session_id": "ada:default",
            "timestamp": "2026-01-31T12:00:00Z", "context": context,
        },
        "meta": {
            "correlation_id": "conformance",
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "deadline_ms": 30_000, "progress": true, "attempt": 1,
        },
    })
}

/// Those that say that they change nothing, and those that the options name.
fn callable(description: &Value, options: &Options) -> Vec<Handler> {
    let described = description["handlers"].as_array().into_iter().flatten();
    let named = |name: &str| options.calls.iter().any(|call| call.handler == name);
    let harmless = described.filter_map(|handler| {
        let name = handler["name"].as_str().filter(|name| !named(name))?;
        if !matches!(handler["effects"].as_str(), Some("none" | "read")) {
            return None;
        }
        let context = match handler.get("parameters").filter(|schema| schema.is_object()) {
            Some(schema) => sample::object(schema)?,
            None => sample::slots(&handler["examples"]),
        };
        let foreign = sample::foreign(&handler["parameters"], &context);
        Some(Handler { foreign, ..Handler::new(name, context) })
    });
    let calls = options.calls.iter().map(|call| Handler::new(&call.handler, call.context.clone()));
    calls.chain(harmless.take(HANDLERS)).collect()
}

impl Handler {
    fn new(name: &str, context: Extra) -> Handler {
        Handler {
            name: name.to_owned(),
            context,
            foreign: Vec::new(),
            answers: false,
            fails: false,
            asks: BTreeSet::new(),
            progress: 0,
        }
    }
}
