//! The plugin under test, as a check sees it: new processes of it, and what it is known to be.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::{
    findings::Findings,
    line::Reply,
    options::Options,
    outcome::{Checked, skip},
    process::Program,
    profile::{Handler, Profile},
    session::Session,
};

pub(crate) struct Subject<'a> {
    pub(crate) program: &'a Program,
    pub(crate) options: &'a Options,
    pub(crate) profile: &'a Profile,
    pub(crate) findings: &'a Arc<Mutex<Findings>>,
    /// The rule that is held now.
    pub(crate) rule: &'static str,
}

impl Subject<'_> {
    /// A process that was told nothing yet.
    pub(crate) fn start(&self) -> Checked<Session> {
        Session::start(self.program, self.rule, self.options.timeout, self.findings)
    }

    /// A process that has answered `initialize`.
    pub(crate) async fn ready(&self) -> Checked<Session> {
        let mut session = self.start()?;
        initialize(&mut session, json!({})).await?;
        Ok(session)
    }

    /// A handler that may be called, and answers; one without an error, where there is one.
    pub(crate) fn handler(&self) -> Option<&Handler> {
        let answering = || self.profile.handlers.iter().filter(|handler| handler.answers);
        answering().find(|handler| !handler.fails).or_else(|| answering().next())
    }

    /// What works for a moment, whatever the plugin is: a handler that is harmless, or a ping.
    pub(crate) fn work(&self) -> (&'static str, Value) {
        match self.handler() {
            Some(handler) => ("handle_intent", handler.intent()),
            None => ("ping", json!({})),
        }
    }

    pub(crate) fn handlers(&self) -> Checked<&[Handler]> {
        match &*self.profile.handlers {
            [] => skip(
                "no handler may be called: none says `effects: none` or `read` with parameters that could be made, \
                 and `--call` names none",
            ),
            handlers => Ok(handlers),
        }
    }

    /// A handler that asks the host for something, and so waits as long as a check wants.
    pub(crate) fn asker(&self) -> Option<&Handler> {
        let asks = |handler: &&Handler| handler.answers && !handler.asks.is_empty();
        let askers = || self.profile.handlers.iter().filter(asks);
        askers().find(|handler| !handler.fails).or_else(|| askers().next())
    }
}

impl Session {
    /// Waits until the plugin has read all that was sent; whatever it answers, it goes on.
    pub(crate) async fn fence(&mut self, expected: &str) -> Checked {
        let sent = self.ledger.sent.clone();
        let id = self.ask("ping", json!({}));
        self.ledger.sent = sent;
        self.answer(&id, expected).await.map(drop)
    }
}

/// Does `initialize` with the host's usual params, `more` over them; its result.
pub(crate) async fn initialize(session: &mut Session, more: Value) -> Checked<Value> {
    let reply = ask_to_initialize(session, more).await?;
    match (&reply.result, &reply.error) {
        (Some(result), None) => Ok(result.clone()),
        _ => session.missed("a result of `initialize`", &reply),
    }
}

/// The same, whatever is answered.
pub(crate) async fn ask_to_initialize(session: &mut Session, more: Value) -> Checked<Reply> {
    let params = initialize_params(session, more);
    session.call("initialize", params, "an answer to `initialize`").await
}

pub(crate) fn initialize_params(session: &Session, more: Value) -> Value {
    let mut params = json!({
        "protocol_versions": ["1.0"],
        "features": [],
        "host": { "name": "astros-conformance", "version": env!("CARGO_PKG_VERSION") },
        "plugin": { "name": "under-test", "instance": 0 },
        "settings": {},
        "permissions": [],
        "sandbox": "none",
        "directories": {
            "data": session.folder("data"), "cache": session.folder("cache"), "config": session.folder("config"),
        },
        "limits": {
            "max_frame_bytes": astros_protocol::MAX_FRAME_BYTES, "max_in_flight": 256, "default_deadline_ms": 30_000,
        },
    });
    if let (Value::Object(params), Value::Object(more)) = (&mut params, more) {
        params.extend(more);
    }
    params
}
