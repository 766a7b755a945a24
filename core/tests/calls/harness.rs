//! A router with real plugins, and the files by which a test tells them to go on.

use std::{
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use astros_core::{
    router::{
        Above, Call, Known, Listener, Plugin, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, Supervisor},
};
use astros_protocol::{Error, manifest::Permission};
use serde_json::{Value, value::RawValue};
use tempfile::TempDir;
use tokio::{sync::mpsc, task::JoinHandle};

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) struct World {
    folder: TempDir,
    pub(crate) router: Arc<Router>,
    backoff: Duration,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugin.py"), include_str!("plugin.py")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let store = Store::open(&folder.path().join("astros.db")).unwrap();
        let log = Log::open(folder.path().join("logs")).unwrap();
        let router = Router::new(Services::new(store, log));
        World { folder, router, backoff: Duration::from_millis(20) }
    }

    /// Whose plugins are started again so long after a crash.
    pub(crate) fn backing_off(self, backoff: Duration) -> World {
        World { backoff, ..self }
    }

    /// With a plugin that works on so many requests at once.
    pub(crate) fn with(self, name: &str, slots: u32) -> World {
        self.with_instances(name, slots, 1)
    }

    /// With a plugin of so many processes, each of which works on so many requests at once.
    pub(crate) fn with_instances(self, name: &str, slots: u32, instances: u32) -> World {
        self.with_granted(name, slots, instances, vec![Permission::CallPlugin(None)])
    }

    /// With a plugin that was granted this.
    pub(crate) fn with_granted(
        self,
        name: &str,
        slots: u32,
        instances: u32,
        granted: Vec<Permission>,
    ) -> World {
        let words = ["python3", "plugin.py"].map(str::to_owned).to_vec();
        let mut spec = Spec::new(name, self.folder.path(), Launch::Command(words));
        spec.supervision.max_in_flight = slots.try_into().unwrap();
        spec.supervision.instances = instances.try_into().unwrap();
        spec.supervision.backoff_initial = self.backoff;
        spec.supervision.stop_grace = Duration::from_secs(2);
        spec.granted = granted;
        // Where all of them may write, and the test too.
        spec.directories.data = self.path("").display().to_string();
        self.router.add(name, Known::default(), |host| Supervisor::start(spec, host));
        self
    }

    pub(crate) fn plugin(&self, name: &str) -> Arc<Plugin> {
        self.router.plugin(name).unwrap()
    }

    /// A file that is not there yet.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// Lets those go on that wait for this file.
    pub(crate) fn go(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }

    pub(crate) fn noted(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Calls a handler; the result is the response's `data`.
    pub(crate) fn call(&self, plugin: &str, handler: &str, context: Value) -> Calling {
        self.call_within(plugin, handler, context, PATIENCE)
    }

    pub(crate) fn call_within(
        &self,
        plugin: &str,
        handler: &str,
        context: Value,
        limit: Duration,
    ) -> Calling {
        self.call_for(Root::anonymous(), plugin, handler, context, limit)
    }

    /// Calls a handler in a tree of this root.
    pub(crate) fn call_for(
        &self,
        root: Root,
        plugin: &str,
        handler: &str,
        context: Value,
        limit: Duration,
    ) -> Calling {
        let (sender, progress) = mpsc::channel(1);
        let listens = context.get("listens").is_some();
        let (router, plugin, handler) = (self.router.clone(), plugin.to_owned(), handler.to_owned());
        let outcome = tokio::spawn(async move {
            let context = RawValue::from_string(context.to_string()).unwrap();
            let intent = IntentRef::of_call(&handler, "2026-01-01T00:00:00Z", &context);
            let call = Call {
                plugin: &plugin,
                handler: &handler,
                work: Work::Handler(intent),
                root: Arc::new(root),
                above: Above::default(),
                timeout: Some(limit),
                progress: if listens { Listener::Channel(sender) } else { Listener::Nobody },
                followup: false,
            };
            let result = router.call(call).await?;
            Ok(serde_json::from_str::<Value>(result.get()).unwrap()["data"].take())
        });
        Calling { outcome, progress }
    }

    /// Calls a handler that says when it begins, and waits for that.
    pub(crate) async fn begin(&self, plugin: &str, handler: &str, mut context: Value) -> Calling {
        context["listens"] = true.into();
        let mut calling = self.call(plugin, handler, context);
        calling.progress.recv().await.expect("it begins");
        calling
    }

    /// Waits until so many of its processes are ready.
    pub(crate) async fn ready(&self, plugin: &str, processes: usize) {
        let plugin = self.plugin(plugin);
        plugin.supervisor().ready().await.unwrap();
        until("its processes are ready", || plugin.supervisor().sessions().len() == processes).await;
    }

    /// Waits until so many calls stand in line before a plugin.
    pub(crate) async fn queued(&self, plugin: &str, calls: usize) {
        let plugin = self.plugin(plugin);
        until("the calls stand in line", || plugin.queued() == calls).await;
    }
}

/// A call on its way.
pub(crate) struct Calling {
    outcome: JoinHandle<Result<Value, Error>>,
    progress: mpsc::Receiver<Box<RawValue>>,
}

impl Calling {
    pub(crate) async fn ends(self) -> Result<Value, Error> {
        self.outcome.await.unwrap()
    }

    pub(crate) async fn gives(self) -> Value {
        self.ends().await.unwrap()
    }

    pub(crate) async fn fails(self) -> Error {
        self.ends().await.unwrap_err()
    }

    /// The caller gives up.
    pub(crate) async fn take_back(self) {
        self.outcome.abort();
        assert!(self.outcome.await.unwrap_err().is_cancelled());
    }
}

/// Waits for what no event tells.
pub(crate) async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
