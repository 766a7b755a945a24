//! What a plugin may send by mistake or malice: never a crash, never another request's answer.

use astros_tests::{Outcome, World, adversary};
use serde_json::{Value, json};

fn villain() -> World {
    World::new().with(adversary("villain"))
}

/// Calls it; what is in the log then is the second part.
fn logged(world: &World, handler: &str) -> (Outcome, String) {
    let outcome = world.call("villain", handler, json!({}));
    (outcome, world.astros(["plugins", "logs", "villain"]).run().succeeds().stdout)
}

#[test]
fn fails_the_request_whose_answer_is_malformed() {
    for handler in ["garbage", "shapeless", "wrong", "duplicate"] {
        let world = villain();
        let failed = world.call("villain", handler, json!({})).fails(5, "bad_response").says("`villain");
        assert_eq!(failed.error()["plugin"], "villain");
        world.call("villain", "echo", json!({})).succeeds();
    }
}

#[test]
fn refuses_an_answer_beyond_the_limit_of_a_frame() {
    let world = villain();
    let error = world.call("villain", "huge", json!({})).error();
    assert_eq!((&error["kind"], &error["plugin"]), (&json!("frame_too_large"), &json!("villain")));
    assert_eq!(error["limit"], 16 << 20);
    assert!(error["message"].as_str().unwrap().contains("`villain.huge`"), "{error}");
    world.call("villain", "echo", json!({})).succeeds();
}

#[test]
fn logs_stray_output_and_takes_the_answer() {
    let (outcome, log) = logged(&villain(), "stray");
    assert_eq!(outcome.succeeds().message(), "in spite of it");
    assert!(log.contains("debug: here we are") && log.contains("of JSON that is no message"), "{log}");
}

#[test]
fn starts_a_plugin_that_greets_the_terminal_first() {
    let world = World::new().with(adversary("villain").that("stray-output"));
    world.call("villain", "echo", json!({})).succeeds();
    world.astros(["plugins", "logs", "villain"]).run().succeeds().says("Welcome to the adversary");
}

#[test]
fn ignores_answers_that_nobody_waits_for() {
    let (outcome, log) = logged(&villain(), "unknown");
    assert_eq!(outcome.succeeds().message(), "for you");
    assert!(log.contains("987654") && log.contains("a-string"), "{log}");
}

#[test]
fn takes_the_first_of_two_answers() {
    assert_eq!(villain().call("villain", "twice", json!({})).succeeds().message(), "the first");
}

#[test]
fn drops_a_flood_of_progress_that_nobody_listens_to() {
    assert_eq!(villain().call("villain", "flood", json!({})).succeeds().message(), "flooded");
}

#[test]
fn passes_half_a_mebibyte_unharmed() {
    let world = villain();
    let text = "häß \u{1f600} \"quoted\" \\ ".repeat(20_000);
    let echoed = world
        .astros(["plugins", "call", "villain", "echo", "--json", "--params", "-"])
        .stdin(json!({ "text": text }).to_string())
        .run()
        .succeeds();
    assert_eq!(echoed.data()["intent"]["context"]["text"], Value::from(text));
}

#[test]
fn believes_no_error_that_is_the_hosts_to_send() {
    let failed = villain().call("villain", "claim", json!({})).fails(5, "handler_failed");
    assert_eq!(failed.error()["plugin"], "villain");
}

#[test]
fn strips_control_characters_from_a_plugins_words() {
    let world = villain();
    let shown = world.astros(["plugins", "call", "villain", "claim"]).run().exits(5);
    shown.never_says("\u{1b}").warns("wants your password");
}

#[test]
fn gives_a_text_to_the_next_who_does_not_decline() {
    let world = World::new().with(adversary("villain"));
    world.ask("make villain decline").fails(4, "not_understood").says("villain.decline");
}
