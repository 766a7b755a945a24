//! Questions to the person behind a tree.

use std::time::Duration;

use astros_core::router::{About, Question, Questions, tree::Root};
use astros_protocol::{ErrorCode, manifest::Permission};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::harness::{PATIENCE, World};

/// Plugins that were granted nothing.
fn world() -> World {
    let poor = |world: World, name| world.with_granted(name, 64, 1, Vec::new());
    poor(poor(World::new(), "a"), "b")
}

/// A tree whose person can be asked, and what they are asked.
fn person() -> (Root, mpsc::Receiver<Question>) {
    let (asked, questions) = mpsc::channel(8);
    (Root { questions: Some(Questions::new(asked)), ..Root::anonymous() }, questions)
}

fn to(handler: &str) -> Value {
    json!({ "plugin": "b", "handler": handler })
}

/// The next question, which is about this permission of `a`.
async fn asked_for(questions: &mut mpsc::Receiver<Question>, permission: &str) -> Question {
    let question = tokio::time::timeout(PATIENCE, questions.recv()).await.expect("in time").expect("asked");
    match &question.about {
        About::Permission { plugin, permission: wanted, lasting: false } => {
            assert_eq!((&**plugin, wanted), ("a", &permission.parse().unwrap()));
        }
        other => panic!("{other:?}"),
    }
    question
}

#[tokio::test]
async fn a_yes_holds_for_the_tree_and_is_asked_for_once() {
    let world = world();
    let (root, mut questions) = person();
    let calls = world.call_for(root, "a", "twice", to("echo"), PATIENCE);
    let question = asked_for(&mut questions, "call_plugin: b.echo").await;
    question.answer.send(Some(true.into())).unwrap();
    let answers = calls.gives().await;
    assert_eq!(answers[0]["data"]["attempt"], 1, "{answers}");
    assert_eq!(answers[1]["data"]["attempt"], 1, "{answers}");
    assert!(questions.try_recv().is_err(), "it was said already");
    // The next request is another one.
    let error = &world.call("a", "call", to("echo")).gives().await["error"];
    assert_eq!(error["code"], ErrorCode::PERMISSION_DENIED.0);
}

#[tokio::test]
async fn a_no_is_a_denial_and_asked_for_once() {
    let world = world();
    for decline in [true, false] {
        let (root, mut questions) = person();
        let calls = world.call_for(root, "a", "twice", to("echo"), PATIENCE);
        let question = asked_for(&mut questions, "call_plugin: b.echo").await;
        // Whoever goes away says nothing.
        if decline {
            question.answer.send(None).unwrap();
        } else {
            drop(question);
        }
        let answers = calls.gives().await;
        for answer in answers.as_array().unwrap() {
            assert_eq!(answer["error"]["message"], "`a` may not call `b.echo`");
        }
        assert!(questions.try_recv().is_err(), "it was said already");
    }
}

#[tokio::test]
async fn asks_nobody_about_what_is_free_or_cannot_be_granted() {
    let world = world();
    let (root, mut questions) = person();
    world.call_for(root, "a", "call", to("free"), PATIENCE).gives().await;
    let (root, mut more) = person();
    let answer = world.call_for(root, "a", "call", to("x, c.y"), PATIENCE).gives().await;
    assert_eq!(answer["error"]["code"], ErrorCode::PERMISSION_DENIED.0);
    assert!(questions.try_recv().is_err() && more.try_recv().is_err());
}

#[tokio::test]
async fn asks_also_for_a_plugin_that_is_not_there() {
    let (world, (root, mut questions)) = (world(), person());
    let nobody = json!({ "plugin": "nobody", "handler": "h" });
    let calls = world.call_for(root, "a", "call", nobody, PATIENCE);
    asked_for(&mut questions, "call_plugin: nobody.h").await.answer.send(Some(true.into())).unwrap();
    assert_eq!(calls.gives().await["error"]["code"], ErrorCode::PLUGIN_NOT_FOUND.0);
}

#[tokio::test]
async fn time_stands_still_for_the_tree_while_a_person_thinks() {
    let (world, (root, mut questions)) = (world(), person());
    // Plugins that are held to their time, too.
    let serial = |world: World, name| world.with_granted(name, 1, 1, vec![Permission::CallPlugin(None)]);
    let world = serial(serial(world, "top"), "middle");
    let call = json!({ "plugin": "a", "handler": "call", "params": to("echo") });
    let call = json!({ "plugin": "middle", "handler": "call", "params": call });
    let calls = world.call_for(root, "top", "call", call, Duration::from_secs(2));
    let question = asked_for(&mut questions, "call_plugin: b.echo").await;
    // Longer than the request may take, and than a serial plugin may take beyond it.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    question.answer.send(Some(true.into())).unwrap();
    assert_eq!(calls.gives().await["data"]["data"]["data"]["attempt"], 1);
    // It goes on afterwards.
    let (root, mut questions) = person();
    let held = json!({ "plugin": "b", "handler": "hold", "params": { "until": world.path("never") } });
    let calls = world.call_for(root, "a", "call", held, Duration::from_millis(300));
    asked_for(&mut questions, "call_plugin: b.hold").await.answer.send(Some(true.into())).unwrap();
    assert_eq!(calls.fails().await.code, ErrorCode::DEADLINE_EXCEEDED);
}

#[tokio::test]
async fn a_plugin_asks_the_person_whose_request_it_serves() {
    let world = world();
    let asked = json!({ "asked": { "question": "Which way?", "choices": ["left", "right"] } });
    for said in [Some(json!("left")), None] {
        let (root, mut questions) = person();
        let calls = world.call_for(root, "a", "ask", asked.clone(), PATIENCE);
        let question = questions.recv().await.unwrap();
        let About::Plugin { plugin, asked } = &question.about else { panic!("{:?}", question.about) };
        assert_eq!((&**plugin, &*asked.question, asked.choices.len()), ("a", "Which way?", 2));
        question.answer.send(said.clone()).unwrap();
        let expected = match said {
            Some(said) => json!({ "answer": said }),
            None => json!({ "answer": null, "declined": true }),
        };
        assert_eq!(calls.gives().await, expected);
    }
    let nobody = world.call("a", "ask", asked).gives().await;
    assert_eq!(nobody, json!({ "answer": null, "declined": true }));
}

#[tokio::test]
async fn a_question_ends_with_the_request_that_it_is_asked_for() {
    let (world, (root, mut questions)) = (world(), person());
    let calls = world.call_for(root, "a", "call", to("echo"), PATIENCE);
    let mut question = asked_for(&mut questions, "call_plugin: b.echo").await;
    calls.take_back().await;
    tokio::time::timeout(PATIENCE, question.answer.closed()).await.expect("nobody waits for it any more");
}
