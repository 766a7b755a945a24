//! The filter before a real D-Bus daemon: what was granted answers, nothing else does.

use std::{
    io::{BufRead, BufReader},
    process,
};

use zbus::{Connection, connection::Builder};

use super::*;
use crate::supervisor::Launch;

const DBUS: &str = "org.freedesktop.DBus";

/// A session bus of the test's own, ended with it.
struct Daemon {
    process: process::Child,
    folder: TempDir,
}

struct Echo;

#[zbus::interface(name = "org.example.Echo")]
impl Echo {
    fn echo(&self, text: String) -> String {
        text
    }
}

impl Daemon {
    fn start() -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let mut process = process::Command::new("dbus-daemon")
            .args(["--session", "--print-address", "--nofork", "--address"])
            .arg(format!("unix:path={}/bus", folder.path().display()))
            .stdout(Stdio::piped())
            .spawn()
            .expect("`apt-get install dbus-daemon xdg-dbus-proxy` brings what this test needs");
        // It prints its address when it listens.
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        Daemon { process, folder }
    }

    fn address(&self) -> String {
        format!("unix:path={}/bus", self.folder.path().display())
    }

    async fn serve(&self, name: &str) -> Connection {
        let builder = Builder::address(self.address().as_str()).serve_at("/", Echo).name(name.to_owned());
        builder.build().await.unwrap()
    }

    fn spec(&self, names: &[&str]) -> Spec {
        let mut spec = Spec::new("p", "/", Launch::Command(Vec::new()));
        spec.runtime = Some(self.folder.path().join("run"));
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        spec.granted = vec![Permission::SystemControl(Some(DBus { bus: BusKind::Session, names }))];
        spec.environment = std::sync::Arc::new(vec![
            ("PATH".into(), std::env::var_os("PATH").unwrap()),
            (SESSION.into(), self.address().into()),
        ]);
        spec
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// A plugin's connection, and what keeps it.
async fn connected(spec: &Spec) -> (Connection, Buses, PathBuf) {
    let mut confinement = Confinement::default();
    let (buses, variables) = start(spec, &mut confinement).await.unwrap();
    assert_eq!((buses._relays.len(), buses._proxy.is_some()), (1, true));
    let [(outside, inside)] = &confinement.buses[..] else { panic!("{confinement:?}") };
    // Without a mount namespace there is no other place for it.
    assert_eq!(outside, inside);
    assert_eq!(variables[0].0, SESSION);
    let connection = Builder::address(variables[0].1.to_str().unwrap()).build().await.unwrap();
    (connection, buses, outside.clone())
}

async fn echo(connection: &Connection, name: &str) -> zbus::Result<String> {
    let reply = connection.call_method(Some(name), "/", Some("org.example.Echo"), "Echo", &("hi",)).await?;
    reply.body().deserialize()
}

/// The name of the error that a method of the bus itself gives.
async fn refused<B>(connection: &Connection, interface: &str, method: &str, body: &B) -> String
where
    B: serde::Serialize + zbus::DynamicType,
{
    let reply =
        connection.call_method(Some(DBUS), "/org/freedesktop/DBus", Some(interface), method, body).await;
    match reply {
        Err(zbus::Error::MethodError(name, ..)) => name.to_string(),
        Err(zbus::Error::FDO(error)) => format!("{error}"),
        other => panic!("{method}: {other:?}"),
    }
}

#[tokio::test]
async fn lets_a_granted_service_answer_and_hides_every_other() {
    let daemon = Daemon::start();
    let _good = daemon.serve("org.example.Good").await;
    let other = daemon.serve("org.example.Other").await;
    let (connection, _buses, _) = connected(&daemon.spec(&["org.example.Good"])).await;
    assert_eq!(echo(&connection, "org.example.Good").await.unwrap(), "hi");
    let many: Vec<_> = (0..20).map(|_| echo(&connection, "org.example.Good")).collect();
    assert!(futures_util::future::join_all(many).await.iter().all(Result::is_ok));
    // By its name, by the number that the bus gave it, and what is always there on a desktop.
    let number = other.unique_name().unwrap().to_string();
    for name in ["org.example.Other", &number, "org.freedesktop.systemd1", "org.example.GoodAndMore"] {
        assert!(echo(&connection, name).await.is_err(), "{name}");
    }
    let names = connection.call_method(Some(DBUS), "/", Some(DBUS), "ListNames", &()).await.unwrap();
    let names: Vec<String> = names.body().deserialize().unwrap();
    assert!(
        names.contains(&"org.example.Good".to_owned()) && !names.contains(&"org.example.Other".to_owned())
    );
}

#[tokio::test]
async fn lets_nobody_listen_to_others_take_a_name_or_change_the_bus() {
    let daemon = Daemon::start();
    let _other = daemon.serve("org.example.Other").await;
    let (connection, _buses, _) = connected(&daemon.spec(&["org.example.Good", "org.example.Deep.*"])).await;
    let nobody = std::collections::HashMap::<String, String>::new();
    let refusals = [
        refused(&connection, DBUS, "RequestName", &("org.example.Good", 0_u32)).await,
        refused(&connection, DBUS, "AddMatch", &("eavesdrop='true',type='method_call'",)).await,
        refused(&connection, "org.freedesktop.DBus.Monitoring", "BecomeMonitor", &(vec![""; 0], 0_u32)).await,
        refused(&connection, DBUS, "StartServiceByName", &("org.example.Other", 0_u32)).await,
        refused(&connection, DBUS, "GetNameOwner", &("org.example.Other",)).await,
        refused(&connection, DBUS, "GetConnectionUnixProcessID", &("org.example.Other",)).await,
        refused(&connection, DBUS, "GetConnectionCredentials", &("org.example.Other",)).await,
        refused(&connection, DBUS, "UpdateActivationEnvironment", &(nobody,)).await,
        refused(&connection, DBUS, "ReloadConfig", &()).await,
        refused(&connection, "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules", &()).await,
    ];
    for refusal in &refusals {
        let known = ["AccessDenied", "NameHasNoOwner", "ServiceUnknown"];
        assert!(known.iter().any(|name| refusal.contains(name)), "{refusals:?}");
    }
}

#[tokio::test]
async fn ends_with_its_sockets_when_the_process_does() {
    let daemon = Daemon::start();
    let (connection, buses, socket) = connected(&daemon.spec(&["org.example.Good"])).await;
    let folder = socket.parent().unwrap();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    drop(buses);
    assert!(!folder.exists());
    // With the proxy the way to the bus is gone.
    assert!(echo(&connection, "org.example.Good").await.is_err());
}

#[tokio::test]
async fn gives_a_mount_namespace_a_place_for_each_bus() {
    let daemon = Daemon::start();
    let mut spec = daemon.spec(&["org.example.Good"]);
    let system = DBus { bus: BusKind::System, names: vec!["org.freedesktop.login1".into()] };
    spec.granted.push(Permission::SystemControl(Some(system)));
    std::sync::Arc::make_mut(&mut spec.environment).push((SYSTEM.into(), daemon.address().into()));
    let mut confinement = Confinement::default();
    confinement.means.namespaces = true;
    let (_buses, variables) = start(&spec, &mut confinement).await.unwrap();
    let inside: Vec<_> = confinement.buses.iter().map(|(_, inside)| inside.to_str().unwrap()).collect();
    assert_eq!(inside, ["/run/astros/session-bus", "/run/astros/system-bus"]);
    let expected = ["unix:path=/run/astros/session-bus", "unix:path=/run/astros/system-bus"];
    assert_eq!(variables, [(SESSION.into(), expected[0].into()), (SYSTEM.into(), expected[1].into())]);
}

#[tokio::test]
async fn needs_the_program_and_names_only_where_there_is_a_bus() {
    let daemon = Daemon::start();
    let mut spec = daemon.spec(&["org.example.Good"]);
    spec.environment = std::sync::Arc::new(vec![(SESSION.into(), daemon.address().into())]);
    let error = start(&spec, &mut Confinement::default()).await.unwrap_err();
    assert!(error.message.contains("`xdg-dbus-proxy` is missing"), "{error}");
    assert_eq!(error.data.unwrap().hint.as_deref(), Some("install the package `xdg-dbus-proxy`"));

    // A machine without a desktop has no bus to be let to.
    spec.environment = std::sync::Arc::new(Vec::new());
    let (_, variables) = start(&spec, &mut Confinement::default()).await.unwrap();
    assert!(variables.is_empty());

    for bad in ["org", "*", "org.*.x", ":1.5", "--own=org.example.X", "org.example.Good=x", "org..x", ""] {
        let error = start(&daemon.spec(&[bad]), &mut Confinement::default()).await.unwrap_err();
        assert!(error.message.contains("no D-Bus name"), "{bad}: {error}");
    }
}

#[tokio::test]
async fn speaks_with_clients_that_take_their_time_and_passes_no_descriptors() {
    use std::io::{Read, Write};
    let daemon = Daemon::start();
    let (_connection, _buses, socket) = connected(&daemon.spec(&["org.example.Good"])).await;
    let asked = move || {
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        let mut answers = Vec::new();
        for line in ["\0AUTH", "AUTH EXTERNAL", "DATA", "NEGOTIATE_UNIX_FD", "WHAT"] {
            stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
            let mut answer = [0; 64];
            let read = stream.read(&mut answer).unwrap();
            answers
                .push(String::from_utf8_lossy(&answer[..read]).split(' ').next().unwrap().trim().to_owned());
        }
        stream.write_all(&[b'x'; 4096]).unwrap();
        let mut rest = Vec::new();
        // An endless line is no handshake.
        let _ = stream.read_to_end(&mut rest);
        answers
    };
    let answers = tokio::task::spawn_blocking(asked).await.unwrap();
    assert_eq!(answers, ["REJECTED", "DATA", "OK", "ERROR", "ERROR"]);
}
