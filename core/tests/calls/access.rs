//! Who may call whom, and what is said to who may not.

use astros_protocol::{ErrorCode, manifest::Permission};
use serde_json::{Value, json};

use crate::harness::World;

/// With a plugin `a` that was granted this, and a plugin `b` that may call everybody.
fn world(granted: &[&str]) -> World {
    let granted = granted.iter().map(|&handler| handler.to_owned()).collect();
    World::new().with_granted("a", 64, 1, vec![Permission::CallPlugin(Some(granted))]).with("b", 64)
}

fn to(plugin: &str, handler: &str) -> Value {
    json!({ "plugin": plugin, "handler": handler })
}

/// What `a` is answered where it calls this handler.
async fn told(world: &World, plugin: &str, handler: &str) -> Value {
    world.call("a", "call", to(plugin, handler)).gives().await
}

fn is_denied(answer: &Value, name: &str) -> bool {
    let error = &answer["error"];
    error["code"] == ErrorCode::PERMISSION_DENIED.0
        && error["message"] == format!("`a` may not call `{name}`")
        && error["data"]["permission"] == format!("call_plugin: {name}")
        && error["data"]["plugin"] == "a"
        && error["data"].get("hint").is_none()
}

#[tokio::test]
async fn lets_call_what_is_free_and_what_was_granted() {
    let world = world(&["b.destroy"]);
    // Nobody asked `b` yet what it offers.
    assert!(told(&world, "b", "free").await.get("error").is_none());
    assert!(told(&world, "b", "destroy").await.get("error").is_none());
    assert!(is_denied(&told(&world, "b", "echo").await, "b.echo"));
    assert!(is_denied(&told(&world, "b", "look").await, "b.look"), "what only reads is not free");
    assert!(is_denied(&told(&world, "b", "$message").await, "b.$message"));
    assert_eq!(world.router.metrics().plugin("a").snapshot().denials["call_plugin"], 3);
}

#[tokio::test]
async fn lets_call_every_handler_of_a_plugin_that_was_granted_whole() {
    let world = world(&["b.*"]).with("bb", 64);
    assert!(told(&world, "b", "echo").await.get("error").is_none());
    let answer = told(&world, "b", "$message").await;
    assert_eq!(
        answer["error"]["code"],
        ErrorCode::HANDLER_NOT_FOUND.0,
        "it may, and nobody takes it: {answer}"
    );
    assert!(is_denied(&told(&world, "bb", "echo").await, "bb.echo"));
}

#[tokio::test]
async fn tells_nobody_whether_a_plugin_is_there_who_may_not_call_it() {
    let world = world(&["gone.*"]);
    let mut nobody = told(&world, "nobody", "h").await;
    let before = told(&world, "b", "h").await;
    world.ready("b", 1).await;
    let mut after = told(&world, "b", "h").await;
    assert!(is_denied(&nobody, "nobody.h"), "{nobody}");
    assert_eq!(before, after, "whether it was started or not");
    for (answer, name) in [(&mut nobody, "nobody"), (&mut after, "b")] {
        *answer = serde_json::from_str(&answer.to_string().replace(&format!("{name}.h"), "X.h")).unwrap();
    }
    assert_eq!(nobody, after);
    let granted = told(&world, "gone", "h").await;
    assert_eq!(granted["error"]["code"], ErrorCode::PLUGIN_NOT_FOUND.0, "{granted}");
}

#[tokio::test]
async fn lets_nobody_have_done_by_another_what_that_one_does_not_do() {
    let world = world(&["b.look"]).with("c", 64);
    let through = |handler: &str| json!({ "plugin": "b", "handler": "look", "params": to("c", handler) });
    let answer = world.call("a", "call", through("destroy")).gives().await;
    let error = &answer["data"]["error"];
    assert_eq!(error["code"], ErrorCode::PERMISSION_DENIED.0, "{answer}");
    let message =
        "`b.look` was called by a plugin and only reads: it may not call `c.destroy`, which destroys";
    assert_eq!(error["message"], message);
    assert_eq!(error["data"]["chain"], json!(["a.call", "b.look", "c.destroy"]));
    assert!(error["data"].get("permission").is_none(), "no grant helps");
    for fits in ["free", "look"] {
        let answer = world.call("a", "call", through(fits)).gives().await;
        assert!(answer["data"]["error"]["data"]["permission"].is_null(), "{fits}: {answer}");
    }
    // A person calls the same handler: it goes as far as its plugin may.
    let answer = world.call("b", "look", to("c", "destroy")).gives().await;
    assert!(answer.get("error").is_none(), "{answer}");
    // Neither does it help to name no parent, or to go through one more.
    let mut vague = through("destroy");
    vague["params"]["meta"] = json!({ "parent": 4_711 });
    assert_eq!(world.call("a", "call", vague).gives().await["data"]["error"]["message"], message);
    let farther = json!({ "plugin": "b", "handler": "look", "params": {
        "plugin": "c", "handler": "look", "params": to("b", "destroy") } });
    let answer = world.call("a", "call", farther).gives().await;
    let message = answer["data"]["data"]["error"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("`c.look` was called by a plugin and only reads"), "{answer}");
}

#[tokio::test]
async fn counts_what_is_granted_and_revoked_from_the_next_call_on() {
    let world = world(&[]);
    let reload = async |granted: Option<Vec<String>>| {
        let mut spec = world.plugin("a").supervisor().spec().as_ref().clone();
        spec.granted = vec![Permission::CallPlugin(granted)];
        world.router.reload("a", Default::default(), spec).await.unwrap();
    };
    assert!(is_denied(&told(&world, "b", "echo").await, "b.echo"));
    reload(None).await;
    let call = json!({ "plugin": "b", "handler": "echo", "after": world.path("go") });
    let calls = world.begin("a", "call", call).await;
    reload(Some(Vec::new())).await;
    world.go("go");
    assert!(is_denied(&calls.gives().await, "b.echo"), "also by a process that only ends what it has begun");
}
