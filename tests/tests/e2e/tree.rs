//! Calls between plugins: on whose behalf, how long, how deep, and who ends with whom.

use std::fs;

use astros_tests::{World, adversary, notes, python};
use serde_json::{Value, json};

fn two() -> World {
    World::new().with(adversary("alice")).with(adversary("bob"))
}

/// The params of `call` that make a plugin call another one.
fn call(plugin: &str, handler: &str, params: Value) -> Value {
    json!({ "plugin": plugin, "handler": handler, "params": params })
}

/// What the last plugin of a chain of calls saw.
fn innermost(mut data: Value) -> Value {
    while data.get("answer").is_some() {
        data = data["answer"]["data"].clone();
    }
    data
}

#[test]
fn shows_the_callee_who_calls_and_for_whom() {
    let world = two().with(adversary("carol"));
    let params = call("bob", "call", call("carol", "echo", json!({ "a": 1 })));
    let answer = world.calling("alice", "call", params).arg("--timeout").arg("20s").run().succeeds().json();
    let seen = innermost(answer["data"].clone());
    let (intent, meta) = (&seen["intent"], &seen["meta"]);
    assert_eq!((&intent["text"], &intent["intent_type"]), (&json!(""), &json!("echo")));
    assert_eq!((&intent["confidence"], &intent["context"]), (&json!(1.0), &json!({ "a": 1 })));
    assert_eq!((&intent["user_id"], &meta["user_id"]), (&json!("ada"), &json!("ada")));
    assert_eq!(meta["session_id"], "ada:default");
    assert_eq!((&meta["caller"], &meta["chain"]), (&json!("bob"), &json!(["alice.call", "bob.call"])));
    assert_eq!(meta["correlation_id"], answer["correlation_id"]);
    let left = meta["deadline_ms"].as_u64().unwrap();
    assert!(left < 20_000, "{left} ms are left of 20 s, two calls further down");
}

#[test]
fn shortens_deadlines_and_never_extends_them() {
    let world = two();
    let deadline = |asked: u64| {
        let mut params = call("bob", "echo", json!({}));
        params["deadline_ms"] = asked.into();
        let answer = world.calling("alice", "call", params).arg("--timeout").arg("10s").run().succeeds();
        innermost(answer.data())["meta"]["deadline_ms"].as_u64().unwrap()
    };
    assert!(deadline(700) <= 700);
    assert!(deadline(999_999) <= 10_000);
}

#[test]
fn fails_a_call_whose_own_time_is_over_and_no_more() {
    let mut params = call("bob", "hang", json!({}));
    params["deadline_ms"] = 200.into();
    let told = two().call("alice", "call", params).succeeds();
    assert_eq!(told.data()["error"]["data"]["kind"], "deadline_exceeded", "alice lives to tell: {told:?}");
}

#[test]
fn knows_the_parent_that_is_named_or_meant() {
    let world = two();
    let meta = |parent: &str| {
        let mut params = call("bob", "echo", json!({}));
        params["parent"] = parent.into();
        innermost(world.call("alice", "call", params).succeeds().data())["meta"].clone()
    };
    for parent in ["this", "absent", "unknown"] {
        let meta = meta(parent);
        assert_eq!((&meta["user_id"], &meta["chain"]), (&json!("ada"), &json!(["alice.call"])), "{parent}");
    }
    let root = meta("null");
    assert_eq!(
        (root.get("user_id"), root.get("session_id"), root.get("chain")),
        (None, None, None),
        "an intended root"
    );
    assert_eq!(root["caller"], "alice", "who calls is no secret");
}

#[test]
fn refuses_a_cycle_with_its_chain() {
    let params = call("bob", "call", call("alice", "call", call("bob", "echo", json!({}))));
    let told = two().call("alice", "call", params).succeeds();
    let error = &told.data()["answer"]["data"]["error"];
    assert_eq!((&error["code"], &error["data"]["kind"]), (&json!(-32007), &json!("call_cycle")), "{told:?}");
    assert_eq!(error["data"]["chain"], json!(["alice.call", "bob.call", "alice.call"]));
}

