//! What faults may cost the daemon: descriptors, processes, memory. A program of its own, one test at a time: it looks at
//! its own process.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]
#![allow(clippy::print_stdout, reason = "numbers are to be seen")]

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use astros_tests::{
    Host, Language, World, adversary, kind,
    this_process::{descriptors, memory, zombies},
};
use serde_json::json;

/// The daemon may grow by so much in a flood, in bytes.
const GROWTH: usize = 32 << 20;
/// So much is poured over it.
const FLOOD: usize = 40 << 20;

/// One test at a time, one language after the other.
fn alone(test: impl AsyncFn(Host)) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for language in [Language::Rust, Language::Python] {
        println!("the adversary in {language:?}:");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let villain = adversary("villain").written_in(language).supervised(json!({
                "backoff_initial": "1ms", "backoff_max": "1ms", "max_restarts": 1_000_000, "stop_grace": "300ms",
            }));
            test(Host::start(World::new().with(villain).with(adversary("bystander"))).await).await;
        });
    }
}

#[test]
fn has_no_more_descriptors_zombies_and_memory_after_a_storm_of_kills() {
    alone(async |host| {
        let mut before = None;
        for kills in 0..60 {
            if kills == 10 {
                before = Some((descriptors(), memory()));
            }
            assert_eq!(kind(&host.call("villain", "kill", json!({})).await), "plugin_crashed");
        }
        host.echoes("villain").await;
        let (descriptors_before, memory_before) = before.unwrap();
        host.becomes("descriptors are back", || descriptors() <= descriptors_before + 8).await;
        assert_eq!(zombies(), 0);
        let grown = memory().saturating_sub(memory_before);
        assert!(grown < 4 << 20, "{grown} bytes");
        host.stop().await;
    });
}

#[test]
fn takes_a_flood_in_bounded_memory_and_serves_the_others() {
    alone(async |host| {
        for what in ["errors", "stray", "frames"] {
            host.echoes("villain").await;
            let quiet = echoes(&host, tokio::time::sleep(Duration::from_millis(500))).await;
            let before = memory();
            let flood = host.call("villain", "pour", json!({ "what": what, "mebibytes": FLOOD >> 20 }));
            let flooded = echoes(&host, async { assert_eq!(flood.await, Ok(json!({})), "{what}") }).await;
            let grown = memory().saturating_sub(before);
            println!(
                "  {what}: {} KiB more, p99 of another plugin {quiet:?} before, {flooded:?} meanwhile",
                grown >> 10
            );
            assert!(grown < GROWTH, "{what}: {grown} bytes");
        }
        host.stop().await;
    });
}

#[test]
fn takes_a_line_that_does_not_end_in_bounded_memory() {
    alone(async |host| {
        host.echoes("villain").await;
        let before = memory();
        let endless = host.call_within(Duration::from_secs(1), "villain", "endless", json!({})).await;
        // Where a ping comes meanwhile, the end of its answer ends the line.
        assert!(["deadline_exceeded", "frame_too_large"].contains(&kind(&endless)), "{endless:?}");
        let grown = memory().saturating_sub(before);
        println!("  48 MiB in one line: {} KiB more", grown >> 10);
        assert!(grown < GROWTH, "{grown} bytes");
        host.stop().await;
    });
}

/// The 99th percentile of the echoes of the plugin that does nothing wrong, until something has happened.
async fn echoes(host: &Host, until: impl Future<Output = ()>) -> Duration {
    let mut times = Vec::new();
    let echoing = async {
        loop {
            let begun = Instant::now();
            host.echoes("bystander").await;
            times.push(begun.elapsed());
        }
    };
    tokio::select! {
        () = until => {}
        () = echoing => {}
    }
    times.sort();
    times[times.len() * 99 / 100]
}
