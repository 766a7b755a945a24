//! Plugins that call each other without end.

use astros_tests::{Host, World, adversary, in_both_languages};
use serde_json::{Value, json};

use crate::villain;

fn call(plugin: &str, handler: &str, params: Value) -> Value {
    json!({ "plugin": plugin, "handler": handler, "params": params })
}

/// The error that came to whoever is innermost.
fn innermost(mut answer: &Value) -> &Value {
    while answer["data"].get("answer").is_some() {
        answer = &answer["data"]["answer"];
    }
    &answer["data"]["error"]
}

#[test]
fn refuses_a_cycle_of_calls_at_once_and_names_its_chain() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(villain(language)).with(adversary("bob"))).await;
        let params = call("bob", "call", call("villain", "call", call("bob", "echo", json!({}))));
        let answer = host.call("villain", "call", params).await.unwrap();
        let error = innermost(&answer);
        assert_eq!(error["data"]["kind"], "call_cycle", "{answer}");
        assert_eq!(error["data"]["chain"], json!(["villain.call", "bob.call", "villain.call"]));
        host.stop().await;
    });
}

#[test]
fn refuses_a_call_that_is_nested_too_deeply() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(villain(language))).await;
        let deepest =
            (2..=17).rev().fold(json!({}), |below, number| call("villain", &format!("call-{number}"), below));
        let answer = host.call("villain", "call-1", deepest).await.unwrap();
        let error = innermost(&answer);
        assert_eq!(error["data"]["kind"], "call_cycle", "{answer}");
        assert_eq!(error["data"]["chain"].as_array().map(Vec::len), Some(17));
        host.stop().await;
    });
}
