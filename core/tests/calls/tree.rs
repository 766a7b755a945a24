//! Circles, and the end of whole trees.

use astros_protocol::ErrorCode;
use serde_json::json;

use crate::harness::{World, until};

#[tokio::test]
async fn refuses_a_circle_of_two_chains_that_wait_for_each_other() {
    let world = World::new().with("a", 1).with("b", 1);
    let to = |plugin: &str| json!({ "plugin": plugin, "handler": "echo", "after": world.path("go") });
    let (first, second) = (world.begin("a", "call", to("b")).await, world.begin("b", "call", to("a")).await);
    world.go("go");
    let answers = [first.gives().await, second.gives().await];
    let refused: Vec<_> = answers.iter().filter_map(|answer| answer.get("error")).collect();
    assert_eq!(refused.len(), 1, "the other one is served: {answers:?}");
    assert_eq!(refused[0]["code"], ErrorCode::CALL_CYCLE.0, "{answers:?}");
    let chain = refused[0]["data"]["chain"].as_array().unwrap();
    assert!(chain == &["a.call", "b.echo"] || chain == &["b.call", "a.echo"], "{chain:?}");
}

#[tokio::test]
async fn waits_for_a_serial_plugin_that_is_only_busy() {
    let world = World::new().with("a", 64).with("b", 1);
    let holds = world.begin("b", "hold", json!({ "until": world.path("go") })).await;
    let calls = world.call("a", "call", json!({ "plugin": "b", "handler": "echo" }));
    world.queued("b", 1).await;
    world.go("go");
    holds.gives().await;
    assert_eq!(calls.gives().await["data"]["attempt"], 1);
}

#[tokio::test]
async fn waits_where_another_instance_of_a_serial_plugin_can_go_on() {
    let world = World::new().with_instances("a", 1, 2).with("b", 64);
    world.ready("a", 2).await;
    let calls_back = |after: &str| {
        let back = json!({ "plugin": "a", "handler": "echo" });
        json!({ "plugin": "b", "handler": "call", "params": back, "after": world.path(after) })
    };
    let holds = world.begin("a", "hold", json!({ "until": world.path("go") })).await;
    let calls = world.begin("a", "call", calls_back("call")).await;
    world.go("call");
    world.queued("a", 1).await;
    world.go("go");
    holds.gives().await;
    assert_eq!(calls.gives().await["data"]["data"]["attempt"], 1);
    // Both instances wait for each other.
    let first = world.begin("a", "call", calls_back("both")).await;
    let second = world.begin("a", "call", calls_back("both")).await;
    world.go("both");
    let answers = [first.gives().await, second.gives().await];
    let refused = answers.iter().filter(|answer| answer["data"]["error"]["code"] == ErrorCode::CALL_CYCLE.0);
    assert_eq!(refused.count(), 1, "{answers:?}");
}

#[tokio::test]
async fn takes_a_whole_tree_back_when_the_caller_at_its_top_dies() {
    let world = World::new().with("a", 64).with("b", 64).with("c", 64);
    let hold = json!({ "until": world.path("never"), "note": world.path("note") });
    let below = json!({ "plugin": "c", "handler": "hold", "params": hold });
    let above = json!({ "plugin": "b", "handler": "call", "params": below, "dies": world.path("die") });
    let call = world.call("a", "call", above);
    until("c begins", || world.noted("note") == ["begun"]).await;
    world.go("die");
    assert_eq!(call.fails().await.code, ErrorCode::PLUGIN_CRASHED);
    until("c hears of it", || world.noted("note") == ["begun", "cancelled"]).await;
    // Both of them live on, and hold nothing.
    for name in ["b", "c"] {
        let session = world.plugin(name).supervisor().session().unwrap();
        until("nothing is open", || session.peer.open_calls() == 0 && session.in_flight() == 0).await;
    }
}

#[tokio::test]
async fn takes_a_whole_tree_back_when_the_person_gives_up() {
    let world = World::new().with("a", 64).with("b", 64);
    let hold = json!({ "until": world.path("never"), "note": world.path("note") });
    let call = world.call("a", "call", json!({ "plugin": "b", "handler": "hold", "params": hold }));
    until("b begins", || world.noted("note") == ["begun"]).await;
    call.take_back().await;
    until("b hears of it", || world.noted("note") == ["begun", "cancelled"]).await;
}

#[tokio::test]
async fn ends_a_plugin_that_asks_and_does_not_read() {
    let world = World::new().with("a", 64).with("b", 64);
    let floods = world.call("a", "flood", json!({}));
    world.call("b", "echo", json!({})).gives().await;
    let error = floods.fails().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED);
    assert!(error.message.contains("asked on and on without reading the answers"), "{error}");
    world.call("a", "echo", json!({})).gives().await;
}
