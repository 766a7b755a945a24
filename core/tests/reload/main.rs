//! Reloads with real processes: what calls see of them, and what the plugin has done.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::{
    collections::HashMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use astros_core::{
    router::{
        Above, Call, Known, Listener, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Admission, Event, Launch, Spec, StateName, Supervisor},
};
use astros_protocol::{Error, ErrorCode};
use futures_util::future::join_all;
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tokio::sync::broadcast;

/// A router with one plugin; calls are numbered.
#[derive(Clone)]
struct Host {
    folder: Arc<TempDir>,
    router: Arc<Router>,
    news: Arc<Mutex<broadcast::Receiver<Event>>>,
    calls: Arc<AtomicU64>,
}

impl Host {
    /// The plugin in its version `1`.
    fn new(modes: &[&str]) -> Host {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugin.py"), include_str!("plugin.py")).unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        let store = Store::open(&folder.path().join("astros.db")).unwrap();
        let log = Log::open(folder.path().join("logs")).unwrap();
        let services = Services::new(store, log);
        let news = Arc::new(Mutex::new(services.subscribe()));
        let router = Router::new(services);
        let host = Host { folder: Arc::new(folder), router, news, calls: Arc::default() };
        let spec = host.spec("1", modes);
        host.router.add("one", Known::default(), |owner| Supervisor::start(spec, owner));
        host
    }

    fn spec(&self, version: &str, modes: &[&str]) -> Spec {
        let words = ["python3", "plugin.py", version].into_iter().chain(modes.iter().copied());
        let words = words.map(str::to_owned).collect();
        let mut spec = Spec::new("one", self.folder.path(), Launch::Command(words));
        spec.directories.data = self.folder.path().join("data").display().to_string();
        spec.supervision.max_in_flight = 600.try_into().unwrap();
        spec.supervision.stop_grace = Duration::from_millis(200);
        spec.supervision.exclusive = modes.contains(&"exclusive");
        spec
    }

    async fn reload(&self, version: &str, modes: &[&str]) -> Result<(), Error> {
        self.router.reload("one", Known::default(), self.spec(version, modes)).await
    }

    /// Has the plugin work for so long; the version that did it.
    async fn work(&self, seconds: f64) -> Result<String, Error> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let context = json!({ "number": number, "seconds": seconds }).to_string();
        let context = RawValue::from_string(context).unwrap();
        let intent = IntentRef::of_call("work", "2026-01-01T00:00:00Z", &context);
        let call = Call {
            plugin: "one",
            handler: "work",
            work: Work::Handler(intent),
            root: Arc::new(Root::anonymous()),
            above: Above::default(),
            timeout: Some(Duration::from_secs(20)),
            progress: Listener::Nobody,
            followup: false,
        };
        let result = self.router.call(call).await?;
        let result: Value = serde_json::from_str(result.get()).unwrap();
        Ok(result["data"].as_str().unwrap().to_owned())
    }

    /// Begins work, and waits until the plugin is at it.
    async fn begin(&self, seconds: f64) -> tokio::task::JoinHandle<Result<String, Error>> {
        let before = self.done().len();
        let host = self.clone();
        let work = tokio::spawn(async move { host.work(seconds).await });
        self.until(|| self.done().len() > before).await;
        work
    }

    /// How often each call was done, by its number.
    fn done(&self) -> HashMap<u64, usize> {
        let text = fs::read_to_string(self.folder.path().join("data/done")).unwrap_or_default();
        let mut done = HashMap::new();
        for line in text.lines() {
            *done.entry(line.parse().unwrap()).or_default() += 1;
        }
        done
    }

    /// There is no event for what a plugin has written: it is looked at again and again.
    async fn until(&self, holds: impl Fn() -> bool) {
        for _ in 0..1_500 {
            if holds() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it does not come to that: {:?}", self.status());
    }

    /// What was told since this was asked last.
    fn news(&self) -> Vec<Event> {
        let mut news = self.news.lock().unwrap();
        std::iter::from_fn(|| news.try_recv().ok()).collect()
    }

    fn status(&self) -> astros_core::supervisor::Status {
        self.router.plugin("one").unwrap().status()
    }

    /// Every call was done, and none twice.
    fn all_done_once(&self) {
        let (done, calls) = (self.done(), self.calls.load(Ordering::Relaxed));
        let wrong: Vec<_> = (0..calls).filter(|number| done.get(number) != Some(&1)).collect();
        assert!(wrong.is_empty(), "{} of {calls} calls were not done once: {wrong:?}", wrong.len());
    }
}

