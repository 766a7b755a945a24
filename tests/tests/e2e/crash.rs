//! A plugin that ends in the middle of a call: one clear outcome, and nobody else notices.

use astros_tests::{World, adversary, eventually, processes};
use serde_json::json;

#[test]
fn tells_the_last_words_of_a_plugin_that_crashed() {
    let world = World::new().with(adversary("villain"));
    let crashed = world.call("villain", "crash", json!({})).fails(5, "plugin_crashed");
    let error = crashed.error();
    assert_eq!(error["plugin"], "villain");
    let message = error["message"].as_str().unwrap();
    for part in ["`villain`", "`crash`", "exited with status 3"] {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert_eq!(error["last_words"], json!(["loading the plan", "ERROR: the plan has no step 3"]));
    world.call("villain", "echo", json!({})).succeeds();
}

#[test]
fn shows_people_the_last_words_below_the_error() {
    let world = World::new().with(adversary("villain"));
    let crashed = world.astros(["plugins", "call", "villain", "kill"]).run().exits(5).prints_nothing();
    crashed
        .warns("error: plugin `villain` crashed while it handled `kill`")
        .warns("killed by SIGKILL")
        .warns("its last words:\n    I have seen too much");
}

#[test]
fn survives_a_plugin_that_is_killed_from_outside() {
    let world = World::new().with(adversary("villain")).with(adversary("bystander"));
    let note = world.note("note");
    let running = world.calling("villain", "hang", json!({ "note": note })).spawn();
    eventually("the call begins", || note.exists().then_some(()));
    let astros = running.pid();
    let plugin = world.processes().into_iter().find(|pid| *pid != astros).expect("the plugin runs");
    processes::kill(plugin);
    running.finish().fails(5, "plugin_crashed").says("killed by SIGKILL");
    world.call("villain", "echo", json!({})).succeeds();
    world.call("bystander", "echo", json!({})).succeeds();
}

#[test]
fn tells_a_caller_that_its_callee_crashed() {
    let world = World::new().with(adversary("villain")).with(adversary("victim"));
    let params = json!({ "plugin": "victim", "handler": "crash" });
    let told = world.call("villain", "call", params).succeeds();
    let error = &told.data()["error"];
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32003), &json!("plugin_crashed")));
    assert!(error["message"].as_str().unwrap().contains("plugin `victim` crashed while it handled `crash`"));
    assert!(error["data"].get("last_words").is_none(), "stderr is for people: {error}");
}

#[test]
fn brings_a_text_to_a_plugin_that_crashed_before() {
    let world = World::new().with(adversary("villain"));
    world.ask("make villain crash").fails(5, "plugin_crashed").says("the plan has no step 3");
    world.ask("make villain echo").succeeds().answered_by("villain.echo");
    world.ask("say hello").succeeds().answered_by("hello-world.say_hello");
}

#[test]
fn reports_a_plugin_that_ends_politely_in_the_middle_of_a_call() {
    let world = World::new().with(adversary("villain"));
    world.call("villain", "quit", json!({})).fails(5, "plugin_crashed").says("exited with status 0");
    world
        .call("villain", "half", json!({}))
        .fails(5, "bad_response")
        .says("`villain.half`")
        .says("ended within the line");
}

#[test]
fn kills_a_plugin_that_closed_its_output_and_lives_on() {
    let world = World::new().with(adversary("villain"));
    world.call("villain", "mute", json!({})).fails(5, "plugin_crashed");
}

#[test]
fn takes_the_grandchildren_of_a_plugin_with_it() {
    // The check is made when the world is dropped.
    let world = World::new().with(adversary("villain").that("grandchild"));
    world.call("villain", "grandchild", json!({})).succeeds();
    world.call("villain", "crash", json!({})).fails(5, "plugin_crashed");
}

#[test]
fn ends_a_plugin_that_ignores_every_request_to_end() {
    let plugin = adversary("villain").that("deaf").that_ignores_sigterm();
    let world = World::new().with(plugin.supervised(json!({ "stop_grace": "100ms" })));
    world.call("villain", "echo", json!({})).succeeds();
    assert_eq!(world.processes(), [0; 0], "astros ends after its plugins");
}

#[test]
fn keeps_what_a_plugin_wrote_in_its_log() {
    let world = World::new().with(adversary("villain"));
    world.call("villain", "crash", json!({})).fails(5, "plugin_crashed");
    world.astros(["plugins", "logs", "villain"]).run().succeeds().says("the plan has no step 3");
    let records = world.astros(["plugins", "logs", "villain", "--json"]).run().succeeds().json();
    let error =
        records.as_array().unwrap().iter().find(|record| record["level"] == "error").expect("levelled");
    assert!(error["message"].as_str().unwrap().contains("no step 3"), "{error}");
}
