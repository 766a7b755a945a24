//! Write AstrOS plugins in Rust.
//!
//! A plugin is a [`Plugin`] with handlers; a handler is an async function of a [`Context`] and its parameters.
//! The whole of one, with `serde` and `schemars` beside this crate among its dependencies:
//!
//! ```no_run
//! use astros_sdk::prelude::*;
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct City {
//!     city: String,
//! }
//!
//! async fn weather_in(ctx: Context, City { city }: City) -> Result<Response> {
//!     let report = ctx.call_plugin("web", "get_json", json!({ "url": format!("https://…/{city}") })).await?;
//!     Ok(Response::message(report.data["summary"].as_str().unwrap_or("no report")))
//! }
//!
//! fn main() -> ExitCode {
//!     Plugin::new("weather", env!("CARGO_PKG_VERSION"))
//!         .handler(handler("weather_in", weather_in).examples(["weather in {city}"]))
//!         .run()
//! }
//! ```
//!
//! Handlers share one thread with the connection, which makes calls fast: as in every tokio program, a handler that
//! blocks its thread (synchronous I/O, long computation, `std::thread::sleep`) is made with [`blocking_handler`],
//! and the others, `ping` included, go on meanwhile. A [`handler`] that holds the thread for a second is named on
//! stderr.

mod ai;
mod attend;
mod bus;
mod call;
mod command;
mod component;
mod context;
mod dispatch;
mod error;
mod handler;
mod life;
mod params;
pub mod testing;

mod plugin;
mod provider;
mod run;
mod session;
mod stdio;
mod storage;
mod workflow;

pub use ai::{Ai, AiCall};
pub use call::CallPlugin;
pub use command::Exit;
pub use component::{Component, Render, Screen, component, live_component};
pub use context::Context;
pub use error::{Error, Result};
pub use handler::{Handler, blocking_handler, handler, raw_handler};
pub use plugin::Plugin;
pub use provider::{Provider, provider};
pub use storage::Storage;
pub use workflow::{PartName, Task};

pub use astros_protocol::{
    self as protocol, ErrorCode, Extra, Intent, Meta, PluginDescription, Response,
    ai::{
        AiAnswer, ChatMessage, ChatRequest, CompleteRequest, EmbedRequest, Embeddings, Image, ImageRequest,
        ProviderHealth,
    },
    bus::BusMessage,
    lifecycle::{Directories, Effects},
    person::Level,
    stream::ProgressValue,
    ui::UiTree,
    workflow::{WorkflowResult, WorkflowStep},
};
pub use {clap, schemars, serde, serde_json};

/// What a plugin's file usually needs: `use astros_sdk::prelude::*`.
pub mod prelude {
    pub use std::{process::ExitCode, time::Duration};

    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::json;

    pub use crate::{
        AiAnswer, BusMessage, ChatMessage, ChatRequest, CompleteRequest, Context, Effects, EmbedRequest,
        Embeddings, Error, Extra, Image, ImageRequest, Intent, Level, Plugin, ProviderHealth, Response,
        Result, Screen, Task, UiTree, WorkflowResult, WorkflowStep, blocking_handler, component, handler,
        live_component, provider, raw_handler,
    };
}
