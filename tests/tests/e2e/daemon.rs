//! The daemon that stays, as people meet it: commands use it, it ends well, and there is one a home.

use std::fs;

use astros_tests::{Plugin, World, adversary, eventually, notes, processes, python};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    signal::Signal,
};
use serde_json::json;

#[test]
fn serves_many_commands_with_one_start_of_a_plugin() {
    let world = World::new().with(adversary("villain").that("counted"));
    let daemon = world.daemon([""; 0]);
    world.call("villain", "echo", json!({ "a": 1 })).succeeds();
    world.ask("make villain echo").succeeds().answered_by("villain.echo");
    assert_eq!(world.starts(), 1);
    assert_eq!(world.listed("villain")["state"], "ready");
    daemon.stop().succeeds();
    assert_eq!(world.processes(), [0; 0]);
    // Without it the same commands work alone.
    world.call("villain", "echo", json!({})).succeeds();
    assert_eq!(world.starts(), 2);
}

#[test]
fn opens_as_many_files_as_it_may_and_leaves_plugins_as_many_as_there_were() {
    let code = r#"
import resource
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Free(BasePlugin):
    @plugin_handler("files")
    async def files(self, intent):
        return Response(data=resource.getrlimit(resource.RLIMIT_NOFILE))
"#;
    let (before, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let usual = 1_500.min(most);
    let world = World::new().with(python("free", code)).configured("plugins: {free: {sandbox: off}}\n");
    setrlimit(Resource::RLIMIT_NOFILE, usual, most).unwrap();
    let daemon = world.daemon([""; 0]);
    setrlimit(Resource::RLIMIT_NOFILE, before, most).unwrap();
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid())).unwrap();
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let files: Vec<&str> = files.split_whitespace().skip(3).take(2).collect();
    assert_eq!(files[0], files[1], "the daemon's own are as many as they may be");
    let seen = world.call("free", "files", json!({})).succeeds().data();
    assert_eq!(seen[0], usual, "{seen}");
    assert_eq!(seen[1].to_string(), files[1]);
    daemon.stop().succeeds();
}

#[test]
fn says_the_same_with_a_daemon_as_without() {
    let world = World::new().with(adversary("villain"));
    let said = || {
        let mut answers = Vec::new();
        for arguments in [
            vec!["ask", "--json", "fold my laundry"],
            vec!["ask", "--json", "--dry-run", "make villain echo"],
            vec!["ask", "--explain", "make villain echo"],
            vec!["plugins", "call", "villain", "fail"],
            vec!["plugins", "call", "villain", "no_such", "--json"],
            vec!["plugins", "call", "nobody", "x"],
            vec!["plugins", "call", "villain", "echo", "--params", "[1]"],
            vec!["plugins", "show", "nobody"],
            vec!["plugins", "enable", "villain", "--json"],
        ] {
            let outcome = world.astros(arguments).run();
            answers.push((outcome.code, outcome.stdout, outcome.stderr));
        }
        // It answers what it was given; ids and times differ.
        answers.retain(|(_, stdout, _)| !stdout.contains("correlation_id"));
        answers
    };
    let alone = said();
    let daemon = world.daemon([""; 0]);
    assert_eq!(said(), alone);
    daemon.stop().succeeds();
}

#[test]
fn takes_a_request_back_when_its_client_is_interrupted_or_killed() {
    let world = World::new().with(adversary("alice")).with(adversary("bob"));
    let daemon = world.daemon([""; 0]);
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let note = world.note(signal.as_str());
        let params = json!({ "plugin": "bob", "handler": "hang", "params": { "note": note } });
        let running = world.calling("alice", "call", params).spawn();
        eventually("bob begins", || note.exists().then_some(()));
        running.signal(signal);
        let outcome = running.finish();
        assert_eq!(outcome.code, (signal == Signal::SIGINT).then_some(130));
        eventually("bob hears of it", || {
            (fs::read_to_string(&note).unwrap() == "begun\ncancelled\n").then_some(())
        });
    }
    assert_eq!(world.listed("bob")["state"], "ready", "the plugin itself goes on");
    daemon.stop().succeeds();
}

