//! What a plugin says of itself brings nobody down, and the limits that it may have cost it nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use astros_conformance::{Options, Outcome, Report, check};

/// The good plugin, with other words about itself: `limits` and `description` may be changed by these lines.
async fn with(lines: &str, rules: &[&str]) -> Report {
    let mutants = concat!(env!("CARGO_MANIFEST_DIR"), "/mutants");
    let script =
        format!("import sys\nsys.path.insert(0, {mutants:?})\nimport good\n{lines}\ngood.main([])\n");
    let rules = rules.iter().map(ToString::to_string).collect();
    let options = Options { rules, timeout: Duration::from_secs(5), ..Options::default() };
    check(["python3", "-c", &script], options).await.unwrap()
}

fn outcome<'a>(report: &'a Report, rule: &str) -> &'a Outcome {
    &report.rules.iter().find(|one| one.rule.id == rule).unwrap().outcome
}

#[tokio::test]
async fn makes_no_line_as_long_as_a_plugin_says_that_it_takes() {
    for limit in ["1 << 62", "(1 << 64) - 1", "1 << 40"] {
        let announce = format!(
            "initialize = good.Plugin.initialize\n\
             def more(*words):\n    told = initialize(*words)\n    told['limits']['max_frame_bytes'] = {limit}\n    return told\n\
             good.Plugin.initialize, good.LIMIT = more, 8 << 20"
        );
        let report = with(&announce, &["R31", "R32", "R41"]).await;
        report.assert_no_failure();
        assert!(
            matches!(outcome(&report, "R31"), Outcome::Skipped(why) if why.contains("its limit")),
            "{limit}"
        );
    }
}

#[tokio::test]
async fn lets_a_plugin_have_a_small_limit() {
    let report = with("good.LIMIT = 64 << 10", &["R31", "R32", "R41"]).await;
    report.assert_no_failure();
    assert!(report.rules.iter().all(|one| one.outcome == Outcome::Passed), "{}", report.text());
}

#[tokio::test]
async fn takes_no_schema_for_more_than_it_is() {
    let parameters = |schema: &str| format!("good.DESCRIPTION['handlers'][0]['parameters'] = {schema}");
    let list = "{'type': 'array', 'minItems': 10000, 'items': X}";
    let lists = list.replace('X', &list.replace('X', &list.replace('X', "{'type': 'integer'}")));
    for (schema, is_right) in [
        // Nobody knows what is there, and nobody asks.
        ("{'$schema': 'https://example.invalid/schema', 'type': 'object'}".to_owned(), false),
        ("{'$ref': 'https://example.invalid/schema'}".to_owned(), false),
        ("{'$ref': 'file:///etc/passwd'}".to_owned(), false),
        // A number of values that nobody can hold, and choices that go round in circles.
        (format!("{{'type': 'object', 'required': ['a'], 'properties': {{'a': {lists}}}}}"), true),
        (
            "{'type': 'object', 'required': ['a'], 'properties': {'a': {'$ref': '#/$defs/b'}}, \
          '$defs': {'b': {'anyOf': [{'allOf': [{'$ref': '#/$defs/b'}], 'type': 'object'}] * 9}}}"
                .to_owned(),
            true,
        ),
        ("{'type': 'object', 'properties': {'a': {'pattern': '(a+)+$'}}}".to_owned(), true),
    ] {
        let report = with(&parameters(&schema), &["R17"]).await;
        assert_eq!(report.is_clean(), is_right, "{schema}\n{}", report.text());
    }
}

#[tokio::test]
async fn finds_who_took_its_environment_off() {
    let start = "import subprocess\n\
         subprocess.Popen(['sleep', '600'], env={}, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)";
    let report = with(start, &["R39"]).await;
    let Outcome::Failed(miss) = outcome(&report, "R39") else { panic!("{}", report.text()) };
    assert!(miss.received.contains("sleep 600"), "{miss:?}");
    let pid: u32 = miss.received.split_whitespace().find_map(|word| word.parse().ok()).unwrap();
    // One that nobody has waited for yet has no command line.
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(words.is_empty(), "it was ended with the session");
}
