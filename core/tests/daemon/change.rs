//! Plugins and configuration that change while the daemon runs.

use std::fs;

use astros_core::{
    agent::Person,
    supervisor::{Event, StateName},
};
use astros_protocol::ErrorCode;

use crate::harness::{Home, code, reloaded, shown, version};

#[tokio::test]
async fn serves_the_new_version_after_a_reload() {
    let home = Home::new().with("test", "one").with("other", "same");
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    version(&daemon, "other").await.unwrap();
    let pids = |daemon: &astros_core::daemon::Daemon| {
        daemon.list().into_iter().find(|listed| listed.name == "other").unwrap().pids
    };
    let before = pids(&daemon);
    home.write("plugins/test/main.py", &code("newer").replace("which version is it", "who are you"));
    assert_eq!(version(&daemon, "test").await.unwrap(), "one", "nobody said that it shall be reloaded");
    let mut events = daemon.events();
    daemon.reload("test").await.unwrap();
    assert_eq!(reloaded(&mut events, "test").await, None);
    assert_eq!(version(&daemon, "test").await.unwrap(), "newer");
    let handlers = shown(&daemon, "test", "handlers").await;
    assert_eq!(handlers[0]["examples"][0], "who are you", "what it offers is known anew");
    assert_eq!(pids(&daemon), before, "another plugin was not touched");
    daemon.stop().await;
}

#[tokio::test]
async fn keeps_the_version_that_serves_where_the_new_one_does_not_start() {
    let home = Home::new().with("test", "one");
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    for broken in
        [("main.py", "def broken(:\n"), ("plugin.yaml", "metadata: {name: test}\nsupervision: soon\n")]
    {
        let file = format!("plugins/test/{}", broken.0);
        let before = fs::read_to_string(home.path(&file)).unwrap();
        home.write(&file, broken.1);
        let error = daemon.reload("test").await.unwrap_err();
        assert!(
            error.message.starts_with("`test` was not reloaded, the version before goes on: "),
            "{error}"
        );
        assert_eq!(version(&daemon, "test").await.unwrap(), "one");
        let told = shown(&daemon, "test", "reload_error").await;
        assert_eq!(told, error.message.as_str(), "it is said where people look");
        home.write(&file, &before);
    }
    daemon.reload("test").await.unwrap();
    assert!(shown(&daemon, "test", "reload_error").await.is_null());
    daemon.stop().await;
}

#[tokio::test]
async fn takes_what_came_and_lets_go_what_went() {
    let home = Home::new().with("old", "one");
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "old").await.unwrap(), "one");
    let mut events = daemon.events();
    fs::remove_dir_all(home.path("plugins/old")).unwrap();
    let _home = home.with("new", "two");
    daemon.reload("new").await.unwrap();
    assert_eq!(version(&daemon, "new").await.unwrap(), "two");
    let error = daemon.reload("old").await.unwrap_err();
    assert!(
        error.message.contains("no plugin `old` any more") && error.message.contains("plugins/old"),
        "{error}"
    );
    assert_eq!(version(&daemon, "old").await.unwrap_err().code, ErrorCode::PLUGIN_NOT_FOUND);
    assert!(daemon.list().iter().all(|listed| listed.name != "old"));
    crate::harness::heard(&mut events, |event| match event {
        Event::Removed { plugin, .. } => (*plugin == *"old").then_some(()),
        _ => None,
    })
    .await;
    assert!(!daemon.router().metrics().snapshot().contains_key("old"), "nor its numbers");
    assert_eq!(daemon.reload("none").await.unwrap_err().code, ErrorCode::PLUGIN_NOT_FOUND);
    daemon.stop().await;
}

#[tokio::test]
async fn reloads_what_changed_and_nothing_else() {
    let home = Home::new().with("test", "one").with("other", "same").with("set", "same");
    let daemon = home.start().await;
    let mut starts = Vec::new();
    for name in ["test", "other", "set"] {
        version(&daemon, name).await.unwrap();
    }
    let pids = || -> Vec<u32> { daemon.list().into_iter().flat_map(|listed| listed.pids).collect() };
    starts.push(pids());
    daemon.reload_all().await.unwrap();
    assert_eq!(pids(), starts[0], "nothing changed");
    home.write("plugins/test/main.py", &code("newer"));
    home.write(
        "home/astros.yaml",
        "plugins: {set: {settings: {city: Oslo}}}\nrecognition: {threshold: 70}\n",
    );
    daemon.reload_all().await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "newer");
    assert_eq!(shown(&daemon, "set", "settings").await["city"], "Oslo");
    assert_eq!(daemon.thresholds().threshold, 0.7);
    let kept = pids().into_iter().filter(|pid| starts[0].contains(pid)).count();
    assert_eq!(kept, 2, "`other` goes on as it was, and so does `set`, which was told");
    daemon.stop().await;
}

