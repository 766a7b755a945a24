//! Attempts to get out of the sandbox, each made by a plugin in Python and by one in Rust: `docs/src/escapes.md` is the
//! table of them. Each is first seen to succeed where nothing is enforced, or it would prove nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ground;
mod table;

use std::collections::BTreeSet;

use astros_tests::{World, adversary};
use ground::{Ground, Try};
use serde_json::json;
use table::{Attempt, Succeeds, attempts};

/// What plugins are granted that try to get out.
const GRANTS: [&str; 5] = ["nothing", "files", "hosts", "network", "limits"];
/// What Landlock alone does not hold; `docs/src/security.md` says so.
const LANDLOCK_ALONE: [&str; 4] = [
    "watch-file",
    "see-command-lines",
    "fill-the-temporary-folder",
    // The kernel does not count the processes of root.
    "too-many-processes",
];
const LANGUAGES: [&str; 2] = ["python", "rust"];

#[test]
fn every_attempt_succeeds_where_nothing_is_enforced() {
    let (attempts, root) = (attempts(), nix::unistd::geteuid().is_root());
    let tries = try_all(&attempts, &[], "off");
    let may = |attempt: &Attempt| {
        attempt.succeeds == Succeeds::Everywhere || attempt.succeeds == Succeeds::AsRoot && root
    };
    succeed(&attempts, &tries, may);
    let by_rust = tries.iter().filter(|one| one.plugin.ends_with("rust")).count();
    assert!(by_rust > 150, "{by_rust}");
}

#[test]
fn what_a_namespace_hides_is_there_without_one_where_nothing_is_enforced() {
    let attempts: Vec<Attempt> =
        attempts().into_iter().filter(|one| one.succeeds == Succeeds::WithoutNamespaces).collect();
    succeed(&attempts, &try_all(&attempts, &["namespaces"], "off"), |_| true);
}

#[test]
fn nothing_escapes_on_a_machine_with_everything() {
    nothing_escapes(&[], |_| false, |_| false);
}

#[test]
fn nothing_escapes_without_landlock() {
    nothing_escapes(&["landlock"], |_| false, |_| false);
}

/// There a list of hosts cannot be enforced: those plugins do not even start.
#[test]
fn nothing_escapes_without_namespaces() {
    nothing_escapes(
        &["namespaces"],
        |plugin| plugin.starts_with("hosts"),
        |one| LANDLOCK_ALONE.contains(&one),
    );
}

#[test]
fn no_plugin_starts_without_landlock_and_namespaces() {
    let world = World::new().with(adversary("villain")).on_a_machine_without(&["landlock", "namespaces"]);
    let daemon = world.daemon([""; 0]);
    let outcome = world.call("villain", "echo", json!({})).fails(6, "plugin_unavailable");
    outcome
        .says("there is neither Landlock nor a namespace")
        .says("`astros doctor` says how this machine gets them");
    daemon.stop().succeeds();
    let allowed = World::new().with(adversary("villain")).on_a_machine_without(&["landlock", "namespaces"]);
    let allowed = allowed.configured("plugins: {villain: {sandbox: reduced}}");
    let daemon = allowed.daemon([""; 0]);
    allowed.call("villain", "echo", json!({})).succeeds();
    daemon.stop().succeeds();
}

/// No attempt succeeds on a machine without these but those that are `open`; plugins that are `refused` there do not start.
fn nothing_escapes(without: &[&str], refused: impl Fn(&str) -> bool, open: impl Fn(&str) -> bool) {
    let ground = Ground::new(without, "enforced");
    let tries = ground.try_all(&attempts());
    ground.is_untouched();
    ground.end();
    let escaped = tries.iter().filter(|one| one.escaped() && !open(&one.attempt));
    let escaped: Vec<String> = escaped.map(Try::told).collect();
    assert!(escaped.is_empty(), "they escape:\n{}", escaped.join("\n"));
    let unfit = |one: &&Try| match &one.outcome {
        Ok(_) => refused(&one.plugin),
        Err(error) => error.kind() != "plugin_unavailable" || !refused(&one.plugin),
    };
    let unfit: Vec<String> = tries.iter().filter(unfit).map(Try::told).collect();
    assert!(unfit.is_empty(), "these were not tried as they should be:\n{}", unfit.join("\n"));
}

fn try_all(attempts: &[Attempt], without: &[&str], sandbox: &str) -> Vec<Try> {
    let ground = Ground::new(without, sandbox);
    let tries = ground.try_all(attempts);
    ground.end();
    tries
}

/// Those that `may` succeed, do.
fn succeed(attempts: &[Attempt], tries: &[Try], may: impl Fn(&Attempt) -> bool) {
    let wanted: BTreeSet<&str> = attempts.iter().filter(|one| may(one)).map(|one| &*one.name).collect();
    let failed = tries.iter().filter(|one| !one.escaped() && wanted.contains(&*one.attempt));
    let failed: Vec<String> = failed.map(Try::told).collect();
    assert!(failed.is_empty(), "these prove nothing:\n{}", failed.join("\n"));
    let tried: BTreeSet<&str> = tries.iter().map(|one| &*one.attempt).collect();
    let untried: Vec<&Attempt> = attempts.iter().filter(|one| !tried.contains(&*one.name)).collect();
    assert!(untried.is_empty(), "nobody makes these: {untried:#?}");
}
