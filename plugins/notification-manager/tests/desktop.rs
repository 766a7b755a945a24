//! Notifications over a real D-Bus daemon, to a small real desktop.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use astros_core::daemon::{Daemon, Options};
use astros_notification_manager::notification::{Kind, Notification};
use astros_notification_manager::notifier::{Delivery, Notifier};
use astros_notification_manager::plugin;
use astros_protocol::manifest::Manifest;
use astros_sdk::prelude::*;
use astros_sdk::testing::TestHost;
use tempfile::tempdir;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::Connection;
use zbus::OwnedVariant;
use zbus::connection::Builder;

/// A session bus of the test's own, ended with it.
struct Bus(Child);

impl Bus {
    fn start(folder: &Path) -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--print-address", "--nofork", "--address"])
            .arg(address(folder))
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need `dbus-daemon`, which is not on PATH: `apt-get install dbus` brings it");
        // It prints its address when it listens.
        BufReader::new(daemon.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
        Self(daemon)
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn address(folder: &Path) -> String {
    format!("unix:path={}/bus", folder.display())
}

#[derive(Debug, PartialEq)]
struct Shown {
    app: String,
    icon: String,
    summary: String,
    body: String,
    urgency: u8,
    expire: i32,
}

struct Desktop {
    capabilities: Vec<String>,
    shown: UnboundedSender<Shown>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    fn get_capabilities(&self) -> Vec<String> {
        self.capabilities.clone()
    }

    #[expect(clippy::too_many_arguments, reason = "the desktop's specification wants them")]
    fn notify(
        &self,
        app: String,
        _replaces: u32,
        icon: String,
        summary: String,
        body: String,
        _actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        expire: i32,
    ) -> u32 {
        let urgency = u8::try_from(&hints["urgency"]).unwrap();
        self.shown.send(Shown { app, icon, summary, body, urgency, expire }).unwrap();
        7
    }
}

async fn desktop(folder: &Path, capabilities: &[&str]) -> (Connection, UnboundedReceiver<Shown>) {
    let (shown, seen) = unbounded_channel();
    let capabilities = capabilities.iter().map(|&can| can.to_owned()).collect();
    let builder = Builder::address(address(folder).as_str())
        .serve_at("/org/freedesktop/Notifications", Desktop { capabilities, shown })
        .name("org.freedesktop.Notifications");
    (builder.build().await.unwrap(), seen)
}

fn notification(message: &str) -> Notification {
    Notification { title: "Files".into(), message: message.into(), kind: Kind::Info, timeout_ms: None }
}

fn not_shown(delivery: Delivery) -> String {
    match delivery {
        Delivery::NotShown(reason) => reason,
        Delivery::Shown(id) => panic!("shown as {id}"),
    }
}

#[tokio::test]
async fn a_desktop_shows_what_was_sent() {
    let folder = tempdir().unwrap();
    let _bus = Bus::start(folder.path());
    let (_desktop, mut seen) = desktop(folder.path(), &["body"]).await;
    let notifier = Notifier::new(Some(address(folder.path())));

    let message = Notification { kind: Kind::Error, timeout_ms: Some(1500), ..notification("a < b\0 & c") };
    assert_eq!(notifier.send(&message).await, Delivery::Shown(7));
    let expected = Shown {
        app: "AstrOS".into(),
        icon: "dialog-error".into(),
        summary: "Files".into(),
        body: "a < b & c".into(),
        urgency: 2,
        expire: 1500,
    };
    assert_eq!(seen.recv().await.unwrap(), expected);

    let untitled = Notification { title: String::new(), ..notification("hello") };
    notifier.send(&untitled).await;
    let shown = seen.recv().await.unwrap();
    assert_eq!((shown.summary.as_str(), shown.urgency, shown.expire), ("AstrOS", 1, -1));
}

#[tokio::test]
async fn markup_is_escaped_for_a_desktop_that_reads_it() {
    let folder = tempdir().unwrap();
    let _bus = Bus::start(folder.path());
    let (_desktop, mut seen) = desktop(folder.path(), &["body", "body-markup"]).await;
    Notifier::new(Some(address(folder.path()))).send(&notification("<b>a & b</b>")).await;
    assert_eq!(seen.recv().await.unwrap().body, "&lt;b&gt;a &amp; b&lt;/b&gt;");
}

#[tokio::test]
async fn a_machine_without_a_bus_gives_a_reason() {
    let folder = tempdir().unwrap();
    let notifier = Notifier::new(Some(address(folder.path())));
    let reason = not_shown(notifier.send(&notification("hello")).await);
    assert!(reason.starts_with("no session bus can be reached"), "{reason}");
}

#[tokio::test]
async fn a_bus_without_a_desktop_gives_a_reason() {
    let folder = tempdir().unwrap();
    let _bus = Bus::start(folder.path());
    let notifier = Notifier::new(Some(address(folder.path())));
    let reason = not_shown(notifier.send(&notification("hello")).await);
    assert!(reason.contains("nobody has the name `org.freedesktop.Notifications`"), "{reason}");
}

#[tokio::test]
async fn a_bus_that_hangs_is_not_waited_for() {
    let folder = tempdir().unwrap();
    let silent = std::os::unix::net::UnixListener::bind(folder.path().join("silent")).unwrap();
    let notifier = Notifier::new(Some(format!("unix:path={}/silent", folder.path().display())));
    let reason = not_shown(notifier.send(&notification("hello")).await);
    assert!(reason.contains("did not answer within 2 s"), "{reason}");
    drop(silent);
}

#[tokio::test]
async fn a_desktop_and_a_bus_that_went_away_are_found_again() {
    let folder = tempdir().unwrap();
    let bus = Bus::start(folder.path());
    let notifier = Notifier::new(Some(address(folder.path())));
    let (first, mut seen) = desktop(folder.path(), &[]).await;
    assert_eq!(notifier.send(&notification("one")).await, Delivery::Shown(7));
    assert_eq!(seen.recv().await.unwrap().body, "one");

    first.close().await.unwrap();
    not_shown(notifier.send(&notification("two")).await);
    let (_second, mut seen) = desktop(folder.path(), &[]).await;
    assert_eq!(notifier.send(&notification("three")).await, Delivery::Shown(7));
    assert_eq!(seen.recv().await.unwrap().body, "three");

    drop(bus);
    not_shown(notifier.send(&notification("four")).await);
    std::fs::remove_file(folder.path().join("bus")).ok();
    let _bus = Bus::start(folder.path());
    let (_third, mut seen) = desktop(folder.path(), &[]).await;
    assert_eq!(notifier.send(&notification("five")).await, Delivery::Shown(7));
    assert_eq!(seen.recv().await.unwrap().body, "five");
}

#[tokio::test]
async fn the_plugin_answers_with_the_text_whether_it_is_shown_or_not() {
    let folder = tempdir().unwrap();
    let host = TestHost::start(plugin(Notifier::new(Some(address(folder.path()))))).await;
    let params = json!({"title": "Files", "message": "3 are new", "type": "warning"});
    let response = host.call("send_notification", params.clone()).await.unwrap();
    assert!(response.success);
    assert_eq!((response.message.as_str(), &response.data["delivered"]), ("Files: 3 are new", &json!(false)));
    assert!(response.data["reason"].is_string());

    let _bus = Bus::start(folder.path());
    let (_desktop, mut seen) = desktop(folder.path(), &[]).await;
    let response = host.call("send_notification", params).await.unwrap();
    assert_eq!(response.data, json!({"delivered": true, "id": 7}));
    assert_eq!(seen.recv().await.unwrap().icon, "dialog-warning");

    let error = host.call("send_notification", json!({"message": "x", "type": "alarm"})).await.unwrap_err();
    assert!(error.to_string().contains("unknown variant `alarm`"), "{error}");
}

#[tokio::test]
async fn the_manifest_and_the_code_agree() {
    let manifest = Manifest::read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap().unwrap();
    assert_eq!(manifest.warnings, [""; 0]);
    let host = TestHost::start(plugin(Notifier::new(None))).await;
    let described = host.description();
    assert_eq!(described.name, manifest.metadata.name.as_str());
    assert_eq!(described.handles, manifest.capabilities.handles);
    assert_eq!(described.version, env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn the_plugin_reaches_the_desktop_from_within_its_sandbox_by_what_its_manifest_asks_for() {
    let folder = tempdir().unwrap();
    let _bus = Bus::start(folder.path());
    let (_desktop, mut seen) = desktop(folder.path(), &[]).await;
    let plugin = folder.path().join("plugins/notification-manager");
    std::fs::create_dir_all(&plugin).unwrap();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugin.yaml");
    std::fs::copy(manifest, plugin.join("plugin.yaml")).unwrap();
    let program = env!("CARGO_BIN_EXE_astros-notification-manager");
    std::fs::copy(program, plugin.join("astros-notification-manager")).unwrap();

    let mut options = Options::at(folder.path().join("home"));
    options.plugin_dirs.push(folder.path().join("plugins"));
    options.environment.retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS");
    options.environment.push(("DBUS_SESSION_BUS_ADDRESS".into(), address(folder.path()).into()));
    let daemon = Daemon::start(options).await.unwrap();
    let params = json!({"title": "Files", "message": "from within"});
    match daemon.call("notification-manager", "send_notification", params).await {
        Ok(response) => {
            assert_eq!(response.data, json!({"delivered": true, "id": 7}), "{}", response.message);
            assert_eq!(seen.recv().await.unwrap().body, "from within");
        }
        // Where nothing can hold it to that, it is not started.
        Err(error) => assert!(error.message.contains("sandbox cannot be set up"), "{error:?}"),
    }
    daemon.stop().await;
}
