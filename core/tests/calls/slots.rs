//! How many requests work in a process, and who waits.

use std::time::Duration;

use astros_protocol::ErrorCode;
use serde_json::json;

use crate::harness::{World, until};

#[tokio::test]
async fn works_on_no_more_at_once_than_there_are_slots() {
    let world = World::new().with("one", 2);
    let hold = json!({ "until": world.path("go"), "note": world.path("note") });
    let calls: Vec<_> = (0..5).map(|_| world.call("one", "hold", hold.clone())).collect();
    until("two work", || world.noted("note").len() == 2).await;
    world.queued("one", 3).await;
    assert_eq!(world.noted("note").len(), 2);
    world.go("go");
    for call in calls {
        assert_eq!(call.gives().await, "held");
    }
    assert_eq!((world.noted("note").len(), world.plugin("one").queued()), (5, 0));
}

#[tokio::test]
async fn lets_another_work_while_one_waits_for_a_call_of_its_own() {
    let world = World::new().with("one", 2).with("other", 64);
    let hold = json!({ "until": world.path("go"), "note": world.path("note") });
    let call = json!({ "plugin": "other", "handler": "hold", "params": hold });
    let calls: Vec<_> = (0..6).map(|_| world.call("one", "call", call.clone())).collect();
    until("all six wait for the other", || world.noted("note").len() == 6).await;
    world.call("one", "echo", json!({})).gives().await;
    world.go("go");
    for call in calls {
        assert_eq!(call.gives().await["data"], "held");
    }
}

#[tokio::test]
async fn keeps_the_slot_of_a_serial_plugin_while_it_waits() {
    let world = World::new().with("one", 1).with("other", 64);
    let hold = json!({ "until": world.path("go") });
    let call = json!({ "plugin": "other", "handler": "hold", "params": hold });
    let waits = world.begin("one", "call", call).await;
    let echo = world.call("one", "echo", json!({}));
    world.queued("one", 1).await;
    world.go("go");
    assert_eq!(waits.gives().await["data"], "held");
    echo.gives().await;
}

#[tokio::test]
async fn refuses_what_would_fill_the_memory_while_it_waits() {
    let world = World::new().with("one", 64).with("other", 1);
    let _holds = world.begin("other", "hold", json!({ "until": world.path("go") })).await;
    let large = json!({ "plugin": "other", "handler": "echo", "pad": 15 << 20 });
    let mut waiting = Vec::new();
    for number in 1..=4 {
        waiting.push(world.call("one", "call", large.clone()));
        world.queued("other", number).await;
    }
    let refused = world.call("one", "call", large).gives().await;
    assert_eq!(refused["error"]["code"], json!(ErrorCode::OVERLOADED), "{refused}");
    assert_eq!(world.plugin("other").queued(), 4);
}

