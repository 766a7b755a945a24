//! A plugin in its sandbox, on the ways out that it was granted: hosts of the network, services of D-Bus.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
};

use astros_core::daemon::{Daemon, Options};
use astros_protocol::{Error, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Does what the request says: asks for a URL, connects by itself, looks a name up, runs a command.
const PLUGIN: &str = r#"
import json, socket, subprocess, sys, urllib.request
def work(asked):
    if "url" in asked:
        return urllib.request.urlopen(asked["url"], data=asked.get("body", "").encode() or None, timeout=10).read().decode()
    if "port" in asked:
        return repr(socket.create_connection(("127.0.0.1", asked["port"]), timeout=5))
    if "name" in asked:
        return repr(socket.getaddrinfo(asked["name"], 80))
    return subprocess.run(asked["run"], capture_output=True, check=True, text=True, timeout=10).stdout
for line in sys.stdin:
    message = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": message.get("id"), "result": {}}
    if message["method"] == "initialize":
        answer["result"] = {"protocol_version": "1.0", "plugin": {"name": "way", "handlers": [{"name": "go"}]}}
    elif message["method"] == "handle_intent":
        try:
            answer["result"] = {"message": work(message["params"]["intent"]["context"])}
        except Exception as error:
            detail = getattr(error, "stderr", None) or ""
            answer["error"] = {"code": -32000, "message": f"{error} {detail}".strip(), "data": {"kind": "handler_failed"}}
            del answer["result"]
    if answer["id"] is not None:
        print(json.dumps(answer), flush=True)
"#;

struct World {
    folder: TempDir,
    daemon: Daemon,
}

/// A daemon with the plugin, which was granted this.
async fn world(permissions: Value, variables: &[(&str, String)]) -> World {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().canonicalize().unwrap().join(name) };
    fs::create_dir_all(path("plugins/way")).unwrap();
    let manifest = json!({
        "metadata": { "name": "way" }, "run": { "command": ["python3", "code.py"] }, "permissions": permissions,
    });
    fs::write(path("plugins/way/plugin.yaml"), manifest.to_string()).unwrap();
    fs::write(path("plugins/way/code.py"), PLUGIN).unwrap();
    let mut options = Options { plugin_dirs: vec![path("plugins")], ..Options::at(path("home")) };
    let own = |name: &str| variables.iter().any(|(own, _)| *own == name);
    options.environment.retain(|(name, _)| !name.to_str().is_some_and(own));
    options.environment.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
    World { daemon: Daemon::start(options).await.unwrap(), folder }
}

impl World {
    async fn go(&self, asked: Value) -> Result<Response, Error> {
        self.daemon.call("way", "go", asked).await
    }

    /// Whether this machine has what these tests need; where not, a plugin with such a grant does not start at all.
    async fn is_confined(&self) -> bool {
        let confined = self.go(json!({ "run": ["true"] })).await;
        if let Err(error) = &confined {
            assert!(error.message.contains("sandbox cannot be set up"), "{error}");
            eprintln!("skipped: {error}");
        }
        confined.is_ok()
    }
}

/// Answers each request with its first line and its body, and closes.
fn server() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let text = format!("{} {}", first.trim(), String::from_utf8_lossy(&body));
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
                text.len()
            );
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    port
}

