//! What a handler has at hand: its request, the host's services, other plugins.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use astros_peer::{Peer, Ticket};
use astros_protocol::{
    ErrorCode, Extra, Id, Intent, Meta, Notification,
    command::Terminal,
    intent::{CallMeta, Parent},
    lifecycle::{Directories, InitializeParams},
    person::{Level, Log, LogParams, UserAsk, UserAskParams},
    stream::ProgressValue,
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{CallPlugin, Error, Result, Storage, params, session::Session};

/// What a handler has at hand. Clones are cheap and may outlive the request, in a task of the plugin's own for
/// example; calls made then are no part of it any more.
#[derive(Clone)]
pub struct Context {
    session: Arc<Session>,
    peer: Peer,
    /// None in `on_start` and `on_stop`.
    request: Option<Arc<Request>>,
}

/// The request that is being served.
pub(crate) struct Request {
    pub(crate) ticket: Ticket,
    pub(crate) handler: String,
    /// Without its context.
    pub(crate) intent: Intent,
    /// Of a component.
    pub(crate) terminal: Terminal,
    context: OnceLock<Box<RawValue>>,
    raw_meta: Option<Box<RawValue>>,
    meta: OnceLock<Meta>,
    received: Instant,
}

impl Request {
    pub(crate) fn new(ticket: Ticket, handler: String, intent: Intent, meta: Option<&RawValue>) -> Request {
        Request {
            ticket,
            handler,
            intent,
            terminal: Terminal::default(),
            context: OnceLock::new(),
            raw_meta: meta.map(ToOwned::to_owned),
            meta: OnceLock::new(),
            received: Instant::now(),
        }
    }
}

impl Context {
    pub(crate) fn new(session: Arc<Session>, peer: Peer, request: Option<Request>) -> Context {
        Context { session, peer, request: request.map(Arc::new) }
    }

    /// The intent that is being served, its context parsed; an empty one in `on_start` and `on_stop`.
    pub fn intent(&self) -> Intent {
        let Some(request) = &self.request else { return Intent::default() };
        let context = request.context.get().and_then(|raw| serde_json::from_str(raw.get()).ok());
        Intent { context: context.unwrap_or_default(), ..request.intent.clone() }
    }

    /// What travels beside the request: user, session, caller, folder, locale…
    pub fn meta(&self) -> &Meta {
        static NONE: OnceLock<Meta> = OnceLock::new();
        let Some(request) = &self.request else { return NONE.get_or_init(Meta::default) };
        // Read when it is wanted; what does not fit is as good as absent.
        let read = || request.raw_meta.as_deref().and_then(|raw| serde_json::from_str(raw.get()).ok());
        request.meta.get_or_init(|| read().unwrap_or_default())
    }

    /// When the request's time is over; `None` where it has no limit.
    pub fn deadline(&self) -> Option<Instant> {
        let rest = Duration::from_millis(self.meta().deadline_ms?);
        self.request.as_ref()?.received.checked_add(rest)
    }

    /// Resolves when the request is taken back, or the host is gone. Async handlers need it only for work that must
    /// outlive them: they are dropped at that moment.
    pub async fn cancelled(&self) {
        match &self.request {
            Some(request) => request.ticket.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Whether the request was taken back: for loops of blocking handlers.
    pub fn is_cancelled(&self) -> bool {
        self.request.as_ref().is_some_and(|request| request.ticket.is_cancelled())
    }

    /// `ctx.check_cancelled()?` ends a handler whose request was taken back.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() { Err(cancelled()) } else { Ok(()) }
    }

    /// Asks another plugin's handler; `params` is an object. Waits for the answer where it is awaited; before, it
    /// can be given a timeout and a listener. `success: false` is an answer, `Err` is a failure of the call.
    pub fn call_plugin(&self, plugin: &str, handler: &str, params: impl Serialize) -> CallPlugin<'_> {
        CallPlugin::new(self, plugin, handler, params)
    }

    /// The plugin's own data, kept by the host.
    pub fn storage(&self) -> Storage<'_> {
        Storage { peer: &self.peer }
    }

    /// Tells how far the request is: units done, units in all, what is being done now.
    /// Waits while the host does not keep up; fails once the request was taken back.
    pub async fn progress(&self, done: u64, total: u64, message: impl Into<String>) -> Result<()> {
        let (done, total, message) = (Some(done as f64), Some(total as f64), Some(message.into()));
        self.send_progress(&ProgressValue { message, done, total, data: None }).await
    }

    /// Tells a part of the result, or anything else; at most 64 KiB as JSON.
    pub async fn progress_data(&self, data: impl Serialize) -> Result<()> {
        let data = Some(serde_json::to_value(data)?);
        self.send_progress(&ProgressValue { data, ..ProgressValue::default() }).await
    }

    async fn send_progress(&self, value: &ProgressValue) -> Result<()> {
        match &self.request {
            Some(request) => Ok(request.ticket.progress(value).await?),
            None => Ok(()),
        }
    }

    /// The settings as they are now: those of the type that [`Plugin::settings`](crate::Plugin::settings) declared
    /// are shared, any other type is read anew.
    pub fn settings<T: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Arc<T>> {
        self.session.settings()
    }

    /// What [`Plugin::state`](crate::Plugin::state) shares; fails where there is none of this type.
    pub fn state<T: Send + Sync + 'static>(&self) -> Result<&T> {
        self.session.state()
    }

    /// Folders of the plugin's own, absolute.
    pub fn directories(&self) -> &Directories {
        &self.session.given.directories
    }

    /// Asks the person; `None` where they decline or nobody is there. No choices: anything may be answered.
    pub async fn ask_user(&self, question: &str, choices: &[&str]) -> Result<Option<String>> {
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        let answer = self.ask(question, choices, None).await?;
        Ok(answer.map(|answer| answer.as_str().map_or_else(|| answer.to_string(), ToOwned::to_owned)))
    }

    /// Asks the person for a value of a type: a number, a choice, a form.
    pub async fn ask_user_for<T: DeserializeOwned + JsonSchema + 'static>(
        &self,
        question: &str,
    ) -> Result<Option<T>> {
        let answer = self.ask(question, Vec::new(), params::schema::<T>()).await?;
        Ok(answer.map(serde_json::from_value).transpose()?)
    }

    async fn ask(
        &self,
        question: &str,
        choices: Vec<String>,
        schema: Option<Value>,
    ) -> Result<Option<Value>> {
        let meta = CallMeta { parent: self.parent(), ..CallMeta::default() };
        let asked = UserAskParams { question: question.to_owned(), choices, schema, meta };
        let answer = self.peer.request::<UserAsk>(&asked).await?;
        Ok(Some(answer.answer).filter(|value| !answer.declined && !value.is_null()))
    }

    /// A record for the plugin's log, with fields that belong to it: an object such as `json!({"files": 3})`.
    /// Logging never fails: what cannot be sent is printed on stderr, which the host keeps too.
    pub fn log(&self, level: Level, message: impl Into<String>, fields: Value) {
        let fields = match fields {
            Value::Object(fields) => fields,
            Value::Null => Extra::new(),
            other => Extra::from_iter([("value".to_owned(), other)]),
        };
        let logger = self.request.as_ref().map(|request| request.handler.clone());
        let record = LogParams { level, message: message.into(), fields, logger };
        if self.peer.notify::<Log>(&record).is_err() {
            let shown = serde_json::to_string(&record).unwrap_or_default();
            eprintln!("{} {shown}", Log::METHOD);
        }
    }

    pub fn debug(&self, message: impl Into<String>) {
        self.log(Level::Debug, message, Value::Null);
    }

    pub fn info(&self, message: impl Into<String>) {
        self.log(Level::Info, message, Value::Null);
    }

    pub fn warn(&self, message: impl Into<String>) {
        self.log(Level::Warn, message, Value::Null);
    }

    pub fn error(&self, message: impl Into<String>) {
        self.log(Level::Error, message, Value::Null);
    }

    /// Waits for what is async, in a blocking handler: `ctx.block_on(ctx.storage().get::<u64>("count"))`.
    /// In an async handler, await instead: there it panics.
    pub fn block_on<F: IntoFuture>(&self, future: F) -> F::Output {
        tokio::runtime::Handle::current().block_on(future.into_future())
    }

    pub(crate) fn handler(&self) -> &str {
        self.request.as_ref().map_or("", |request| &request.handler)
    }

    /// For [`Context::intent`].
    pub(crate) fn keep_context(&self, context: Box<RawValue>) {
        if let Some(request) = &self.request {
            // Set once a request, before anybody can see it.
            let _ = request.context.set(context);
        }
    }

    pub(crate) fn given(&self) -> &InitializeParams {
        &self.session.given
    }

    pub(crate) fn request(&self) -> Option<&Request> {
        self.request.as_deref()
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whose child a call of this context is; outside of a request an intended root.
    pub(crate) fn parent(&self) -> Parent {
        let id = self.request.as_ref().map(|request| -> Id { request.ticket.id().clone() });
        id.map_or(Parent::Root, Parent::Of)
    }
}

pub(crate) fn cancelled() -> Error {
    Error::of(ErrorCode::CANCELLED, "the request was taken back")
}
