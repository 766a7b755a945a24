//! A router with plugins that pass a call on, fail, crash, or write where they should not.

use std::{fs, sync::Arc, time::Duration};

use astros_core::{
    observe::Traces,
    router::{
        Above, Call, Known, Listener, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, Supervisor},
};
use astros_protocol::{Error, manifest::Permission};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

/// A plugin without an SDK. `pass` calls the next plugin of its path, and answers with the trace of each.
const PLUGIN: &str = r#"
import json, os, sys

def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)

def hear():
    line = sys.stdin.readline()
    return json.loads(line) if line else sys.exit(0)

def serve(handler, context, meta):
    if handler == "crash":
        os.kill(os.getpid(), 9)
    if handler == "chatter":
        print("not a message", flush=True)
        say(id=999, result=None)
    if handler == "pass":
        traces, path = [meta["traceparent"]], context["path"]
        if path:
            say(id="c", method="call_plugin",
                params={"plugin": path[0], "handler": "pass", "params": {"path": path[1:]}})
            while (answer := hear()).get("id") != "c":
                pass
            traces += answer["result"]["data"]
        return traces
    return context

HANDLERS = [{"name": name} for name in ("pass", "echo", "fail", "crash", "chatter")]
while True:
    message = hear()
    id, method = message.get("id"), message.get("method")
    if method == "initialize":
        say(id=id, result={"protocol_version": "1.0", "plugin": {"name": "any", "handlers": HANDLERS}})
    elif method == "handle_intent":
        params = message["params"]
        if params["handler"] == "fail":
            say(id=id, error={"code": -32012, "message": "as it was asked"})
        else:
            say(id=id, result={"data": serve(params["handler"], params["intent"]["context"], params["meta"])})
    elif id is not None and method:
        say(id=id, result=None)
"#;

pub(crate) struct Host {
    _folder: TempDir,
    pub(crate) router: Arc<Router>,
    pub(crate) root: Arc<Root>,
}

impl Host {
    pub(crate) fn new(plugins: &[&str], traces: Option<Arc<Traces>>) -> Host {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugin.py"), PLUGIN).unwrap();
        let store = Store::open(&folder.path().join("astros.db")).unwrap();
        let log = Log::open(folder.path().join("logs")).unwrap();
        let router = Router::new(Services::new(store, log).with_traces(traces));
        for name in plugins {
            let words = ["python3", "plugin.py"].map(str::to_owned).to_vec();
            let mut spec = Spec::new(*name, folder.path(), Launch::Command(words));
            spec.supervision.backoff_initial = Duration::from_millis(20);
            spec.supervision.stop_grace = Duration::from_millis(100);
            spec.granted = vec![Permission::CallPlugin(None)];
            router.add(name, Known::default(), |host| Supervisor::start(spec, host));
        }
        Host { _folder: folder, router, root: Arc::new(Root::anonymous()) }
    }

    pub(crate) async fn call(&self, plugin: &str, handler: &str, context: Value) -> Result<Value, Error> {
        let context = RawValue::from_string(context.to_string()).unwrap();
        let intent = IntentRef::of_call(handler, "2026-01-01T00:00:00Z", &context);
        let call = Call {
            plugin,
            handler,
            work: Work::Handler(intent),
            root: self.root.clone(),
            above: Above::default(),
            timeout: Some(Duration::from_secs(15)),
            progress: Listener::Nobody,
            followup: false,
        };
        let result = self.router.call(call).await?;
        Ok(serde_json::from_str::<Value>(result.get()).unwrap()["data"].take())
    }

    pub(crate) async fn echo(&self, plugin: &str) {
        assert_eq!(self.call(plugin, "echo", json!({ "a": 1 })).await.unwrap(), json!({ "a": 1 }));
    }
}
