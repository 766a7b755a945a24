//! `astros doctor` on a home as it is, and on one that others may look into.

use std::{fs, os::unix::fs::PermissionsExt};

use astros_tests::{World, adversary};
use serde_json::Value;

#[test]
fn finds_what_is_open_to_others_and_says_what_to_type() {
    let world = World::new().with(adversary("villain"));
    let daemon = world.daemon([""; 0]);
    let named = |checks: &Value, name: &str| {
        let found = checks.as_array().and_then(|checks| checks.iter().find(|check| check["check"] == name));
        found.unwrap_or_else(|| panic!("no check `{name}`: {checks:#}")).clone()
    };
    let doctor = || world.astros(["doctor", "--json"]).run();
    let checks = doctor().json();
    assert_eq!(named(&checks, "data")["state"], "ok");
    assert!(
        named(&checks, "daemon")["what"].as_str().is_some_and(|what| what.contains("runs, pid")),
        "{checks}"
    );
    let data = world.home().join("data");
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let open = doctor().exits(1);
    let data = named(&open.json(), "data");
    assert_eq!(data["state"], "problem");
    assert!(data["fix"].as_str().is_some_and(|fix| fix.starts_with("chmod 700 ")), "{data}");
    daemon.stop().succeeds();
}
