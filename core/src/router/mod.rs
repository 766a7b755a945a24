//! The router: brings a call to the plugin that serves it, and its outcome back.
//!
//! Every call is a node of a tree: it inherits whom it is made for, its deadline only shrinks, it ends with its
//! parent, and a call that would wait for itself is refused at once. Params and results pass as raw JSON.

pub mod errors;
mod inbound;
mod plugin;
mod services;
pub mod tree;
mod watch;
pub mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use astros_peer::{Failure, Responder};
use astros_protocol::{Error, ErrorCode, Id, PluginDescription, Request, call::HandleIntent};
use foldhash::HashMap;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::{
    observe::{Metrics, Traces},
    supervisor::{Session, Supervisor},
};

pub use inbound::{Host, PluginService};
pub use plugin::{Known, Plugin};
pub use services::Services;
use tree::{Connection, Link, Node, Root, Tree};
use watch::Watch;
use wire::{HandleIntentRef, IntentRef, MetaRef, Traceparent};

/// The time of a request that nobody gave another.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// Who gives a request more time than this means for ever; beyond it clocks have an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// How long an answer waits for those who listen to take the progress before it.
const LAST_PROGRESS: Duration = Duration::from_millis(250);
/// How often a request that was not begun is given to the plugin's next process.
const MAX_ATTEMPTS: u32 = 3;

/// A call to bring to a plugin.
pub struct Call<'a> {
    pub plugin: &'a str,
    pub handler: &'a str,
    pub intent: IntentRef<'a>,
    /// On whose behalf.
    pub root: Arc<Root>,
    /// The call that this one is made for.
    pub above: Above,
    /// Can only shorten what is left.
    pub timeout: Option<Duration>,
    pub progress: Listener<'a>,
    /// The text answers a question of the plugin's.
    pub followup: bool,
}

/// What a call hangs below.
#[derive(Default)]
pub struct Above {
    pub link: Option<Arc<Link>>,
    /// The time that the parent has left; none for a root.
    pub deadline: Option<Instant>,
    /// The plugin that calls; none where a person does.
    pub caller: Option<Arc<str>>,
}

/// Who wants to know how far a call is.
pub enum Listener<'a> {
    Nobody,
    /// The person's side.
    Channel(mpsc::Sender<Box<RawValue>>),
    /// The plugin that asked.
    Plugin(&'a Responder),
}

impl Listener<'_> {
    async fn hear(&self, value: Box<RawValue>) {
        match self {
            Listener::Nobody => {}
            // Who stopped listening misses it; the call goes on.
            Listener::Channel(channel) => drop(channel.send(value).await),
            Listener::Plugin(responder) => drop(responder.progress(&value).await),
        }
    }
}

/// Brings calls to plugins.
pub struct Router {
    plugins: RwLock<HashMap<Arc<str>, Arc<Plugin>>>,
    // Std mutexes: held for a few moves of memory, never across an await.
    tree: Mutex<Tree>,
    services: Services,
    me: Weak<Router>,
}

impl Router {
    pub fn new(services: Services) -> Arc<Router> {
        Arc::new_cyclic(|me| Router {
            plugins: RwLock::default(),
            tree: Mutex::default(),
            services,
            me: me.clone(),
        })
    }

    /// Adds a plugin; `start` makes its supervisor, given the host that it is to call.
    pub fn add(&self, name: &str, known: Known, start: impl FnOnce(Arc<Host>) -> Supervisor) -> Arc<Plugin> {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = Arc::from(name);
        let number = plugins.len();
        let host = Arc::new(Host::new(self.me.clone(), name.clone(), number));
        let plugin = Arc::new(Plugin::new(
            name.clone(),
            number,
            known,
            start(host),
            self.services.metrics().plugin(&name),
        ));
        plugins.insert(name, plugin.clone());
        plugin
    }

    /// Where the spans of calls go.
    pub fn traces(&self) -> Option<&Arc<Traces>> {
        self.services.traces()
    }

