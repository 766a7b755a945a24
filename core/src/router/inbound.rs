//! What plugins ask of the host: each process has a [`PluginService`] that knows who asks.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use astros_peer::{Incoming, Oddity, Peer, Responder, Service};
use astros_protocol::{
    Error, ErrorCode, Notification, RENDER_HANDLER, Request,
    call::CallPlugin,
    intent::CallMeta,
    person::{Log, UserAnswer, UserAsk, UserAskParams},
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    About, Router,
    ai::AiRequest,
    child::{Errand, Parentage, PluginCall},
    errors,
    tree::{Ancestor, Child, Connection, Root},
    wire::{Asked, CallPluginRef},
};
use crate::{proxy::Report, supervisor};

/// A plugin has at most so many requests of its own open.
const MAX_OPEN: usize = 256;
/// And so many bytes of them; one line is never larger than that.
const MAX_OPEN_BYTES: usize = 64 << 20;
/// One that goes on asking without reading what it is told about that is restarted.
const MAX_UNREAD: usize = 4 * MAX_OPEN;
/// With so many requests whose id is still open, a plugin is restarted.
const MAX_DUPLICATES: u32 = 3;

/// The supervisor's way to its owner, for one plugin.
pub struct Host {
    router: Weak<Router>,
    name: Arc<str>,
    number: usize,
}

impl Host {
    pub(super) fn new(router: Weak<Router>, name: Arc<str>, number: usize) -> Host {
        Host { router, name, number }
    }
}

impl supervisor::Host for Host {
    type Service = PluginService;

    fn service(&self, _: &str, generation: u64) -> PluginService {
        PluginService {
            router: self.router.clone(),
            name: self.name.clone(),
            connection: (self.number, generation),
            duplicates: AtomicU32::new(0),
        }
    }

    fn event(&self, event: supervisor::Event) {
        if let Some(router) = self.router.upgrade() {
            router.services.event(&router, event);
        }
    }

    fn network(&self, plugin: &str, generation: u64, report: Report) {
        if let Some(router) = self.router.upgrade() {
            router.network((self.number, generation), plugin, report);
        }
    }
}

/// Serves one process of one plugin.
pub struct PluginService {
    router: Weak<Router>,
    name: Arc<str>,
    connection: Connection,
    /// Requests whose id was open already.
    duplicates: AtomicU32,
}

impl Service for PluginService {
    type Params<'a> = Asked<'a>;

    fn request(&self, request: Incoming<'_, Asked<'_>>) {
        let Incoming { method, params, responder } = request;
        let Some(router) = self.router.upgrade() else {
            return responder.error(&Error::new(ErrorCode::SHUTTING_DOWN, "the daemon stops"));
        };
        let open = responder.peer().serving();
        if open > MAX_OPEN {
            if open > MAX_UNREAD {
                self.fail(&router, Some(responder.peer()), "asked on and on without reading the answers");
            }
            let message =
                format!("`{}` has {MAX_OPEN} requests open, the most that a plugin may have", self.name);
            return responder.error(&overloaded(message));
        }
        let bytes = responder.peer().serving_bytes();
        if bytes > MAX_OPEN_BYTES {
            let message = format!(
                "the open requests of `{}` have {bytes} bytes, the limit is {MAX_OPEN_BYTES}",
                self.name
            );
            return responder.error(&overloaded(message));
        }
        match params {
            Some(Asked::CallPlugin(asked)) => self.call_plugin(router, asked, responder),
            Some(Asked::Raw(params)) => self.serve(router, &method, params, responder),
            None if method == CallPlugin::METHOD => {
                let message = "`call_plugin` came without params, expected `plugin` and `handler`";
                responder.error(&Error::new(ErrorCode::INVALID_PARAMS, message));
            }
            None => self.serve(router, &method, &empty_object(), responder),
        }
    }

