//! The router: brings a call to the plugin that serves it, and its outcome back.
//!
//! Every call is a node of a tree: it inherits whom it is made for, its deadline only shrinks, it ends with its
//! parent, and a call that would wait for itself is refused at once. Params and results pass as raw JSON.

mod access;
mod afterwards;
mod ai;
mod bus;
mod call;
mod child;
mod clock;
mod deliver;
pub mod errors;
mod foreground;
mod inbound;
mod network;
mod offers;
mod plugin;
mod question;
mod queue;
mod reach;
mod services;
mod settings;
pub mod tree;
mod versions;
mod waits;
mod watch;
pub mod wire;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_peer::Responder;
use astros_protocol::{Error, ErrorCode, lifecycle::Effects};
use foldhash::HashMap;
use serde_json::value::RawValue;
use tokio::sync::{broadcast, mpsc};

use crate::{
    observe::{Metrics, Traces},
    services::audit,
    supervisor::{Event, Secrets, Session, Spec, Supervisor},
};

pub use bus::Publisher;
pub use foreground::{Outcome, Run};
pub use inbound::{Host, PluginService};
pub use offers::{Of, Offer};
pub use plugin::{Known, Plugin};
pub use question::{About, Asked, Question, Questions};
pub use reach::Named;
pub use services::Services;
use tree::{Connection, Link, Node, Root, Tree};
use watch::Watch;
use wire::Work;

/// The time of a request that nobody gave another.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// Who gives a request more time than this means for ever; beyond it clocks have an end.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A call to bring to a plugin.
pub struct Call<'a> {
    pub plugin: &'a str,
    /// The handler, or what stands for it in the chain of calls and in errors.
    pub handler: &'a str,
    pub work: Work<'a>,
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
    /// How far the handler may go at most: no farther than the one that calls it, where a plugin called that.
    pub ceiling: Option<Effects>,
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
    /// The number of the next plugin: none has that of one that is gone.
    number: AtomicUsize,
    // Std mutexes: held for a few moves of memory, never across an await.
    tree: Mutex<Tree>,
    services: Services,
    /// The provider of AI that is asked where nobody says which.
    provider: RwLock<Option<String>>,
    me: Weak<Router>,
}

impl Router {
    pub fn new(services: Services) -> Arc<Router> {
        Arc::new_cyclic(|me| Router {
            plugins: RwLock::default(),
            number: AtomicUsize::new(0),
            tree: Mutex::default(),
            services,
            provider: RwLock::default(),
            me: me.clone(),
        })
    }

    /// Adds a plugin, in the place of one of its name; `start` makes its supervisor, given the host that it is to
    /// call.
    pub fn add(&self, name: &str, known: Known, start: impl FnOnce(Arc<Host>) -> Supervisor) -> Arc<Plugin> {
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        let name: Arc<str> = Arc::from(name);
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let host = Arc::new(Host::new(self.me.clone(), name.clone(), number));
        let subscriptions = known.description.as_ref().map(|description| description.subscriptions.clone());
        let plugin = Arc::new(Plugin::new(
            name.clone(),
            number,
            known,
            host.clone(),
            start(host),
            self.services.metrics().plugin(&name),
        ));
        plugins.insert(name.clone(), plugin.clone());
        drop(plugins);
        self.declare(&name, &subscriptions.unwrap_or_default());
        plugin
    }

    /// Takes a plugin out: no call and no message finds it any more. Its process ends with [`Plugin::stop`].
    pub fn remove(&self, name: &str) -> Option<Arc<Plugin>> {
        let plugin = self.plugins.write().unwrap_or_else(PoisonError::into_inner).remove(name)?;
        self.bus().remove(&plugin.name);
        self.metrics().forget(name);
        Some(plugin)
    }

    /// What happens to plugins, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.services.subscribe()
    }

    /// Takes note of what happened to a plugin, and publishes it.
    pub fn publish(&self, event: Event) {
        self.services.event(self, event);
    }

    /// Where the spans of calls go.
    pub fn traces(&self) -> Option<&Arc<Traces>> {
        self.services.traces()
    }

    /// What is hidden in what a plugin says.
    fn secrets(&self, plugin: &str) -> Secrets {
        self.plugin(plugin).map(|plugin| plugin.supervisor().spec().secrets.clone()).unwrap_or_default()
    }

    /// Notes an event in the audit log.
    pub fn audit(&self, event: audit::Event) {
        self.services.audit(event);
    }

    /// What is counted of every plugin.
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.services.metrics()
    }

    /// Puts another version of a plugin in the place of the one that serves, without a call lost or done twice: it is
    /// started beside it and has to be ready first; then calls go to it, and the old one ends what it has begun. Of
    /// an `exclusive` plugin the old one ends first, and calls wait. What may not run is not started.
    ///
    /// # Errors
    /// The new version does not get ready: why, and that the one before goes on.
    pub async fn reload(&self, name: &str, known: Known, spec: Spec) -> Result<(), Error> {
        let plugin = self.plugin(name)?;
        self.whole(name, async move { plugin.reload(known, spec).await }).await
    }

    /// As [`Router::reload`] for a version whose code is the same: where none runs, none is started.
    ///
    /// # Errors
    /// As there.
    pub async fn reconfigure(&self, name: &str, known: Known, spec: Spec) -> Result<(), Error> {
        let plugin = self.plugin(name)?;
        self.whole(name, async move { plugin.reconfigure(known, spec).await }).await
    }

    /// On a task of its own: who asked may go, half a reload is none.
    async fn whole(
        &self,
        name: &str,
        reload: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), Error> {
        tokio::spawn(reload).await.unwrap_or_else(|error| {
            let message = format!("the reload of `{name}` failed: {error}");
            Err(Error::new(ErrorCode::INTERNAL_ERROR, message))
        })
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
        let plugin = match self.plugin(call.plugin) {
            Ok(plugin) => plugin,
            // Whether there is such a plugin is told to who may call it.
            Err(error) => return Err(self.admit(None, &call).await.err().unwrap_or(error)),
        };
        let mut watch = Watch::begin(self.traces(), &plugin, &call);
        let outcome = self.attend(&plugin, &call, &mut watch).await;
        // The one place where every call ends that its caller waits for.
        watch.end(outcome.as_ref().err());
        outcome
    }

    /// Finds its place in the tree and its time.
    async fn attend(
        &self,
        plugin: &Plugin,
        call: &Call<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Box<RawValue>, Error> {
        let declared = plugin.declared(call);
        let handlers = declared.and_then(|declared| declared.timeout);
        let usual = match call.work {
            Work::Handler(_) => DEFAULT_DEADLINE,
            Work::Provider(_) => ai::DEADLINE,
            Work::Part(_) | Work::Component(_) => LONGEST,
        };
        let own = call.timeout.or(handlers).unwrap_or(usual);
        let own = own.min(handlers.unwrap_or(own));
        let clock = &call.root.clock;
        let deadline = clock.now() + own.min(LONGEST);
        let deadline = call.above.parent.as_ref().map_or(deadline, |parent| parent.deadline.min(deadline));
        let served = async {
            let admitted = self.admit(Some((plugin, declared)), call).await?;
            self.hands_on(plugin, call).await?;
            let link = Link::extend(call.above.link.as_ref(), &plugin.name, call.handler)?;
            watch.stands(&link);
            self.serve(plugin, link, deadline, call, admitted).await
        };
        match clock.limit(deadline, served).await {
            Some(outcome) => outcome,
            None => Err(errors::deadline_exceeded(plugin, call.handler, own)),
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
