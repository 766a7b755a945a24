//! The report, in each of its forms, of a plugin whose misses are known.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use astros_conformance::{Call, Options, Report, check};
use astros_protocol::Extra;
use serde_json::Value;

/// Answers everything with a Response, whatever it is, and says so in colour.
const YES_SAYER: &str = r#"
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        plugin = {"name": "yes & <no>\u001b[31m", "version": "1"}
        result = {"protocol_version": "1.0", "plugin": plugin, "message": "\u001b]0;\u0007]]>"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

async fn report(rules: &[&str]) -> Report {
    let rules = rules.iter().map(ToString::to_string).collect();
    check(["python3", "-c", YES_SAYER], Options { rules, ..Options::default() }).await.unwrap()
}

#[tokio::test]
async fn says_what_was_sent_expected_and_received() {
    let text = report(&["R01", "R08", "R54"]).await.text();
    let shown = "\
AstrOS plugin conformance, protocol 1.0                                 3 rules
yes & <no> [31m 1
core         ██████████░░░░░░░░░░ 1/2
  ✗ R08 refuses a method that it does not know
      sent     {\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"x/conformance/unknown\",\"params\":{}}
      expected the error -32601
      received {\"jsonrpc\": \"2.0\", \"id\": 2, \"result\": {\"protocol_version\": \"1.0\", \"plugin\": {\"name\": \"yes & <no>\\u001b[31m\", \"version\": \"1\"}, \"message\": \"\\u001b]0;\\u0007]]>\"}}
      rule     With -32601; and it goes on.
      see      reference.html#r08
services     skipped
  – R54 skipped: no handler that may be called makes a request whose params have `meta`";
    assert_eq!(text, shown);
}

#[tokio::test]
async fn gives_programs_every_fact() {
    let json = report(&["R08", "R45"]).await.json();
    assert_eq!(
        (&json["protocol"], &json["level"], &json["grade"]),
        (&"1.0".into(), &"full".into(), &Value::Null)
    );
    assert_eq!(json["plugin"]["version"], "1");
    let [missed, skipped] = json["rules"].as_array().unwrap().as_slice() else { panic!("{json}") };
    let members: Vec<_> = missed.as_object().unwrap().keys().map(String::as_str).collect();
    let all = ["rule", "group", "title", "outcome", "sent", "expected", "received", "why", "reference"];
    assert_eq!(members, all);
    assert_eq!((&missed["outcome"], &missed["reference"]), (&"failed".into(), &"reference.html#r08".into()));
    assert_eq!(
        (&skipped["outcome"], &skipped["why"]),
        (&"skipped".into(), &"it does not describe its settings".into())
    );
    assert!(json["took_ms"].as_u64().is_some_and(|took| took > 0));
}

#[tokio::test]
async fn writes_junit_that_a_reader_of_xml_takes() {
    let xml = report(&["R01", "R08", "R54"]).await.junit();
    let reader = "
import sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
suite = root.find('testsuite')
assert suite.get('name').startswith('yes & <no>'), suite.get('name')
counted = {name: len(list(root.iter(name))) for name in ('testcase', 'failure', 'skipped')}
assert counted == {'testcase': 3, 'failure': 1, 'skipped': 1}, counted
for one in (root, suite):
    assert (one.get('tests'), one.get('failures'), one.get('skipped')) == ('3', '1', '1'), one.attrib
assert 'received: {\"jsonrpc\"' in next(root.iter('failure')).text
";
    let mut python = std::process::Command::new("python3");
    python.args(["-c", reader]).stdin(std::process::Stdio::piped());
    let mut python = python.spawn().unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), xml.as_bytes()).unwrap();
    assert!(python.wait().unwrap().success(), "{xml}");
}

#[tokio::test]
async fn fails_who_does_not_begin_also_where_another_rule_was_asked_for() {
    let options = Options { rules: vec!["R07".to_owned()], ..Options::default() };
    let report = check(["sh", "-c", "echo no config >&2; exit 3"], options).await.unwrap();
    let failed: Vec<_> = report.failures().map(|(rule, _)| rule.id).collect();
    assert_eq!(failed, ["R01"]);
    assert!(report.text().contains("exit status: 3; its last words: no config"), "{}", report.text());
}

#[tokio::test]
async fn refuses_to_call_a_handler_that_is_not_described() {
    let calls = vec![Call { handler: "gret".to_owned(), context: Extra::new() }];
    let refused = check(["python3", "-c", YES_SAYER], Options { calls, ..Options::default() }).await;
    assert!(refused.unwrap_err().to_string().contains("`gret`"));
}
