//! Attempts to get out of the sandbox, each made by a plugin in Python and by one in Rust: `docs/src/escapes.md` is the
//! table of them. Each is first seen to succeed where nothing is enforced, or it would prove nothing.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ground;
mod table;

use std::collections::BTreeSet;

use ground::{Ground, Try};
use table::{Attempt, Succeeds, attempts};

/// What plugins are granted that try to get out.
const GRANTS: [&str; 5] = ["nothing", "files", "hosts", "network", "limits"];
const LANGUAGES: [&str; 1] = ["python"];

#[test]
fn every_attempt_succeeds_where_nothing_is_enforced() {
    let attempts = attempts();
    let ground = Ground::new(&[], "off");
    let tries = ground.try_all(&attempts);
    ground.end();
    let expected = |attempt: &Attempt| match attempt.succeeds {
        Succeeds::Everywhere => true,
        Succeeds::AsRoot => nix::unistd::geteuid().is_root(),
        Succeeds::WithoutNamespaces | Succeeds::Nowhere => false,
    };
    let wanted: BTreeSet<&str> = attempts.iter().filter(|one| expected(one)).map(|one| &*one.name).collect();
    let failed = tries.iter().filter(|one| !one.escaped() && wanted.contains(&*one.attempt));
    let failed: Vec<String> = failed.map(Try::told).collect();
    assert!(failed.is_empty(), "these prove nothing:\n{}", failed.join("\n"));
}
