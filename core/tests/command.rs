//! The command with a plugin that does not behave, on its way out.

#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Says something, and takes no notice of anything.
const HANGS: &str = r#"
import sys, time
print("here", file=sys.stderr, flush=True)
time.sleep(60)
"#;

fn call(folder: &TempDir) -> Child {
    let plugin = folder.path().join("plugins/hangs");
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("plugin.yaml"), "metadata: {name: hangs}\nrun: {command: [python3, hangs.py]}\n")
        .unwrap();
    fs::write(plugin.join("hangs.py"), HANGS).unwrap();
    Command::new(env!("CARGO_BIN_EXE_astros"))
        .arg("--plugin-dir")
        .arg(folder.path().join("plugins"))
        .args(["plugins", "call", "hangs", "hang", "--json", "--timeout", "2s"])
        .env("ASTROS_HOME", folder.path().join("home"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn says_what_came_of_it_before_it_stops_a_plugin_that_hangs() {
    let folder = TempDir::new().unwrap();
    let mut command = call(&folder);
    let mut line = String::new();
    BufReader::new(command.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["error"]["kind"], "deadline_exceeded");
    let told = Instant::now();
    assert_eq!(command.wait().unwrap().code(), Some(7));
    // A plugin that does not end when its input does has a second until TERM.
    assert!(told.elapsed() > Duration::from_millis(500), "it was told only after the stop");
}

#[test]
fn ends_though_somebody_holds_the_logs() {
    let folder = TempDir::new().unwrap();
    let logs = folder.path().join("home/logs");
    fs::create_dir_all(&logs).unwrap();
    let held = File::open(logs).unwrap();
    held.lock().unwrap();
    let mut command = call(&folder);
    let started = Instant::now();
    while command.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "it waits for the logs");
        std::thread::sleep(Duration::from_millis(50));
    }
}