    /// What is counted of every plugin.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.services.metrics()
    }

    pub fn plugins(&self) -> Vec<Arc<Plugin>> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins.values().cloned().collect()
    }

    pub fn plugin(&self, name: &str) -> Result<Arc<Plugin>, Error> {
        let plugins = self.plugins.read().unwrap_or_else(PoisonError::into_inner);
        plugins
            .get(name)
            .cloned()
            .ok_or_else(|| errors::plugin_not_found(name, plugins.keys().map(|name| &**name)))
    }

    /// Calls a handler; the result is its response, as it came. Dropped, the call is taken back down the tree.
    pub async fn call(&self, call: Call<'_>) -> Result<Box<RawValue>, Error> {
        let plugin = self.plugin(call.plugin)?;
        let mut watch = Watch::begin(self.traces(), &plugin, &call);
        let outcome = self.bring(&plugin, &call, &mut watch).await;
        watch.end(outcome.as_ref().err());
        outcome
    }

    async fn bring(
        &self,
        plugin: &Plugin,
        call: &Call<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Box<RawValue>, Error> {
        let link = Link::extend(call.above.link.as_ref(), &plugin.name, call.handler, plugin.is_serial())?;
        watch.stands(&link);
        let handlers = plugin.handler_timeout(call.handler);
        let own = call.timeout.or(handlers).unwrap_or(DEFAULT_DEADLINE);
        let own = own.min(handlers.unwrap_or(own));
        let deadline = watch.begun + own.min(LONGEST);
        let deadline = call.above.deadline.map_or(deadline, |parents| parents.min(deadline));
        let node = Node::new(call.root.clone(), link, deadline);
        match tokio::time::timeout_at(deadline.into(), self.serve(plugin, &node, call, watch)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(deadline_exceeded(plugin, call.handler, own)),
        }
    }

    async fn serve(
        &self,
        plugin: &Plugin,
        node: &Arc<Node>,
        call: &Call<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Box<RawValue>, Error> {
        let mut attempt = 1;
        loop {
            let supervisor = plugin.supervisor();
            let session = match supervisor.session() {
                Some(session) => session,
                None => supervisor.ready().await?,
            };
            plugin.set_serial(session.limits.max_in_flight == Some(1));
            offers(&session.description, &plugin.name, call.handler)?;
            let working = session.begin();
            let outcome = self.exchange(plugin, &session, node, call, attempt).await;
            drop(working);
            return match outcome {
                Ok(result) if !result.get().starts_with('{') => Err(no_object(plugin, call.handler)),
                Ok(result) => Ok(result),
                Err(failure) if not_begun(&failure) && attempt < MAX_ATTEMPTS => {
                    // The next process may do it.
                    session.crashed().await;
                    attempt += 1;
                    watch.attempt = attempt;
                    continue;
                }
                Err(Failure::Error(error)) => Err(errors::from_plugin(error, &plugin.name, call.handler)),
                Err(Failure::Here(error)) => Err(failed_here(error, plugin, call.handler)),
                Err(Failure::Closed | Failure::Unsent) => {
                    Err(crashed(session.crashed().await, plugin, call.handler))
                }
            };
        }
    }

    /// One request to one process: on the wire and in the tree from here on, out of both when it returns or is
    /// dropped.
    async fn exchange(
        &self,
        plugin: &Plugin,
        session: &Session,
        node: &Arc<Node>,
        call: &Call<'_>,
        attempt: u32,
    ) -> Result<Box<RawValue>, Failure> {
        session.peer.room().await?;
        let chain = if node.link.depth > 1 { node.link.names() } else { Vec::new() };
        let listens = !matches!(call.progress, Listener::Nobody);
        let params = HandleIntentRef {
            handler: call.handler,
            intent: call.intent,
            meta: meta(node, call, &chain, attempt, listens),
        };
        let connection = (plugin.number, session.generation);
        // Under the lock, so that the plugin's own calls find their parent however soon they come.
        let (answer, mut progress, _open) = {
            let mut tree = self.tree();
            let (answer, progress) = if listens {
                let (answer, progress) = session.peer.call_with_progress(HandleIntent::METHOD, &params);
                (answer, Some(progress))
            } else {
                (session.peer.call(HandleIntent::METHOD, &params), None)
            };
            tree.insert(connection, answer.id(), node.clone());
            let open = Open { router: self, connection, id: answer.id(), node };
            (answer, progress, open)
        };
        let Some(progress) = &mut progress else { return answer.await };
        let relay = async {
            while let Some(value) = progress.next().await {
                call.progress.hear(value).await;
            }
        };
        tokio::pin!(answer, relay);
        tokio::select! {
            biased;
            // The last value is passed on: the answer is there too.
            () = &mut relay => answer.await,
            outcome = &mut answer => {
                let _ = tokio::time::timeout(LAST_PROGRESS, relay).await;
                outcome
            }
        }
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a request in the tree while it is open.
struct Open<'a> {
    router: &'a Router,
    connection: Connection,
    id: Id,
    node: &'a Arc<Node>,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.router.tree().remove(self.connection, &self.id);
        self.node.end();
    }
}

/// Whether the plugin cannot have begun what it was asked.
fn not_begun(failure: &Failure) -> bool {
    match failure {
        Failure::Unsent => true,
        Failure::Error(error) => error.code == ErrorCode::SHUTTING_DOWN,
        Failure::Here(_) | Failure::Closed => false,
    }
}

fn meta<'a>(
    node: &'a Node,
    call: &'a Call<'_>,
    chain: &'a [String],
    attempt: u32,
    progress: bool,
) -> MetaRef<'a> {
    let root = &*node.root;
    MetaRef {
        correlation_id: &root.correlation_id,
        traceparent: Traceparent(&root.correlation_id, node.link.span()),
        deadline_ms: u64::try_from(node.deadline.saturating_duration_since(Instant::now()).as_millis())
            .unwrap_or(u64::MAX),
        caller: call.above.caller.as_deref(),
        chain: chain.split_last().map_or(chain, |(_, above)| above),
        user_id: root.user_id.as_deref(),
        session_id: root.session_id.as_deref(),
        cwd: root.cwd.as_deref(),
        locale: root.locale.as_deref(),
        attempt,
        progress,
        followup: call.followup,
    }
}

