//! Orchestrators decide what is next.

use std::fs;

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
async fn an_orchestrator_has_parts_of_others_run_that_the_file_names_or_that_it_may_call() {
    let home = Home::new();
    home.plugin("worker", &["erase"]);
    let led = "phases:\n  - {name: led, orchestrator: lead, plugin: parts, inputs: {wants: erase}}\n";
    let told = home.run(led).await.unwrap().phases.remove(0).result;
    assert_eq!(told[0]["kind"], "permission_denied");
    assert_eq!(told[0]["message"], "`parts` may not call `worker.agent:erase`");
    assert_eq!(told[0]["hint"], "`astros plugins grant parts 'call_plugin: worker.agent:erase'` allows it");
    let noted = || fs::read_to_string(home.path("home/data/plugin-data/worker/noted")).unwrap_or_default();
    assert_eq!(noted(), "");

    let named = format!("{led}  - {{name: beside, agents: [{{agent: erase}}]}}\n");
    assert_eq!(home.run(&named).await.unwrap().phases[0].result, json!([true]));
    assert_eq!(noted(), "wanted\n");

    home.write(
        "plugins/parts/plugin.yaml",
        &manifest("parts", "[ai, {call_plugin: ['worker.agent:erase']}]"),
    );
    assert_eq!(home.run(led).await.unwrap().phases[0].result, json!([true]));
    home.write("plugins/parts/plugin.yaml", &manifest("parts", "[ai, {call_plugin: ['worker.*']}]"));
    assert_eq!(home.run(led).await.unwrap().phases[0].result, json!([true]));
    assert_eq!(noted(), "wanted\nwanted\nwanted\n");
}

#[tokio::test]
async fn an_orchestrator_learns_no_names_of_parts_that_it_may_not_call() {
    let home = Home::new();
    home.plugin("worker", &["erase", "export"]);
    let told = async |name: &str| {
        let led = format!("phases: [{{orchestrator: lead, plugin: parts, inputs: {{wants: {name}}}}}]\n");
        let told = home.run(&led).await.unwrap().phases.remove(0).result;
        assert_eq!(told[0]["message"], format!("there is no agent `{name}`"));
        told[0]["hint"].as_str().unwrap().to_owned()
    };
    // Near to another's, and to none.
    assert_eq!(
        (told("eras").await, told("zz").await),
        ("there is: do".to_owned(), "there is: do".to_owned())
    );
    home.write(
        "plugins/parts/plugin.yaml",
        &manifest("parts", "[ai, {call_plugin: ['worker.agent:erase']}]"),
    );
    assert_eq!(told("eras").await, "did you mean `erase`?");
    assert_eq!(told("zz").await, "there is: do, erase");
}

fn manifest(name: &str, permissions: &str) -> String {
    format!(
        "metadata: {{name: {name}}}\nplugin_types: [workflow]\npermissions: {permissions}\n\
         run: {{command: [python3, code.py]}}\n"
    )
}

#[tokio::test]
async fn an_orchestrator_is_told_nothing_of_files_that_the_other_does_not_reach() {
    let home = Home::new();
    home.plugin("worker", &["erase"]);
    home.write("plugins/parts/plugin.yaml", &manifest("parts", "[ai, call_plugin]"));
    home.write("private.txt", "p");
    let at = home.path("plugins/parts/code.py");
    let wants = format!("{{wants: erase, with: {{at: {:?}}}}}", home.path("private.txt"));
    let led = format!(
        "inputs: {{at: {{type: path, default: {at:?}}}}}
phases:
           - {{name: led, orchestrator: lead, plugin: parts, inputs: {wants}}}
"
    );
    let told = home.run(&led).await.unwrap().phases.remove(0).result;
    assert_eq!(told[0]["kind"], "permission_denied", "{told}");
    let message = format!("`worker` may not read `{}`", home.path("private.txt").display());
    assert_eq!(told[0]["message"], message);
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
