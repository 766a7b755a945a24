//! The control API as programs meet it that are not ours: raw requests, by TCP with a token and by the socket.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    time::Duration,
};

use astros_tests::{Running, World, adversary, eventually};
use serde_json::{Value, json};

/// A daemon that listens, and what a good request bears.
struct Listening {
    daemon: Running,
    port: u16,
    token: String,
}

impl Listening {
    fn new(world: &World) -> Listening {
        let daemon = world.daemon(["--listen", "127.0.0.1:0"]);
        let said = daemon.stderr();
        let address = said.split("127.0.0.1:").nth(1).expect("it says where it listens");
        let port = address.split_whitespace().next().unwrap().parse().unwrap();
        let file = world.runtime().join("token");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        Listening { daemon, port, token: fs::read_to_string(file).unwrap() }
    }

    /// The status and the JSON of the answer to a request with these headers.
    fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        post(stream, headers, body)
    }

    fn good(&self) -> (String, String) {
        (format!("localhost:{}", self.port), format!("Bearer {}", self.token))
    }
}

fn post(mut stream: impl Read + Write, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut request =
        String::from("POST / HTTP/1.1\r\nContent-Type: application/json\r\nConnection: close\r\n");
    headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (status.unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

fn request(method: &str, params: Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

#[test]
fn answers_http_that_bears_the_token() {
    let world = World::new().with(adversary("villain"));
    let listening = Listening::new(&world);
    let (host, token) = listening.good();
    let good = [("Host", &*host), ("Authorization", &*token)];
    let (status, answer) = listening.post(&good, &request("astros_hello", json!({})));
    assert_eq!((status, &answer["result"]["control_version"]), (200, &json!(1)), "{answer}");
    let asked = json!({ "text": "make villain echo", "person": { "cwd": "/tmp", "timeout_ms": 20_000 } });
    let (_, answer) = listening.post(&good, &request("astros_answer", asked));
    assert_eq!(answer["result"]["handler"], "echo", "{answer}");
    let called = json!({ "plugin": "villain", "handler": "crash" });
    let (status, answer) = listening.post(&good, &request("astros_invoke", called));
    assert_eq!((status, &answer["error"]["data"]["kind"]), (200, &json!("plugin_crashed")), "{answer}");
    assert!(answer["error"]["data"]["last_words"].is_array(), "nothing of the error is lost");
    let local = [("Host", &*host), ("Authorization", &*token), ("Origin", &*format!("http://{host}"))];
    assert_eq!(listening.post(&local, &request("astros_hello", json!([]))).0, 200);
    listening.daemon.stop().succeeds();
}

#[test]
fn refuses_whoever_may_be_a_page_of_a_browser_or_has_no_token() {
    let world = World::new();
    let listening = Listening::new(&world);
    let (host, token) = listening.good();
    let (host, token) = (("Host", &*host), ("Authorization", &*token));
    let (wrong, other) = (("Authorization", "Bearer 0000"), ("Host", "evil.example"));
    let rebound = format!("evil.example:{}", listening.port);
    let page = ("Origin", "https://evil.example");
    for (headers, status, subject) in [
        (&[host][..], 401, "token"),
        (&[host, wrong], 401, "token"),
        (&[host, ("Authorization", "Basic x")], 401, "token"),
        (&[other, token], 403, "`Host`"),
        (&[("Host", &rebound), token], 403, "`Host`"),
        (&[("Host", "localhost:1"), token], 403, "`Host`"),
        (&[host, token, page], 403, "`Origin`"),
        (&[host, token, ("Origin", "null")], 403, "`Origin`"),
        (&[host, token, ("Origin", "http://localhost:1")], 403, "`Origin`"),
    ] {
        let (found, answer) = listening.post(headers, &request("astros_hello", json!({})));
        assert_eq!(found, status, "{headers:?}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(subject) && answer["error"]["code"] == -32006, "{headers:?}: {answer}");
    }
    listening.daemon.stop().succeeds();
}

#[test]
fn listens_on_loopback_only() {
    let world = World::new();
    for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
        world.astros(["daemon", "--listen", address]).run().exits(2).warns("no loopback address");
    }
    world.astros(["daemon", "--listen", "nowhere"]).run().exits(2);
}

#[test]
fn takes_a_request_back_when_an_http_client_is_gone() {
    let world = World::new().with(adversary("villain"));
    let listening = Listening::new(&world);
    let note = world.note("note");
    let call = json!({ "plugin": "villain", "handler": "hang", "params": { "note": note } });
    let body = request("astros_invoke", call);
    let (host, token) = listening.good();
    let mut stream = TcpStream::connect(("127.0.0.1", listening.port)).unwrap();
    let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n");
    let rest = format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
    eventually("it begins", || note.exists().then_some(()));
    drop(stream);
    eventually("it is taken back", || fs::read_to_string(&note).unwrap().contains("cancelled").then_some(()));
    listening.daemon.stop().succeeds();
}

#[test]
fn goes_on_whatever_a_client_sends() {
    let world = World::new().with(adversary("villain"));
    let daemon = world.daemon([""; 0]);
    let socket = world.runtime().join("control.sock");
    let connect = || UnixStream::connect(&socket).unwrap();
    let host = [("Host", "localhost")];
    // Nothing, garbage, half a request, far too much, a batch without an end.
    let silent: Vec<UnixStream> = (0..200).map(|_| connect()).collect();
    for garbage in [&b"\0\xff\xfe not HTTP \r\n\r\n"[..], b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n{"] {
        let mut stream = connect();
        stream.write_all(garbage).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let _ = stream.read(&mut [0; 1024]);
    }
    let mut large = connect();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        1_u64 << 31
    );
    large.write_all(head.as_bytes()).unwrap();
    let batch = format!("[{}]", vec![request("astros_hello", json!({})); 100].join(","));
    let (status, answer) = post(connect(), &host, &batch);
    assert!(status == 200 && answer["error"]["code"].is_i64(), "{answer}");
    for (body, code) in [
        ("{", -32700),
        ("[]", -32600),
        (&request("astros_nothing", json!({})), -32601),
        (&request("astros_show", json!({})), -32602),
        (&request("astros_show", json!({ "name": 7 })), -32602),
        (&request("astros_answer", json!({ "text": "x", "person": { "cwd": "relative" } })), -32602),
    ] {
        let (_, answer) = post(connect(), &host, body);
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
    }
    drop(silent);
    world.call("villain", "echo", json!({})).succeeds();
    daemon.stop().succeeds();
}
