//! AstrOS within a program of one's own: starts a host with the plugins of a folder, calls a handler, hears events.
//!
//! `cargo run -p astros-core --example embed -- HOME PLUGINS PLUGIN HANDLER`

#![allow(clippy::print_stdout, reason = "a program prints")]

use astros_core::{
    daemon::{Daemon, Options},
    launcher,
};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The program starts plugins through itself, so that nothing of them outlives it.
    launcher::run_if_asked();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(embed())
}

async fn embed() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [home, plugins, plugin, handler] = &arguments[..] else { return Err("four arguments".into()) };
    let options = Options { plugin_dirs: vec![plugins.into()], ..Options::at(home) };
    let host = Daemon::start(options).await?;
    let mut events = host.events();
    let response = host.call(plugin, handler, json!({"name": "Ada"})).await?;
    println!("{}", response.message);
    host.stop().await;
    while let Ok(event) = events.try_recv() {
        println!("{event:?}");
    }
    Ok(())
}