    fn notification(&self, method: &str, params: Option<Asked<'_>>) {
        let Some(router) = self.router.upgrade() else { return };
        match params {
            Some(Asked::Raw(params)) if method == Log::METHOD => {
                router.services.log(&self.name, params, &router.secrets(&self.name));
            }
            // Unknown notifications are tolerated.
            _ => tracing::debug!(plugin = %self.name, method, "passed over a notification"),
        }
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        let Some(router) = self.router.upgrade() else { return };
        router.services.oddity(&self.name, &oddity, &router.secrets(&self.name));
        if matches!(oddity, Oddity::DuplicateId(_))
            && self.duplicates.fetch_add(1, Ordering::Relaxed) + 1 >= MAX_DUPLICATES
        {
            // It has lost count of its requests: as after a crash, a new process starts anew.
            self.fail(&router, None, "used the ids of open requests again");
        }
    }
}

/// It lives as long as its process's connection: what the tree holds of that is of no use any more.
impl Drop for PluginService {
    fn drop(&mut self) {
        if let Some(router) = self.router.upgrade() {
            router.tree().forget(self.connection);
            router.bus().forget(&self.name, self.connection.1);
        }
    }
}

impl PluginService {
    /// Ends the process for what it did; where it is not ready yet, its connection.
    fn fail(&self, router: &Router, peer: Option<Peer>, what: &str) {
        match (router.session(&self.name, self.connection), peer) {
            (Some(session), _) => session.fail(what),
            (None, Some(peer)) => peer.break_off(),
            (None, None) => {}
        }
    }

    /// Everything but `call_plugin`.
    fn serve(&self, router: Arc<Router>, method: &str, params: &RawValue, responder: Responder) {
        let process = (&self.name, self.connection);
        if method == UserAsk::METHOD {
            return self.ask_person(router, params, responder);
        }
        if method.starts_with("ai/") {
            return self.ask_ai(router, method, params, responder);
        }
        if let Some(responder) = router.serve_bus(process, method, params, responder) {
            router.services.serve(&self.name, method, params, responder);
        }
    }

    /// Asks the person whose request the plugin serves. Where nobody is there, that is the answer of one who does not
    /// want to.
    fn ask_person(&self, router: Arc<Router>, params: &RawValue, responder: Responder) {
        let asked: UserAskParams = match serde_json::from_str(params.get()) {
            Ok(asked) => asked,
            Err(error) => {
                let message = format!("the params of `{}` do not fit: {error}", UserAsk::METHOD);
                return responder.error(&errors::for_plugins(Error::new(ErrorCode::INVALID_PARAMS, message)));
            }
        };
        let ancestor = router.tree().ancestor(self.connection, &asked.meta.parent);
        let node = match ancestor {
            Ancestor::Node(node) if node.root.questions.is_some() => node,
            _ => return responder.result(&UserAnswer { declined: true, ..UserAnswer::default() }),
        };
        let about = About::Plugin { plugin: self.name.to_string(), asked };
        tokio::spawn(async move {
            let (waits, ended) = (Child::new(node.clone()), node.ended());
            let outcome = tokio::select! {
                answer = router.ask(&node.root, about) => Ok(answer),
                () = responder.cancelled() => Err(cancelled("it was taken back")),
                () = ended.cancelled() => Err(cancelled("the request that it was made for has ended")),
            };
            // Nobody is to answer the same twice.
            node.make_final();
            drop(waits);
            match outcome {
                Ok(answer) => {
                    let declined = answer.is_none();
                    let answer = answer.unwrap_or_default();
                    responder.result(&UserAnswer { answer, declined, ..UserAnswer::default() });
                }
                Err(error) => responder.error(&errors::for_plugins(error)),
            }
        });
    }

    fn call_plugin(&self, router: Arc<Router>, asked: CallPluginRef<'_>, responder: Responder) {
        match self.prepare(&router, &asked) {
            Ok(call) => drop(tokio::spawn(call.run(router, responder))),
            Err(error) => responder.error(&errors::for_plugins(error)),
        }
    }

