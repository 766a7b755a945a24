//! A run that was interrupted or has failed goes on where it was.

use astros_core::daemon::Order;
use astros_protocol::ErrorCode;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;

use crate::harness::{Home, phases, step, until};

fn resume() -> Order {
    Order { resume: true, ..Order::default() }
}

#[tokio::test]
async fn what_failed_is_done_again_and_what_was_done_is_kept() {
    let home = Home::new();
    let file = "
name: flow
phases:
  - {name: a, phase: all, inputs: {note: a}}
  - name: b
    agents: [{agent: do, name: x, inputs: {note: x}}, {agent: do, name: z, task: y, inputs: {note: z, fails: 1}}]
    on_failure: {run: clean}
  - {name: c, phase: all, inputs: {note: c}}
  - {name: clean, phase: all, inputs: {note: clean}}
";
    let report = home.run(file).await.unwrap();
    assert!(!report.success);
    // The file is other now; the run is not.
    home.write("flow.yaml", "phases: [{phase: gone}]");
    // The plugin is started anew, and counts its tries from 0: it fails once more.
    let again = home.order(resume(), None, None).await.unwrap();
    assert_eq!((again.success, again.resumed, &again.workflow_id), (false, 1, &report.workflow_id));
    let daemon = home.start().await;
    home.write("warm.yaml", "phases: [{phase: all, task: y}]");
    let warm = Order { workflow: "./warm.yaml".to_owned(), task: Some("y".into()), ..Order::default() };
    daemon.run_workflow(warm, &home.person(), None).await.unwrap();
    let order = Order { workflow: "flow".to_owned(), run: Some(report.workflow_id.clone()), ..resume() };
    let third = daemon.run_workflow(order.clone(), &home.person(), None).await.unwrap();
    assert!(third.success, "{third:#?}");
    assert_eq!(phases(&third), json!([["a", "done"], ["b", "done"], ["c", "done"]]));
    let mut noted = home.noted();
    noted.sort();
    assert_eq!(noted, ["a", "c", "clean", "clean", "x", "z", "z", "z"]);
    let error = daemon.run_workflow(order, &home.person(), None).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
    assert!(error.message.ends_with("is done, nothing is left to resume"), "{error}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_belongs_to_one_process_at_a_time() {
    let home = Home::new();
    home.write("flow.yaml", "phases: [{phase: all, inputs: {wait: go, note: done}}]");
    let (first, second) = (home.start().await, home.start().await);
    let begin = Order { workflow: "./flow.yaml".to_owned(), ..Order::default() };
    let person = home.person();
    let run = first.run_workflow(begin.clone(), &person, None);
    let other = async {
        until("it is at work", || first.router().plugin("parts").unwrap().status().in_flight == 1).await;
        let runs = second.workflow_runs().await.unwrap();
        assert_eq!(runs[0].state.as_str(), "running");
        let error = second.run_workflow(Order { resume: true, ..begin }, &person, None).await.unwrap_err();
        assert_eq!(error.message, format!("the run `{}` goes on in another process", runs[0].id));
        std::fs::write(home.data("go"), "").unwrap();
    };
    let (report, ()) = tokio::join!(run, other);
    assert!(step(&report.unwrap(), "all", "phase").success);
    assert_eq!(home.noted(), ["done"]);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn an_orchestrator_goes_on_with_what_it_had_decided() {
    let home = Home::new();
    home.write("flow.yaml", "phases: [{name: led, orchestrator: lead}]");
    let daemon = home.start().await;
    let order = Order { workflow: "./flow.yaml".to_owned(), ..Order::default() };
    let person = home.person();
    // Who does not read the news holds the run up.
    let (watcher, mut values) = mpsc::channel::<Box<RawValue>>(1);
    let halt = async {
        let mut done = 0;
        while done < 2 {
            let value: Value = serde_json::from_str(values.recv().await.unwrap().get()).unwrap();
            let data = &value["data"];
            let is_agent = data["kind"] == "agent";
            done += usize::from(is_agent && data["event"] == "step_completed");
        }
    };
    tokio::select! {
        ended = daemon.run_workflow(order.clone(), &person, Some(watcher)) => panic!("{ended:?}"),
        () = halt => {}
    }
    let report = daemon.run_workflow(Order { resume: true, ..order }, &person, None).await.unwrap();
    assert_eq!(report.phases[0].result, json!([["do", "a", true], ["do", "b", false], ["all", "c", true]]));
    assert_eq!(home.noted(), ["a", "c"]);
    daemon.stop().await;
}

#[tokio::test]
async fn a_run_that_is_not_there_is_said_to_be_so() {
    let home = Home::new();
    home.write("flow.yaml", "phases: [{phase: all}]");
    let error = home.order(resume(), None, None).await.unwrap_err();
    assert!(error.message.ends_with("was interrupted or has failed"), "{error}");
    let order = Order { run: Some("20200101-000000-aaaaaa".to_owned()), ..resume() };
    assert_eq!(
        home.order(order, None, None).await.unwrap_err().message,
        "there is no run `20200101-000000-aaaaaa`"
    );
}
