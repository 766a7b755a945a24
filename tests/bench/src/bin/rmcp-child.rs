//! rmcp's server as lean as it gets: a handler written by hand, without schemas, whose answer has the structured
//! content alone. `echo` gives its arguments back; `route` asks the host, which asks another server's `echo`.

use std::time::Instant;

use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, CustomRequest, ServerCapabilities,
        ServerConfig, ServerRequest,
    },
    service::RequestContext,
    transport::io::stdio_pipes,
};
use serde_json::{Value, json};

struct Server;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        asked: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = Value::Object(asked.arguments.unwrap_or_default());
        let mut result = CallToolResult::success(Vec::new());
        result.structured_content = Some(match &*asked.name {
            "route" => json!({ "times": route(&arguments, &context).await? }),
            _ => arguments,
        });
        Ok(result.into())
    }
}

async fn route(asked: &Value, context: &RequestContext<RoleServer>) -> Result<Vec<u64>, ErrorData> {
    let mut times = Vec::new();
    for _ in 0..asked["calls"].as_u64().unwrap_or_default() {
        let request = CustomRequest::new("route", Some(asked["payload"].clone()));
        let begin = Instant::now();
        let answer = context.peer.send_request(ServerRequest::CustomRequest(request)).await;
        answer.map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        times.push(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(times)
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        Server.serve(stdio_pipes()).await?.waiting().await?;
        Ok(())
    })
}
