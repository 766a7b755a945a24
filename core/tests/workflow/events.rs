//! News of a run: on the bus, and to who watches it.

use astros_core::{bus::Pattern, daemon::Order};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;

use crate::harness::Home;

const FILE: &str = "
name: tale
phases:
  - {name: a, agents: [{agent: do}, {agent: do, name: not, inputs: {says_no: true}}], max_parallel: 1, on_failure: continue}
  - {name: b, phase: all}
";

#[tokio::test]
async fn the_bus_tells_how_a_run_goes() {
    let home = Home::new();
    home.write("flow.yaml", FILE);
    let daemon = home.start().await;
    let mut heard = daemon.router().bus().stream(Pattern::parse("astros.workflow.>").unwrap());
    let order = Order { workflow: "./flow.yaml".to_owned(), task: Some("t".into()), ..Order::default() };
    let report = daemon.run_workflow(order, &home.person(), None).await.unwrap();
    let mut subjects = Vec::new();
    loop {
        let message = heard.next().await.unwrap().message;
        let data: Value = serde_json::from_str(message.data.get()).unwrap();
        assert_eq!(
            (&data["workflow_id"], &data["name"], &data["task"], &*message.sender),
            (&json!(report.workflow_id), &json!("tale"), &json!("t"), "astros")
        );
        let subject = message.subject.to_string().replace("astros.workflow.", "");
        let detail = ["phase", "step", "success"].map(|name| match &data[name] {
            Value::String(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            _ => String::new(),
        });
        let words = [&*subject, &detail[0], &detail[1], &detail[2]];
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        subjects.push(words.join(" "));
        if subject == "completed" {
            break;
        }
    }
    assert_eq!(
        subjects,
        [
            "started",
            "phase_started a",
            "step_started a do",
            "step_completed a do true",
            "step_started a not",
            "step_completed a not false",
            "phase_completed a false",
            "phase_started b",
            "step_started b phase",
            "step_completed b phase true",
            "phase_completed b true",
            "completed true",
        ]
    );
    daemon.stop().await;
}

#[tokio::test]
async fn who_watches_is_told_what_the_bus_is_told() {
    let home = Home::new();
    home.write("flow.yaml", FILE);
    let (watcher, mut values) = mpsc::channel::<Box<RawValue>>(8);
    let watching = async {
        let mut events = Vec::new();
        while let Some(value) = values.recv().await {
            let value: Value = serde_json::from_str(value.get()).unwrap();
            events.push(value["data"]["event"].as_str().unwrap().to_owned());
        }
        events
    };
    let (report, events) = tokio::join!(home.order(Order::default(), Some(watcher), None), watching);
    assert!(report.unwrap().success);
    assert_eq!((events.len(), &*events[0], &*events[11]), (12, "started", "completed"));
}