fn offers(description: &PluginDescription, plugin: &str, handler: &str) -> Result<(), Error> {
    if description.handlers.iter().any(|offered| offered.name == handler) {
        return Ok(());
    }
    let message = format!("the plugin `{plugin}` has no handler `{handler}`");
    let error = Error::new(ErrorCode::HANDLER_NOT_FOUND, message).with_plugin(plugin);
    let names = description.handlers.iter().map(|offered| &*offered.name);
    Err(error.with_hint(match errors::nearest(handler, names.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has: {}", names.collect::<Vec<_>>().join(", ")),
    }))
}

fn deadline_exceeded(plugin: &Plugin, handler: &str, own: Duration) -> Error {
    let within = match u64::try_from(own.as_millis()) {
        Ok(0) => "none was left".to_owned(),
        millis => format!(
            "at most {}",
            humantime::format_duration(Duration::from_millis(millis.unwrap_or(u64::MAX)))
        ),
    };
    let message = format!("plugin `{}` did not finish `{handler}` within its time ({within})", plugin.name);
    let hint = format!("`--timeout` gives it more; `astros plugins logs {}` shows what it did", plugin.name);
    Error::new(ErrorCode::DEADLINE_EXCEEDED, message).with_plugin(&*plugin.name).with_hint(hint).retryable()
}

fn no_object(plugin: &Plugin, handler: &str) -> Error {
    let message = format!("plugin `{}` answered `{handler}` with no response object", plugin.name);
    let hint = format!("its author has to mend it; `astros plugins logs {}` shows more", plugin.name);
    Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(&*plugin.name).with_hint(hint)
}

/// What the host itself has to say of an exchange: it could not ask, or what came cannot be read.
fn failed_here(mut error: Error, plugin: &Plugin, handler: &str) -> Error {
    error.message = format!("the call of `{}.{handler}` failed: {}", plugin.name, error.message);
    error.with_plugin(&*plugin.name)
}

fn crashed(mut error: Error, plugin: &Plugin, handler: &str) -> Error {
    let what = if error.code == ErrorCode::PLUGIN_CRASHED { "crashed" } else { "ended" };
    error.message =
        format!("plugin `{}` {what} while it handled `{handler}`: {}", plugin.name, error.message);
    error
}
