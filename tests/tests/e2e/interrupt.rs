//! Ctrl-C: down the whole tree, and nobody is left.

use std::{
    fs,
    time::{Duration, Instant},
};

use astros_tests::{World, adversary, eventually, notes, python};
use nix::sys::signal::Signal;
use serde_json::json;

#[test]
fn cancels_down_the_tree() {
    let world = World::new().with(adversary("alice")).with(adversary("bob"));
    let note = world.note("note");
    let params = json!({ "plugin": "bob", "handler": "hang", "params": { "note": note } });
    let running = world.calling("alice", "call", params).spawn();
    eventually("bob begins", || note.exists().then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().fails(130, "cancelled");
    assert_eq!(fs::read_to_string(note).unwrap(), "begun\ncancelled\n", "bob's handler heard of it");
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn reaches_a_python_handler_as_its_own_cancellation() {
    let code = r#"
import asyncio
from pathlib import Path
from astros.plugin import BasePlugin, plugin_handler

class Slow(BasePlugin):
    @plugin_handler("wait", examples=["wait for ever"])
    async def wait(self, intent):
        note = Path(intent.context["note"])
        note.write_text("begun\n")
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            note.write_text("cancelled\n")
            raise
"#;
    let world = World::new().with(python("slow", code).wants(json!([notes()])));
    let note = world.note("note");
    let running = world.calling("slow", "wait", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().fails(130, "cancelled");
    assert_eq!(fs::read_to_string(note).unwrap(), "cancelled\n");
}

#[test]
fn ends_a_plugin_that_does_not_even_read() {
    let stubborn = adversary("villain").that_ignores_sigterm().supervised(json!({ "stop_grace": "100ms" }));
    let world = World::new().with(stubborn);
    let note = world.note("note");
    let running = world.calling("villain", "block", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().fails(130, "cancelled");
    assert_eq!(world.processes(), [0; 0]);
}

#[test]
fn ends_the_plugins_when_it_is_terminated_or_its_terminal_is_gone() {
    let world = World::new().with(adversary("villain"));
    for signal in [Signal::SIGTERM, Signal::SIGHUP] {
        let note = world.note(signal.as_str());
        let running = world.calling("villain", "hang", json!({ "note": note })).spawn();
        eventually("it begins", || note.exists().then_some(()));
        running.signal(signal);
        running.finish().fails(130, "cancelled");
        assert_eq!(fs::read_to_string(note).unwrap(), "begun\ncancelled\n");
        assert_eq!(world.processes(), [0; 0]);
    }
}

#[test]
fn ends_at_once_at_the_second_interrupt() {
    let world = World::new().with(adversary("villain").that("deaf").that_ignores_sigterm());
    let note = world.note("note");
    let running = world.calling("villain", "hang", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    let interrupted = Instant::now();
    running.signal(Signal::SIGINT);
    eventually("it is taken back", || fs::read_to_string(&note).unwrap().contains("cancelled").then_some(()));
    running.signal(Signal::SIGINT);
    running.finish().fails(130, "cancelled");
    assert!(interrupted.elapsed() < Duration::from_secs(5), "the grace alone is 5 s");
}

#[test]
fn leaves_nobody_when_it_is_killed() {
    // A plugin whose host is gone reads the end of its input, and ends by itself.
    let world = World::new().with(adversary("villain"));
    let note = world.note("note");
    let running = world.calling("villain", "hang", json!({ "note": note })).spawn();
    eventually("it begins", || note.exists().then_some(()));
    running.signal(Signal::SIGKILL);
    assert_eq!(running.finish().code, None);
    eventually("the plugin goes", || world.processes().is_empty().then_some(()));
}

#[test]
fn interrupts_a_plugin_that_is_still_starting() {
    let silent =
        adversary("villain").that("silent").that("counted").supervised(json!({ "stop_grace": "100ms" }));
    let world = World::new().with(silent);
    for arguments in
        [vec!["ask", "--json", "say hello"], vec!["plugins", "call", "villain", "echo", "--json"]]
    {
        let before = world.starts();
        let running = world.astros(arguments).spawn();
        eventually("it starts", || (world.starts() > before).then_some(()));
        running.signal(Signal::SIGINT);
        running.finish().fails(130, "cancelled");
        assert_eq!(world.processes(), [0; 0]);
    }
}
