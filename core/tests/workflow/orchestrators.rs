//! Orchestrators decide what is next.

use serde_json::json;

use crate::harness::Home;

#[tokio::test]
async fn an_orchestrator_decides_over_and_over_and_sees_what_became_of_it() {
    let home = Home::new();
    home.plugin("others", &[]);
    let file = "phases:\n  - {name: led, orchestrator: lead, plugin: parts}\n";
    let report = home.run(file).await.unwrap();
    assert!(report.success, "{report:#?}");
    let led = &report.phases[0];
    // Its own plugin's parts go before those of others.
    assert!(led.steps.iter().all(|step| step.plugin == "parts"));
    assert_eq!(led.result, json!([["do", "a", true], ["do", "b", false], ["all", "c", true]]));
    let steps: Vec<&str> = led.steps.iter().map(|step| &*step.step).collect();
    assert_eq!(steps, ["round-1", "round-1.1", "round-1.2", "round-2", "round-2.1", "round-3"]);
    assert_eq!(home.noted(), ["a", "c"]);
}

#[tokio::test]
async fn an_orchestrator_decides_so_often_and_no_more() {
    let home = Home::new();
    let file = "phases:\n  - {name: led, orchestrator: lead, max_rounds: 3, inputs: {endless: true}}\n";
    let report = home.run(file).await.unwrap();
    assert_eq!(home.noted(), ["a", "a", "a"]);
    assert_eq!(
        report.error.unwrap().message,
        "the phase `led` failed: the orchestrator `lead` wanted more after 3 decisions; `max_rounds` allows more"
    );
}
