//! The fault table: what a plugin does wrong, by accident or malice, and what that must lead to. Each fault is tried with
//! the adversary in Rust and in Python; `docs/src/faults.md` is the table.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

mod calls;
mod ends;
mod hangs;
mod processes;
mod reloads;
mod starts;
mod storage;
mod wire;

use astros_tests::{Adversary, Host, Language, World, adversary};
use serde_json::{Value, json};

/// The plugin that does it: waits of its supervision are short, so that the tests are.
fn villain(language: Language) -> Adversary {
    adversary("villain").written_in(language).supervised(patient(json!({})))
}

/// Supervision with short waits that puts up with any number of crashes, and these changes.
fn patient(changes: Value) -> Value {
    let mut supervision = json!({
        "backoff_initial": "10ms", "backoff_max": "10ms", "max_restarts": 1_000_000, "stop_grace": "300ms",
    });
    supervision.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    supervision
}

/// A daemon with this plugin, and one that has nothing to do with what it does.
async fn host(villain: Adversary) -> Host {
    Host::start(World::new().with(villain).with(adversary("bystander"))).await
}
