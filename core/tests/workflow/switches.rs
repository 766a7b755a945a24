//! What a developer of workflows can see.

use std::fs;

use astros_core::{
    daemon::Order,
    router::{About, Question},
    workflow::Switches,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::harness::{Home, phases, step};

const FILE: &str = "
name: flow
phases:
  - {name: a, agents: [{agent: do, inputs: {note: one}}, {agent: do, name: two, inputs: {note: two}}]}
  - {name: b, phase: all, inputs: {note: three}}
";

/// Runs it step by step, with these answers; gives what was asked.
async fn stepping(
    home: &Home,
    order: Order,
    says: &[&str],
) -> (Result<astros_core::workflow::Report, astros_protocol::Error>, Vec<String>) {
    let (asked, mut questions) = mpsc::channel::<Question>(1);
    let answering = async {
        let mut says = says.iter();
        let mut all = Vec::new();
        while let Some(question) = questions.recv().await {
            let About::Plugin { asked, .. } = question.about else { panic!("{:?}", question.about) };
            assert_eq!(asked.choices, ["continue", "skip", "abort"]);
            all.push(asked.question);
            question.answer.send(says.next().map(|say| Value::from(*say))).unwrap();
        }
        all
    };
    tokio::join!(home.order(order, None, Some(asked)), answering)
}

#[tokio::test]
async fn a_person_goes_through_it_step_by_step() {
    let home = Home::new();
    home.write("flow.yaml", FILE);
    let by_step = Switches { step: true, ..Switches::default() };
    let order = Order { switches: by_step, ..Order::default() };
    let (ended, asked) = stepping(&home, order.clone(), &["continue", "skip", "abort"]).await;
    let error = ended.unwrap_err();
    assert_eq!(error.message, "stopped before `phase` of the phase `b`");
    let first = r#"before `do` of the phase `a`, which is the agent `do`, with the inputs {note: "one"}:"#;
    assert_eq!(asked[0], first);
    assert_eq!((asked.len(), home.noted()), (3, vec!["one".to_owned()]));
    // From there it goes on.
    let (ended, asked) = stepping(&home, Order { resume: true, ..order.clone() }, &["continue"]).await;
    let report = ended.unwrap();
    assert_eq!((asked.len(), phases(&report)), (1, json!([["a", "done"], ["b", "done"]])));
    assert!(step(&report, "a", "two").skipped && report.resumed == 1);

    let nobody = home.order(order, None, None).await.unwrap_err();
    assert_eq!(nobody.message, "nobody is there who could be asked before each step");
}

#[tokio::test]
async fn a_person_sees_what_each_step_is_given_but_secrets_and_what_is_long() {
    let home = Home::new();
    let schema = "configuration: {schema: {properties: {key: {writeOnly: true}}}}\n";
    let manifest = fs::read_to_string(home.path("plugins/parts/plugin.yaml")).unwrap();
    home.write("plugins/parts/plugin.yaml", &format!("{manifest}{schema}"));
    home.write("home/astros.yaml", "plugins: {parts: {settings: {key: s3cret}}}\n");
    let inputs = format!("{{list: [1, its s3cret], text: {}}}", "x".repeat(9_000));
    home.write("flow.yaml", &format!("phases: [{{phase: all, task: the s3cret, inputs: {inputs}}}]\n"));
    let switches = Switches { step: true, ..Switches::default() };
    let (ended, asked) = stepping(&home, Order { switches, ..Order::default() }, &["continue"]).await;
    assert!(ended.unwrap().success);
    let shown = asked[0].split_once(", with ").unwrap().1;
    let expected = r#"the task "the ***", with the inputs {list: [1,"its ***"], text: "xxx"#;
    assert!(shown.starts_with(expected) && shown.ends_with("xx…}:") && shown.len() < 300, "{shown}");
}

#[tokio::test]
async fn the_configuration_holds_for_every_run() {
    let home = Home::new();
    let every = "enable_step_debugging: true, save_intermediate_results: true, detailed_error_traces: true";
    home.write("home/astros.yaml", &format!("workflow: {{{every}}}\n"));
    home.write("flow.yaml", "phases:\n  - {name: a, phase: all, inputs: {fails: 1}, on_failure: continue}\n  - {name: b, phase: all}\n");
    // Nobody is there: it is not stopped.
    let report = home.order(Order::default(), None, None).await.unwrap();
    let trace = step(&report, "a", "phase").error.as_ref().unwrap().trace.clone();
    assert_eq!(trace.as_deref(), Some("Traceback: in the part"));
    assert!(fs::read_to_string(&report.files.markdown).unwrap().contains("Traceback: in the part"));
    let kept = report.files.json.with_file_name("steps").join("b.phase.json");
    let kept: Value = serde_json::from_str(&fs::read_to_string(kept).unwrap()).unwrap();
    assert_eq!(kept["input"]["context"]["results"]["a"]["success"], false);
    assert_eq!(kept["output"]["result"]["results"], json!({ "a": false }));
    let (ended, asked) = stepping(&home, Order::default(), &["continue", "continue"]).await;
    assert!(ended.unwrap().success && asked.len() == 2);
}

#[tokio::test]
async fn traces_are_left_out_where_nobody_wants_them() {
    let home = Home::new();
    let report = home.run("phases:\n  - {phase: all, inputs: {fails: 1}}\n").await.unwrap();
    assert_eq!(step(&report, "all", "phase").error.as_ref().unwrap().trace, None);
}
