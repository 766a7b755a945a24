//! The control API between versions, and under clients that take more than their part.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::{Duration, Instant},
};

use astros_core::control::{
    Client,
    api::{ControlClient, Wanted},
    client::{answered, follow},
};
use astros_protocol::ErrorCode;
use jsonrpsee::server::{RpcModule, ServerBuilder, serve, stop_channel};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::UnixListener;

/// Answers every request, slowly.
const SLOW: &str = r#"
import json, sys, time
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    offers = {"name": "slow", "handlers": [{"name": "wait"}]}
    result = {"protocol_version": "1.0", "plugin": offers}
    if message["method"] == "handle_intent":
        time.sleep(message["params"]["intent"]["context"].get("seconds", 0.001))
        nonsense = message["params"]["intent"]["context"].get("nonsense", 0)
        sys.stdout.write('{"jsonrpc":"2.0","id":987654,"result":1}\n' * nonsense)
        result = {"message": "waited"}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

const MANIFEST: &str = "metadata: {name: slow}\nrun: {command: [python3, code.py]}\n";

fn astros(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
    command.args(arguments).env("ASTROS_HOME", home).env_remove("ASTROS_PLUGIN_PATH");
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    astros(home, arguments).output().unwrap()
}

/// A daemon that is killed when the test ends.
struct Daemon {
    home: TempDir,
    child: Child,
}

impl Daemon {
    fn start() -> Daemon {
        Daemon::with(&["daemon"])
    }

    fn with(arguments: &[&str]) -> Daemon {
        let home = TempDir::new().unwrap();
        let plugin = home.path().join("data/plugins/slow");
        fs::create_dir_all(&plugin).unwrap();
        fs::write(plugin.join("plugin.yaml"), MANIFEST).unwrap();
        fs::write(plugin.join("code.py"), SLOW).unwrap();
        assert!(run(home.path(), &["plugins", "enable", "slow", "--yes"]).status.success());
        let log = fs::File::create(home.path().join("daemon.log")).unwrap();
        let child = astros(home.path(), arguments).stderr(log).spawn().unwrap();
        let daemon = Daemon { home, child };
        let started = Instant::now();
        while !run(daemon.home.path(), &["status"]).status.success() {
            assert!(started.elapsed() < Duration::from_secs(20), "it does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        daemon
    }

    fn runtime(&self) -> PathBuf {
        self.home.path().join("run")
    }

    /// Its memory, in KiB.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = run(self.home.path(), &["daemon", "stop"]);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn scripts_get_one_document_and_all_that_is_wrong() {
    let daemon = Daemon::start();
    let home = daemon.home.path();
    let said =
        |arguments: &[&str]| -> Value { serde_json::from_slice(&run(home, arguments).stdout).unwrap() };
    let published = said(&["bus", "publish", "a.b", "1", "--json"]);
    assert_eq!(published, json!({ "subject": "a.b", "published": true }));
    let missing = said(&["plugins", "show", "--json"])["error"]["message"].to_string();
    assert!(missing.contains("<NAME>"), "{missing}");
    fs::write(home.join("astros.yaml"), "plugins: [\n").unwrap();
    let problems = said(&["status", "--json"])["problems"].to_string();
    assert!(problems.contains("unclosed bracket") && problems.contains("what was read before holds"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_another_version_says_so() {
    let home = TempDir::new().unwrap();
    let runtime = home.path().join("run");
    fs::create_dir_all(&runtime).unwrap();
    let listener = UnixListener::bind(runtime.join("control.sock")).unwrap();
    let hello = json!({
        "control_version": 7, "version": "9.8.7", "pid": 4242, "home": home.path().join("data"),
        "plugin_dirs": [], "since": "2030-01-01T00:00:00Z", "a_member": "of a later version",
    });
    let mut module = RpcModule::new(());
    module.register_method("astros_hello", move |_, (), _| hello.clone()).unwrap();
    let (stop, _handle) = stop_channel();
    let builder = ServerBuilder::default().to_service_builder();
    let served = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(stream, builder.clone().build(module.clone(), stop.clone())));
        }
    });
    for arguments in [&["status", "--json"][..], &["ask", "hello", "--json"]] {
        let output = tokio::task::block_in_place(|| run(home.path(), arguments));
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            (output.status.code(), &said["error"]["kind"]),
            (Some(6), &json!("unsupported_version")),
            "{said}"
        );
        let message = said["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("version 7") && message.contains("speaks 1") && message.contains("9.8.7"),
            "{said}"
        );
        assert!(said["error"]["hint"].as_str().unwrap().contains("4242"), "{said}");
    }
    served.abort();
}

