//! Permissions that are granted and revoked while the daemon runs.

use std::fs;

use astros_core::daemon::{Daemon, WishState};
use astros_protocol::{ErrorCode, manifest::Permission};
use serde_json::json;

use crate::harness::{Home, code, version};

fn permissions(lines: &[&str]) -> Vec<Permission> {
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

/// A home whose data folder has the plugin `test`, which waits to be enabled.
fn waiting(asks: &str) -> Home {
    let home = Home::new().with("other", "same");
    home.write("home/data/plugins/test/plugin.yaml", &manifest(asks));
    home.write("home/data/plugins/test/main.py", &code("one"));
    home
}

fn manifest(asks: &str) -> String {
    format!("metadata: {{name: test, author: Ada}}\npermissions: [{asks}]\n")
}

async fn states(daemon: &Daemon) -> Vec<(String, WishState)> {
    let asks = daemon.permissions("test").await.unwrap();
    asks.wishes.into_iter().map(|wish| (wish.permission, wish.state)).collect()
}

fn listed(daemon: &Daemon, name: &str) -> astros_core::daemon::Listed {
    daemon.list().into_iter().find(|listed| listed.name == name).unwrap()
}

#[tokio::test]
async fn runs_a_plugin_with_what_was_agreed_to_and_asks_anew_for_more() {
    let home = waiting("network: [a.org]");
    let daemon = home.start().await;
    assert_eq!(states(&daemon).await, [("network: a.org".to_owned(), WishState::Missing)]);
    let error = daemon.enable("test", Some(Vec::new())).await.unwrap_err();
    assert!(error.message.contains("needs the permission `network: a.org`"), "{error}");
    assert_eq!(error.hint().unwrap(), "`astros plugins enable test` shows and grants it");
    assert_eq!(listed(&daemon, "test").state, "blocked");
    daemon.enable("test", None).await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    assert_eq!(states(&daemon).await, [("network: a.org".to_owned(), WishState::Granted)]);

    let manifest = manifest("network: [a.org, b.org], ai").replace("test,", "test, version: 2.0.0,");
    home.write("home/data/plugins/test/plugin.yaml", &manifest);
    home.write("home/data/plugins/test/main.py", &code("another"));
    let error = daemon.reload("test").await.unwrap_err();
    assert!(error.message.contains("needs the permissions `network: b.org`, `ai`"), "{error}");
    assert_eq!(version(&daemon, "test").await.unwrap(), "one", "the version before goes on");
    let (_, hint) = daemon.reload_failure("test").unwrap();
    assert_eq!(hint.as_deref(), Some("`astros plugins enable test` shows and grants them"));
    assert_eq!(daemon.permissions("test").await.unwrap().version, "2.0.0", "the version that asks");
    daemon.enable("test", Some(permissions(&["network: b.org", "ai"]))).await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "another");
    assert_eq!(daemon.reload_error("test"), None, "it came about");
    let pids = listed(&daemon, "test").pids;
    assert!(daemon.permissions("test").await.unwrap().enabled);
    daemon.enable("test", None).await.unwrap();
    assert_eq!(listed(&daemon, "test").pids, pids, "it runs so already");
    daemon.stop().await;

    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "another", "what was granted outlives the daemon");
    let log = fs::read_to_string(home.path("home/logs/audit.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| json!([event["event"], event["what"]])).collect();
    let expected = [
        json!(["enabled", null]),
        json!(["granted", "network: a.org"]),
        json!(["enabled", null]),
        json!(["granted", "network: b.org"]),
        json!(["granted", "ai"]),
        json!(["enabled", null]),
    ];
    assert_eq!(told, expected);
    daemon.stop().await;
}

#[tokio::test]
async fn grants_and_revokes_at_once_and_touches_no_other_plugin() {
    let home = waiting("ai");
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    version(&daemon, "test").await.unwrap();
    version(&daemon, "other").await.unwrap();
    let pids = |name| listed(&daemon, name).pids;
    let (own, others) = (pids("test"), pids("other"));
    daemon.grant("test", permissions(&["file_system: read /srv"])).await.unwrap();
    assert_ne!(pids("test"), own, "its process was replaced");
    let shown = daemon.show("test").await.unwrap();
    let granted: Vec<_> =
        shown["permissions"].as_array().unwrap().iter().map(|one| &one["permission"]).collect();
    assert_eq!(granted, ["ai", "file_system: read /srv"]);

    daemon.revoke("test", permissions(&["ai"])).await.unwrap();
    let expected =
        [("file_system: read /srv".to_owned(), WishState::Granted), ("ai".to_owned(), WishState::Revoked)];
    assert_eq!(states(&daemon).await, expected);
    assert_eq!(version(&daemon, "test").await.unwrap(), "one", "it runs without");
    let wishes = daemon.revoke("test", Vec::new()).await.unwrap();
    assert!(wishes.iter().all(|wish| wish.state == WishState::Revoked), "{wishes:?}");
    assert_eq!(pids("other"), others);
    daemon.stop().await;
}

#[tokio::test]
async fn revokes_what_was_granted_by_the_whole_path_of_the_home() {
    let home = waiting("ai");
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    let documents = format!("file_system: read {}/Documents", std::env::var("HOME").unwrap());
    daemon.grant("test", permissions(&[&documents])).await.unwrap();
    assert_eq!(states(&daemon).await.len(), 2);
    daemon.revoke("test", permissions(&[&documents])).await.unwrap();
    assert_eq!(states(&daemon).await, [("ai".to_owned(), WishState::Granted)]);
    daemon.stop().await;
}

#[tokio::test]
async fn refuses_what_cannot_be_granted_or_revoked() {
    let home = waiting("network");
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    let error = daemon.grant("test", permissions(&["system_control"])).await.unwrap_err();
    assert!(error.message.contains("such as `system_control: session org."), "{error}");
    let error = daemon.revoke("test", permissions(&["network: a.org"])).await.unwrap_err();
    assert!(error.message.contains("a part of it that cannot be taken out"), "{error}");
    let error = daemon.revoke("test", permissions(&["bus"])).await.unwrap_err();
    assert_eq!(error.message, "`test` does not have the permission `bus`");
    let own = home.path("home/data").display().to_string();
    let error = daemon.grant("test", permissions(&[&format!("file_system: read {own}")])).await.unwrap_err();
    assert_eq!(error.message, format!("`{own}` is AstrOS's own: no plugin may be let in"));
    let error = daemon.revoke("test", permissions(&["storage"])).await.unwrap_err();
    assert_eq!(error.hint(), None, "{error}");
    assert_eq!(daemon.grant("tset", Vec::new()).await.unwrap_err().code, ErrorCode::PLUGIN_NOT_FOUND);
    assert_eq!(states(&daemon).await, [("network".to_owned(), WishState::Granted)]);
    daemon.stop().await;
}

#[tokio::test]
async fn takes_the_operators_word_for_exactly_what_it_says() {
    let home = waiting("network, storage");
    home.write(
        "home/astros.yaml",
        "plugins:\n  test: {enabled: true, permissions: [bus]}\n  other: {permissions: [ai]}\n",
    );
    let daemon = home.start().await;
    let [granted, revoked] = [WishState::Granted, WishState::Revoked];
    let expected = [("bus", granted), ("storage", granted), ("network", revoked)];
    assert_eq!(states(&daemon).await, expected.map(|(line, state)| (line.to_owned(), state)));
    let hint = daemon.permissions("test").await.unwrap().wishes[2].hint.clone().unwrap();
    assert!(hint.contains("astros.yaml` says all that `test` may do: add `network` to"), "{hint}");
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    let error = daemon.grant("test", permissions(&["network"])).await.unwrap_err();
    assert!(error.message.contains("astros.yaml` says all that `test` may do"), "{error}");
    assert_eq!(daemon.show("other").await.unwrap()["permissions"][0]["permission"], "ai");
    daemon.stop().await;
}

#[tokio::test]
async fn stops_a_plugin_that_does_not_start_without_what_was_revoked() {
    let home = waiting("ai");
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    version(&daemon, "test").await.unwrap();
    home.write("home/data/plugins/test/main.py", "raise SystemExit(3)\n");
    daemon.revoke("test", Vec::new()).await.unwrap_err();
    let test = listed(&daemon, "test");
    assert_eq!((&*test.state, test.pids.len()), ("blocked", 0), "{:?}", test.reason);
    daemon.stop().await;
}

#[tokio::test]
async fn gives_nothing_to_another_plugin_of_the_same_name() {
    let home = waiting("network, ai");
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    daemon.grant("test", permissions(&["file_system: read /srv"])).await.unwrap();
    daemon.revoke("test", permissions(&["ai"])).await.unwrap();
    daemon.stop().await;

    let (plugins, aside) = (home.path("home/data/plugins/test"), home.path("aside"));
    fs::rename(&plugins, &aside).unwrap();
    home.write("home/data/plugins/new/plugin.yaml", &manifest("network, ai"));
    home.write("home/data/plugins/new/main.py", &code("another"));
    let daemon = home.start().await;
    let test = listed(&daemon, "test");
    assert_eq!((&*test.state, test.reason.as_deref()), ("disabled", Some("it waits to be enabled")));
    let now = |network| [("network".to_owned(), network), ("ai".to_owned(), WishState::Revoked)];
    let mut waits = now(WishState::Missing);
    assert_eq!(states(&daemon).await, waits, "what was revoked stays so");
    daemon.stop().await;

    // Back in its place it is what it was.
    fs::rename(home.path("home/data/plugins/new"), home.path("new")).unwrap();
    fs::rename(&aside, &plugins).unwrap();
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    assert!(states(&daemon).await.contains(&("file_system: read /srv".to_owned(), WishState::Granted)));
    daemon.stop().await;

    // Who is enabled in its place takes it over, with nothing of what was there.
    fs::remove_dir_all(&plugins).unwrap();
    fs::rename(home.path("new"), home.path("home/data/plugins/new")).unwrap();
    let daemon = home.start().await;
    daemon.enable("test", None).await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "another");
    waits = now(WishState::Granted);
    assert_eq!(states(&daemon).await, waits);
    daemon.stop().await;
}
