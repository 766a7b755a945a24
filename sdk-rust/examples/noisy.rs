//! A plugin that prints, waits, panics and blocks: the tests show that it is understood all the same.

#![allow(clippy::print_stdout, reason = "printing is what it is for")]

use std::{fs, io::Read, path::Path, process::Command};

use astros_sdk::{prelude::*, serde_json::value::RawValue};
use tokio::sync::Barrier;

/// Prints here and in a child, and looks for something on stdin.
async fn print(_: Context, (): ()) -> Result<Response> {
    println!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"from println\"}}");
    let child = Command::new("sh").args(["-c", "echo from a child; cat; ls /proc/self/fd"]).status()?;
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    Ok(Response::message(format!("{child} {input:?}")))
}

/// Answers only once as many as `state` says are here.
async fn meet(ctx: Context, (): ()) -> Result<Response> {
    ctx.state::<Barrier>()?.wait().await;
    Ok(Response::message("met"))
}

async fn wait(_: Context, (): ()) -> Result<Response> {
    std::future::pending().await
}

async fn fail(_: Context, (): ()) -> Result<Response> {
    panic!("as asked")
}

/// Blocks its own thread until its request is taken back, and has something to do then.
fn block(ctx: Context, (): ()) -> Result<Response> {
    while !ctx.is_cancelled() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    println!("block has ended");
    ctx.check_cancelled()?;
    Ok(Response::default())
}

async fn echo(_: Context, params: Box<RawValue>) -> Result<Box<RawValue>> {
    Ok(params)
}

fn main() -> ExitCode {
    Plugin::new("noisy", env!("CARGO_PKG_VERSION"))
        .description("Makes noise.")
        .state(Barrier::new(32))
        .handler(handler("print", print))
        .handler(handler("meet", meet))
        .handler(handler("wait", wait))
        .handler(handler("fail", fail))
        .handler(blocking_handler("block", block))
        .handler(raw_handler("echo", echo).effects(Effects::None))
        .on_stop(async |ctx: Context| {
            println!("on_stop");
            Ok(fs::write(Path::new(&ctx.directories().data).join("stopped"), "once\n")?)
        })
        .run()
}
