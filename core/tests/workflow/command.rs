//! What the command says of a run.

use std::{fs, process::Stdio};

use serde_json::Value;

use crate::harness::{Home, astros};

#[test]
fn a_report_that_cannot_be_written_is_told_before_the_run() {
    let home = Home::new();
    home.write("flow.yaml", "phases: [{name: a, agents: [{agent: do, inputs: {note: ran}}]}]");
    let run = |report: &str| {
        let mut command = astros(&home);
        command.args(["workflow", "run", "./flow.yaml", "--json", "--report", report]).stdout(Stdio::piped());
        serde_json::from_slice::<Value>(&command.output().unwrap().stdout).unwrap()
    };
    for report in ["nowhere/report.md", ".", "plugins/"] {
        let error = &run(report)["error"];
        assert!(error["message"].as_str().unwrap().contains("the report cannot be written to"), "{error}");
        assert!(error["hint"].as_str().unwrap().contains("nothing was run"), "{error}");
    }
    assert!(home.noted().is_empty() && !home.path("nowhere").exists());
    home.write("kept.md", "before");
    for report in ["report.md", "kept.md"] {
        assert_eq!(run(report)["success"], true);
        assert!(fs::read_to_string(home.path(report)).unwrap().starts_with("# "));
    }
}

#[test]
fn how_a_run_is_resumed_is_said_with_the_folders_of_plugins() {
    let home = Home::new();
    home.write(
        "flow.yaml",
        "name: flow\nphases: [{name: a, agents: [{agent: do, inputs: {says_no: true}}]}]",
    );
    let output =
        astros(&home).args(["workflow", "run", "./flow.yaml"]).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let folder = home.path("plugins");
    let wanted = format!("`astros --plugin-dir {} workflow run flow --resume=", folder.display());
    assert!(said.contains(&wanted), "{said}");
}
