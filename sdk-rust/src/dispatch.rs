//! What the host asks, and who answers it: the plugin's life, and its handlers.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{self, Poll, Waker},
};

use astros_peer::{Incoming, Oddity, Peer, Responder, Service};
use astros_protocol::{
    Error as WireError, ErrorCode, Extra, Request, Version,
    call::HandleIntent,
    lifecycle::{
        Describe, DescribeParams, DescribeResult, Initialize, InitializeParams, InitializeResult, Limits,
        Ping, PingResult, Shutdown,
    },
    settings::{SettingsChanged, SettingsChangedParams},
    version::SUPPORTED,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    Context, Error, Plugin, Result,
    attend::Attended,
    context::{self, Request as Served},
    handler::Answer,
    params::{Asked, Invocation},
    plugin::Hook,
    session::{Session, State},
};

/// Serves one connection for a plugin.
pub(crate) struct Dispatcher {
    plugin: Plugin,
    state: Arc<State>,
    // A std mutex: held for a look or a move, never across an await.
    phase: Mutex<Phase>,
}

/// Where in its life a plugin is.
enum Phase {
    /// `initialize` has not come, or has failed.
    Fresh,
    Starting,
    Ready(Arc<Session>),
    /// `shutdown` has come, or the host is gone.
    Stopping,
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
        Arc::new(Dispatcher { plugin, state, phase: Mutex::new(Phase::Fresh) })
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, where requests are served now.
    fn session(&self, method: &str) -> Result<Arc<Session>, WireError> {
        match &*self.phase() {
            Phase::Ready(session) => Ok(session.clone()),
            Phase::Fresh | Phase::Starting => {
                let message = format!("`{method}` came before `initialize` was answered");
                Err(WireError::new(ErrorCode::NOT_INITIALIZED, message))
            }
            Phase::Stopping => {
                let message = format!("`{}` is ending, and has not begun this", self.plugin.description.name);
                Err(WireError::new(ErrorCode::SHUTTING_DOWN, message).retryable())
            }
        }
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
                tokio::spawn(async move {
                    this.stop(responder.peer()).await;
                    responder.result(&());
                });
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

    /// The first half of `initialize`, which decides whether there is a second.
    fn begin(&self, params: &str) -> Result<InitializeParams, WireError> {
        let given: InitializeParams = read(Initialize::METHOD, params)?;
        negotiate(&given.protocol_versions)?;
        let mut phase = self.phase();
        if !matches!(*phase, Phase::Fresh) {
            return Err(WireError::new(ErrorCode::INVALID_REQUEST, "`initialize` came a second time"));
        }
        *phase = Phase::Starting;
        Ok(given)
    }

    async fn initialize(self: Arc<Self>, given: InitializeParams, responder: Responder) {
        let peer = responder.peer();
        peer.set_peer_frame_limit(usize::try_from(given.limits.max_frame_bytes).unwrap_or(usize::MAX));
        let started = self.start(given, &peer).await;
        let mut phase = self.phase();
        // The host may be gone, or have changed its mind, while the plugin's own start ran.
        let stopping = matches!(*phase, Phase::Stopping);
        match started {
            Ok((session, result)) if !stopping => {
                *phase = Phase::Ready(session);
                responder.result(&result);
            }
            Ok(_) => responder.error(&WireError::new(ErrorCode::SHUTTING_DOWN, "the plugin is ending")),
            Err(error) => {
                if !stopping {
                    *phase = Phase::Fresh;
                }
                responder.error(&error);
            }
        }
    }

    async fn start(
        &self,
        given: InitializeParams,
        peer: &Peer,
    ) -> Result<(Arc<Session>, InitializeResult), WireError> {
        let protocol_version = negotiate(&given.protocol_versions)?;
        let session = Session::new(given, self.state.clone(), self.plugin.settings.as_ref())?;
        let session = Arc::new(session);
        if let Some(hook) = &self.plugin.on_start {
            run_hook("on_start", hook, &session, peer.clone()).await.map_err(Error::into_wire)?;
        }
        let limits = Limits { max_in_flight: self.plugin.max_in_flight, ..Limits::default() };
        let plugin = self.plugin.description.clone();
        let (features, extra) = (Vec::new(), Extra::new());
        Ok((session, InitializeResult { protocol_version, features, limits, plugin, extra }))
    }

    fn describe(&self, params: &str) -> Result<DescribeResult, WireError> {
        let asked: DescribeParams = read(Describe::METHOD, params)?;
        let protocol_version = negotiate(&asked.protocol_versions)?;
        Ok(DescribeResult { protocol_version, plugin: self.plugin.description.clone() })
    }

    fn change_settings(&self, params: &str) -> Result<(), WireError> {
        let changed: SettingsChangedParams = read(SettingsChanged::METHOD, params)?;
        let session = self.session(SettingsChanged::METHOD)?;
        session.change_settings(changed.new, self.plugin.settings.as_ref())
    }

    /// Ends the plugin: nothing more is begun, and its own clean-up runs, once.
    pub(crate) async fn stop(&self, peer: Peer) {
        let before = std::mem::replace(&mut *self.phase(), Phase::Stopping);
        let (Phase::Ready(session), Some(hook)) = (before, &self.plugin.on_stop) else { return };
        if let Err(error) = run_hook("on_stop", hook, &session, peer).await {
            eprintln!("error: `on_stop`: {error}");
        }
    }

    fn handle(&self, asked: Invocation<'_>, responder: Responder) {
        let Invocation { handler: name, intent, meta } = asked;
        let session = match self.session(HandleIntent::METHOD) {
            Ok(session) => session,
            Err(error) => return responder.error(&error),
        };
        let Some(handler) = self.plugin.handlers.get(&*name) else {
            return responder.error(&self.handler_not_found(&name));
        };
        let context = intent.context.map_or_else(empty_object, ToOwned::to_owned);
        let request = Served::new(responder.ticket().clone(), name.into_owned(), intent.into_head(), meta);
        let ctx = Context::new(session, responder.peer(), Some(request));
        let mut work = Attended::new(&handler.description.name, (handler.start)(ctx, context));
        // Most handlers end, or ask for something, at once: those that end need no task.
        let mut nobody = task::Context::from_waker(Waker::noop());
        match Pin::new(&mut work).poll(&mut nobody) {
            Poll::Ready(outcome) => finish(responder, outcome),
            Poll::Pending => drop(tokio::spawn(serve(work, responder, handler.ends_itself))),
        }
    }

    fn handler_not_found(&self, name: &str) -> WireError {
        let plugin = &self.plugin.description;
        let error = WireError::new(
            ErrorCode::HANDLER_NOT_FOUND,
            format!("`{}` has no handler `{name}`", plugin.name),
        );
        let names = plugin.handlers.iter().map(|handler| handler.name.as_str());
        let nearest = names.map(|known| (strsim::jaro_winkler(known, name), known));
        match nearest.max_by(|(one, _), (other, _)| one.total_cmp(other)) {
            Some((likeness, known)) if likeness > 0.7 => error.with_hint(format!("did you mean `{known}`?")),
            _ => error,
        }
    }
}

/// Serves on until the handler ends, or is dropped where its request is taken back.
async fn serve(mut work: Attended<Answer>, responder: Responder, ends_itself: bool) {
    let outcome = tokio::select! {
        biased;
        outcome = &mut work => outcome,
        () = responder.cancelled(), if !ends_itself => Err(context::cancelled()),
    };
    drop(work);
    finish(responder, outcome);
}

fn finish(responder: Responder, outcome: Result<Answer>) {
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

async fn run_hook(name: &str, hook: &Hook, session: &Arc<Session>, peer: Peer) -> Result<()> {
    let ctx = Context::new(session.clone(), peer, None);
    // The call of the hook itself runs no code of the author's, its future does.
    Attended::new(name, hook(ctx)).await
}

fn negotiate(theirs: &[Version]) -> Result<Version, WireError> {
    Version::negotiate(SUPPORTED, theirs).ok_or_else(|| {
        let list = |versions: &[Version]| versions.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (ours, theirs) = (list(SUPPORTED), list(theirs));
        let message = format!(
            "no protocol version in common: the plugin speaks {}, the host {}",
            ours.join(", "),
            theirs.join(", ")
        );
        WireError::new(ErrorCode::UNSUPPORTED_VERSION, message)
            .with("plugin_versions", ours)
            .with("host_versions", theirs)
    })
}

fn read<'a, T: Deserialize<'a>>(method: &str, params: &'a str) -> Result<T, WireError> {
    serde_json::from_str(params).map_err(|error| invalid_params(method, &error.to_string()))
}

fn invalid_params(method: &str, why: &str) -> WireError {
    WireError::new(ErrorCode::INVALID_PARAMS, format!("the params of `{method}` do not fit: {why}"))
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}
