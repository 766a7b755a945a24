//! `astros conformance` as a person and a CI run it.

use astros_tests::World;

const SHOUT: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    answer = {"error": {"code": -32601, "message": "unknown"}}
    if message["method"] == "initialize":
        answer = {"result": {"protocol_version": "1.0", "plugin": {"name": "shout", "version": "1.0.0"}}}
    if message["method"] == "shutdown":
        answer = {"result": None}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"#;

#[test]
fn tells_by_its_code_whether_the_rules_are_kept() {
    let world = World::new();
    world.file("shout.py", SHOUT);
    // Relative to where the person is, and not to where the plugin runs.
    let run = |arguments: &[&str]| {
        let command = ["--", "python3", "shout.py"];
        world.astros([&["conformance"], arguments, &command].concat()).run()
    };
    let kept = run(&["--rule", "R01", "--rule", "r08", "--junit", "report.xml", "--json"]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let json = kept.json();
    assert_eq!((&json["plugin"]["name"], &json["rules"][1]["outcome"]), (&"shout".into(), &"passed".into()));
    assert!(std::fs::read_to_string(world.path("report.xml")).unwrap().contains("<testsuites"));
    let missed = run(&["--rule", "R20"]);
    assert_eq!(missed.code, Some(1), "{missed:?}");
    assert!(missed.stdout.contains("✗ R20 refuses a handler that it does not have"), "{}", missed.stdout);
}

#[test]
fn tells_a_wrong_use_from_a_plugin_that_does_not_begin() {
    let world = World::new();
    let run = |arguments: &[&str]| world.astros([&["conformance"], arguments].concat()).run();
    for wrong in [
        &["--rule", "R99", "--", "true"][..],
        &["--call", "greet", "--", "true"],
        &["--call", "greet=[1]", "--", "true"],
        &["--level", "most", "--", "true"],
        &["--", "./no-such-plugin"],
        &[],
    ] {
        assert_eq!(run(wrong).code, Some(2), "{wrong:?}");
    }
    let ended = run(&["--rule", "R01", "--", "false"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.contains("it ended: exit status: 1"), "{}", ended.stdout);
}

#[test]
fn ends_what_it_started_when_it_is_interrupted() {
    use nix::sys::signal::Signal;
    let world = World::new();
    let script = "touch $TMPDIR/../../begun; sleep 600 & sleep 600";
    let running = world.astros(["conformance", "--rule", "R01", "--", "sh", "-c", script]).spawn();
    astros_tests::eventually("it begins", || world.path("tmp/begun").exists().then_some(()));
    running.signal(Signal::SIGINT);
    assert_eq!(running.finish().code, Some(130));
    let left = std::fs::read_dir(world.path("tmp")).unwrap().flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).filter(|name| name != "begun").collect();
    assert!(left.is_empty(), "its folder is left: {left:?}");
}
