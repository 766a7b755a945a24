//! Good plugins of ours and of the book are good, and what is bad is told with its rule.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{path::Path, process::Command};

use astros_conformance::{Call, Error, Grade, Level, Options, Outcome, Report, check};
use astros_protocol::Extra;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A plugin in Python, with the SDK of this repository.
fn python(file: &str) -> Vec<String> {
    let path = format!("PYTHONPATH={}", root().join("sdk-python/src").display());
    let file = root().join(file).display().to_string();
    ["env".to_owned(), path, "python3".to_owned(), "-m".to_owned(), "astros.run".to_owned(), file].into()
}

fn shell(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

/// Only these rules, and little patience with who does not answer.
fn only(rules: &[&str]) -> Options {
    Options {
        rules: rules.iter().map(ToString::to_string).collect(),
        timeout: std::time::Duration::from_secs(2),
        ..Options::default()
    }
}

fn failed(report: &Report) -> Vec<&str> {
    report.failures().map(|(rule, _)| rule.id).collect()
}

#[tokio::test]
async fn gives_gold_to_hello_world() {
    let report = check(python("plugins/hello-world/src/main.py"), Options::default()).await.unwrap();
    report.expect_grade(Grade::Gold);
    assert_eq!(report.plugin.unwrap().0, "hello-world");
}

#[tokio::test]
async fn gives_bronze_to_the_books_shell_plugin() {
    let page = std::fs::read_to_string(root().join("docs/src/protocol.md")).unwrap();
    let script = page.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    if Command::new("jq").arg("--version").output().is_err() {
        return;
    }
    let report = check(shell(script), Options::default()).await.unwrap();
    report.expect_grade(Grade::Bronze);
    let core = Options { level: Level::Core, ..Options::default() };
    let report = check(shell(script), core).await.unwrap();
    report.assert_no_failure();
    assert_eq!((report.grade, report.rules.len()), (Some(Grade::Bronze), 26));
}

#[tokio::test]
async fn says_what_went_on_where_a_plugin_does_not_begin() {
    let report = check(shell("echo 'no licence' >&2; exit 3"), only(&["R01", "R24"])).await.unwrap();
    assert_eq!(failed(&report), ["R01"]);
    assert!(matches!(report.rules[1].outcome, Outcome::Skipped(_)), "{}", report.text());
    let (_, miss) = report.failures().next().unwrap();
    assert!(miss.sent.contains("\"initialize\""), "{miss:?}");
    assert!(miss.received.contains("exit status: 3") && miss.received.contains("no licence"), "{miss:?}");
}

#[tokio::test]
async fn names_the_rule_that_a_misbehaving_plugin_breaks() {
    let adversary = root().join("tests/plugins/adversary.py");
    for (switch, rules, broken) in [
        ("exit-in-initialize", &["R01"][..], &["R01"][..]),
        ("refuses", &["R01"], &["R01"]),
        ("shapeless", &["R01"], &["R01"]),
        ("stray-output", &["R01", "R02"], &["R02"]),
        ("wrong-version", &["R01", "R14"], &["R14"]),
        ("grandchild", &["R39"], &["R39"]),
        ("deaf", &["R22", "R24"], &["R22", "R24"]),
    ] {
        let command = ["python3", adversary.to_str().unwrap(), switch];
        let report = check(command, only(rules)).await.unwrap();
        assert_eq!(failed(&report), broken, "{switch}\n{}", report.text());
    }
}

#[tokio::test]
async fn calls_what_the_options_name_whatever_its_effects() {
    let adversary = root().join("tests/plugins/adversary.py").display().to_string();
    let held = async |handler: &str, rule: &str| {
        let calls = vec![Call { handler: handler.to_owned(), context: Extra::new() }];
        let options = Options { calls, ..only(&[rule]) };
        failed(&check(["python3", &adversary], options).await.unwrap()).len()
    };
    assert_eq!(held("echo", "R19").await, 0);
    assert_eq!(held("shapeless", "R19").await, 1);
    assert_eq!(held("claim", "R40").await, 1);
    assert_eq!(held("stray", "R02").await, 1);
    assert_eq!(held("duplicate", "R02").await, 1);
    assert_eq!(held("daemon", "R39").await, 1);
}

#[tokio::test]
async fn is_stopped_by_nobody() {
    // Who floods, who never reads, who starts others without end.
    let forks = "i=0; while [ $i -lt 40 ]; do sleep 600 & i=$((i+1)); done; cat >/dev/null";
    for script in ["yes", "yes '{\"jsonrpc\":\"2.0\"'", "sleep 600", "tr '\\0' x </dev/zero", forks] {
        let report = check(shell(script), only(&["R01"])).await.unwrap();
        assert_eq!(failed(&report), ["R01"], "{script}");
    }
}

#[tokio::test]
async fn refuses_what_cannot_be_held() {
    let nothing: [&str; 0] = [];
    assert!(matches!(check(nothing, Options::default()).await, Err(Error::NoCommand)));
    let error = check(["./no-such-plugin"], Options::default()).await.unwrap_err();
    assert!(error.to_string().contains("`./no-such-plugin`"), "{error}");
    let error = check(["true"], only(&["R99"])).await.unwrap_err();
    assert!(matches!(error, Error::NoRule(rule) if rule == "R99"));
}
