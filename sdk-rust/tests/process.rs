//! The SDK in processes of its own, as a host starts them.

#![allow(clippy::unwrap_used, reason = "a test fails where its world is not as expected")]

use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use astros_peer::{Failure, Incoming, Oddity, Options, Peer, Service, connect};
use astros_protocol::{
    ErrorCode, Request, Response,
    lifecycle::{Describe, Initialize, InitializeResult, Ping, PingParams, Shutdown, ShutdownParams},
};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::AsyncReadExt,
    net::UnixStream,
    process::{Child, Command},
    time::timeout,
};

/// Far beyond what anything here takes.
const LONG: Duration = Duration::from_secs(20);

/// A host that hears what it should not.
#[derive(Clone, Default)]
struct Host(Arc<Mutex<Vec<String>>>);

impl Service for Host {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        panic!("unexpected request `{}`", request.method);
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        self.0.lock().unwrap().push(format!("{oddity:?}"));
    }
}

struct Started {
    child: Child,
    peer: Peer,
    host: Host,
    folder: tempfile::TempDir,
}

fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(path.exists(), "{} is missing: `cargo test -p astros-sdk` builds it", path.display());
    path
}

fn noisy() -> Command {
    let mut command = Command::new(example("noisy"));
    command.env("ASTROS_PROTOCOL", "1.0").stderr(Stdio::piped()).kill_on_drop(true);
    command
}

fn start(mut command: Command) -> Started {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let host = Host::default();
    let (peer, connection) = connect(input, output, host.clone(), Options::default());
    tokio::spawn(connection.run());
    Started { child, peer, host, folder: tempfile::tempdir().unwrap() }
}

impl Started {
    async fn initialize(self) -> Started {
        let answer = self.ask(Initialize::METHOD, self.given(&["1.0"])).await.unwrap();
        let answer: InitializeResult = serde_json::from_value(answer).unwrap();
        assert_eq!(answer.plugin.name, "noisy");
        self
    }

