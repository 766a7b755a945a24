//! AstrOS as it is used: the router over supervised processes, with deadlines, cancellation and the call tree on.
//! A child whose name ends in `.py` is started by the Python SDK's runner, as a manifest would say it.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use astros_bench::{Row, measure};
use astros_core::{
    router::{Above, Call, Known, Listener, Plugin, Router, Services, tree::Root, wire::{IntentRef, Work}},
    services::{log::Log, storage::Store},
    supervisor::{Launch, Sandboxed, Spec, Supervisor},
};
use serde::Deserialize;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tempfile::TempDir;

/// The number of the next plugin.
static NAMES: AtomicUsize = AtomicUsize::new(0);

/// The answer of a handler.
#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

struct Host {
    router: Arc<Router>,
    // What plugins store goes with it.
    folder: TempDir,
}

#[derive(Clone)]
struct Started {
    router: Arc<Router>,
    plugin: Arc<Plugin>,
    root: Arc<Root>,
}

impl Started {
    async fn launch(host: &Host, name: &str, child: &[String]) -> Result<Started> {
        let spec = spec(host, name, child)?;
        let plugin = host.router.add(name, Known::default(), |host| Supervisor::start(spec, host));
        plugin.supervisor().ready().await.map_err(|error| anyhow!("{error}"))?;
        let root = Arc::new(Root::anonymous());
        Ok(Started { router: host.router.clone(), plugin, root })
    }

    async fn ask(&self, handler: &str, context: &RawValue) -> Result<Box<RawValue>> {
        let intent = IntentRef::of_call(handler, "2025-06-01T12:30:00Z", context);
        let (root, above) = (self.root.clone(), Above::default());
        let plugin = &*self.plugin.name;
        let call = Call {
            plugin,
            handler,
            work: Work::Handler(intent),
            root,
            above,
            timeout: None,
            followup: false,
            progress: Listener::Nobody,
        };
        self.router.call(call).await.map_err(|error| anyhow!("{error}"))
    }
}

fn spec(host: &Host, name: &str, child: &[String]) -> Result<Spec> {
    let program = std::fs::canonicalize(&child[0]).with_context(|| format!("no child `{}`", child[0]))?;
    let python = program.extension().is_some_and(|extension| extension == "py");
    let launch = if python {
        Launch::Python { target: program.to_string_lossy().into_owned(), interpreter: None }
    } else {
        Launch::Executable(program)
    };
    let mut spec = Spec::new(name, host.folder.path(), launch);
    spec.args = child[1..].to_vec();
    // Peers have none: what a sandbox costs at the start is measured by the example `starts` of `astros-core`.
    spec.sandboxed = Sandboxed::Off;
    spec.granted = vec![astros_protocol::manifest::Permission::CallPlugin(None)];
    if !python {
        spec.args.push(name.to_owned());
    }
    spec.python_sdk = Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../sdk-python/src"));
    Ok(spec)
}

impl Row for Started {
    type Host = Host;
    type Argument = Arc<RawValue>;
    type Outcome = Box<RawValue>;

    fn host() -> Result<Host> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&folder.path().join("plugins.sqlite"))?;
        let log = Log::open(folder.path().join("logs"))?;
        Ok(Host { router: Router::new(Services::new(store, log)), folder })
    }

    async fn start(host: &Host, child: &[String]) -> Result<Started> {
        // The router keeps what was added, so each start has a name of its own.
        let name = format!("bench-{}", NAMES.fetch_add(1, Ordering::Relaxed));
        Started::launch(host, &name, child).await
    }

    fn prepare(payload: &Arc<RawValue>) -> Result<Arc<RawValue>> {
        Ok(payload.clone())
    }

    async fn call(&self, payload: Arc<RawValue>) -> Result<Box<RawValue>> {
        self.ask("echo", &payload).await
    }

    fn echoed(outcome: &Box<RawValue>) -> Result<Value> {
        Ok(serde_json::from_str::<Answer<Value>>(outcome.get())?.data)
    }

    async fn route(host: &Host, child: &[String], calls: usize, payload: &RawValue) -> Result<Vec<u64>> {
        let (a, b) = (Started::launch(host, "a", child).await?, Started::launch(host, "b", child).await?);
        let asked = to_raw_value(&json!({ "calls": calls, "plugin": "b", "payload": payload }))?;
        let answer = a.ask("route", &asked).await?;
        let times = serde_json::from_str::<Answer<Vec<u64>>>(answer.get())?.data;
        a.stop().await;
        b.stop().await;
        Ok(times)
    }

    async fn stop(self) {
        self.plugin.supervisor().stop("the bench is done with it").await;
    }
}

fn main() -> Result<()> {
    astros_core::launcher::run_if_asked();
    measure::<Started>()
}