#[tokio::test]
async fn a_thousand_subscriptions_of_one_client_harm_nobody() {
    let daemon = Daemon::start();
    let before = daemon.memory();
    let greedy = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let mut kept = Vec::new();
    let mut refused = 0;
    for _ in 0..1_000 {
        match greedy.tail(">".to_owned()).await {
            Ok(subscription) => kept.push(subscription),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0 && !kept.is_empty(), "{refused} refused, {} kept", kept.len());
    let other = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let call = other.call("slow".to_owned(), "wait".to_owned(), None, None, Some(Wanted::default())).await;
    assert_eq!(follow(call, drop).await.unwrap().response.message, "waited");
    drop((kept, greedy));
    let status = answered(other.status().await).unwrap();
    assert!(status.connections <= 2, "{status:?}");
    assert!(daemon.memory() - before < 32 << 10, "{} KiB more", daemon.memory() - before);
}

#[tokio::test]
async fn strangers_who_connect_and_say_nothing_keep_nobody_out() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");
    let daemon = Daemon::with(&["daemon", "--listen", &address]);
    let strangers: Vec<_> = (0..300).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    let client = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let status = answered(client.status().await).unwrap();
    assert!(status.connections < 100, "{} of {} are kept", status.connections, strangers.len());
}

#[tokio::test]
async fn a_reload_goes_on_when_its_client_is_gone() {
    let daemon = Daemon::start();
    let plugin = daemon.home.path().join("data/plugins/slow");
    fs::write(plugin.join("plugin.yaml"), MANIFEST.replace("slow}", "slow, version: 2.0.0}")).unwrap();
    fs::write(plugin.join("code.py"), format!("import time\ntime.sleep(1)\n{SLOW}")).unwrap();
    let client = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(500), client.reload("slow".to_owned())).await.is_err()
    );
    drop(client);
    let client = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let begun = Instant::now();
    let version = async || {
        let listed = answered(client.list().await).unwrap();
        listed.into_iter().find(|one| one.name == "slow").unwrap().version
    };
    while version().await != "2.0.0" {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is the version before");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_daemon_that_stops_starts_no_plugin_again() {
    let daemon = Daemon::start();
    let client = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let invoke = |seconds: f64| {
        let params = json!({ "seconds": seconds }).as_object().cloned();
        client.invoke("slow".to_owned(), "wait".to_owned(), params, None)
    };
    assert!(invoke(0.0).await.is_ok());
    let refused = async {
        // What is open keeps it for a while.
        client.stop().await.unwrap();
        while answered(invoke(0.0).await).is_ok() {}
        answered(client.restart("slow".to_owned()).await).unwrap_err()
    };
    let (_, error) = tokio::join!(invoke(2.0), refused);
    assert_eq!(error.code, ErrorCode::SHUTTING_DOWN, "{error}");
}

#[test]
fn a_daemon_that_hangs_ends_when_it_is_told_a_second_time() {
    let home = TempDir::new().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut child = astros(home.path(), &["daemon"]).stderr(writer.try_clone().unwrap()).spawn().unwrap();
    let mut said = BufReader::new(reader).lines();
    assert!(said.any(|line| line.unwrap().contains(" ready")));
    // Nobody reads on, and what it says of its end finds no room.
    let full = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let mut full = fs::OpenOptions::new().write(true).custom_flags(nix::libc::O_NONBLOCK).open(full).unwrap();
    while full.write(b".").is_ok() {}
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let begun = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if begun.elapsed() > Duration::from_secs(20) {
            child.kill().unwrap();
            panic!("it goes on: {}", child.wait().unwrap());
        }
        kill(pid, Signal::SIGTERM).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(code, Some(130));
}

#[tokio::test]
async fn a_plugin_that_talks_nonsense_does_not_fill_the_log_of_the_daemon() {
    let daemon = Daemon::start();
    let params = json!({ "nonsense": 10_000 }).as_object().cloned();
    let client = Client::connect(&daemon.runtime()).await.unwrap().unwrap();
    let call = client.call("slow".to_owned(), "wait".to_owned(), params, None, None).await;
    assert!(follow(call, drop).await.is_ok());
    let told = fs::metadata(daemon.home.path().join("daemon.log")).unwrap().len();
    assert!(told < 64 << 10, "{told} bytes");
}

#[tokio::test]
async fn many_clients_at_once_get_one_outcome_a_request() {
    let daemon = Daemon::start();
    let runtime = daemon.runtime();
    let clients = (0..20).map(|_| Client::connect(&runtime));
    let clients: Vec<Client> = futures_util::future::join_all(clients)
        .await
        .into_iter()
        .map(|client| client.unwrap().unwrap())
        .collect();
    let calls = (0..400).map(|number| {
        let client = &clients[number % clients.len()];
        async {
            let call = client.call("slow".to_owned(), "wait".to_owned(), None, None, None).await;
            follow(call, drop).await
        }
    });
    let outcomes = futures_util::future::join_all(calls).await;
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    // What a plugin's queue cannot take is refused, with an outcome all the same.
    assert!(done > 100, "{done} of 400: {:?}", outcomes.iter().find_map(|outcome| outcome.as_ref().err()));
    let status = answered(clients[0].status().await).unwrap();
    assert_eq!((status.in_flight, status.counters["crashes"]), (0, 0), "{status:?}");
}
