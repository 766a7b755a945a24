//! The router with real processes that do not behave: what they may do to others, and to the host.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};

use astros_core::{
    router::{
        Above, Call, Known, Listener, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, StateName, Supervisor},
};
use astros_protocol::{Error, ErrorCode, manifest::Permission};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

/// A plugin without an SDK; each handler does what its name says.
const PLUGIN: &str = r#"
import json, os, sys, time

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)

def serve(handler, context):
    if handler == "call":
        say(id="c", method="call_plugin", params=context)
        while (answer := hear()).get("id") != "c":
            pass
        return answer
    if handler == "repeat_ids":
        for _ in range(4):
            say(id="same", method="call_plugin", params={"plugin": "other", "handler": "sleep", "meta": {"parent": None}})
    if handler == "talk":
        for number in range(40):
            say(method="$/progress", params={"id": id, "value": {"done": number}})
            if number < 30:
                hear()
    if handler in ("repeat_ids", "sleep"):
        time.sleep(60)
    return context

if "broken" in sys.argv:
    sys.exit("the password is secret")
number = 0
while "floods" in sys.argv:
    number += 1
    say(id=number, method="storage/get", params={"key": "k"})
HANDLERS = [{"name": name} for name in ("echo", "call", "sleep", "deaf", "talk", "repeat_ids")]
while True:
    message = hear()
    id, method = message.get("id"), message.get("method")
    if method == "initialize":
        say(id=id, result={"protocol_version": "1.0", "plugin": {"name": "any", "handlers": HANDLERS}})
    elif method == "handle_intent":
        handler = message["params"]["handler"]
        if handler == "deaf":
            os.close(0)
        say(id=id, result={"data": serve(handler, message["params"]["intent"]["context"])})
        if handler == "deaf":
            time.sleep(60)
    elif id is not None and method:
        say(id=id, result=None)
"#;

struct Host {
    folder: TempDir,
    router: Arc<Router>,
}

impl Host {
    fn new() -> Host {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugin.py"), PLUGIN).unwrap();
        let store = Store::open(&folder.path().join("astros.db")).unwrap();
        let log = Log::open(folder.path().join("logs")).unwrap();
        Host { folder, router: Router::new(Services::new(store, log)) }
    }

    fn plugin(self, name: &str, mode: &str) -> Host {
        let words = ["python3", "plugin.py", mode].map(str::to_owned).to_vec();
        let mut spec = Spec::new(name, self.folder.path(), Launch::Command(words));
        spec.supervision.backoff_initial = Duration::from_millis(20);
        spec.supervision.stop_grace = Duration::from_millis(100);
        spec.granted = vec![Permission::CallPlugin(None)];
        self.router.add(name, Known::default(), |host| Supervisor::start(spec, host));
        self
    }

    async fn call(&self, handler: &str, context: Value, timeout: Duration) -> Result<Value, Error> {
        let context = RawValue::from_string(context.to_string()).unwrap();
        let intent = IntentRef::of_call(handler, "2026-01-01T00:00:00Z", &context);
        let call = Call {
            plugin: "one",
            handler,
            work: Work::Handler(intent),
            root: Arc::new(Root::anonymous()),
            above: Above::default(),
            timeout: Some(timeout),
            progress: Listener::Nobody,
            followup: false,
        };
        let result = self.router.call(call).await?;
        Ok(serde_json::from_str::<Value>(result.get()).unwrap()["data"].take())
    }
}

const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn takes_any_time_limit() {
    let host = Host::new().plugin("one", "");
    assert_eq!(host.call("echo", json!({ "a": 1 }), Duration::MAX).await.unwrap(), json!({ "a": 1 }));
}

#[tokio::test]
async fn replaces_a_process_that_closed_its_input() {
    let host = Host::new().plugin("one", "");
    host.call("deaf", json!({}), PATIENCE).await.unwrap();
    let error = host.call("echo", json!({}), PATIENCE).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED);
    assert!(error.message.contains("closed its input"), "{error}");
    assert_eq!(host.call("echo", json!({ "a": 1 }), PATIENCE).await.unwrap(), json!({ "a": 1 }));
}

#[tokio::test]
async fn keeps_a_plugins_last_words_from_other_plugins() {
    let host = Host::new().plugin("one", "").plugin("other", "broken");
    let asked = json!({ "plugin": "other", "handler": "echo" });
    let answer = host.call("call", asked, PATIENCE).await.unwrap();
    assert_eq!(answer["error"]["message"], "plugin `other` exited with status 1 before it was ready");
    assert!(!answer.to_string().contains("secret"), "{answer}");
}

#[tokio::test]
async fn answers_a_caller_that_takes_no_progress() {
    let host = Host::new().plugin("one", "").plugin("other", "");
    let asked =
        json!({ "plugin": "other", "handler": "talk", "params": { "a": 1 }, "meta": { "progress": true } });
    let answer = host.call("call", asked, PATIENCE).await.unwrap();
    assert_eq!(answer["result"]["data"], json!({ "a": 1 }), "{answer}");
}

#[tokio::test]
async fn quarantines_a_plugin_that_loses_count_of_its_requests_again_and_again() {
    let host = Host::new().plugin("one", "").plugin("other", "");
    for _ in 0..6 {
        let error = host.call("repeat_ids", json!({}), PATIENCE).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED, "{error}");
        assert!(error.message.contains("used the ids of open requests again and was killed"), "{error}");
    }
    let error = host.call("echo", json!({}), PATIENCE).await.unwrap_err();
    assert!(error.message.contains("quarantined"), "{error}");
    let plugin = host.router.plugin("one").unwrap();
    assert_eq!(plugin.supervisor().status().state, StateName::Quarantined);
}

#[tokio::test]
async fn ends_a_process_that_floods_it_before_it_is_ready() {
    let host = Host::new().plugin("one", "floods");
    let begun = Instant::now();
    let error = host.call("echo", json!({}), Duration::from_secs(60)).await.unwrap_err();
    assert!(error.message.contains("before it was ready"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "not only because it does not read");
}
