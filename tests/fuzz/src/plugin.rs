//! A plugin that says anything, against the real router and its sessions: every call ends once, every request of the
//! plugin is answered once, and nothing is left of either.

mod actions;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arbitrary::Unstructured;
use astros_core::{
    router::{Known, Router, Services},
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, Supervisor},
};
use astros_protocol::{Error, Id, manifest::Permission};
use astros_sdk::{Context, Extra, Plugin, Response, handler, testing};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::wire::{Heard, Wire, play};

/// So much is done at most.
const ACTIONS: usize = 60;
/// No call may take longer than its time, by default 30 s, and then some.
const PATIENCE: Duration = Duration::from_secs(120);

thread_local! {
    /// Opened once: only the rules of the router are played with.
    static HOUSE: House = House::new();
}

struct House {
    store: Store,
    log: Log,
    _folder: TempDir,
}

impl House {
    fn new() -> House {
        let folder = TempDir::new().expect("there is a temporary folder");
        let store = Store::open(&folder.path().join("astros.db")).expect("it can be made");
        let log = Log::open(folder.path().join("logs")).expect("it can be made");
        House { store, log, _folder: folder }
    }
}

pub(super) fn run(data: &[u8]) {
    let (store, log) = HOUSE.with(|house| (house.store.clone(), house.log.clone()));
    play(async move {
        let mut u = Unstructured::new(data);
        let ends = u.arbitrary().unwrap_or_default();
        let mut stage = Stage::new(store, log, *u.choose(&[64, 2, 1]).unwrap_or(&64));
        for _ in 0..ACTIONS {
            // Who has no more bytes has said all.
            if u.is_empty() || stage.act(&mut u).await.is_err() {
                break;
            }
            stage.let_storage_work().await;
        }
        stage.close(ends).await;
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    (0..32_u64).map(|seed| fastrand::Rng::with_seed(seed).choose_multiple(0..=255, 250)).collect()
}

/// What the plugin says at its start.
fn initialized(max_in_flight: u32) -> Value {
    let handlers = json!([
        { "name": "echo", "effects": "none", "idempotent": true },
        { "name": "quick", "timeout_ms": 100 },
        { "name": "other" },
    ]);
    json!({
        "protocol_version": "1.0", "limits": { "max_in_flight": max_in_flight },
        "plugin": { "name": "p", "handlers": handlers },
    })
}

/// The other plugin: an honest one, that calls the first.
fn honest() -> Plugin {
    let back = async |ctx: Context, params: Extra| {
        let handler = params.get("handler").and_then(Value::as_str).unwrap_or("echo").to_owned();
        ctx.call_plugin("p", &handler, params).await
    };
    Plugin::new("q", "1.0.0")
        .handler(handler("echo", async |_, params: Extra| Ok(Response::default().with_data(params))))
        .handler(handler("back", back))
        .handler(handler("sleep", async |_, (): ()| {
            sleep(Duration::from_secs(5)).await;
            Ok(Response::default())
        }))
}

fn spec(name: &str) -> Spec {
    let mut spec = Spec::new(name, "/", Launch::Command(Vec::new()));
    // More than a play can have.
    spec.supervision.max_restarts = 100;
    spec.granted = vec![Permission::CallPlugin(None), Permission::Bus(None), Permission::Ai];
    spec
}

/// How often a request was sent, and how often it was answered.
type Own = BTreeMap<String, (usize, usize)>;

struct Stage {
    store: Store,
    router: Arc<Router>,
    max_in_flight: u32,
    /// The plugin's end of each connection.
    ends: mpsc::UnboundedReceiver<DuplexStream>,
    wire: Option<Wire>,
    calls: Vec<JoinHandle<Result<Box<RawValue>, Error>>>,
    /// The host's requests: all of this connection, and those that are not answered.
    heard: Vec<Id>,
    open: Vec<Id>,
    own: Own,
    next: u64,
}

impl Stage {
    fn new(store: Store, log: Log, max_in_flight: u32) -> Stage {
        let router = Router::new(Services::new(store.clone(), log));
        let (begun, ends) = mpsc::unbounded_channel();
        router.add("p", Known::default(), |host| {
            Supervisor::in_memory(spec("p"), host, move || {
                let (near, far) = duplex(1 << 16);
                // Nobody plays on at the end.
                let _ = begun.send(far);
                near
            })
        });
        router.add("q", Known::default(), |host| {
            Supervisor::in_memory(spec("q"), host, || {
                let (near, far) = duplex(1 << 16);
                let (input, output) = tokio::io::split(far);
                tokio::spawn(testing::serve(honest(), input, output));
                near
            })
        });
        let (heard, open, own) = (Vec::new(), Vec::new(), Own::new());
        Stage { store, router, max_in_flight, ends, wire: None, calls: Vec::new(), heard, open, own, next: 1 }
    }

    /// The connection, the next one where it has ended.
    async fn wire(&mut self) -> &mut Wire {
        if self.wire.as_ref().is_none_or(Wire::has_ended) {
            (self.heard, self.open, self.own) = Default::default();
            // Dropped first: the next one comes when this one has ended.
            self.wire = None;
            let end = timeout(PATIENCE, self.ends.recv()).await.expect("it is started again");
            self.wire = Some(Wire::new(end.expect("the plugin is supervised")));
        }
        self.wire.as_mut().expect("it was made just now")
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.wire().await.write(bytes).await;
    }

    /// Takes note of what the host says; it is answered where it waits for nothing else.
    async fn hear(&mut self) {
        let mut begun = None;
        for heard in self.wire().await.hear().await {
            match heard {
                Heard::Request { id, method } => {
                    assert!(!self.heard.contains(&id), "`{id}` is not used again");
                    self.heard.push(id.clone());
                    match &*method {
                        "initialize" => begun = Some(id),
                        _ => self.open.push(id),
                    }
                }
                Heard::Notification => {}
                Heard::Response { id, .. } => {
                    let id = serde_json::to_string(&id.expect("a host answers no nonsense"))
                        .expect("an id is JSON");
                    // Bytes at random may have asked, too.
                    if let Some((sent, answered)) = self.own.get_mut(&id) {
                        *answered += 1;
                        assert!(
                            *answered <= *sent,
                            "`{id}` is answered {answered} times, was sent {sent} times"
                        );
                    }
                }
            }
        }
        if let (Some(id), Some(wire)) = (begun, &mut self.wire) {
            wire.say(&json!({ "jsonrpc": "2.0", "id": id, "result": initialized(self.max_in_flight) })).await;
        }
    }

    /// The plugin answers whatever is open, or ends; then every call has ended, and nothing is left.
    async fn close(mut self, ends: bool) {
        if ends {
            // The next process says nothing.
            self.wire = None;
        }
        for _ in 0..12 {
            if !ends {
                self.hear().await;
                for id in std::mem::take(&mut self.open) {
                    self.wire()
                        .await
                        .say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "success": true } }))
                        .await;
                }
            }
            sleep(Duration::from_secs(5)).await;
            self.let_storage_work().await;
        }
        for call in self.calls.drain(..) {
            match timeout(PATIENCE, call).await.expect("every call ends") {
                Ok(Ok(result)) => assert!(result.get().starts_with('{'), "{result}"),
                Ok(Err(error)) => {
                    assert!(!error.message.is_empty() && error.kind() != "unknown", "{error:?}")
                }
                Err(lost) => assert!(lost.is_cancelled(), "{lost}"),
            }
        }
        if !ends {
            self.has_nothing_open().await;
        }
        let router = Arc::downgrade(&self.router);
        drop(self);
        sleep(PATIENCE).await;
        assert_eq!(router.strong_count(), 0, "nothing holds the router");
    }

    /// The thread of the storage has a clock of its own, on which none of the play's time passes.
    async fn let_storage_work(&self) {
        let (store, runtime) = (self.store.clone(), tokio::runtime::Handle::current());
        let fence = tokio::task::spawn_blocking(move || runtime.block_on(store.get("fuzz", "fence", None)));
        fence.await.expect("it does not panic").expect("it can be read");
    }

    async fn has_nothing_open(&mut self) {
        self.hear().await;
        for plugin in self.router.plugins() {
            assert_eq!(plugin.queued(), 0, "`{}` has a line before it", plugin.name);
            for session in plugin.supervisor().sessions() {
                let peer = &session.peer;
                let open = (peer.open_calls(), peer.serving(), peer.serving_bytes(), session.in_flight());
                assert_eq!(open, (0, 0, 0, 0), "open calls, served, bytes, in flight of `{}`", plugin.name);
            }
        }
        for (id, (sent, answered)) in &self.own {
            // One that came while another of its id was open is dropped.
            assert!(*answered >= 1, "`{id}` was sent {sent} times and never answered");
        }
    }
}