#[tokio::test]
async fn refuses_a_broken_configuration_with_its_line_and_stays_as_it_was() {
    let home = Home::new().with("test", "one");
    home.write("home/astros.yaml", "user_id: ada\n");
    let daemon = home.start().await;
    home.write("plugins/test/main.py", &code("newer"));
    home.write("home/astros.yaml", "user_id: grace\nplugins: 7\n");
    for error in [daemon.reload_all().await.unwrap_err(), daemon.reload("test").await.unwrap_err()] {
        assert!(error.message.contains("astros.yaml:2:"), "{error}");
    }
    assert_eq!(daemon.user_id(), "ada");
    daemon.set_enabled("test", false).await.expect("to stop a plugin needs no mended `astros.yaml`");
    daemon.stop().await;
}

#[tokio::test]
async fn enables_and_disables_at_once() {
    let home = Home::new().with("test", "one");
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    let pid = daemon.list().into_iter().find(|listed| listed.name == "test").unwrap().pids[0];
    daemon.set_enabled("test", false).await.unwrap();
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "its process is gone");
    let error = version(&daemon, "test").await.unwrap_err();
    assert!(error.message.contains("disabled by command"), "{error}");
    daemon.set_enabled("test", true).await.unwrap();
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    daemon.stop().await;
}

#[tokio::test]
async fn disables_a_plugin_whose_reload_hangs() {
    let home = Home::new().with("test", "one");
    let daemon = home.start().await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "one");
    let pid = daemon.list().into_iter().find(|listed| listed.name == "test").unwrap().pids[0];
    let note = home.path("home/data/plugin-data/test/hangs");
    let hangs =
        format!("open({:?}, 'w').close()\nimport time\ntime.sleep(600)\n", note.display().to_string());
    home.write("plugins/test/main.py", &hangs);
    let disable = async {
        while !note.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let stopped = async {
            while fs::exists(format!("/proc/{pid}")).unwrap() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            done = daemon.set_enabled("test", false) => done.unwrap(),
            () = stopped => {}
        }
    };
    tokio::select! {
        _ = daemon.reload("test") => panic!("the new version hangs"),
        () = disable => {}
    }
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap(), "its process is gone");
    daemon.stop().await;
}

#[tokio::test]
async fn restarts_and_resets_by_a_persons_word() {
    let home = Home::new().with("test", "one");
    home.write("plugins/test/main.py", "raise SystemExit(3)\n");
    let daemon = home.start().await;
    version(&daemon, "test").await.unwrap_err();
    let state = || daemon.router().plugin("test").unwrap().supervisor().status().state;
    assert_eq!(state(), StateName::Error);
    home.write("plugins/test/main.py", &code("newer"));
    let mut events = daemon.events();
    daemon.reset("test").unwrap();
    crate::harness::becomes(&mut events, "test", StateName::Idle).await;
    assert_eq!(version(&daemon, "test").await.unwrap(), "newer");
    let pid = || daemon.list().into_iter().find(|listed| listed.name == "test").unwrap().pids;
    let before = pid();
    daemon.restart("test").await.unwrap();
    assert_ne!(pid(), before);
    assert_eq!(daemon.restart("none").await.unwrap_err().code, ErrorCode::PLUGIN_NOT_FOUND);
    daemon.stop().await;
}

#[tokio::test]
async fn tells_who_reloads_or_resets_a_plugin_that_it_may_not_run() {
    let home = Home::new().with("test", "one");
    let needs = "metadata: {name: test}\nconfiguration: {required_settings: [key]}\n";
    home.write("plugins/test/plugin.yaml", needs);
    let daemon = home.start().await;
    for done in [daemon.reload("test").await, daemon.reset("test")] {
        let error = done.unwrap_err();
        assert_eq!(error.message, "plugin `test` is blocked: needs settings: `key`");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn understands_what_was_learned_by_the_way() {
    let home = Home::new().with("test", "one");
    let daemon = home.start().await;
    daemon.show("test").await.unwrap();
    daemon.learn().await;
    let person = Person {
        user_id: "ada".to_owned(),
        session_id: "ada:default".to_owned(),
        cwd: home.path(""),
        home: home.path(""),
        locale: None,
        timeout: None,
        questions: None,
    };
    let answer = daemon.agent().ask("which version is it", &person, None).await.unwrap();
    assert_eq!(answer.response.message, "one");
    daemon.stop().await;
}
