//! What outlives a daemon.

use std::{
    fs,
    process::{Command, Stdio},
};

use astros_core::{
    daemon::{Daemon, Options},
    services::storage::Store,
};
use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Home, version};

/// Disables one plugin, learns what the other offers, and is killed.
#[tokio::test]
#[ignore = "runs as a child of `keeps_what_it_was_told_when_it_is_killed`"]
async fn daemon_that_is_killed() {
    let options = Options {
        plugin_dirs: vec![std::env::var_os("TEST_PLUGINS").unwrap().into()],
        ..Options::at(std::env::var_os("TEST_HOME").unwrap())
    };
    let daemon = Daemon::start(options).await.unwrap();
    daemon.set_enabled("tenor", false).await.unwrap();
    assert!(daemon.learn().await.iter().all(|(unable, _)| unable != "alto"));
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn keeps_what_it_was_told_when_it_is_killed() {
    let home = Home::new().with("alto", "one").with("tenor", "two");
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "state::daemon_that_is_killed"])
        .env("TEST_PLUGINS", home.path("plugins"))
        .env("TEST_HOME", home.path("home"))
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), None, "it was killed");
    let daemon = home.start().await;
    assert!(version(&daemon, "tenor").await.unwrap_err().message.contains("disabled by command"));
    daemon.learn().await;
    let alto = daemon.list().into_iter().find(|listed| listed.name == "alto").unwrap();
    assert_eq!((&*alto.state, alto.pids.len()), ("idle", 0), "what it offers was known");
    assert!(daemon.router().plugin("alto").unwrap().description().is_some());
    daemon.stop().await;
}

#[tokio::test]
async fn starts_eager_plugins_and_no_others() {
    let home = Home::new().with("eager", "one").with("lazy", "two");
    let manifest = fs::read_to_string(home.path("plugins/eager/plugin.yaml")).unwrap();
    home.write("plugins/eager/plugin.yaml", &format!("{manifest}supervision: {{start: eager}}\n"));
    let daemon = home.start().await;
    let eager = daemon.router().plugin("eager").unwrap().supervisor();
    // It is on its way without anybody's asking: to wait for it starts nothing.
    assert!(eager.status().is_starting() || eager.session().is_some());
    let lazy = daemon.router().plugin("lazy").unwrap().supervisor();
    assert_eq!(lazy.status().state.as_str(), "idle");
    daemon.stop().await;
}

fn database(home: &Home, sql: &str) {
    fs::create_dir_all(home.path("home/data")).unwrap();
    let db = Connection::open(home.path("home/data/astros.db")).unwrap();
    db.execute_batch(sql).unwrap();
}

#[tokio::test]
async fn opens_what_the_first_version_left() {
    let home = Home::new().with("alto", "one").with("tenor", "two");
    database(&home, include_str!("first-version.sql"));
    let daemon = home.start().await;
    assert!(version(&daemon, "tenor").await.unwrap_err().message.contains("disabled by command"));
    let store = Store::open(&home.path("home/data/astros.db")).unwrap();
    assert_eq!(store.get("weather", "city", None).await.unwrap().value.get(), "\"Oslo\"");
    let followup = store.followup("ada:default").await.unwrap().expect("the session goes on");
    assert_eq!((&*followup.plugin, &followup.context["size"]), ("alto", &json!("large")));
    assert_eq!(version(&daemon, "alto").await.unwrap(), "one");
    daemon.stop().await;
}

#[tokio::test]
async fn refuses_what_a_newer_version_left() {
    let home = Home::new().with("alto", "one");
    database(&home, "CREATE TABLE entries (column_of_tomorrow); PRAGMA user_version = 99;");
    let error = Daemon::start(home.options()).await.err().expect("it cannot know what stands there");
    assert!(
        error.message.contains("astros.db` has version 99, this AstrOS knows versions up to "),
        "{error}"
    );
    assert!(error.message.contains("update AstrOS"), "{error}");
    let db = Connection::open(home.path("home/data/astros.db")).unwrap();
    let version: u32 = db.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 99, "nothing was changed");
}
