//! What is sent a second time, and what never is.

use std::time::{Duration, Instant};

use astros_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::harness::World;

#[tokio::test]
async fn sends_what_is_idempotent_once_more_after_a_crash() {
    let world = World::new().with("one", 64);
    assert_eq!(world.call("one", "die_once", json!({})).gives().await, json!({ "attempt": 2 }));
    let note = json!({ "note": world.path("note") });
    let error = world.call("one", "die_always", note).fails().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED, "{error}");
    assert_eq!(world.noted("note"), ["begun", "begun"]);
}

/// Who dies while it serves this, and how often it began.
async fn begins(handler: &str, context: Value) -> usize {
    let world = World::new().with("one", 64).with("other", 64);
    let mut context = context;
    context["note"] = json!(world.path("note"));
    let error = world.call("one", handler, context).fails().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED, "{error}");
    world.noted("note").len()
}

#[tokio::test]
async fn never_repeats_what_may_have_had_an_effect() {
    assert_eq!(begins("die", json!({})).await, 1, "it is not idempotent");
    assert_eq!(begins("die_told", json!({ "listens": true })).await, 1, "somebody heard of its progress");
    let called = json!({ "plugin": "other", "handler": "tick", "params": { "tick": "" } });
    assert_eq!(begins("call_and_die_once", called).await, 1, "its child is not idempotent");
}

#[tokio::test]
async fn repeats_where_the_children_may_be_repeated_too() {
    let world = World::new().with("one", 64).with("other", 64);
    let called = json!({ "plugin": "other", "handler": "echo" });
    assert_eq!(world.call("one", "call_and_die_once", called).gives().await, json!({ "attempt": 2 }));
}

#[tokio::test]
async fn repeats_nothing_where_the_restart_comes_after_the_deadline() {
    let world = World::new().backing_off(Duration::from_secs(20)).with("one", 64);
    let begun = Instant::now();
    let error = world.call_within("one", "die_once", json!({}), Duration::from_secs(10)).fails().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10), "it is told at once");
}

#[tokio::test]
async fn believes_no_process_that_says_it_goes_and_stays() {
    let world = World::new().with("one", 64);
    let error = world.call("one", "leave", json!({})).fails().await;
    assert_eq!(error.code, ErrorCode::SHUTTING_DOWN, "{error}");
}

#[tokio::test]
async fn loses_and_doubles_nothing_while_the_plugin_is_restarted() {
    const CALLS: usize = 300;
    let world = World::new().with("one", 8);
    let tick = |number: usize| json!({ "note": world.path("note"), "tick": number.to_string() });
    let calls: Vec<_> = (0..CALLS).map(|number| world.call("one", "tick", tick(number))).collect();
    for _ in 0..5 {
        world.plugin("one").supervisor().restart().await.unwrap();
    }
    for call in calls {
        call.gives().await;
    }
    let mut ticks: Vec<_> = world.noted("note").into_iter().filter(|line| line != "begun").collect();
    ticks.sort_by_key(|tick| tick.parse::<usize>().unwrap());
    assert_eq!(ticks, (0..CALLS).map(|number| number.to_string()).collect::<Vec<_>>());
}
