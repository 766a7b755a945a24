//! What a workflow does: in which order, with what, under which conditions, how much at once.

use std::os::unix::fs::symlink;

use astros_core::daemon::Order;
use serde_json::json;

use crate::harness::{Home, phases, step};

#[tokio::test]
async fn a_workflow_runs_phases_in_order_and_hands_on_what_came_out_of_them() {
    let home = Home::new();
    let file = r#"
name: review
inputs:
  depth: {type: integer, default: 2}
  where: {type: path}
outputs:
  all: "{{ results.read.result.one.inputs.depth + results['look-again'].result.inputs.more }}"
phases:
  - name: read
    inputs: {of_phase: "{{ task }}!"}
    agents:
      - {agent: do, name: one, task: "read {{ inputs.where }}, {{ inputs.of_phase }}"}
      - {agent: do, name: two, inputs: {list: ["{{ inputs.depth }}", "at {{ inputs.depth }}"]}}
  - {name: look-again, phase: all, inputs: {more: "{{ results.read.result.one.inputs.depth + 3 }}"}}
"#;
    let order = Order {
        task: Some("t".into()),
        inputs: json!({ "depth": "3", "where": "sub/x" }).as_object().unwrap().clone(),
        provider: Some("local".to_owned()),
        ..Order::default()
    };
    home.plugin("parts", &["provider:local"]);
    let report = home.run_with(file, order).await.unwrap();
    assert!(report.success, "{report:#?}");
    assert_eq!(phases(&report), json!([["read", "done"], ["look-again", "done"]]));
    let (one, two) = (step(&report, "read", "one"), step(&report, "read", "two"));
    let path = home.path("sub/x");
    assert_eq!(one.result["task"], format!("read {}, t!", path.display()));
    assert_eq!(one.result["inputs"], json!({ "depth": 3, "where": path, "of_phase": "t!" }));
    assert_eq!((&one.result["provider"], &*one.plugin), (&json!("local"), "parts"));
    assert_eq!(two.result["inputs"]["list"], json!([3, "at 3"]));
    let second = step(&report, "look-again", "phase");
    assert_eq!((&second.result["task"], &second.result["results"]), (&json!("t"), &json!({ "read": true })));
    assert_eq!(report.outputs, *json!({ "all": 9 }).as_object().unwrap());
    let shown: Vec<_> = report.evidence.iter().map(|one| (&*one.step, &one.evidence)).collect();
    assert_eq!(shown[1..], [("two", &json!("did t")), ("phase", &json!("did t"))]);
    let kept = std::fs::read_to_string(&report.files.json).unwrap();
    assert_eq!(serde_json::from_str::<astros_core::workflow::Report>(&kept).unwrap(), report);
    let markdown = std::fs::read_to_string(&report.files.markdown).unwrap();
    assert!(markdown.starts_with("# review\n\nDone in ") && markdown.contains("did t"), "{markdown}");
}

#[tokio::test]
async fn a_condition_leaves_out_phases_and_agents() {
    let home = Home::new();
    let file = r#"
inputs: {deep: {type: boolean, default: false}}
phases:
  - {name: a, agents: [{agent: do, name: x, when: inputs.deep}, {agent: do, name: z, when: not inputs.deep}]}
  - {name: b, phase: all, when: results.a.agents.x.skipped}
  - {name: c, phase: all, when: results.b.skipped}
  - {name: d, phase: all, when: not results.c.success}
"#;
    let report = home.run(file).await.unwrap();
    assert!(report.success);
    assert_eq!(phases(&report), json!([["a", "done"], ["b", "done"], ["c", "skipped"], ["d", "done"]]));
    assert!(step(&report, "a", "x").skipped && step(&report, "a", "z").success);
}

#[tokio::test]
async fn at_most_so_many_agents_work_at_once() {
    let home = Home::new();
    let agents = |count: usize| {
        let agents = (0..count).map(|at| format!("{{agent: do, name: a{at}, inputs: {{take: 0.05}}}}"));
        agents.collect::<Vec<_>>().join(", ")
    };
    let file = format!(
        "max_parallel: 5\nphases:\n  - {{name: some, max_parallel: 2, agents: [{}]}}\n  - {{name: more, agents: [{}]}}\n",
        agents(6),
        agents(8)
    );
    let report = home.run(&file).await.unwrap();
    let most = |phase: usize| {
        let steps = report.phases[phase].steps.iter();
        steps.map(|step| step.result["most"].as_u64().unwrap()).max().unwrap()
    };
    assert_eq!((most(0), most(1)), (2, 5));
}

