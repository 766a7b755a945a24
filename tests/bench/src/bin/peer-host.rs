//! The least that a host of AstrOS's protocol can be: the connection alone, without a router, a supervisor,
//! deadlines or a call tree. It drives what children are compared by: both sides of a ratio have this same host.

use std::{process::Stdio, sync::Arc};

use anyhow::{Context, Result};
use astros_bench::{Row, measure};
use astros_core::router::wire::IntentRef;
use astros_peer::{Incoming, Options, Peer, Service, connect};
use astros_protocol::{Request, call::HandleIntent, lifecycle::Initialize, version::SUPPORTED};
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::process::{Child, Command};

/// The answer of `echo`.
#[derive(Deserialize)]
struct Echoed {
    data: Value,
}

/// What `handle_intent` takes.
#[derive(Serialize)]
struct Params<'a> {
    handler: &'a str,
    meta: &'a RawValue,
    intent: IntentRef<'a>,
}

#[derive(Clone)]
struct Started {
    peer: Peer,
    /// As long as the router's.
    meta: Arc<RawValue>,
    // Killed where this is dropped.
    _child: Arc<Child>,
}

/// Serves nothing.
struct Nothing;

impl Service for Nothing {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        // Dropped, it is answered with an error.
        drop(request);
    }
}

impl Row for Started {
    type Host = ();
    type Argument = Arc<RawValue>;
    type Outcome = Box<RawValue>;

    fn host() -> Result<()> {
        Ok(())
    }

    async fn start((): &(), child: &[String]) -> Result<Started> {
        let mut child = Command::new(&child[0])
            .args(&child[1..])
            .env("ASTROS_PROTOCOL", "1.0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("`{}` cannot be started", child[0]))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("the child has no pipes")
        };
        let (peer, connection) = connect(output, input, Nothing, Options::default());
        tokio::spawn(connection.run());
        let params = json!({
            "protocol_versions": SUPPORTED, "features": [], "host": {"name": "bench", "version": "1"},
            "plugin": {"name": "bench", "instance": 0}, "settings": {}, "permissions": [], "sandbox": "none",
            "directories": {"data": "", "cache": "", "config": ""}, "limits": {"max_frame_bytes": 16 << 20},
        });
        peer.call(Initialize::METHOD, &params).await?;
        let meta = json!({
            "correlation_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "deadline_ms": 30_000, "attempt": 1,
        });
        Ok(Started { peer, meta: to_raw_value(&meta)?.into(), _child: Arc::new(child) })
    }

    fn prepare(payload: &Arc<RawValue>) -> Result<Arc<RawValue>> {
        Ok(payload.clone())
    }

    async fn call(&self, payload: Arc<RawValue>) -> Result<Box<RawValue>> {
        let params = Params { handler: "echo", meta: &self.meta, intent: intent(&payload) };
        Ok(self.peer.call(HandleIntent::METHOD, &params).await?)
    }

    fn echoed(outcome: &Box<RawValue>) -> Result<Value> {
        Ok(serde_json::from_str::<Echoed>(outcome.get())?.data)
    }

    async fn stop(self) {
        self.peer.close();
    }
}

fn intent(context: &RawValue) -> IntentRef<'_> {
    IntentRef::of_call("echo", "2025-06-01T12:30:00Z", context)
}

fn main() -> Result<()> {
    measure::<Started>()
}
