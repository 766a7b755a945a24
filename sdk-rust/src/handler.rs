//! A handler: a function, and what the host is told about it.

use std::{sync::Arc, time::Duration};

use astros_protocol::{HandlerDescription, Response, lifecycle::Effects};
use schemars::JsonSchema;
use serde::{Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    Context, Error, Result,
    attend::{Work, panicked},
    params,
};

/// One thing that a plugin can do. Made by [`handler`], [`blocking_handler`] or [`raw_handler`].
pub struct Handler {
    pub(crate) description: HandlerDescription,
    pub(crate) start: Box<Start>,
    /// Cancelled, it is asked to end (`Context::is_cancelled`), not dropped.
    pub(crate) ends_itself: bool,
}

/// Begins to serve a request with `intent.context` as it came.
pub(crate) type Start = dyn Fn(Context, Box<RawValue>) -> Work<Answer> + Send + Sync;

/// What a handler answers.
pub(crate) enum Answer {
    Response(Response),
    Raw(Box<RawValue>),
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Answer::Response(response) => response.serialize(serializer),
            Answer::Raw(raw) => raw.serialize(serializer),
        }
    }
}

/// An async function of a context and its parameters, which are read from `intent.context`.
///
/// `T` is a type of the author's own (`Deserialize` and `JsonSchema`), [`Extra`](crate::Extra) for any members, or
/// `()` for none. When the request is cancelled, the function's future is dropped.
pub fn handler<T, F, Fut>(name: impl Into<String>, function: F) -> Handler
where
    T: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(Context, T) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Response>> + Send + 'static,
{
    let function = Arc::new(function);
    let start = move |ctx: Context, context: Box<RawValue>| -> Work<Answer> {
        let function = function.clone();
        Box::pin(async move {
            let params = params::read(ctx.handler(), context.get())?;
            ctx.keep_context(context);
            function(ctx, params).await.map(Answer::Response)
        })
    };
    Handler::new(name.into(), start).parameters(params::schema::<T>())
}

/// A function that may block its thread; it runs on one of its own, and [`Context::block_on`] waits for what is
/// async. When the request is cancelled, it ends when it looks at [`Context::is_cancelled`].
pub fn blocking_handler<T, F>(name: impl Into<String>, function: F) -> Handler
where
    T: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(Context, T) -> Result<Response> + Send + Sync + 'static,
{
    let function = Arc::new(function);
    let start = move |ctx: Context, context: Box<RawValue>| -> Work<Answer> {
        let function = function.clone();
        Box::pin(async move {
            let params = params::read(ctx.handler(), context.get())?;
            ctx.keep_context(context);
            let ended = tokio::task::spawn_blocking(move || function(ctx, params)).await;
            let outcome = ended.unwrap_or_else(|error| {
                Err(error.try_into_panic().map_or_else(Error::from, |panic| panicked(&*panic)))
            });
            outcome.map(Answer::Response)
        })
    };
    let handler = Handler::new(name.into(), start).parameters(params::schema::<T>());
    Handler { ends_itself: true, ..handler }
}

/// An async function that takes `intent.context` as raw JSON and answers with a Response as raw JSON: nothing is
/// parsed on the way. [`Context::intent`] has no context then.
pub fn raw_handler<F, Fut>(name: impl Into<String>, function: F) -> Handler
where
    F: Fn(Context, Box<RawValue>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Box<RawValue>>> + Send + 'static,
{
    let function = Arc::new(function);
    Handler::new(name.into(), move |ctx, context| {
        let function = function.clone();
        Box::pin(async move { function(ctx, context).await.map(|raw| Answer::Raw(params::one_line(raw))) })
    })
}

impl Handler {
    fn new(
        name: String,
        start: impl Fn(Context, Box<RawValue>) -> Work<Answer> + Send + Sync + 'static,
    ) -> Handler {
        let description = HandlerDescription { name, ..HandlerDescription::default() };
        Handler { description, start: Box::new(start), ends_itself: false }
    }

    fn parameters(mut self, schema: Option<serde_json::Value>) -> Handler {
        self.description.parameters = schema;
        self
    }

    /// What it does, one sentence; recognition learns from it.
    pub fn description(mut self, description: impl Into<String>) -> Handler {
        self.description.description = description.into();
        self
    }

    /// What a person may say, with `{slot}` where a parameter stands.
    pub fn examples<S: Into<String>>(mut self, examples: impl IntoIterator<Item = S>) -> Handler {
        self.description.examples.extend(examples.into_iter().map(Into::into));
        self
    }

    /// Decides among handlers of about the same confidence; higher first, 0 where nothing is said.
    pub fn priority(mut self, priority: i64) -> Handler {
        self.description.priority = priority;
        self
    }

    /// What it does to the world; `write` where nothing is said.
    pub fn effects(mut self, effects: Effects) -> Handler {
        self.description.effects = effects;
        self
    }

    /// Doing it twice is as doing it once: the host may try again.
    pub fn idempotent(mut self) -> Handler {
        self.description.idempotent = true;
        self
    }

    /// The time that it may take; 30 s where nothing is said.
    pub fn timeout(mut self, timeout: Duration) -> Handler {
        self.description.timeout_ms = Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self
    }
}
