//! What the host asks, and who answers it: the plugin's life, and its handlers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex},
    task::{self, Poll, Waker},
};

use astros_peer::{Incoming, Oddity, Responder, Service};
use astros_protocol::{
    Error as WireError, ErrorCode, Request,
    bus::BusDeliver,
    call::HandleIntent,
    command::CommandRun,
    lifecycle::{Describe, Initialize, Ping, PingResult, Shutdown},
    settings::SettingsChanged,
    ui::UiRender,
    workflow::WorkflowRun,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::OnceCell;

use crate::{
    Context, Plugin, Result,
    attend::Attended,
    context::{self, Request as Served},
    life::Phase,
    params::{Asked, Invocation},
    session::State,
};

/// Serves one connection for a plugin.
pub(crate) struct Dispatcher {
    pub(crate) plugin: Plugin,
    pub(crate) state: Arc<State>,
    // A std mutex: held for a look or a move, never across an await.
    pub(crate) phase: Mutex<Phase>,
    /// Set when the plugin's own clean-up has run.
    pub(crate) stopped: OnceCell<()>,
}

/// The dispatcher as the connection owns it.
pub(crate) struct Server(pub(crate) Arc<Dispatcher>);

impl Service for Server {
    type Params<'a> = Asked<'a>;

    fn request(&self, request: Incoming<'_, Asked<'_>>) {
        let Incoming { method, params, responder } = request;
        match (&*method, params) {
            (HandleIntent::METHOD, Some(Asked::Intent(asked))) => self.0.handle(asked, responder),
            (Ping::METHOD, _) => {
                // This ping is among those that are open.
                let in_flight = responder.peer().serving().saturating_sub(1) as u64;
                responder.result(&PingResult { in_flight: Some(in_flight), ..PingResult::default() });
            }
            (method, params) => {
                let params = match &params {
                    Some(Asked::Other(raw)) => raw.get(),
                    _ => "{}",
                };
                self.0.live(method, params, responder);
            }
        }
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        // Answers that come too late, for calls that were dropped, are everyday; the rest is the host's fault.
        if !matches!(oddity, Oddity::UnknownResponse(..)) {
            eprintln!("warning: the host sent what is no message: {oddity:.200?}");
        }
    }
}

impl Dispatcher {
    pub(crate) fn new(mut plugin: Plugin) -> Arc<Dispatcher> {
        let state = Arc::new(std::mem::take(&mut plugin.state));
        Arc::new(Dispatcher { plugin, state, phase: Mutex::new(Phase::Fresh), stopped: OnceCell::new() })
    }

    /// Everything but handlers and `ping`.
    fn live(self: &Arc<Self>, method: &str, params: &str, responder: Responder) {
        match method {
            Initialize::METHOD => match self.begin(params) {
                Ok(given) => drop(tokio::spawn(self.clone().initialize(given, responder))),
                Err(error) => responder.error(&error),
            },
            Describe::METHOD => answer(responder, self.describe(params)),
            Shutdown::METHOD => {
                let this = self.clone();
                let mut stopping = Box::pin(async move {
                    this.stop(responder.peer()).await;
                    responder.result(&());
                });
                // Begun at once: what stands in the next line comes after it, and is not begun.
                let mut nobody = task::Context::from_waker(Waker::noop());
                if stopping.as_mut().poll(&mut nobody).is_pending() {
                    tokio::spawn(stopping);
                }
            }
            CommandRun::METHOD => match read(method, params) {
                Ok(params) => self.run_command(params, responder),
                Err(error) => responder.error(&error),
            },
            BusDeliver::METHOD if !self.plugin.listeners.is_empty() => self.deliver(params, responder),
            WorkflowRun::METHOD if !self.plugin.parts.is_empty() => self.run_part(params, responder),
            UiRender::METHOD if !self.plugin.components.is_empty() => self.draw(params, responder),
            _ if method.starts_with("provider/") && !self.plugin.providers.is_empty() => {
                self.ask_provider(method, params, responder);
            }
            SettingsChanged::METHOD => answer(responder, self.change_settings(params)),
            HandleIntent::METHOD => {
                responder.error(&invalid_params(method, "expected `handler`, `intent` and `meta`"));
            }
            _ => {
                let message = format!("the method `{method}` is unknown here");
                responder.error(&WireError::new(ErrorCode::METHOD_NOT_FOUND, message));
            }
        }
    }

    fn handle(&self, asked: Invocation<'_>, responder: Responder) {
        let Invocation { handler: name, intent, meta } = asked;
        let session = match self.session(HandleIntent::METHOD) {
            Ok(session) => session,
            Err(error) => return responder.error(&error),
        };
        let Some(handler) = self.plugin.handlers.get(&*name) else {
            return responder.error(&self.not_found("handler", &name));
        };
        let context = intent.context.map_or_else(empty_object, ToOwned::to_owned);
        let request = Served::new(responder.ticket().clone(), name.into_owned(), intent.head, meta);
        let ctx = Context::new(session, responder.peer(), Some(request));
        let mut work = Attended::new(&handler.description.name, (handler.start)(ctx, context));
        // Most handlers end, or ask for something, at once: those that end need no task.
        let mut nobody = task::Context::from_waker(Waker::noop());
        match Pin::new(&mut work).poll(&mut nobody) {
            Poll::Ready(outcome) => finish(responder, outcome),
            Poll::Pending => drop(tokio::spawn(serve(work, responder, handler.ends_itself))),
        }
    }

    /// There is no `handler`, `command` or `component` of this name.
    pub(crate) fn not_found(&self, what: &str, name: &str) -> WireError {
        let plugin = &self.plugin.description;
        let message = format!("`{}` has no {what} `{name}`", plugin.name);
        let error = WireError::new(ErrorCode::HANDLER_NOT_FOUND, message);
        let handlers = plugin.handlers.iter().map(|handler| handler.name.as_str());
        let commands = plugin.commands.iter().map(|command| command.name.as_str());
        let components = plugin.ui_components.iter().map(|component| component.name.as_str());
        let names = handlers.chain(commands).chain(components);
        let nearest = names.map(|known| (strsim::jaro_winkler(known, name), known));
        match nearest.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            Some((likeness, known)) if likeness > 0.7 => error.with_hint(format!("did you mean `{known}`?")),
            _ => error,
        }
    }
}

/// Serves on until the handler ends, or is dropped where its request is taken back.
pub(crate) async fn serve<T: Serialize>(mut work: Attended<T>, responder: Responder, ends_itself: bool) {
    let outcome = tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = responder.cancelled(), if !ends_itself => Err(context::cancelled()),
    };
    drop(work);
    finish(responder, outcome);
}

fn finish<T: Serialize>(responder: Responder, outcome: Result<T>) {
    match outcome {
        Ok(answer) => responder.result(&answer),
        Err(error) => responder.error(&error.into_wire()),
    }
}

fn answer(responder: Responder, outcome: Result<impl Serialize, WireError>) {
    match outcome {
        Ok(result) => responder.result(&result),
        Err(error) => responder.error(&error),
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(method: &str, params: &'a str) -> Result<T, WireError> {
    serde_json::from_str(params).map_err(|error| invalid_params(method, &error.to_string()))
}

fn invalid_params(method: &str, why: &str) -> WireError {
    WireError::new(ErrorCode::INVALID_PARAMS, format!("the params of `{method}` do not fit: {why}"))
}

pub(crate) fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