#[tokio::test]
async fn loses_no_call_and_does_none_twice_over_20_reloads_with_500_in_flight() {
    let host = Host::new(&[]);
    let over = Arc::new(AtomicBool::new(false));
    let callers = (0..500).map(|caller| {
        let (host, over) = (host.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                // Of any length, so that a reload finds them at every stage.
                host.work(0.2 + 0.001 * f64::from(caller % 97)).await.unwrap();
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    host.until(|| host.status().in_flight == 500).await;
    for version in 2..=21 {
        host.reload(&version.to_string(), &[]).await.unwrap();
        assert_eq!(host.work(0.0).await.unwrap(), version.to_string(), "new calls go to it at once");
    }
    over.store(true, Ordering::Relaxed);
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert!(host.calls.load(Ordering::Relaxed) > 2_000);
    host.all_done_once();
    host.until(|| host.status().draining == 0).await;
}

#[tokio::test]
async fn lets_the_old_version_end_its_work_beyond_the_time_for_stops() {
    let host = Host::new(&[]);
    let work = host.begin(1.0).await;
    let old = host.status().pids;
    host.reload("2", &[]).await.unwrap();
    let status = host.status();
    assert_eq!((status.state, status.in_flight, status.draining), (StateName::Ready, 0, 1));
    assert_ne!(status.pids, old);
    assert_eq!(host.work(0.0).await.unwrap(), "2");
    assert_eq!(work.await.unwrap().unwrap(), "1");
    host.until(|| host.status().draining == 0).await;
    host.all_done_once();
}

#[tokio::test]
async fn gives_the_old_version_no_time_without_end() {
    let host = Host::new(&[]);
    let mut spec = host.spec("2", &[]);
    spec.drain = Duration::from_millis(300);
    host.router.reload("one", Known::default(), spec).await.unwrap();
    let work = host.begin(60.0).await;
    host.reload("3", &[]).await.unwrap();
    let error = work.await.unwrap().unwrap_err();
    assert_eq!(error.code, ErrorCode::PLUGIN_UNAVAILABLE);
    assert!(error.message.ends_with("another version took its place"), "{error}");
    assert_eq!(host.work(0.0).await.unwrap(), "3");
}

#[tokio::test]
async fn waits_for_every_process_of_the_new_version() {
    let host = Host::new(&[]);
    let several = |mode: &str| {
        let mut spec = host.spec("2", &[mode]);
        spec.supervision.instances = 3.try_into().unwrap();
        spec
    };
    let error = host.router.reload("one", Known::default(), several("alone")).await.unwrap_err();
    assert!(error.message.contains("there is another one of me"), "{error}");
    host.router.reload("one", Known::default(), several("")).await.unwrap();
    assert_eq!(host.status().pids.len(), 3);
    assert_eq!(host.work(0.0).await.unwrap(), "2");
}

#[tokio::test]
async fn goes_on_with_the_old_version_where_the_new_one_fails() {
    let host = Host::new(&[]);
    let work = host.begin(0.5).await;
    host.news();
    let error = host.reload("2", &["broken"]).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED);
    assert_eq!(
        error.message,
        "`one` was not reloaded, the version before goes on: \
         plugin `one` exited with status 1 before it was ready: cannot read the settings"
    );
    assert_eq!([host.work(0.0).await.unwrap(), work.await.unwrap().unwrap()], ["1", "1"]);
    for event in host.news() {
        let told =
            matches!(event, Event::StateChanged { .. } | Event::Described { .. } | Event::Switched { .. });
        assert!(!told, "nothing happened to the plugin: {event:?}");
    }
    host.all_done_once();
}

#[tokio::test]
async fn tells_one_story_of_the_plugin_over_a_reload() {
    let host = Host::new(&[]);
    let work = host.begin(0.3).await;
    host.news();
    host.reload("2", &[]).await.unwrap();
    work.await.unwrap().unwrap();
    host.until(|| host.status().draining == 0).await;
    let plugin = host.router.plugin("one").unwrap();
    let generation = plugin.supervisor().session().unwrap().generation;
    let mut story = Vec::new();
    for event in host.news() {
        match event {
            Event::StateChanged { state, .. } => story.push(state.to_string()),
            Event::Described { description, .. } => story.push(format!("described {}", description.version)),
            Event::Switched { generations, .. } => {
                assert_eq!(generations, [generation]);
                story.push("switched".to_owned());
            }
            _ => {}
        }
    }
    assert_eq!(story, ["described 2", "ready", "switched"]);
    assert_eq!(plugin.description().unwrap().version, "2");
}

#[tokio::test]
async fn never_runs_an_exclusive_plugin_twice_and_lets_calls_wait() {
    let host = Host::new(&["exclusive"]);
    let work = host.begin(0.5).await;
    let reload = tokio::spawn({
        let host = host.clone();
        async move { host.reload("2", &["exclusive"]).await }
    });
    host.until(|| host.status().state == StateName::Draining).await;
    // It holds its port alone: a second one would not start, and the reload fail.
    let waits = host.work(0.0).await;
    assert_eq!(waits.unwrap(), "2");
    assert_eq!(work.await.unwrap().unwrap(), "1");
    reload.await.unwrap().unwrap();
    host.all_done_once();
}

#[tokio::test]
async fn starts_the_old_version_of_an_exclusive_plugin_again_where_the_new_one_fails() {
    let host = Host::new(&["exclusive"]);
    let work = host.begin(0.2).await;
    let reload = tokio::spawn({
        let host = host.clone();
        async move { host.reload("2", &["exclusive", "broken"]).await }
    });
    host.until(|| host.status().state == StateName::Draining).await;
    // What the broken one leaves behind would keep the old one from starting.
    let folder = host.folder.clone();
    let waits = tokio::spawn({
        let host = host.clone();
        async move { host.work(0.0).await }
    });
    host.until(|| host.done().len() == 1 && !folder.path().join("data/port").exists()).await;
    host.until(|| folder.path().join("data/port").exists()).await;
    fs::remove_file(folder.path().join("data/port")).unwrap();
    let error = reload.await.unwrap().unwrap_err();
    assert!(
        error
            .message
            .starts_with("`one` was not reloaded, the version before runs again: plugin `one` exited"),
        "{error}"
    );
    assert_eq!([work.await.unwrap().unwrap(), waits.await.unwrap().unwrap()], ["1", "1"]);
    host.all_done_once();
}

#[tokio::test]
async fn starts_nothing_that_may_not_run() {
    let host = Host::new(&[]);
    host.work(0.0).await.unwrap();
    let mut spec = host.spec("2", &[]);
    spec.admission = Admission::Disabled { reason: "switched off".to_owned() };
    host.router.reload("one", Known::default(), spec).await.unwrap();
    let error = host.work(0.0).await.unwrap_err();
    assert_eq!(error.message, "plugin `one` is disabled: switched off");
    host.reload("3", &[]).await.unwrap();
    assert_eq!(host.status().state, StateName::Idle);
    assert_eq!(host.work(0.0).await.unwrap(), "3");
}

#[tokio::test]
async fn reloads_one_after_the_other() {
    let host = Host::new(&[]);
    host.work(0.0).await.unwrap();
    let (second, third) = tokio::join!(host.reload("2", &[]), host.reload("3", &[]));
    second.unwrap();
    third.unwrap();
    assert_eq!(host.work(0.0).await.unwrap(), "3");
}

#[tokio::test]
async fn stops_old_and_new_at_once_when_the_daemon_stops() {
    let host = Host::new(&[]);
    let work = host.begin(60.0).await;
    host.reload("2", &[]).await.unwrap();
    let reload = tokio::spawn({
        let host = host.clone();
        async move { host.reload("3", &[]).await }
    });
    tokio::task::yield_now().await;
    let begun = Instant::now();
    host.router.plugin("one").unwrap().stop("AstrOS stops").await;
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(work.await.unwrap().unwrap_err().code, ErrorCode::PLUGIN_UNAVAILABLE);
    let error = reload.await.unwrap().unwrap_err();
    assert_eq!(error.message, "plugin `one` is being stopped: AstrOS stops");
    let error = host.work(0.0).await.unwrap_err();
    assert_eq!(error.message, "plugin `one` is stopped: AstrOS stops");
}
