//! Progress from one plugin through the host to another one.

use serde_json::json;

use crate::harness::{World, until};

/// The windows of both connections, and what the host keeps between them.
const MOST: usize = 3 * 32;

#[tokio::test]
async fn slows_the_stream_of_a_slow_listener_and_nothing_else() {
    let world = World::new().with("slow", 64).with("quick", 64).with("source", 64);
    let listen = |until: &str, note: &str| {
        let stream = json!({ "values": 500, "note": world.path(note) });
        json!({ "plugin": "source", "handler": "stream", "params": stream, "until": world.path(until) })
    };
    let slow = world.call("slow", "listen", listen("go", "slow"));
    until("the window is full", || world.noted("slow").len() >= 32).await;
    world.go("at once");
    let all: Vec<_> = (0..500).collect();
    assert_eq!(world.call("quick", "listen", listen("at once", "quick")).gives().await, json!(all));
    world.call("source", "echo", json!({})).gives().await;
    world.call("slow", "echo", json!({})).gives().await;
    let sent = world.noted("slow").len();
    assert!(sent <= MOST + 1, "{sent} were sent, nobody took one");
    world.go("go");
    assert_eq!(slow.gives().await, json!(all), "all of them, in order");
}

#[tokio::test]
async fn drops_and_acknowledges_what_nobody_listens_to() {
    let world = World::new().with("source", 64);
    world.call("source", "stream", json!({ "values": 500 })).gives().await;
}
