//! The chaos soak: clients that ask at random, and everything that can fail failing meanwhile, from one seed.
//!
//! `ASTROS_SOAK_SEED` repeats the choices of a run, `ASTROS_SOAK_SECONDS` says how long it takes. A program of its own: it
//! looks at its own descriptors and memory.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]
#![allow(clippy::print_stdout, reason = "seeds and numbers are to be seen")]

mod chaos;
mod client;
mod daemon;

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use astros_core::supervisor::{Spec, Watch};
use astros_tests::{Adversary, Host, Language, World, adversary, this_process};
use futures_util::future::join_all;
use serde_json::{Value, json};

const CLIENTS: u64 = 16;
/// What memory may differ by from one moment to another.
const GROWTH: usize = 24 << 20;
/// What the daemon may hold open for what has ended a moment ago.
const SLACK: usize = 8;

/// The plugins of the soak, each kept in another way.
const PLUGINS: [(&str, Language, &str); 5] = [
    ("rust", Language::Rust, "{}"),
    ("python", Language::Python, "{}"),
    ("serial", Language::Python, r#"{"max_in_flight": 1}"#),
    ("several", Language::Rust, r#"{"instances": 3}"#),
    ("exclusive", Language::Rust, r#"{"exclusive": true}"#),
];

#[tokio::test]
#[expect(clippy::await_holding_lock, reason = "the other test has a thread of its own")]
async fn gives_every_request_one_outcome_and_leaves_nothing_behind() {
    let _alone = alone();
    let (seed, seconds) = seed_and_seconds();
    let world = World::new();
    let host = Host::start(world).await;
    for (name, ..) in PLUGINS {
        let (plugin, watched) = version(name);
        host.add(plugin, watched);
    }
    all_serve(&host).await;
    let before = (this_process::descriptors(), this_process::memory());

    let until = Instant::now() + Duration::from_secs(seconds);
    let clients = join_all((0..CLIENTS).map(|number| client::run(&host, seed, number, until)));
    let (outcomes, acts) = tokio::join!(clients, chaos::run(&host, seed, until));
    all_serve(&host).await;

    println!("{}, {}", summary("requests", &outcomes), summary("acts", &[acts]));
    done_at_most_once(&host);
    host.becomes("descriptors are back", || this_process::descriptors() <= before.0 + SLACK).await;
    let grown = this_process::memory().saturating_sub(before.1);
    assert!(grown < GROWTH, "{grown} bytes more than before");
    host.stop().await;
    assert_eq!(this_process::zombies(), 0);
}

/// One test at a time: each loads the machine, and this one looks at its own descriptors.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often each kind of something happened.
type Counts = BTreeMap<&'static str, usize>;

fn seed_and_seconds() -> (u64, u64) {
    let seed = variable("SEED").unwrap_or_else(|| fastrand::u64(1..=u64::from(u32::MAX)));
    let seconds = variable("SECONDS").unwrap_or(8);
    println!("ASTROS_SOAK_SEED={seed} ASTROS_SOAK_SECONDS={seconds}");
    (seed, seconds)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(format!("ASTROS_SOAK_{name}")).ok().map(|text| text.parse().expect("a number"))
}

/// A plugin, and how it is watched.
fn version(name: &str) -> (Adversary, fn(&mut Spec)) {
    let (_, language, own) = PLUGINS.iter().find(|(other, ..)| *other == name).unwrap();
    let mut limits = json!({
        "backoff_initial": "5ms", "backoff_max": "20ms", "max_restarts": 1_000_000, "stop_grace": "200ms",
    });
    let own: Value = serde_json::from_str(own).unwrap();
    limits.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    (adversary(name).written_in(*language).supervised(limits), |spec| {
        let [ping_every, hung_after, overrun] = [200, 1_000, 200].map(Duration::from_millis);
        spec.watch = Watch { ping_every, hung_after, overrun };
    })
}

/// Whatever happened, each plugin serves again.
async fn all_serve(host: &Host) {
    for (name, ..) in PLUGINS {
        let deadline = Instant::now() + Duration::from_secs(20);
        while let Err(error) = host.call(name, "echo", json!({})).await {
            assert!(Instant::now() < deadline, "`{name}` does not serve: {error}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// No request was begun twice: none of them may be repeated.
fn done_at_most_once(host: &Host) {
    let notes = fs::read_dir(host.world().path("home/notes")).unwrap().flatten();
    let doubled: Vec<_> = notes
        .filter(|note| fs::read_to_string(note.path()).unwrap().matches("begun").count() > 1)
        .map(|note| note.file_name())
        .collect();
    assert!(doubled.is_empty(), "begun more than once: {doubled:?}");
}

fn summary(what: &str, counts: &[Counts]) -> String {
    let mut all = Counts::new();
    counts.iter().flatten().for_each(|(kind, count)| *all.entry(kind).or_default() += count);
    let kinds: Vec<_> = all.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    format!("{} {what} ({})", all.values().sum::<usize>(), kinds.join(", "))
}
