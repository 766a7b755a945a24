//! A host in memory, for tests of plugins in the author's own test runner: no daemon, no process.
//!
//! The plugin is served by the same code as in its process, over the real protocol.
//!
//! ```
//! use astros_sdk::{prelude::*, testing::TestHost};
//!
//! async fn shout(_: Context, params: Extra) -> Result<Response> {
//!     Ok(Response::message(params["text"].as_str().unwrap_or_default().to_uppercase()))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let host = TestHost::start(Plugin::new("shout", "1.0.0").handler(handler("shout", shout))).await;
//! let response = host.call("shout", json!({ "text": "hi" })).await.unwrap();
//! assert_eq!(response.message, "HI");
//! # });
//! ```

mod host;
mod service;
mod store;

pub use host::{TestCall, TestHost};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{Plugin, run};

/// Serves a plugin over any two streams, as its process does over stdin and stdout: until the input ends, and the
/// plugin's own clean-up has run.
pub async fn serve<R, W>(plugin: Plugin, input: R, output: W)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    run::serve(plugin, input, output, std::future::pending()).await;
}