#[tokio::test]
async fn a_part_is_found_by_its_name_among_all_plugins() {
    let home = Home::new();
    home.plugin("others", &["special"]);
    let several = home.run("phases:\n  - {name: a, phase: all}\n").await.unwrap_err();
    let expected = "`phases[0].phase`: the phase `all` is offered by `others` and `parts`; say which one: `plugin: others` \
                    beside it";
    assert!(several.message.contains(":2:22: ") && several.message.ends_with(expected), "{several}");
    let nobody = home.run("phases:\n  - name: a\n    agents: [{agent: specal}]\n").await.unwrap_err();
    assert!(nobody.message.ends_with("there is no agent `specal`; did you mean `special`?"), "{nobody}");
    let one =
        home.run("phases:\n  - {phase: all, plugin: parts}\n  - {name: b, agents: [{agent: special}]}\n");
    let report = one.await.unwrap();
    assert_eq!(
        (&*step(&report, "all", "phase").plugin, &*step(&report, "b", "special").plugin),
        ("parts", "others")
    );
}

#[tokio::test]
async fn a_plugins_workflows_are_read_in_its_folder_only() {
    let home = Home::new();
    home.plugin("linked", &[]);
    home.write("plugins/parts/workflows/own.yaml", "phases:\n  - {phase: all}\n");
    home.write("secret/private.yaml", "phases: hunter2\n");
    symlink("../../../secret/private.yaml", home.path("plugins/parts/workflows/theirs.yaml")).unwrap();
    symlink("../../secret", home.path("plugins/linked/workflows")).unwrap();
    let daemon = home.start().await;
    let listed = daemon.workflows().await.unwrap();
    let listed: Vec<_> = listed.iter().map(|one| (&*one.name, one.problem.as_deref())).collect();
    let [("own", None), ("theirs", Some(file)), ("workflows", Some(folder))] = listed[..] else {
        panic!("{listed:?}")
    };
    assert!([file, folder].iter().all(|problem| problem.contains("leads out of the folder")), "{listed:?}");
    let order = Order { workflow: "theirs".to_owned(), ..Order::default() };
    let refused = daemon.run_workflow(order, &home.person(), None).await.unwrap_err();
    assert!(
        refused.message.contains("leads out") && !format!("{refused:?}").contains("hunter2"),
        "{refused}"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn inputs_have_to_be_what_the_workflow_takes() {
    let home = Home::new();
    let file = "name: f\ninputs: {n: {type: integer}, m: {type: list, default: []}, k: {}}\nphases: [{phase: all}]\n";
    let given = json!({ "n": "three", "m": "[1]", "l": 1 }).as_object().unwrap().clone();
    let error = home.run_with(file, Order { inputs: given, ..Order::default() }).await.unwrap_err();
    assert_eq!(
        error.message,
        "the inputs of `f` do not fit: `k` is missing, expected `--input k=…`; `n` is `\"three\"`, expected a whole \
         number; `l` is not declared"
    );
}

#[tokio::test]
async fn the_provider_that_is_wished_answers_what_parts_ask_of_ai() {
    let home = Home::new();
    home.plugin("models", &["provider:small", "provider:large"]);
    let file = "phases: [{phase: all, plugin: parts, inputs: {asks: true}}]";
    for (wished, answer) in [
        (Some("large"), "by large"),
        (Some("small"), "by small"),
        (None, "several providers are there and none is the default: large, small"),
    ] {
        let order = Order { provider: wished.map(str::to_owned), ..Order::default() };
        let report = home.run_with(file, order).await.unwrap();
        let result = report.phases[0].result.as_str().unwrap_or_default();
        assert!(result.starts_with(answer), "{report:#?}");
    }
    let order = Order { provider: Some("huge".to_owned()), ..Order::default() };
    let error = home.run_with(file, order).await.unwrap_err();
    assert_eq!(error.message, "there is no provider `huge`");
    assert!(error.hint().unwrap().contains("large"), "{error}");
}
