//! Calls, callers that give up, deadlines, crashes and answers in any order: each call has one outcome, and it is its own.

#![allow(clippy::unwrap_used)]

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use astros_core::{
    router::{
        Above, Call, Known, Listener, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, Supervisor},
};
use astros_protocol::{Error, ErrorCode, manifest::Permission};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// So many requests work in the plugin at once.
const SLOTS: usize = 3;

/// What happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// Somebody calls, and has so much time, in milliseconds.
    Call(u64),
    GiveUp(usize),
    /// The plugin answers, also what it is not asked any more.
    Answer(usize, How),
    /// It calls its own other handler, for something that it was asked.
    Nest(usize),
    Crash,
    Wait(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Well,
    Twice,
    Failed,
    Malformed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop::sample::select(vec![How::Well, How::Well, How::Twice, How::Failed, How::Malformed]);
    let some = 0_usize..100;
    let step = prop_oneof![
        4 => prop::sample::select(vec![1, 50, 1_000, 100_000]).prop_map(Step::Call),
        1 => some.clone().prop_map(Step::GiveUp),
        4 => (some.clone(), how).prop_map(|(at, how)| Step::Answer(at, how)),
        1 => some.prop_map(Step::Nest),
        1 => Just(Step::Crash),
        2 => prop::sample::select(vec![1, 60, 5_000]).prop_map(Step::Wait),
    ];
    prop::collection::vec(step, 0..50)
}

/// How a call ended, and after what time.
type Ended = (Result<Box<RawValue>, Error>, Duration);

struct Play {
    router: Arc<Router>,
    ends: mpsc::UnboundedReceiver<DuplexStream>,
    far: DuplexStream,
    unread: Vec<u8>,
    /// What the plugin was asked: the ids on its connection, and the numbers of the calls.
    asked: Vec<(i64, Value)>,
    calls: Vec<(JoinHandle<Ended>, Duration)>,
    nested: u32,
    crashed: bool,
}

impl Play {
    async fn new(store: Store, log: Log) -> Play {
        let router = Router::new(Services::new(store, log));
        let (begun, mut ends) = mpsc::unbounded_channel();
        router.add("p", Known::default(), |host| {
            let mut spec = Spec::new("p", "/", Launch::Command(Vec::new()));
            spec.supervision.max_restarts = 100;
            spec.granted = vec![Permission::CallPlugin(None)];
            Supervisor::in_memory(spec, host, move || {
                let (near, far) = duplex(1 << 20);
                let _ = begun.send(far);
                near
            })
        });
        let far = ends.recv().await.unwrap();
        let (unread, asked, calls) = Default::default();
        let mut play = Play { router, ends, far, unread, asked, calls, nested: 0, crashed: false };
        play.hear().await;
        play
    }

    async fn say(&mut self, line: &str) {
        self.write(line).await;
        self.hear().await;
    }

    /// Writes a line; to nobody, where the host has ended a process whose slots nobody waits for any more.
    async fn write(&mut self, line: &str) {
        if self.far.write_all(format!("{line}\n").as_bytes()).await.is_err() {
            self.crash().await;
        }
    }

    async fn crash(&mut self) {
        // Dropped first: the next one comes when this one has ended.
        self.far = duplex(1).0;
        self.far = self.ends.recv().await.unwrap();
        (self.unread, self.asked, self.crashed) = (Vec::new(), Vec::new(), true);
    }