#[test]
fn lets_what_is_in_flight_end_before_it_stops_and_takes_nothing_new() {
    let code = r#"
import asyncio
from pathlib import Path
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Slow(BasePlugin):
    @plugin_handler("work", examples=["work slowly"])
    async def work(self, intent):
        note = Path(intent.context["note"])
        note.write_text("begun")
        while not Path(intent.context["go"]).exists():
            await asyncio.sleep(0.01)
        return Response(message="worked")
"#;
    let world = World::new().with(python("slow", code).wants(json!([notes()])));
    let daemon = world.daemon([""; 0]);
    let (note, go) = (world.note("note"), world.note("go"));
    let running = world.calling("slow", "work", json!({ "note": note, "go": go })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    daemon.signal(Signal::SIGTERM);
    eventually("it drains", || daemon.stderr().contains("stopping").then_some(()));
    fs::write(go, "").unwrap();
    assert_eq!(running.finish().succeeds().message(), "worked");
    daemon.finish().succeeds();
    assert!(!world.runtime().join("control.sock").exists());
}

#[test]
fn ends_at_once_when_it_is_told_twice() {
    let stubborn = adversary("villain").that("deaf").that_ignores_sigterm();
    let world = World::new().with(stubborn);
    let daemon = world.daemon([""; 0]);
    let note = world.note("note");
    let running = world.calling("villain", "hang", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    daemon.signal(Signal::SIGTERM);
    eventually("it drains", || daemon.stderr().contains("stopping").then_some(()));
    daemon.signal(Signal::SIGTERM);
    daemon.finish().exits(130).warns("stopped at once");
    assert_eq!(running.finish().error()["kind"], "no_daemon");
}

#[test]
fn is_the_only_one_of_its_home() {
    let world = World::new();
    let daemon = world.daemon([""; 0]);
    let second = world.astros(["daemon"]).run().exits(2);
    second.warns("runs already").warns(&format!("(pid {})", daemon.pid()));
    daemon.stop().succeeds();
}

#[test]
fn takes_the_place_of_one_that_was_killed() {
    let world = World::new();
    let killed = world.daemon([""; 0]);
    killed.signal(Signal::SIGKILL);
    killed.finish();
    assert!(world.runtime().join("control.sock").exists(), "its socket is stale");
    world.astros(["status", "--json"]).run().fails(3, "no_daemon");
    world.ask("hello world").succeeds();
    world.daemon([""; 0]).stop().succeeds();
}

#[test]
fn is_missed_by_the_commands_that_need_it() {
    let world = World::new().with(adversary("villain"));
    for arguments in [
        &["status"][..],
        &["daemon", "stop"],
        &["bus", "tail"],
        &["bus", "publish", "topic.x"],
        &["plugins", "logs", "-f", "villain"],
        &["plugins", "restart", "villain"],
        &["plugins", "reload", "villain"],
        &["plugins", "reset", "villain"],
    ] {
        world.astros(arguments).arg("--json").run().fails(3, "no_daemon").says("`astros daemon`");
    }
}

#[test]
fn is_left_alone_by_a_command_that_names_other_folders() {
    let world = World::new().with(adversary("villain").that("counted"));
    let daemon = world.daemon([""; 0]);
    let other = world.path("other");
    Plugin::from(adversary("stranger")).write(&other);
    let list = ["plugins", "list", "--plugin-dir", &*other.to_string_lossy()];
    world.astros(list).run().succeeds().says("stranger").warns("other plugin folders");
    world.astros(list).arg("--json").run().succeeds().says("stranger");
    let restart = ["plugins", "restart", "villain", "--json", "--plugin-dir", &*other.to_string_lossy()];
    world.astros(restart).run().fails(3, "no_daemon").says("other plugin folders");
    world.call("villain", "echo", json!({})).succeeds();
    let asked = world.calling("stranger", "echo", json!({})).arg("--plugin-dir").arg(&other).run();
    asked.succeeds();
    world.astros(["plugins", "list"]).run().succeeds().never_says("stranger");
    daemon.stop().succeeds();
}

#[test]
fn runs_where_the_path_of_its_socket_is_longer_than_an_address() {
    let world = World::new();
    let home = world.path("long/".repeat(40).as_str());
    let world = world.env("ASTROS_HOME", &home.to_string_lossy());
    let daemon = world.daemon([""; 0]);
    let status = world.astros(["status", "--json"]).run().succeeds().json();
    assert_eq!(status["pid"], daemon.pid());
    assert_eq!(status["home"], json!(home.join("data")));
    daemon.stop().succeeds();
}

#[test]
fn refuses_to_start_with_a_configuration_that_it_cannot_read() {
    let world = World::new().configured("plugins:\n  villain:\n    enabled: 7\n");
    world.astros(["daemon"]).run().exits(2).warns("astros.yaml:3");
    let world = World::new().configured("daemon:\n  start: whenever\n");
    world.astros(["daemon"]).run().exits(2).warns("astros.yaml:2").warns("on_demand");
}

#[test]
fn is_started_by_a_command_where_that_is_configured() {
    let world = World::new().with(adversary("villain").that("counted"));
    let world = world.configured("daemon: {start: on_demand}\n");
    let at_once: Vec<_> = (0..4).map(|_| world.calling("villain", "echo", json!({})).spawn()).collect();
    at_once.into_iter().for_each(|one| drop(one.finish().succeeds()));
    assert_eq!(world.starts(), 1, "all of them found one daemon");
    let status = world.astros(["status", "--json"]).run().succeeds().json();
    let folder = fs::read_link(format!("/proc/{}/cwd", status["pid"])).unwrap();
    assert_eq!(folder.to_str(), Some("/"), "it keeps no folder in use");
    let stopped = world.astros(["daemon", "stop", "--json"]).run().succeeds().json();
    eventually("it is gone", || world.processes().is_empty().then_some(()));
    assert_eq!(stopped["stopped"], true);
    let log = fs::read_to_string(world.home().join("logs/daemon.log")).unwrap();
    assert!(log.contains("ready") && log.contains("stopped"), "{log}");
}

#[test]
fn tells_why_one_that_was_started_on_demand_did_not_come_up() {
    let world = World::new().configured("daemon: {start: on_demand}\n");
    fs::write(world.file("home/astros/run", ""), "a file").unwrap();
    let failed = world.ask("hello world").exits(8);
    failed.says("did not come up").says("astros/run");
}

#[test]
fn shows_how_it_and_its_plugins_are() {
    let world = World::new().with(adversary("villain"));
    let daemon = world.daemon([""; 0]);
    world.call("villain", "crash", json!({})).fails(5, "plugin_crashed");
    world.astros(["plugins", "disable", "villain"]).run().succeeds();
    let status = world.astros(["status", "--json"]).run().succeeds().json();
    assert_eq!((&status["control_version"], &status["pid"]), (&json!(1), &json!(daemon.pid())));
    assert_eq!((&status["in_flight"], &status["connections"]), (&json!(0), &json!(1)));
    assert_eq!(status["counters"]["crashes"], 1, "{status}");
    world.astros(["status"]).run().succeeds().says("runs").says("crashes");
    daemon.stop().succeeds();
}

#[test]
fn follows_a_log_until_the_reader_or_the_daemon_is_gone() {
    let code = r#"
import sys
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Talker(BasePlugin):
    @plugin_handler("say", examples=["say {text}"])
    async def say(self, intent):
        print(intent.context["text"], file=sys.stderr, flush=True)
        return Response(message="said")
"#;
    let world = World::new().with(python("talker", code));
    let daemon = world.daemon([""; 0]);
    let say = |text: &str| world.call("talker", "say", json!({ "text": text })).succeeds();
    say("first");
    let one = world.astros(["plugins", "logs", "-f", "talker", "-n", "5"]).spawn();
    let other = world.astros(["plugins", "logs", "-f", "talker", "-n", "0", "--json"]).spawn();
    eventually("what was there is shown", || one.stdout().contains("first").then_some(()));
    eventually("what comes is shown", || {
        say("second");
        (one.stdout().contains("second") && other.stdout().contains("second")).then_some(())
    });
    assert!(!other.stdout().contains("first"));
    one.signal(Signal::SIGINT);
    assert_eq!(one.finish().exits(130).stderr, "", "that is how one ends it");
    daemon.stop().succeeds();
    other.finish().exits(3);
}

#[test]
fn shows_what_happens_on_the_bus() {
    let world = World::new().with(adversary("villain"));
    let daemon = world.daemon([""; 0]);
    let (news, topic) = (
        world.astros(["bus", "tail", "astros.>", "--json"]).spawn(),
        world.astros(["bus", "tail", "topic.*"]).spawn(),
    );
    eventually("a message is shown", || {
        world.astros(["bus", "publish", "topic.lights", "{\"on\": true}"]).run().succeeds();
        topic.stdout().contains("topic.lights user {\"on\":true}").then_some(())
    });
    world.astros(["plugins", "restart", "villain"]).run().succeeds();
    eventually("the start is told", || {
        news.stdout().contains("\"astros.plugin.villain.ready\"").then_some(())
    });
    world.astros(["bus", "publish", "astros.x", "--json"]).run().fails(6, "permission_denied");
    world.astros(["bus", "tail", "a..b", "--json"]).run().fails(2, "invalid_params");
    [news, topic].into_iter().for_each(|one| {
        one.signal(Signal::SIGINT);
        one.finish().exits(130);
    });
    daemon.stop().succeeds();
}

#[test]
fn says_that_a_text_is_too_large_to_be_sent() {
    let world = World::new();
    let daemon = world.daemon([""; 0]);
    // As JSON each of them has six bytes.
    let text = vec![1_u8; 8 << 20];
    world.astros(["ask", "--json", "-"]).stdin(text.clone()).run().fails(5, "frame_too_large").says("32 MiB");
    world.astros(["status"]).run().succeeds();
    daemon.stop().succeeds();
    world.astros(["ask", "--json", "-"]).stdin(text).run().fails(5, "frame_too_large");
}

#[test]
fn says_so_where_the_daemon_is_halted() {
    let world = World::new();
    let daemon = world.daemon([""; 0]);
    daemon.signal(Signal::SIGSTOP);
    world.astros(["status", "--json"]).run().fails(3, "no_daemon").says("does not answer");
    daemon.signal(Signal::SIGCONT);
    world.astros(["status"]).run().succeeds();
    daemon.stop().succeeds();
}

#[test]
fn leaves_no_plugin_behind_when_it_is_killed() {
    let world = World::new().with(adversary("villain"));
    let daemon = world.daemon([""; 0]);
    world.call("villain", "echo", json!({})).succeeds();
    processes::kill(daemon.pid());
    daemon.finish();
    eventually("its plugins go", || world.processes().is_empty().then_some(()));
}