#[tokio::test]
async fn a_plugin_reaches_the_hosts_that_it_was_granted_and_no_others() {
    let (granted, other) = (server(), server());
    let world = world(json!({ "network": [format!("127.0.0.1:{granted}")] }), &[]).await;
    if !world.is_confined().await {
        return;
    }
    let url = |port: u16| format!("http://127.0.0.1:{port}/a?b");
    let answer = world.go(json!({ "url": url(granted), "body": "hello" })).await.unwrap();
    assert_eq!(answer.message, "POST /a?b HTTP/1.1 hello");

    // What is refused is said to the person, with what allows it.
    let error = world.go(json!({ "url": url(other) })).await.unwrap_err();
    assert!(error.message.contains(&format!("`way` may not reach `127.0.0.1:{other}`")), "{error:?}");
    let hint = format!("`astros plugins grant way 'network: 127.0.0.1:{other}'` allows it");
    assert_eq!(error.hint(), Some(&*hint));
    assert_eq!(error.data.unwrap().extra["permission"], format!("network: 127.0.0.1:{other}"));
    let audited = world.daemon.audited(10).await.unwrap();
    assert!(audited.iter().any(|event| event.what == format!("network: 127.0.0.1:{other}")), "{audited:?}");

    // There is no other way, not even to where the proxy would let it.
    for port in [granted, other] {
        assert!(world.go(json!({ "port": port })).await.is_err());
    }
    assert!(world.go(json!({ "name": "example.org" })).await.is_err());
    let seen = &world.daemon.router().metrics().snapshot()["way"];
    assert_eq!((seen.requests, seen.denials["network"]), (1, 1));
    world.daemon.stop().await;
}

/// A session bus of the test's own, ended with it.
struct Bus(Child);

impl Drop for Bus {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test]
async fn a_plugin_talks_to_the_services_that_it_was_granted_and_to_no_others() {
    let folder = TempDir::new().unwrap();
    let address = format!("unix:path={}/bus", folder.path().display());
    let service = |name: &str| {
        // The bus tries to start it for whoever calls it, and says so.
        let text = format!("[D-BUS Service]\nName={name}\nExec=/bin/false\n");
        fs::write(folder.path().join(format!("{name}.service")), text).unwrap();
    };
    ["org.example.Good", "org.example.Other"].into_iter().for_each(service);
    let config = format!(
        "<busconfig><type>session</type><listen>{address}</listen><servicedir>{}</servicedir>\
         <policy context='default'><allow send_destination='*' eavesdrop='true'/><allow eavesdrop='true'/>\
         <allow own='*'/></policy></busconfig>",
        folder.path().display()
    );
    fs::write(folder.path().join("bus.conf"), config).unwrap();
    let mut daemon = Command::new("dbus-daemon")
        .args(["--print-address", "--nofork", "--config-file"])
        .arg(folder.path().join("bus.conf"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("`apt-get install dbus-daemon xdg-dbus-proxy` brings what this test needs");
    BufReader::new(daemon.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    let _bus = Bus(daemon);

    let permissions = json!({ "system_control": { "bus": "session", "names": ["org.example.Good"] } });
    let world = world(permissions, &[("DBUS_SESSION_BUS_ADDRESS", address)]).await;
    if !world.is_confined().await {
        return;
    }
    let ask = |name: &str, method: &str| json!({ "run": ["dbus-send", "--session", "--print-reply", format!("--dest={name}"), "/", method] });
    // The bus tries to start it, and says that it could not: the call got there.
    let good = world.go(ask("org.example.Good", "org.example.Good.Ask")).await.unwrap_err();
    assert!(good.message.contains("Spawn.ChildExited"), "{good}");
    for hidden in ["org.example.Other", "org.freedesktop.systemd1"] {
        let error = world.go(ask(hidden, "org.example.Any.Ask")).await.unwrap_err();
        assert!(
            error.message.contains("ServiceUnknown") || error.message.contains("AccessDenied"),
            "{error}"
        );
    }
    let bus = "org.freedesktop.DBus";
    let names = world.go(ask(bus, "org.freedesktop.DBus.ListActivatableNames")).await.unwrap().message;
    assert!(names.contains("org.example.Good") && !names.contains("Other"), "{names}");
    assert!(world.go(ask(bus, "org.freedesktop.DBus.ReloadConfig")).await.is_err());
    let runtime = world.folder.path().join("home/run");
    assert!(fs::read_dir(&runtime).unwrap().count() > 0);
    world.daemon.stop().await;
    assert_eq!(fs::read_dir(&runtime).unwrap().count(), 0, "its sockets are gone with it");
}
