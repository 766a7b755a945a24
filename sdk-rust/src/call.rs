//! A call of another plugin, on its way or still being described.

use std::{pin::Pin, time::Duration};

use astros_peer::Failure;
use astros_protocol::{
    Error as WireError, ErrorCode, Request, Response, call::CallPlugin as CallPluginMethod, intent::CallMeta,
    stream::ProgressValue,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{Context, Result, params::one_line};

/// A call of another plugin, asked where it is awaited. Dropped while it waits, it is cancelled.
#[must_use = "a call is asked where it is awaited"]
pub struct CallPlugin<'a> {
    ctx: &'a Context,
    plugin: String,
    handler: String,
    params: serde_json::Result<Box<RawValue>>,
    timeout: Option<Duration>,
    on_progress: Option<OnProgress<'a>>,
}

type OnProgress<'a> = Box<dyn FnMut(ProgressValue) + Send + 'a>;

/// `CallPluginParams`, whose params stay as they are.
#[derive(Serialize)]
struct Params<'a> {
    plugin: &'a str,
    handler: &'a str,
    params: &'a RawValue,
    meta: CallMeta,
}

impl<'a> CallPlugin<'a> {
    pub(crate) fn new(
        ctx: &'a Context,
        plugin: &str,
        handler: &str,
        params: impl Serialize,
    ) -> CallPlugin<'a> {
        let params = to_raw_value(&params).map(one_line);
        let (plugin, handler) = (plugin.to_owned(), handler.to_owned());
        CallPlugin { ctx, plugin, handler, params, timeout: None, on_progress: None }
    }

    /// The time that the call may take; it can only shorten what the request has left.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Listens to how far the call is.
    pub fn on_progress(mut self, listener: impl FnMut(ProgressValue) + Send + 'a) -> Self {
        self.on_progress = Some(Box::new(listener));
        self
    }

    /// The answer as raw JSON, to be passed on without being parsed.
    pub async fn raw(self) -> Result<Box<RawValue>> {
        let CallPlugin { ctx, plugin, handler, params, timeout, on_progress } = self;
        let params = params.map_err(|error| {
            let message = format!("the params for `{plugin}.{handler}` cannot be written as JSON: {error}");
            WireError::new(ErrorCode::INVALID_PARAMS, message)
        })?;
        let deadline_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let meta = CallMeta { parent: ctx.parent(), deadline_ms, progress: on_progress.is_some() };
        let asked = Params { plugin: &plugin, handler: &handler, params: &params, meta };
        match on_progress {
            None => Ok(ctx.peer().call(CallPluginMethod::METHOD, &asked).await?),
            Some(listener) => Ok(listen(ctx, CallPluginMethod::METHOD, &asked, listener).await?),
        }
    }

    async fn response(self) -> Result<Response> {
        let subject = format!("`{}.{}`", self.plugin, self.handler);
        let raw = self.raw().await?;
        Ok(serde_json::from_str(raw.get()).map_err(|error| {
            WireError::new(
                ErrorCode::BAD_RESPONSE,
                format!("the answer of {subject} is no Response: {error}"),
            )
        })?)
    }
}

/// Asks the host, and hears of the progress before the answer.
pub(crate) async fn listen(
    ctx: &Context,
    method: &str,
    asked: &impl Serialize,
    mut listener: impl FnMut(ProgressValue),
) -> std::result::Result<Box<RawValue>, Failure> {
    let (mut call, mut news) = ctx.peer().call_with_progress(method, asked);
    let mut hear = |value: Box<RawValue>| {
        // News of a later version that cannot be read is no reason to fail the call.
        if let Ok(value) = serde_json::from_str(value.get()) {
            listener(value);
        }
    };
    loop {
        tokio::select! {
            biased;
            Some(value) = news.next() => hear(value),
            outcome = &mut call => {
                // What came before the answer is heard before it.
                while let Some(value) = news.next().await {
                    hear(value);
                }
                return outcome;
            }
        }
    }
}

impl<'a> IntoFuture for CallPlugin<'a> {
    type Output = Result<Response>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Response>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.response())
    }
}
