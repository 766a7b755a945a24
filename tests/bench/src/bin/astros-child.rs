//! A plugin made with the Rust SDK: `echo` gives its payload back unread; `route` calls another plugin's `echo` and
//! tells how long each call took.

use std::{process::ExitCode, time::Instant};

use astros_sdk::{Context, Plugin, Result, raw_handler};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

/// A Response whose data stay as they are.
#[derive(Serialize)]
struct Answer<T> {
    success: bool,
    data: T,
}

/// What `route` takes.
#[derive(Deserialize)]
struct Route {
    calls: usize,
    plugin: String,
    payload: Box<RawValue>,
}

fn main() -> ExitCode {
    Plugin::new(std::env::args().nth(1).unwrap_or_else(|| "bench".to_owned()), env!("CARGO_PKG_VERSION"))
        .handler(raw_handler("echo", echo))
        .handler(raw_handler("route", route))
        .run()
}

async fn echo(_: Context, payload: Box<RawValue>) -> Result<Box<RawValue>> {
    Ok(to_raw_value(&Answer { success: true, data: payload })?)
}

async fn route(ctx: Context, asked: Box<RawValue>) -> Result<Box<RawValue>> {
    let Route { calls, plugin, payload } = serde_json::from_str(asked.get())?;
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begin = Instant::now();
        ctx.call_plugin(&plugin, "echo", &payload).raw().await?;
        times.push(u64::try_from(begin.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    Ok(to_raw_value(&Answer { success: true, data: times })?)
}
