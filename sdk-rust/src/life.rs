//! A plugin's life, as the host leads it: `initialize`, `describe`, `settings/changed`, `shutdown`.

use std::sync::{Arc, MutexGuard, PoisonError};

use astros_peer::{Peer, Responder};
use astros_protocol::{
    Error as WireError, ErrorCode, Extra, Request, Version,
    lifecycle::{
        Describe, DescribeParams, DescribeResult, Initialize, InitializeParams, InitializeResult, Limits,
    },
    settings::{SettingsChanged, SettingsChangedParams},
    version::SUPPORTED,
};

use crate::{
    Context, Error, Result,
    attend::Attended,
    dispatch::{Dispatcher, read},
    plugin::Hook,
    session::Session,
};

/// Where in its life a plugin is.
pub(crate) enum Phase {
    /// `initialize` has not come, or has failed.
    Fresh,
    Starting,
    Ready(Arc<Session>),
    /// `shutdown` has come, or the host is gone.
    Stopping,
}

impl Dispatcher {
    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session, where requests are served now.
    pub(crate) fn session(&self, method: &str) -> Result<Arc<Session>, WireError> {
        match &*self.phase() {
            Phase::Ready(session) => Ok(session.clone()),
            Phase::Fresh | Phase::Starting => {
                let message = format!("`{method}` came before `initialize` was answered");
                Err(WireError::new(ErrorCode::INVALID_REQUEST, message))
            }
            Phase::Stopping => {
                let message = format!("`{}` is ending, and has not begun this", self.plugin.description.name);
                Err(WireError::new(ErrorCode::SHUTTING_DOWN, message).retryable())
            }
        }
    }

    /// The first half of `initialize`, which decides whether there is a second.
    pub(crate) fn begin(&self, params: &str) -> Result<InitializeParams, WireError> {
        let given: InitializeParams = read(Initialize::METHOD, params)?;
        negotiate(&given.protocol_versions)?;
        let mut phase = self.phase();
        if !matches!(*phase, Phase::Fresh) {
            return Err(WireError::new(ErrorCode::INVALID_REQUEST, "`initialize` came a second time"));
        }
        *phase = Phase::Starting;
        Ok(given)
    }

    pub(crate) async fn initialize(self: Arc<Self>, given: InitializeParams, responder: Responder) {
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

    pub(crate) fn describe(&self, params: &str) -> Result<DescribeResult, WireError> {
        let asked: DescribeParams = read(Describe::METHOD, params)?;
        let protocol_version = negotiate(&asked.protocol_versions)?;
        Ok(DescribeResult { protocol_version, plugin: self.plugin.description.clone() })
    }

    pub(crate) fn change_settings(&self, params: &str) -> Result<(), WireError> {
        let changed: SettingsChangedParams = read(SettingsChanged::METHOD, params)?;
        let session = self.session(SettingsChanged::METHOD)?;
        session.change_settings(changed.new, self.plugin.settings.as_ref())
    }

    /// Ends the plugin: nothing more is begun, and its own clean-up runs, once. Who comes second waits for it.
    pub(crate) async fn stop(&self, peer: Peer) {
        let clean_up = async || {
            let before = std::mem::replace(&mut *self.phase(), Phase::Stopping);
            if let (Phase::Ready(session), Some(hook)) = (before, &self.plugin.on_stop)
                && let Err(error) = run_hook("on_stop", hook, &session, peer).await
            {
                eprintln!("error: `on_stop`: {error}");
            }
        };
        self.stopped.get_or_init(clean_up).await;
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