    /// Finds the parent, and takes what is borrowed from the line.
    fn prepare(&self, router: &Router, asked: &CallPluginRef<'_>) -> Result<PluginCall, Error> {
        let context = match asked.params {
            Some(params) if params.get().starts_with('{') => params.to_owned(),
            None => empty_object(),
            Some(params) if params.get() == "null" => empty_object(),
            Some(_) => {
                let message = "the `params` of `call_plugin` are no object".to_owned();
                return Err(Error::new(ErrorCode::INVALID_PARAMS, message));
            }
        };
        let errand = match asked.handler() {
            RENDER_HANDLER => Errand::component(&context)?,
            handler => Errand::Handler { handler: handler.to_owned(), context },
        };
        let parent = self.parent(router, &asked.meta);
        if let Parentage::Root { .. } = parent {
            self.ready(router)?;
        }
        Ok(PluginCall {
            caller: self.name.clone(),
            parent,
            plugin: asked.plugin().to_owned(),
            errand,
            timeout: asked.meta.deadline_ms.map(Duration::from_millis),
            progress: asked.meta.progress,
        })
    }

    /// `ai/…`: finds who answers, and asks them. A plugin that is becoming ready may, too.
    fn ask_ai(&self, router: Arc<Router>, method: &str, params: &RawValue, responder: Responder) {
        let Of { meta } = serde_json::from_str(params.get()).unwrap_or_default();
        // Now: what it is made for may have ended before a provider is found.
        let parent = self.parent(&router, &meta);
        let (caller, connection) = (self.name.clone(), self.connection);
        let (method, params) = (method.to_owned(), params.to_owned());
        tokio::spawn(async move {
            let found = async {
                if let Err(lack) = router.may_ask_ai(&caller) {
                    router.permit((&caller, connection), &meta.parent, lack).await?;
                }
                let wished = match &parent {
                    Parentage::Node(node) => node.root.provider.get().cloned(),
                    Parentage::Root { .. } => None,
                };
                router.provider_for(AiRequest::read(&method, &params)?, wished).await
            };
            match found.await {
                Ok((plugin, errand)) => {
                    let timeout = meta.deadline_ms.map(Duration::from_millis);
                    let call =
                        PluginCall { caller, parent, plugin, errand, timeout, progress: meta.progress };
                    call.run(router, responder).await;
                }
                Err(error) => responder.error(&errors::for_plugins(error)),
            }
        });
    }

    /// What a request of this process's is made for.
    fn parent(&self, router: &Router, meta: &CallMeta) -> Parentage {
        match router.tree().ancestor(self.connection, &meta.parent) {
            Ancestor::Node(node) => Parentage::Node(node),
            Ancestor::Root(link, ceiling) => {
                Parentage::Root { root: Arc::new(Root::anonymous()), link, ceiling }
            }
        }
    }

    /// Of its own accord a plugin calls others only while it is ready itself.
    fn ready(&self, router: &Router) -> Result<(), Error> {
        // What runs in a person's foreground is ready when it has its request.
        if router.tree().any(self.connection).is_some() {
            return Ok(());
        }
        let supervisor = router.plugin(&self.name)?.supervisor();
        match router.session(&self.name, self.connection) {
            Some(_) => Ok(()),
            None if supervisor.status().is_starting() => {
                let message = format!("`{}` calls others before it is initialized", self.name);
                Err(Error::new(ErrorCode::NOT_INITIALIZED, message))
            }
            None => {
                let message = format!("`{}` calls others while it is being stopped", self.name);
                Err(Error::new(ErrorCode::SHUTTING_DOWN, message))
            }
        }
    }
}

/// Whose request a plugin asks for something in.
#[derive(Default, Deserialize)]
struct Of {
    #[serde(default)]
    meta: CallMeta,
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).expect("an empty object is JSON")
}

fn overloaded(message: String) -> Error {
    Error::new(ErrorCode::OVERLOADED, message).with("retry_after_ms", 100).retryable()
}

pub(super) fn cancelled(why: &str) -> Error {
    Error::new(ErrorCode::CANCELLED, format!("the call was cancelled: {why}"))
}
