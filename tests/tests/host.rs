//! The host's duties, H01 to H29: our daemon keeps them all, and the probe names each one that a host breaks.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use astros_protocol::rules::HOST;
use astros_tests::World;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/host");
/// So many bad hosts at once; they mostly wait.
const AT_ONCE: usize = 6;

/// The rules of a report with this outcome.
fn rules(report: &Value, outcome: &str) -> Vec<String> {
    let rules = report["data"]["rules"].as_array().unwrap_or_else(|| panic!("no report: {report}"));
    let rules = rules.iter().filter(|rule| rule["outcome"] == outcome);
    rules.map(|rule| rule["rule"].as_str().unwrap_or_default().to_owned()).collect()
}

fn all() -> Vec<String> {
    HOST.iter().map(|rule| rule.id.to_owned()).collect()
}

/// What the probe says of the small host that breaks `rule`.
fn of_bad_host(rule: Option<&str>) -> Value {
    let mut command = Command::new("python3");
    command.arg(format!("{FOLDER}/bad_host.py"));
    if let Some(rule) = rule {
        command.args(["--break", rule]);
    }
    let output = command.output().expect("python3 starts");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{rule:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn our_daemon_keeps_every_duty_of_a_host() {
    let world = World::new().env("AWS_SECRET_ACCESS_KEY", "not for plugins");
    let check = || {
        let words = ["plugins", "call", "host-probe", "check_host", "--json", "--plugin-dir", FOLDER];
        world.astros(words).run().succeeds().json()
    };
    let first = check();
    // The end of a process is judged by the next one.
    assert_eq!(rules(&first, "skipped"), ["H16"], "{first:#}");
    let second = check();
    assert_eq!(rules(&second, "passed"), all(), "{second:#}");
}

#[test]
fn the_probe_passes_a_small_host_that_breaks_nothing() {
    let report = of_bad_host(None);
    assert_eq!(rules(&report, "passed"), all(), "{report:#}");
}

#[test]
fn the_probe_names_each_duty_that_a_host_breaks() {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(rule) = HOST.get(next.fetch_add(1, Ordering::Relaxed)) {
            let report = of_bad_host(Some(rule.id));
            assert_eq!(rules(&report, "failed"), [rule.id], "{report:#}");
        }
    };
    thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(work))));
}
