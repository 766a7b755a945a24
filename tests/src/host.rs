//! The daemon within the test's own process, over the plugins of a world.

use std::{
    ffi::OsString,
    ops::Deref,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use astros_core::{
    daemon::{Daemon, Options},
    router::{
        Above, Call, Known, Listener,
        tree::Root,
        wire::{IntentRef, Work},
    },
    supervisor::{Launch, Spec, StateName, Status, Supervisor},
};
use astros_protocol::Error;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::sync::mpsc;

use crate::{Adversary, Language, World, processes};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon, and the world that it is in. It has to be [stopped](Host::stop).
pub struct Host {
    world: World,
    daemon: Daemon,
}

/// Runs a test with the adversary in Rust and with its twin in Python at once, each on a runtime of its own, as a daemon
/// has it; a failure names the language.
pub fn in_both_languages(test: impl AsyncFn(Language) + Sync) {
    let run = |language| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let test = async { tokio::time::timeout(2 * PATIENCE, test(language)).await };
        runtime.block_on(test).expect("the test ends");
    };
    thread::scope(|scope| {
        let named = |language| {
            thread::Builder::new()
                .name(format!("the adversary in {language:?}"))
                .spawn_scoped(scope, move || run(language))
        };
        let threads =
            [Language::Rust, Language::Python].map(|language| (language, named(language).expect("a thread")));
        let failed = threads.map(|(language, thread)| thread.join().is_err().then_some(language));
        assert_eq!(failed, [None, None], "it fails with the adversary in the languages that are named");
    });
}

impl Host {
    /// Starts a daemon in this world.
    pub async fn start(world: World) -> Host {
        let options = Options { environment: environment(&world), ..Options::default() };
        let daemon = Daemon::start(options).await;
        Host { world, daemon: daemon.unwrap_or_else(|error| panic!("{error}: {:?}", error.data)) }
    }

    /// Adds a plugin while the daemon runs, with what no manifest can say.
    pub fn add(&self, plugin: Adversary, adjust: impl FnOnce(&mut Spec)) {
        let (name, spec) = self.spec(plugin, adjust);
        self.daemon.router().add(&name, Known::default(), |host| Supervisor::start(spec, host));
    }

    /// Puts this version in the place of the one that serves.
    pub async fn reload(&self, plugin: Adversary, adjust: impl FnOnce(&mut Spec)) -> Result<(), Error> {
        let (name, spec) = self.spec(plugin, adjust);
        self.daemon.router().reload(&name, Known::default(), spec).await
    }

    fn spec(&self, plugin: Adversary, adjust: impl FnOnce(&mut Spec)) -> (String, Spec) {
        let mut spec = Spec::new(plugin.name(), self.world.path("home"), Launch::Command(plugin.command()));
        spec.supervision = serde_json::from_value(plugin.supervision().clone()).expect("a supervision");
        spec.environment = environment(&self.world).into();
        spec.granted = plugin.permissions();
        adjust(&mut spec);
        (spec.name.clone(), spec)
    }

    /// Calls a handler with these params, as a person does; the result is its response.
    pub async fn call(&self, plugin: &str, handler: &str, params: Value) -> Result<Value, Error> {
        self.ask(plugin, handler, params, Limits::default()).await
    }

    /// Calls a handler within this time.
    pub async fn call_within(
        &self,
        time: Duration,
        plugin: &str,
        handler: &str,
        params: Value,
    ) -> Result<Value, Error> {
        self.ask(plugin, handler, params, Limits { time: Some(time), progress: None }).await
    }

    /// Calls a handler within this time; its progress is sent to `progress`.
    pub async fn listen(
        &self,
        time: Duration,
        plugin: &str,
        handler: &str,
        params: Value,
        progress: mpsc::Sender<Box<RawValue>>,
    ) -> Result<Value, Error> {
        self.ask(plugin, handler, params, Limits { time: Some(time), progress: Some(progress) }).await
    }

    async fn ask(&self, plugin: &str, handler: &str, params: Value, limits: Limits) -> Result<Value, Error> {
        let context = to_raw_value(&params).expect("params are JSON");
        let intent = IntentRef {
            user_id: Some("ada"),
            ..IntentRef::of_call(handler, "2025-06-01T12:30:00Z", &context)
        };
        let call = Call {
            plugin,
            handler,
            work: Work::Handler(intent),
            root: Arc::new(Root::anonymous()),
            above: Above::default(),
            timeout: limits.time,
            followup: false,
            progress: limits.progress.map_or(Listener::Nobody, Listener::Channel),
        };
        let response = tokio::time::timeout(PATIENCE, self.daemon.router().call(call)).await;
        let response = response.unwrap_or_else(|_| panic!("`{plugin}.{handler}` has no outcome"))?;
        Ok(serde_json::from_str(response.get()).expect("a response is JSON"))
    }

    /// It answers an echo: the plugin runs, or is started again.
    pub async fn echoes(&self, plugin: &str) {
        let answer = self.call(plugin, "echo", json!({ "a": 1 })).await;
        let answer =
            answer.unwrap_or_else(|error| panic!("`{plugin}` does not echo: {error}: {:?}", error.data));
        assert_eq!(answer["data"]["intent"]["context"], json!({ "a": 1 }));
    }

    pub fn world(&self) -> &World {
        &self.world
    }

    pub fn status(&self, plugin: &str) -> Status {
        self.daemon.router().plugin(plugin).expect("the plugin is there").supervisor().status()
    }

    /// The one process of a plugin that runs.
    pub fn pid(&self, plugin: &str) -> u32 {
        *self.status(plugin).pids.first().expect("the plugin runs")
    }

    /// Waits until the plugin is in this state.
    pub async fn reaches(&self, plugin: &str, wanted: StateName) {
        self.becomes(&format!("`{plugin}` is {wanted}"), || self.status(plugin).state == wanted).await;
    }

    /// Waits until something is so.
    pub async fn becomes(&self, what: &str, mut so: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE / 2;
        while !so() {
            assert!(Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Stops everything; no process may be left then.
    pub async fn stop(self) {
        self.daemon.stop().await;
        let left = self.world.processes();
        let left: Vec<_> = left.into_iter().map(processes::describe).collect();
        assert!(left.is_empty(), "processes are left when the daemon has stopped: {left:#?}");
    }
}

impl Deref for Host {
    type Target = Daemon;

    fn deref(&self) -> &Daemon {
        &self.daemon
    }
}

/// The environment of a daemon in this world.
fn environment(world: &World) -> Vec<(OsString, OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = [("PATH".into(), path), ("USER".into(), "ada".into())];
    own.into_iter().chain(world.variables().into_iter().map(|(name, value)| (name.into(), value))).collect()
}

#[derive(Default)]
struct Limits {
    time: Option<Duration>,
    progress: Option<mpsc::Sender<Box<RawValue>>>,
}

/// The kind of an outcome: `success`, or that of its error.
pub fn kind(outcome: &Result<Value, Error>) -> &'static str {
    outcome.as_ref().map_or_else(Error::kind, |_| "success")
}
