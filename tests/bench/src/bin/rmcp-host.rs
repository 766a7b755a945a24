//! A peer: rmcp, the Rust SDK of the Model Context Protocol, on a current-thread runtime. Its payloads are values,
//! there is no way to keep them raw; a call from server to server is a custom request that this host hands on.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use astros_bench::{Row, measure};
use rmcp::{
    ClientHandler, ErrorData, RoleClient, ServiceExt,
    model::{CallToolRequestParams, CallToolResult, CustomRequest, CustomResult, JsonObject},
    service::{Peer, RequestContext, RunningService},
    transport::TokioChildProcess,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json, value::RawValue};

/// Hands what a server asks on to another one.
#[derive(Clone, Default)]
struct Client {
    other: Option<Peer<RoleClient>>,
}

impl ClientHandler for Client {
    async fn on_custom_request(
        &self,
        asked: CustomRequest,
        _: RequestContext<RoleClient>,
    ) -> Result<CustomResult, ErrorData> {
        let wrong = |why: &str| ErrorData::internal_error(why.to_owned(), None);
        let (Some(other), Some(Value::Object(arguments))) = (&self.other, asked.params) else {
            return Err(wrong("nobody to hand it on to"));
        };
        let asked = CallToolRequestParams::new("echo").with_arguments(arguments);
        let answer = other.call_tool(asked).await.map_err(|error| wrong(&error.to_string()))?;
        Ok(CustomResult::new(answer.structured_content.unwrap_or_default()))
    }
}

#[derive(Clone)]
struct Started {
    peer: Peer<RoleClient>,
    service: Arc<Mutex<Option<RunningService<RoleClient, Client>>>>,
    pid: Option<Pid>,
}

impl Started {
    async fn launch(child: &[String], client: Client) -> Result<Started> {
        let mut command = tokio::process::Command::new(&child[0]);
        command.args(&child[1..]);
        let transport = TokioChildProcess::new(command)?;
        let pid = transport.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let service = client.serve(transport).await?;
        Ok(Started { peer: service.peer().clone(), service: Arc::new(Mutex::new(Some(service))), pid })
    }
}

impl Row for Started {
    type Host = ();
    type Argument = JsonObject;
    type Outcome = CallToolResult;

    fn host() -> Result<()> {
        Ok(())
    }

    async fn start((): &(), child: &[String]) -> Result<Started> {
        Started::launch(child, Client::default()).await
    }

    fn prepare(payload: &Arc<RawValue>) -> Result<JsonObject> {
        Ok(serde_json::from_str(payload.get())?)
    }

    async fn call(&self, arguments: JsonObject) -> Result<CallToolResult> {
        Ok(self.peer.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await?)
    }

    fn echoed(outcome: &CallToolResult) -> Result<Value> {
        outcome.structured_content.clone().context("no structured content")
    }

    async fn route((): &(), child: &[String], calls: usize, payload: &RawValue) -> Result<Vec<u64>> {
        let b = Started::launch(child, Client::default()).await?;
        let a = Started::launch(child, Client { other: Some(b.peer.clone()) }).await?;
        let Value::Object(asked) = json!({ "calls": calls, "payload": payload }) else { unreachable!() };
        let answer = a.peer.call_tool(CallToolRequestParams::new("route").with_arguments(asked)).await?;
        let content = answer.structured_content.context("no times of A")?;
        a.stop().await;
        b.stop().await;
        Ok(serde_json::from_value(content["times"].clone())?)
    }

    async fn stop(self) {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Its own way to stop waits for the child for up to 3 s.
        if let Some(pid) = self.pid {
            let _ = kill_process(pid, Signal::KILL);
        }
        if let Some(service) = service {
            let _ = service.cancel().await;
        }
    }
}

fn main() -> Result<()> {
    measure::<Started>()
}
