//! The daemon that stays, killed and started again under load: what commands get, and what is left.

use std::{
    thread,
    time::{Duration, Instant},
};

use astros_tests::{Language, Running, World, adversary, eventually};
use fastrand::Rng;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{Counts, alone, seed_and_seconds, summary};

const COMMANDS: u64 = 3;

#[test]
fn answers_every_command_while_the_daemon_is_killed_and_started_again() {
    let _alone = alone();
    let (seed, seconds) = seed_and_seconds();
    let limits = json!({ "backoff_initial": "5ms", "backoff_max": "20ms", "max_restarts": 1_000_000 });
    let plugin = |name, language| adversary(name).written_in(language).supervised(limits.clone());
    let world = World::new().with(plugin("rust", Language::Rust)).with(plugin("python", Language::Python));
    let until = Instant::now() + Duration::from_secs(seconds);
    let (outcomes, kills) = thread::scope(|scope| {
        let ask = |number| {
            scope.spawn({
                let world = &world;
                move || ask(world, seed + number, until)
            })
        };
        let asking: Vec<_> = (0..COMMANDS).map(ask).collect();
        let kills = kill_again_and_again(&world, seed, until);
        (asking.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>(), kills)
    });
    let daemon = start(&world);
    world.call("rust", "echo", json!({})).succeeds();
    daemon.signal(Signal::SIGTERM);
    daemon.finish().exits(0);
    println!("{}, {kills} kills of the daemon", summary("commands", &outcomes));
    // The world looks after what is left.
}

fn start(world: &World) -> Running {
    let daemon = world.astros(["daemon"]).spawn();
    eventually("the daemon answers", || (world.astros(["status"]).run().code == Some(0)).then_some(()));
    daemon
}

fn kill_again_and_again(world: &World, seed: u64, until: Instant) -> usize {
    let mut rng = Rng::with_seed(seed);
    let mut kills = 0;
    while Instant::now() < until {
        let daemon = start(world);
        thread::sleep(Duration::from_millis(rng.u64(50..1_000)));
        daemon.signal(Signal::SIGKILL);
        assert_eq!(daemon.finish().code, None);
        kills += 1;
    }
    kills
}

/// Runs one command after the other; how often each outcome came.
fn ask(world: &World, seed: u64, until: Instant) -> Counts {
    let mut rng = Rng::with_seed(seed);
    let mut outcomes = Counts::new();
    while Instant::now() < until {
        let (plugin, number) = (["rust", "python"][rng.usize(0..2)], rng.u64(..));
        let handler = ["echo", "echo", "echo", "crash", "kill", "garbage", "stream"][rng.usize(0..7)];
        let outcome = world.call(plugin, handler, json!({ "number": number }));
        let kind = match (outcome.code, handler) {
            (Some(0), "echo") => {
                assert_eq!(outcome.data()["intent"]["context"]["number"], number, "another's answer");
                "success"
            }
            (Some(0), _) => "success",
            (Some(3), _) => "daemon gone",
            (Some(5), _) => "plugin failed",
            (Some(6), _) => "plugin unavailable",
            other => panic!("`{handler}` ends with {other:?}: {outcome:?}"),
        };
        *outcomes.entry(kind).or_default() += 1;
    }
    outcomes
}