    fn given(&self, versions: &[&str]) -> Value {
        let folder = self.folder.path();
        json!({
            "protocol_versions": versions,
            "host": { "name": "test", "version": "1" },
            "plugin": { "name": "noisy" },
            "directories": { "data": folder, "cache": folder, "config": folder },
        })
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value, Failure> {
        let answer = timeout(LONG, self.peer.call(method, &params)).await.expect("an answer in time")?;
        Ok(serde_json::from_str(answer.get()).unwrap())
    }

    async fn call(&self, handler: &str) -> Result<Response, Failure> {
        let answer = self.ask("handle_intent", json!({ "handler": handler, "intent": {} })).await?;
        Ok(serde_json::from_value(answer).unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().unwrap().try_into().unwrap();
        kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
    }

    /// How it ended, what it printed on stderr, and whether its clean-up ran.
    async fn end(mut self) -> (ExitStatus, String, bool) {
        let mut words = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        timeout(LONG, stderr.read_to_string(&mut words)).await.expect("its stderr ends").unwrap();
        let status = timeout(LONG, self.child.wait()).await.expect("it ends").unwrap();
        assert_eq!(*self.host.0.lock().unwrap(), [] as [String; 0]);
        (status, words, self.folder.path().join("stopped").exists())
    }
}

fn code<T: std::fmt::Debug>(outcome: Result<T, Failure>) -> ErrorCode {
    match outcome {
        Err(Failure::Error(error)) => error.code,
        other => panic!("expected an error, found {other:?}"),
    }
}

#[tokio::test]
async fn prints_without_harm() {
    let plugin = start(noisy()).initialize().await;
    let response = plugin.call("print").await.unwrap();
    assert_eq!(response.message, "exit status: 0 \"\"");
    plugin.peer.close();
    let (status, words, stopped) = plugin.end().await;
    assert!(status.success() && stopped);
    assert!(words.contains("from println") && words.contains("from a child") && words.contains("on_stop"));
    let mut list = Command::new("ls");
    let inherited = list.arg("/proc/self/fd").stdin(Stdio::null()).output().await.unwrap().stdout;
    let numbers = |text: &str| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>();
    let expected = numbers(std::str::from_utf8(&inherited).unwrap());
    assert_eq!(numbers(&words), expected, "a child of the plugin's gets no descriptor of the protocol");
}

#[tokio::test]
async fn ends_by_request_and_cleans_up_once() {
    let plugin = start(noisy()).initialize().await;
    let asked = ShutdownParams { reason: "test".to_owned(), grace_ms: 5_000 };
    plugin.peer.request::<Shutdown>(&asked).await.unwrap();
    assert_eq!(code(plugin.call("echo").await), ErrorCode::SHUTTING_DOWN);
    plugin.peer.close();
    let (status, words, stopped) = plugin.end().await;
    assert!(status.success() && stopped);
    assert_eq!(words.matches("on_stop").count(), 1);
}

#[tokio::test]
async fn cleans_up_on_sigterm_and_leaves_sigint_to_the_host() {
    let plugin = start(noisy()).initialize().await;
    plugin.signal(Signal::SIGINT);
    assert_eq!(plugin.call("echo").await.unwrap(), Response::default());
    plugin.signal(Signal::SIGTERM);
    let (status, _, stopped) = plugin.end().await;
    assert!(status.success() && stopped);
}

#[tokio::test]
async fn ends_with_work_in_flight_when_the_host_is_gone() {
    let plugin = start(noisy()).initialize().await;
    let _waiting = plugin.peer.call("handle_intent", &json!({ "handler": "wait", "intent": {} }));
    let _blocking = plugin.peer.call("handle_intent", &json!({ "handler": "block", "intent": {} }));
    plugin.peer.request::<Ping>(&PingParams {}).await.unwrap();
    plugin.peer.close();
    let (status, words, stopped) = plugin.end().await;
    assert!(status.success() && stopped);
    assert!(words.contains("block has ended"), "a blocking handler is given time to end");
}

#[tokio::test]
async fn refuses_a_version_that_it_does_not_speak_and_what_comes_too_early() {
    let plugin = start(noisy());
    assert_eq!(code(plugin.call("echo").await), ErrorCode::INVALID_REQUEST);
    assert_eq!(
        code(plugin.ask(Initialize::METHOD, plugin.given(&["7.1"])).await),
        ErrorCode::UNSUPPORTED_VERSION
    );
    let described =
        plugin.ask(Describe::METHOD, json!({ "protocol_versions": ["1.4", "2.0"] })).await.unwrap();
    assert_eq!(
        (&described["protocol_version"], &described["plugin"]["name"]),
        (&json!("1.0"), &json!("noisy"))
    );
    assert_eq!(code(plugin.ask(Initialize::METHOD, json!({})).await), ErrorCode::INVALID_PARAMS);
    let plugin = plugin.initialize().await;
    assert_eq!(
        code(plugin.ask(Initialize::METHOD, plugin.given(&["1.0"])).await),
        ErrorCode::INVALID_REQUEST
    );
    assert_eq!(code(plugin.ask("x/none/at_all", json!({})).await), ErrorCode::METHOD_NOT_FOUND);
}

#[tokio::test]
async fn survives_a_panic_and_prints_it() {
    let plugin = start(noisy()).initialize().await;
    let Err(Failure::Error(error)) = plugin.call("fail").await else { panic!("expected an error") };
    assert_eq!((error.code, error.message.as_str()), (ErrorCode::HANDLER_FAILED, "panicked: as asked"));
    plugin.call("echo").await.unwrap();
    plugin.peer.close();
    assert!(plugin.end().await.1.contains("as asked"));
}

#[tokio::test]
async fn serves_many_at_once_and_answers_ping_beside_them() {
    let plugin = start(noisy()).initialize().await;
    let asked = |handler| json!({ "handler": handler, "intent": {} });
    let mut met: Vec<_> = (0..31).map(|_| plugin.peer.call("handle_intent", &asked("meet"))).collect();
    let blocking: Vec<_> = (0..8).map(|_| plugin.peer.call("handle_intent", &asked("block"))).collect();
    assert_eq!(plugin.peer.request::<Ping>(&PingParams {}).await.unwrap().in_flight, Some(39));
    met.push(plugin.peer.call("handle_intent", &asked("meet")));
    for call in met {
        timeout(LONG, call).await.expect("they meet").unwrap();
    }
    // Dropped calls are taken back; the blocking handlers see it and end.
    drop(blocking);
    timeout(LONG, async {
        while plugin.peer.open_calls() > 0 {
            plugin.peer.request::<Ping>(&PingParams {}).await.unwrap();
        }
    })
    .await
    .expect("all are answered");
}

#[tokio::test]
async fn speaks_on_sockets_too() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let input = theirs.try_clone().unwrap();
    let mut command = noisy();
    command.stdin(OwnedFd::from(input)).stdout(OwnedFd::from(theirs));
    let mut child = command.spawn().unwrap();
    drop(command);
    ours.set_nonblocking(true).unwrap();
    let (input, output) = UnixStream::from_std(ours).unwrap().into_split();
    let (peer, connection) = connect(input, output, Host::default(), Options::default());
    tokio::spawn(connection.run());
    peer.request::<Ping>(&PingParams {}).await.unwrap();
    peer.close();
    assert!(timeout(LONG, child.wait()).await.expect("it ends").unwrap().success());
}

#[tokio::test]
async fn speaks_on_the_descriptors_that_it_is_told() {
    let mut command = Command::new("sh");
    command.env("ASTROS_PROTOCOL", "1.0").env("ASTROS_RPC_FDS", "3,4");
    command.args(["-c", "exec \"$0\" 3<&0 4>&1 0</dev/null 1>&2"]).arg(example("noisy"));
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let plugin = start(command).initialize().await;
    plugin.call("print").await.unwrap();
    plugin.peer.close();
    let (status, words, _) = plugin.end().await;
    assert!(status.success() && words.contains("from println"));
}

#[tokio::test]
async fn says_what_it_is_where_it_is_started_by_hand() {
    let output = noisy().env_remove("ASTROS_PROTOCOL").stdin(Stdio::null()).output().await.unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(2), Vec::new()));
    let words = String::from_utf8(output.stderr).unwrap();
    assert!(words.contains("`noisy`") && words.contains("astros --plugin-dir DIR"), "{words}");
}

#[tokio::test]
async fn names_descriptors_that_are_none() {
    let output = noisy().env("ASTROS_RPC_FDS", "61,62").stdin(Stdio::null()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("descriptor 61 of `ASTROS_RPC_FDS`"));
}