#[test]
fn refuses_a_call_that_is_nested_too_deeply() {
    let deepest =
        (2..=17).rev().fold(json!({}), |below, number| call("alice", &format!("call-{number}"), below));
    let told = World::new().with(adversary("alice")).call("alice", "call-1", deepest).succeeds();
    let error = innermost(told.data())["error"].clone();
    assert_eq!(error["data"]["kind"], "call_cycle", "{error}");
    assert!(error["message"].as_str().unwrap().contains("the limit is 16"), "{error}");
    assert_eq!(error["data"]["chain"].as_array().map(Vec::len), Some(17));
}

#[test]
fn allows_sixteen_calls_within_each_other() {
    let deepest = (2..=15).rev().fold(call("alice", "echo", json!({})), |below, number| {
        call("alice", &format!("call-{number}"), below)
    });
    let told = World::new().with(adversary("alice")).call("alice", "call-1", deepest).succeeds();
    assert_eq!(innermost(told.data())["meta"]["chain"].as_array().map(Vec::len), Some(15));
}

#[test]
fn refuses_a_serial_plugin_that_would_wait_for_its_own_slot() {
    let serial = adversary("alice").supervised(json!({ "max_in_flight": 1 }));
    let world = World::new().with(serial).with(adversary("bob"));
    let told = world.call("alice", "call", call("bob", "call", call("alice", "echo", json!({})))).succeeds();
    assert_eq!(told.data()["answer"]["data"]["error"]["data"]["kind"], "call_cycle", "{told:?}");
}

/// Calls somebody, and then stays until the file `note` says that the call further down was cancelled: had everybody
/// ended meanwhile, that would have cancelled it too.
const WITNESS: &str = r#"
import asyncio
from pathlib import Path
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Witness(BasePlugin):
    @plugin_handler("watch")
    async def watch(self, intent):
        asked = intent.context
        answer = await self.call_plugin("alice", asked["handler"], asked["params"], timeout=asked.get("timeout"))
        note = Path(asked["params"]["params"]["note"])
        for _ in range(1000):
            if note.exists() and "cancelled" in note.read_text():
                return Response(message=answer.error["kind"] if answer.error else answer.message)
            await asyncio.sleep(0.01)
        return Response(success=False, message="nothing was cancelled")
"#;

fn witnessed(handler: &str, timeout: Option<f64>) -> String {
    let world = two().with(python("witness", WITNESS).wants(json!(["call_plugin", notes()])));
    let note = world.note("note");
    let mut params = call("bob", "hang", json!({ "note": note }));
    params["after"] = json!(note);
    let asked = json!({ "handler": handler, "params": params, "timeout": timeout });
    let message = world.call("witness", "watch", asked).succeeds().message();
    let noted = fs::read_to_string(note).expect("the note");
    assert_eq!(noted, "begun\ncancelled\n", "bob's handler heard of it once");
    message
}

#[test]
fn cancels_what_a_call_asked_for_when_its_time_is_over() {
    assert_eq!(witnessed("call", Some(2.0)), "deadline_exceeded");
}

#[test]
fn cancels_the_children_of_a_request_that_is_answered() {
    assert_eq!(witnessed("abandon", None), "I did not wait");
}

#[test]
fn cancels_what_a_plugin_asked_for_that_died() {
    assert_eq!(witnessed("die-calling", None), "plugin_crashed");
}

#[test]
fn answers_calls_to_nobody_and_nothing() {
    let world = two();
    let kind = |plugin: &str, handler: &str| {
        let told = world.call("alice", "call", call(plugin, handler, json!({}))).succeeds();
        told.data()["error"]["data"]["kind"].clone()
    };
    assert_eq!(kind("nobody", "echo"), "plugin_not_found");
    assert_eq!(kind("bob", "no_such"), "handler_not_found");
    let params = json!({ "plugin": "bob", "handler": "echo", "params": [1] });
    assert_eq!(
        world.call("alice", "call", params).succeeds().data()["error"]["data"]["kind"],
        "invalid_params"
    );
}

#[test]
fn lets_a_callee_fail_without_an_error() {
    let told = two().call("alice", "call", call("bob", "fail", json!({}))).succeeds();
    assert_eq!(told.data()["answer"], json!({ "success": false, "message": "I would rather not" }));
}
