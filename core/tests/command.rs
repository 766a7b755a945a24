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

/// Asks back.
const ASKS: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    offers = {"name": "test", "handlers": [{"name": "order", "examples": ["order a pizza"]}]}
    result = {"protocol_version": "1.0", "plugin": offers}
    if message["method"] == "handle_intent":
        result = {"message": "of which size?", "requires_followup": True}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

fn plugin(code: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let plugin = folder.path().join("plugins/test");
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("plugin.yaml"), "metadata: {name: test}\nrun: {command: [python3, code.py]}\n")
        .unwrap();
    fs::write(plugin.join("code.py"), code).unwrap();
    folder
}

fn astros(folder: &TempDir, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_astros"))
        .arg("--plugin-dir")
        .arg(folder.path().join("plugins"))
        .args(arguments)
        .env("ASTROS_HOME", folder.path().join("home"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

const CALL: [&str; 7] = ["plugins", "call", "test", "hang", "--json", "--timeout", "2s"];

fn said(command: &mut Child) -> Value {
    let mut line = String::new();
    BufReader::new(command.stdout.take().unwrap()).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn says_what_came_of_it_before_it_stops_a_plugin_that_hangs() {
    let folder = plugin(HANGS);
    let mut command = astros(&folder, &CALL);
    assert_eq!(said(&mut command)["error"]["kind"], "deadline_exceeded");
    let told = Instant::now();
    assert_eq!(command.wait().unwrap().code(), Some(7));
    // A plugin that does not end when its input does has a second until TERM.
    assert!(told.elapsed() > Duration::from_millis(500), "it was told only after the stop");
}

#[test]
fn ends_though_somebody_holds_the_logs() {
    let folder = plugin(HANGS);
    let logs = folder.path().join("home/logs");
    fs::create_dir_all(&logs).unwrap();
    let held = File::open(logs).unwrap();
    held.lock().unwrap();
    let mut command = astros(&folder, &CALL);
    let started = Instant::now();
    while command.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(30), "it waits for the logs");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn answers_though_the_session_cannot_be_remembered() {
    let folder = plugin(ASKS);
    assert!(astros(&folder, &["plugins", "list"]).wait().unwrap().success());
    let full = "CREATE TRIGGER full BEFORE INSERT ON followups BEGIN SELECT RAISE(ABORT, 'full'); END";
    let database = folder.path().join("home/data/astros.db");
    rusqlite::Connection::open(database).unwrap().execute_batch(full).unwrap();
    let mut command = astros(&folder, &["ask", "order a pizza", "--json"]);
    assert_eq!(said(&mut command)["message"], "of which size?");
}

#[test]
fn says_that_its_answer_could_not_be_written() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_astros"))
        .args(["schema", "--list"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(8));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("cannot be written to standard output"), "{stderr}");
}
