//! What a run keeps and reports has an end.

use std::fs;

use crate::harness::{Home, phases, step};

#[tokio::test]
async fn a_step_that_gives_too_much_fails_and_leaves_nothing_of_it() {
    let home = Home::new();
    let file =
        "phases:\n  - {name: a, phase: all, inputs: {give: 2000000}, retry: {attempts: 3, backoff: 1ms}}\n";
    let report = home.run(file).await.unwrap();
    assert_eq!(
        report.error.as_ref().unwrap().message,
        "the phase `a` failed: what it was given and gave has 1.9 MiB, expected at most 1.0 MiB"
    );
    assert_eq!(report.error.as_ref().unwrap().hint.as_deref(), Some("write it to a file, and give the path"));
    assert!(report.evidence.is_empty());
    // The same again would be as large.
    assert_eq!(step(&report, "a", "phase").attempts, 1);
}

#[tokio::test]
async fn a_run_keeps_no_more_than_it_may_however_many_steps_it_has() {
    let home = Home::new();
    let agents: String = (0..30).map(|at| format!("      - {{agent: do, name: a{at}}}\n")).collect();
    let file = format!(
        "phases:\n  - name: a\n    inputs: {{give: 1048000}}\n    on_failure: continue\n    agents:\n{agents}  \
         - {{name: led, orchestrator: lead, max_rounds: 1000000, inputs: {{endless: true}}}}\n"
    );
    let report = home.run(&file).await.unwrap();
    assert_eq!(phases(&report), serde_json::json!([["a", "failed"], ["led", "failed"]]));
    let done = report.phases[0].steps.iter().filter(|step| step.success).count();
    assert_eq!((done, report.evidence.len()), (8, 8));
    let why = report.error.unwrap().message;
    assert!(why.contains("gave more than 8.0 MiB"), "{why}");
    let size = |path| fs::metadata(path).unwrap().len();
    assert!(size(&report.files.json) < 10 << 20 && size(&report.files.markdown) < 10 << 20);
}

#[tokio::test]
async fn an_orchestrator_wants_no_more_steps_at_once_than_it_may() {
    let home = Home::new();
    let file = "phases:\n  - {name: led, orchestrator: lead, inputs: {many: 1001}}\n";
    let report = home.run(file).await.unwrap();
    assert_eq!(
        report.error.unwrap().message,
        "the phase `led` failed: the orchestrator `lead` wants 1001 steps at once, expected at most 1000"
    );
}