#[tokio::test]
async fn calls_itself_by_a_process_of_its_own_that_is_on_its_way() {
    let world =
        World::new().backing_off(Duration::from_secs(1)).with_instances("one", 1, 2).with("other", 64);
    world.call("one", "echo", json!({})).gives().await;
    let sessions = || world.plugin("one").supervisor().sessions();
    until("both run", || sessions().len() == 2).await;
    let pid = rustix::process::Pid::from_raw(sessions()[1].pid as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    until("one is left", || sessions().len() == 1).await;
    let back = json!({ "plugin": "one", "handler": "echo" });
    let call = json!({ "plugin": "other", "handler": "call", "params": back });
    let answer = world.call("one", "call", call).gives().await;
    assert_eq!(answer["data"]["data"]["attempt"], 1, "{answer}");
}

#[tokio::test]
async fn serves_those_who_wait_in_the_order_in_which_they_came() {
    let world = World::new().with("one", 1);
    let holds = world.begin("one", "hold", json!({ "until": world.path("go") })).await;
    let mut calls = Vec::new();
    for number in 0..20 {
        calls.push(world.call(
            "one",
            "tick",
            json!({ "note": world.path("note"), "tick": format!("{number}") }),
        ));
        world.queued("one", number + 1).await;
    }
    world.go("go");
    holds.gives().await;
    for call in calls {
        call.gives().await;
    }
    let ticks: Vec<_> = world.noted("note").into_iter().filter(|line| line != "begun").collect();
    assert_eq!(ticks, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn refuses_at_once_what_the_queue_does_not_hold() {
    let world = World::new().with("one", 1);
    let holds = world.begin("one", "hold", json!({ "until": world.path("go") })).await;
    let waiting: Vec<_> = (0..1_024).map(|_| world.call("one", "echo", json!({}))).collect();
    world.queued("one", 1_024).await;
    let error = world.call("one", "echo", json!({})).fails().await;
    assert_eq!(error.code, ErrorCode::OVERLOADED, "{error}");
    let data = error.data.unwrap();
    assert!(data.retryable && data.extra["retry_after_ms"].is_u64());
    world.go("go");
    holds.gives().await;
    for call in waiting {
        call.gives().await;
    }
}

#[tokio::test]
async fn lets_nobody_wait_beyond_his_deadline() {
    let world = World::new().with("one", 1);
    let holds = world.begin("one", "hold", json!({ "until": world.path("go") })).await;
    let late = world.call_within("one", "echo", json!({}), Duration::from_millis(50)).fails().await;
    assert_eq!(late.code, ErrorCode::DEADLINE_EXCEEDED);
    assert_eq!(world.plugin("one").queued(), 0);
    world.go("go");
    holds.gives().await;
}

#[tokio::test]
async fn keeps_the_slot_of_what_was_taken_back_until_it_is_answered() {
    let world = World::new().with("one", 1);
    let hold = json!({ "until": world.path("go"), "stubborn": true });
    world.begin("one", "hold", hold).await.take_back().await;
    let session = world.plugin("one").supervisor().session().unwrap();
    assert_eq!(session.in_flight(), 0, "nobody waits for it");
    let echo = world.call("one", "echo", json!({}));
    world.queued("one", 1).await;
    world.go("go");
    echo.gives().await;
}

#[tokio::test]
async fn goes_on_waiting_at_the_next_process_after_a_crash() {
    let world = World::new().with("one", 1);
    let dies = json!({ "until": world.path("never") });
    let holds = world.begin("one", "hold", dies).await;
    let waiting: Vec<_> = (0..10).map(|_| world.call("one", "echo", json!({}))).collect();
    world.queued("one", 10).await;
    let session = world.plugin("one").supervisor().session().unwrap();
    session.fail("was not liked");
    assert_eq!(holds.fails().await.code, ErrorCode::PLUGIN_CRASHED);
    for call in waiting {
        assert_eq!(call.gives().await["attempt"], 1);
    }
}

#[tokio::test]
async fn brings_calls_to_the_instance_with_the_least_to_do() {
    let world = World::new().with_instances("one", 2, 2);
    world.ready("one", 2).await;
    let hold = json!({ "until": world.path("go"), "note": world.path("note") });
    let mut calls = Vec::new();
    for number in 1..=4_usize {
        calls.push(world.begin("one", "hold", hold.clone()).await);
        let loads = world.plugin("one").supervisor().sessions();
        let mut loads: Vec<_> = loads.iter().map(|session| session.in_flight()).collect();
        loads.sort_unstable();
        assert_eq!(loads, [number / 2, number.div_ceil(2)]);
    }
    calls.push(world.call("one", "hold", hold));
    world.queued("one", 1).await;
    world.go("go");
    for call in calls {
        call.gives().await;
    }
}

#[tokio::test]
async fn goes_on_with_one_instance_while_another_one_crashes() {
    let world = World::new().with_instances("one", 64, 2);
    world.ready("one", 2).await;
    let lives = world.begin("one", "hold", json!({ "until": world.path("go") })).await;
    let dies = json!({ "until": world.path("never"), "dies": world.path("die") });
    let dies = world.begin("one", "hold", dies).await;
    world.go("die");
    for _ in 0..50 {
        world.call("one", "echo", json!({})).gives().await;
    }
    assert_eq!(dies.fails().await.code, ErrorCode::PLUGIN_CRASHED);
    world.go("go");
    lives.gives().await;
}
