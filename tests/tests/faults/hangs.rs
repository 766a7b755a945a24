//! Plugins that do nothing, or too much.

use std::time::{Duration, Instant};

use astros_core::supervisor::{Spec, Watch};
use astros_tests::{Host, World, adversary, in_both_languages, kind, processes};
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::{host, patient, villain};

const SHORT: Duration = Duration::from_millis(300);

#[test]
fn ends_calls_at_their_deadline_whatever_the_plugin_does() {
    in_both_languages(async |language| {
        let handlers = ["hang", "ignore", "block", "halt", "spin"];
        join_all(handlers.map(async |handler| {
            let host = host(villain(language)).await;
            host.echoes("villain").await;
            let outcome = host.call_within(SHORT, "villain", handler, json!({ "ms": 2_000 })).await;
            assert_eq!(kind(&outcome), "deadline_exceeded", "{handler}");
            host.echoes("bystander").await;
            host.stop().await;
        }))
        .await;
    });
}

/// A watch with short waits.
fn watched(spec: &mut Spec) {
    let [ping_every, hung_after, overrun] = [100, 500, 200].map(Duration::from_millis);
    spec.watch = Watch { ping_every, hung_after, overrun };
}

#[test]
fn kills_a_plugin_that_hangs_and_starts_it_again() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        host.add(villain(language), watched);
        for handler in ["block", "halt"] {
            host.echoes("villain").await;
            let begun = Instant::now();
            let error = host.call("villain", handler, json!({})).await.unwrap_err();
            let took = begun.elapsed();
            assert_eq!(error.kind(), "plugin_crashed", "{handler}");
            let expected = "did not answer a ping for 500 ms and used no CPU and was killed";
            assert!(error.message.contains(expected), "{handler}: {error}");
            assert!((SHORT..Duration::from_secs(5)).contains(&took), "{handler}: {took:?}");
            host.echoes("villain").await;
            host.echoes("bystander").await;
        }
        host.stop().await;
    });
}

#[test]
fn kills_a_plugin_that_is_halted_from_outside_while_nobody_uses_it() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        host.add(villain(language), watched);
        host.echoes("villain").await;
        let halted = host.pid("villain");
        processes::signal(halted, Signal::SIGSTOP);
        host.becomes("it is gone", || !host.status("villain").pids.contains(&halted)).await;
        host.echoes("villain").await;
        host.stop().await;
    });
}

#[test]
fn takes_a_busy_plugin_for_no_hung_one() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        host.add(villain(language), watched);
        host.echoes("villain").await;
        let pid = host.pid("villain");
        assert_eq!(host.call("villain", "spin", json!({ "ms": 2_500 })).await, Ok(json!({})));
        assert_eq!(host.pid("villain"), pid, "it was not started again");
        host.stop().await;
    });
}

#[test]
fn kills_a_serial_plugin_that_does_not_answer_in_its_time_and_no_sooner() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        host.add(villain(language).supervised(patient(json!({ "max_in_flight": 1 }))), watched);
        host.echoes("villain").await;
        let pid = host.pid("villain");
        // Longer than a ping may take: it is not asked.
        let late = host.call_within(Duration::from_millis(1_500), "villain", "block", json!({})).await;
        assert_eq!(kind(&late), "deadline_exceeded");
        assert_eq!(host.pid("villain"), pid);
        host.echoes("villain").await;
        assert_ne!(host.pid("villain"), pid);
        let story = host.status("villain").last_exit.unwrap();
        assert!(story.contains("did not answer within its time and 200 ms more"), "{story}");
        host.stop().await;
    });
}

#[test]
fn refuses_what_a_plugin_that_does_not_read_cannot_take_and_serves_the_others() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let time = Duration::from_secs(2);
        let blocked = host.call_within(time, "villain", "block", json!({}));
        let filling = "x".repeat(256 << 10);
        // More than its slots, its pipe and its queue take.
        let echo = |_| host.call_within(time, "villain", "echo", json!({ "filling": filling }));
        let flood = join_all((0..1_200).map(echo));
        let bystander = async {
            for _ in 0..20 {
                host.echoes("bystander").await;
            }
        };
        let (blocked, flooded, ()) = tokio::join!(blocked, flood, bystander);
        assert_eq!(kind(&blocked), "deadline_exceeded");
        let overloaded = flooded.iter().filter(|outcome| kind(outcome) == "overloaded").count();
        let late = flooded.iter().filter(|outcome| kind(outcome) == "deadline_exceeded").count();
        assert_eq!(
            (overloaded > 0, overloaded + late),
            (true, 1_200),
            "{overloaded} overloaded, {late} late"
        );
        host.stop().await;
    });
}

#[test]
fn kills_a_plugin_that_has_not_read_for_ten_seconds() {
    in_both_languages(async |language| {
        let host = Host::start(World::new().with(adversary("bystander"))).await;
        // It is hung as well; here nobody looks.
        host.add(villain(language), |spec| spec.watch.hung_after = Duration::from_secs(3_600));
        host.echoes("villain").await;
        let begun = Instant::now();
        let (blocked, unread) = tokio::join!(
            host.call("villain", "block", json!({})),
            host.call("villain", "echo", json!({ "filling": "x".repeat(1 << 20) })),
        );
        let took = begun.elapsed();
        for outcome in [blocked, unread] {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), "plugin_crashed");
            assert!(error.message.contains("closed its input or output and was killed"), "{error}");
        }
        assert!((10..16).contains(&took.as_secs()), "{took:?}");
        host.echoes("villain").await;
        host.stop().await;
    });
}
