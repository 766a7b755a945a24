//! What fails: tries, limits of time, what is done on a failure.

use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Home, PATIENCE, phases, step, until};
use astros_core::daemon::Order;

#[tokio::test]
async fn a_step_that_fails_is_tried_again_with_growing_waits() {
    let home = Home::new();
    let file = "
phases:
  - name: a
    retry: {attempts: 3, backoff: 20ms}
    agents:
      - {agent: do, name: third, task: x, inputs: {fails: 2, note: third}}
      - {agent: do, name: never, task: y, inputs: {says_no: true, note: never}, retry: {attempts: 2, backoff: 1ms}}
      - {agent: do, name: once, task: z, inputs: {note: once}}
";
    let report = home.run(file).await.unwrap();
    assert!(!report.success);
    let (third, never) = (step(&report, "a", "third"), step(&report, "a", "never"));
    assert!(third.success && third.elapsed_ms >= 60, "{third:?}");
    assert_eq!((third.attempts, never.attempts, step(&report, "a", "once").attempts), (3, 2, 1));
    let error = report.error.unwrap();
    assert_eq!(error.message, "the phase `a` failed: `never`: it does not want to");
    assert_eq!((error.kind.as_str(), home.noted().len()), ("not_done", 6));
}

#[tokio::test]
async fn a_crash_is_one_more_failure_that_is_tried_again() {
    let home = Home::new();
    let file = "phases:\n  - {phase: all, retry: {attempts: 2, backoff: 1ms}, inputs: {crash: true}}\n";
    let report = home.run(file).await.unwrap();
    assert!(report.success, "{report:?}");
    assert_eq!(step(&report, "all", "phase").attempts, 2);
}

#[tokio::test]
async fn a_step_ends_with_its_time_and_a_run_with_its_own() {
    let home = Home::new();
    let waits = "inputs: {wait: never}";
    let file = format!(
        "phases:\n  - {{phase: all, {waits}, timeout: 100ms, retry: {{attempts: 2, backoff: 1ms}}}}\n"
    );
    let report = home.run(&file).await.unwrap();
    let outcome = step(&report, "all", "phase");
    assert_eq!((outcome.error.as_ref().unwrap().kind.as_str(), outcome.attempts), ("deadline_exceeded", 2));

    let file = format!("name: slow\ntimeout: 300ms\nphases:\n  - {{phase: all, {waits}}}\n");
    let error = home.run(&file).await.unwrap_err();
    assert_eq!(error.message, "the workflow `slow` took longer than 300ms");
    assert!(error.hint().unwrap().starts_with("`astros workflow run slow --resume="), "{error:?}");
}

#[tokio::test]
async fn a_step_has_no_limit_of_time_but_its_own() {
    let home = Home::new();
    let file = "phases:\n  - {name: a, phase: all}\n  - {name: b, phase: all, timeout: 1m}\n";
    let report = home.run(file).await.unwrap();
    let limited = ["a", "b"].map(|phase| step(&report, phase, "phase").result["limited"] == true);
    assert_eq!(limited, [false, true]);
}

#[tokio::test]
async fn a_failure_stops_goes_on_or_runs_another_phase() {
    let home = Home::new();
    let file = "
phases:
  - {name: a, phase: all, inputs: {says_no: true}, on_failure: continue}
  - {name: b, phase: all, inputs: {says_no: true}, on_failure: {run: mend, then: continue}}
  - {name: c, phase: all, when: results.mend.success, inputs: {says_no: true}, on_failure: {run: clean}}
  - {name: d, phase: all}
  - {name: mend, phase: all}
  - {name: clean, phase: all}
";
    let report = home.run(file).await.unwrap();
    let expected =
        json!([["a", "failed"], ["b", "failed"], ["mend", "done"], ["c", "failed"], ["clean", "done"]]);
    assert_eq!(phases(&report), expected);
    assert_eq!(report.phases[4].after.as_deref(), Some("c"));
    assert_eq!(report.error.unwrap().message, "the phase `c` failed: it does not want to");
}

#[tokio::test]
async fn what_cannot_be_worked_out_fails_its_step() {
    let home = Home::new();
    let file = "
phases:
  - {name: a, agents: [{agent: do, task: '{{ provider + 1 }}'}, {agent: do, name: other}], on_failure: continue}
  - {name: b, phase: all, when: results.a.result.do.nothing}
";
    let report = home.run(file).await.unwrap();
    assert!(step(&report, "a", "other").success);
    let message = &step(&report, "a", "do").error.as_ref().unwrap().message;
    assert!(message.starts_with("`provider + 1` cannot be worked out: "), "{message}");
    assert!(report.phases[1].error.as_ref().unwrap().message.contains("results.a.result.do.nothing"));
}

#[tokio::test]
async fn who_gives_a_run_up_takes_all_of_it_back() {
    let home = Home::new();
    home.write("flow.yaml", "
phases:
  - name: a
    agents: [{agent: do, inputs: {note: begun}}, {agent: do, name: x, inputs: {wait: never}}, {agent: do, name: z, inputs: {wait: never}}]
");
    let daemon = home.start().await;
    let order = Order { workflow: "./flow.yaml".to_owned(), ..Order::default() };
    let person = home.person();
    let at_work = || daemon.router().plugin("parts").unwrap().status().in_flight;
    {
        let run = daemon.run_workflow(order, &person, None);
        tokio::pin!(run);
        tokio::select! {
            ended = &mut run => panic!("it waits for ever: {ended:?}"),
            () = until("it is at work", || at_work() == 2 && !home.noted().is_empty()) => {}
        }
    }
    // The host counts a request as served until its plugin has answered; nothing is waited for any more.
    let runs = daemon.workflow_runs().await.unwrap();
    assert_eq!(runs[0].state.as_str(), "interrupted");
    timeout(PATIENCE, daemon.stop()).await.unwrap();
}
