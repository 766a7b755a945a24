//! What is wrong with a file is said with its place.

use std::path::Path;

use astros_core::workflow::{Workflow, bad_file, schema};
use serde_json::json;

fn errors(text: &str) -> Vec<String> {
    let errors = Workflow::parse(text, Path::new("f.yaml")).expect_err("it is wrong");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_that_is_wrong_says_where_and_what_was_expected() {
    for (file, expected) in [
        ("phases: []", "f.yaml:1:9: `phases` is empty, expected at least one phase"),
        ("description: x", "f.yaml:1:1: `phases` is missing, expected a value"),
        ("- a", "f.yaml:1:1: the file is a list, expected a mapping"),
        (
            "phases:\n  - name: a\n    agnets: []",
            "f.yaml:3:13: `phases[0].agnets` is not known, expected one of `name`, ",
        ),
        (
            "phases:\n  - name: a",
            "f.yaml:2:5: `phases[0]` has none of `agents`, `phase` and `orchestrator`, expected one of them",
        ),
        (
            "phases: [{phase: p, orchestrator: o}]",
            "has more than one of `agents`, `phase` and `orchestrator`",
        ),
        ("phases: [{agents: [{agent: x}]}]", "`phases[0]` has no `name`, expected one"),
        (
            "phases: [{name: a b, phase: p}]",
            "f.yaml:1:17: `phases[0].name` is `a b`, expected letters, digits",
        ),
        (
            "phases:\n  - {name: a-b, phase: p}\n  - {name: a_b, phase: p}",
            "f.yaml:3:5: `phases[1]` has the name `a_b`, in expressions that of `a-b` before it, expected a `name` of its own",
        ),
        (
            "phases: [{name: a, agents: [{agent: x}, {agent: x}]}]",
            "`phases[0].agents[1]` has the name `x` of one before",
        ),
        (
            "phases: [{phase: p, on_failure: retry}]",
            "f.yaml:1:33: `phases[0].on_failure` is `retry`, expected `stop`, `continue` or `run: PHASE`",
        ),
        (
            "phases: [{phase: clean, on_failure: {run: claen}}]",
            "`phases[0].on_failure.run` is `claen`, expected the name of a phase; did you mean `clean`?",
        ),
        (
            "phases:\n  - {phase: a, on_failure: {run: b}}\n  - {phase: b, on_failure: {run: a}}",
            "f.yaml:2:34: `phases[0].on_failure.run` runs in a circle: a → b → a",
        ),
        ("phases: [{phase: a, on_failure: {run: a}}]", "runs in a circle: a → a"),
        (
            "phases: [{phase: p, when: 1 +}]",
            "f.yaml:1:27: `phases[0].when` is no condition: `1 +` cannot be worked out",
        ),
        (
            "phases: [{phase: p, task: '{{ taks }}'}]",
            "`phases[0].task` speaks of `taks`, expected one of `task`, `inputs`, `results`",
        ),
        (
            "inputs: {path: {}}\nphases: [{phase: p, when: inputs.pth}]",
            "speaks of the input `pth`, which is not declared; did you mean `path`?",
        ),
        (
            "phases: [{phase: p, when: results.q.success}, {phase: q}]",
            "speaks of the results of `q`, which does not come before",
        ),
        ("phases: [{phase: p, when: results.other.success}]", "the results of `other`, which is no phase"),
        (
            "phases: [{phase: p, retry: {attempts: 0}}]",
            "`phases[0].retry.attempts` is the number `0`, expected a whole number from 1",
        ),
        (
            "phases: [{phase: p, timeout: soon}]",
            "`phases[0].timeout` is `soon`, expected a duration such as `250ms`, `30s` or `5m`",
        ),
        (
            "phases: [{phase: p}]\ninputs: {n: {type: integer, default: x}}",
            "`inputs.n.default` is `\"x\"`, expected a whole number",
        ),
    ] {
        let errors = errors(file);
        assert!(errors.iter().any(|error| error.contains(expected)), "{file}\n{errors:#?}\n{expected}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let file = "phases:\n  - {phase: p, when: inputs.x}\n  - {phase: q, task: '{{ results.r.result }}'}";
    let errors = Workflow::parse(file, Path::new("f.yaml")).unwrap_err();
    assert_eq!(errors.len(), 2);
    let error = bad_file(&errors);
    assert!(
        error.message.starts_with("f.yaml:2:22: ")
            && error.data.unwrap().detail.unwrap().starts_with("f.yaml:3:")
    );
}

#[test]
fn the_schema_is_that_of_the_files_that_are_read() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let right = json!({ "phases": [{ "name": "a", "timeout": "5m", "on_failure": { "run": "b" },
        "agents": [{ "agent": "x", "retry": { "attempts": 3, "backoff": "1s" } }] }, { "phase": "b" }] });
    assert!(schema.is_valid(&right));
    assert!(Workflow::parse(&right.to_string(), Path::new("f.yaml")).is_ok());
    assert!(!schema.is_valid(&json!({ "phases": [{ "name": "a", "on_failure": "never" }] })));
    assert!(!schema.is_valid(&json!({ "phases": [{ "phase": "a", "agnets": [] }] })));
}

#[test]
fn the_workflow_of_the_book_is_right() {
    let page = include_str!("../../../docs/src/workflows.md");
    let file = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let workflow = Workflow::parse(file, Path::new("review.yaml")).unwrap();
    assert_eq!((&*workflow.name, workflow.phases.len()), ("review", 3));
}
