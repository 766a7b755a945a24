//! Development mode: what is saved serves.

use std::fs;

use crate::harness::{Home, code, heard, reloaded, shown, version};
use astros_core::supervisor::Event;
use serde_json::json;

#[tokio::test]
async fn answers_with_the_code_that_was_saved() {
    let home = Home::new().with("test", "one");
    let daemon = home.develop().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    let mut events = daemon.events();
    home.write("plugins/test/main.py", &code("two"));
    assert_eq!(reloaded(&mut events, "test").await, None);
    assert_eq!(version(&daemon, "test").await.unwrap(), "two");
    daemon.stop().await;
}

#[tokio::test]
async fn answers_with_the_code_before_where_what_was_saved_is_broken() {
    let home = Home::new().with("test", "one");
    let daemon = home.develop().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    let mut events = daemon.events();
    home.write("plugins/test/main.py", "def broken(:\n");
    let error = reloaded(&mut events, "test").await.expect("it cannot be loaded");
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    assert_eq!(shown(&daemon, "test", "reload_error").await, error.as_str());
    let logged = daemon.logs("test", 50).await.unwrap();
    assert!(logged.iter().any(|record| record.message == error), "{error}: {logged:#?}");
    home.write("plugins/test/main.py", &code("three"));
    assert_eq!(reloaded(&mut events, "test").await, None);
    assert_eq!(version(&daemon, "test").await.unwrap(), "three");
    daemon.stop().await;
}

#[tokio::test]
async fn sees_plugins_and_configuration_come_and_go() {
    let home = Home::new().with("test", "one");
    let daemon = home.develop().await;
    version(&daemon, "test").await.unwrap();
    let mut events = daemon.events();
    fs::create_dir(home.path("plugins/later")).unwrap();
    home.write("plugins/later/main.py", &code("here"));
    assert_eq!(reloaded(&mut events, "later").await, None);
    assert_eq!(version(&daemon, "later").await.unwrap(), "here");
    home.write("home/astros.yaml", "plugins: {later: {settings: {loud: true}}}\n");
    assert_eq!(reloaded(&mut events, "later").await, None);
    assert_eq!(shown(&daemon, "later", "settings").await, json!({"loud": true}));
    fs::remove_dir_all(home.path("plugins/later")).unwrap();
    heard(&mut events, |event| match event {
        Event::Removed { plugin, .. } => (*plugin == *"later").then_some(()),
        _ => None,
    })
    .await;
    let home = home.with("later", "again");
    // Its files came one after the other: it may be taken before the last of them.
    while version(&daemon, "later").await.ok().as_deref() != Some("again") {
        reloaded(&mut events, "later").await;
    }
    drop(home);
    daemon.stop().await;
}

#[tokio::test]
async fn reads_a_burst_of_writes_once() {
    let home = Home::new().with("test", "one");
    let daemon = home.develop().await;
    version(&daemon, "test").await.unwrap();
    let mut events = daemon.events();
    for step in 0..50 {
        home.write(&format!("plugins/test/part_{step}.py"), "");
        home.write("plugins/test/main.py", &code(&step.to_string()));
    }
    assert_eq!(reloaded(&mut events, "test").await, None);
    assert_eq!(version(&daemon, "test").await.unwrap(), "49");
    daemon.stop().await;
    drop(home);
    let mut again = 0;
    while let Ok(event) = events.try_recv() {
        again += usize::from(matches!(event, Event::Reloaded { .. }));
    }
    assert_eq!(again, 0, "one burst is one reload");
}
