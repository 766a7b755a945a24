//! The router: brings a call to the plugin that serves it, and its outcome back.
//!
//! Every call is a node of a tree: it inherits whom it is made for, its deadline only shrinks, it ends with its
//! parent, and a call that would wait for itself is refused at once. Params and results pass as raw JSON.

mod call;
pub mod errors;
mod inbound;
mod plugin;
mod queue;
mod services;
pub mod tree;
mod waits;
pub mod wire;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak},
    time::{Duration, Instant},
};

use astros_peer::Responder;
use astros_protocol::Error;
use foldhash::HashMap;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::supervisor::{Session, Supervisor};

pub use inbound::{Host, PluginService};
pub use plugin::{Known, Plugin};
pub use services::Services;
use tree::{Connection, Link, Node, Root, Tree};
use wire::IntentRef;

/// The time of a request that nobody gave another.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// Who gives a request more time than this means for ever; beyond it clocks have an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

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
    /// The request that it is made for; none for a root.
    pub parent: Option<Arc<Node>>,
    /// The chain of calls; also where it is not known which request of it is meant.
    pub link: Option<Arc<Link>>,
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
        let plugin = Arc::new(Plugin::new(name.clone(), number, known, start(host)));
        plugins.insert(name, plugin.clone());
        plugin
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
        let begun = Instant::now();
        let outcome = self.attend(&call, begun).await;
        // The one place where every call ends that its caller waits for.
        tracing::trace!(
            plugin = call.plugin,
            handler = call.handler,
            took_us = begun.elapsed().as_micros(),
            failed = outcome.as_ref().err().map(|error| error.code.kind()),
            "call ended"
        );
        outcome
    }

    /// Finds its plugin, its place in the tree and its time.
    async fn attend(&self, call: &Call<'_>, begun: Instant) -> Result<Box<RawValue>, Error> {
        let plugin = self.plugin(call.plugin)?;
        let link = Link::extend(call.above.link.as_ref(), &plugin.name, call.handler)?;
        let handlers = plugin.handler_timeout(call.handler);
        let own = call.timeout.or(handlers).unwrap_or(DEFAULT_DEADLINE);
        let own = own.min(handlers.unwrap_or(own));
        let deadline = begun + own.min(LONGEST);
        let deadline = call.above.parent.as_ref().map_or(deadline, |parent| parent.deadline.min(deadline));
        match tokio::time::timeout_at(deadline.into(), self.serve(&plugin, link, deadline, call)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(errors::deadline_exceeded(&plugin, call.handler, own)),
        }
    }

    /// The process at the other end of a connection, which may be one that a reload drains.
    fn session(&self, plugin: &str, connection: Connection) -> Option<Arc<Session>> {
        let sessions = self.plugin(plugin).ok()?.supervisor().sessions();
        let serves = sessions.into_iter().find(|session| session.generation == connection.1);
        serves.or_else(|| Some(self.tree().any(connection)?.slot.as_ref()?.session().clone()))
    }

    fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