    /// Reads what there is, once nothing moves any more.
    async fn hear(&mut self) {
        sleep(Duration::from_millis(1)).await;
        while let Ok(Ok(1..)) = timeout(Duration::from_millis(1), self.far.read_buf(&mut self.unread)).await {
        }
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.unread.drain(..end).collect();
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let message: Value = serde_json::from_slice(line).unwrap();
            match message["method"].as_str() {
                Some("initialize") => {
                    let plugin = json!({ "name": "p", "handlers": [{ "name": "one" }, { "name": "two" }] });
                    let limits = json!({ "max_in_flight": SLOTS });
                    let result = json!({ "protocol_version": "1.0", "limits": limits, "plugin": plugin });
                    let answer = json!({ "jsonrpc": "2.0", "id": message["id"], "result": result });
                    self.write(&answer.to_string()).await;
                    sleep(Duration::from_millis(1)).await;
                }
                Some("handle_intent") => {
                    let number = message["params"]["intent"]["context"]["number"].clone();
                    self.asked.push((message["id"].as_i64().unwrap(), number));
                }
                _ => {}
            }
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Call(time) => self.call(Duration::from_millis(time)),
            Step::GiveUp(at) if !self.calls.is_empty() => self.calls[at % self.calls.len()].0.abort(),
            Step::Answer(at, how) if !self.asked.is_empty() => {
                let (id, number) = self.asked[at % self.asked.len()].clone();
                let rest = match how {
                    How::Well | How::Twice => format!(r#""result":{{"data":{number}}}"#),
                    How::Failed => r#""error":{"code":-32012,"message":"m"}"#.to_owned(),
                    How::Malformed => r#""result":{"x":NaN}"#.to_owned(),
                };
                let line = format!(r#"{{"jsonrpc":"2.0","id":{id},{rest}}}"#);
                self.say(&line).await;
                if how == How::Twice {
                    self.say(&line).await;
                }
            }
            Step::Nest(at) if !self.asked.is_empty() => {
                let (id, number) = self.asked[at % self.asked.len()].clone();
                self.nested += 1;
                let params = json!({ "plugin": "p", "handler": "two", "params": { "number": number }, "meta": { "parent": id } });
                let id = format!("n{}", self.nested);
                self.say(
                    &json!({ "jsonrpc": "2.0", "id": id, "method": "call_plugin", "params": params })
                        .to_string(),
                )
                .await;
            }
            Step::Crash => self.crash().await,
            Step::Wait(time) => sleep(Duration::from_millis(time)).await,
            Step::GiveUp(_) | Step::Answer(..) | Step::Nest(_) => {}
        }
        self.hear().await;
    }

    fn call(&mut self, time: Duration) {
        let (router, number) = (self.router.clone(), self.calls.len());
        let call = async move {
            let context = RawValue::from_string(json!({ "number": number }).to_string()).unwrap();
            let intent = IntentRef::of_call("one", "2026-01-01T00:00:00Z", &context);
            let begun = Instant::now();
            let call = Call {
                plugin: "p",
                handler: "one",
                work: Work::Handler(intent),
                root: Arc::new(Root::anonymous()),
                above: Above::default(),
                timeout: Some(time),
                progress: Listener::Nobody,
                followup: false,
            };
            (router.call(call).await, begun.elapsed())
        };
        self.calls.push((tokio::spawn(call), time));
    }

    /// What is open is answered; every outcome is as it has to be, and nothing is left.
    async fn end(mut self) {
        for _ in 0..30 {
            for (id, number) in std::mem::take(&mut self.asked) {
                let result = json!({ "jsonrpc": "2.0", "id": id, "result": { "data": number } });
                self.write(&result.to_string()).await;
            }
            self.hear().await;
        }
        for (number, (call, time)) in self.calls.into_iter().enumerate() {
            match timeout(Duration::from_secs(200), call).await.expect("every call ends") {
                Err(given_up) => assert!(given_up.is_cancelled(), "{given_up}"),
                Ok((outcome, took)) => {
                    assert!(took <= time + Duration::from_millis(2), "{took:?} of {time:?}");
                    match outcome {
                        Ok(result) => {
                            let result: Value = serde_json::from_str(result.get()).unwrap();
                            assert_eq!(result["data"], json!(number), "the answer is its own");
                        }
                        Err(Error { code: ErrorCode::DEADLINE_EXCEEDED, .. }) => {
                            assert!(took >= time, "{took:?} of {time:?}")
                        }
                        Err(Error { code: ErrorCode::PLUGIN_CRASHED, .. }) => assert!(self.crashed),
                        Err(error) => {
                            let known = [ErrorCode::HANDLER_FAILED, ErrorCode::BAD_RESPONSE];
                            assert!(known.contains(&error.code), "{error:?}");
                        }
                    }
                }
            }
        }
        let plugin = self.router.plugin("p").unwrap();
        let session = plugin.supervisor().session().unwrap();
        let left = (plugin.queued(), session.in_flight(), session.peer.open_calls(), session.peer.serving());
        assert_eq!(left, (0, 0, 0, 0), "waiting, in flight, open calls, served");
    }
}

/// Opened once: nothing is kept in them.
static HOUSE: LazyLock<(TempDir, Store, Log)> = LazyLock::new(|| {
    let folder = TempDir::new().unwrap();
    let store = Store::open(&folder.path().join("astros.db")).unwrap();
    let log = Log::open(folder.path().join("logs")).unwrap();
    (folder, store, log)
});

proptest! {
    #[test]
    fn every_call_has_one_outcome_in_any_order(steps in steps()) {
        let (_, store, log) = &*HOUSE;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let mut play = Play::new(store.clone(), log.clone()).await;
            for step in steps {
                play.step(step).await;
            }
            play.end().await;
        });
    }
}
