//! Plugins that end when they should not, and those that do not end when they should.

use std::time::{Duration, Instant};

use astros_core::supervisor::StateName;
use astros_tests::{in_both_languages, kind, processes};
use futures_util::future::join_all;
use serde_json::json;

use crate::{host, patient, villain};

#[test]
fn fails_every_pending_call_at_once_when_a_plugin_is_killed() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let note = host.world().note("note");
        let calls = join_all((0..50).map(|_| host.call("villain", "hang", json!({ "note": note }))));
        let kill = async {
            let begun = || std::fs::read_to_string(&note).is_ok_and(|text| text.lines().count() == 50);
            host.becomes("all calls have begun", begun).await;
            processes::kill(host.pid("villain"));
            Instant::now()
        };
        let (outcomes, killed) = tokio::join!(calls, kill);
        let seen = killed.elapsed();
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), "plugin_crashed");
            assert!(error.message.contains("while it handled `hang`: killed by SIGKILL after "), "{error}");
        }
        assert!(seen < Duration::from_secs(1), "seen after {seen:?}");
        host.echoes("villain").await;
        host.stop().await;
    });
}

#[test]
fn serves_on_through_a_storm_of_kills() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        for _ in 0..20 {
            let outcome = host.call("villain", "kill", json!({})).await;
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), "plugin_crashed", "{error}");
            assert_eq!(error.data.unwrap().extra["last_words"], json!(["I have seen too much"]));
            host.echoes("villain").await;
            host.echoes("bystander").await;
        }
        assert_eq!(host.status("villain").restarts, 20);
        assert_eq!(host.status("bystander").restarts, 0);
        host.stop().await;
    });
}

#[test]
fn quarantines_a_crash_loop_and_says_why_and_until_when_until_a_person_resets_it() {
    in_both_languages(async |language| {
        let host = host(villain(language).supervised(patient(json!({ "max_restarts": 3 })))).await;
        for _ in 0..4 {
            assert_eq!(kind(&host.call("villain", "crash", json!({})).await), "plugin_crashed");
        }
        let error = host.call("villain", "echo", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_unavailable");
        let data = error.data.unwrap();
        assert_eq!(data.extra["state"], "quarantined");
        let reason = data.extra["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("exited with status 3 after ")
                && reason.contains("it was restarted 3 times within 60 s"),
            "{reason}"
        );
        assert!(
            (590_000..=600_000).contains(&data.extra["retry_after_ms"].as_u64().unwrap()),
            "{:?}",
            data.extra
        );
        let status = host.status("villain");
        assert_eq!((status.state, status.reason.as_deref()), (StateName::Quarantined, Some(reason)));
        assert!(status.until_ms.is_some());
        host.echoes("bystander").await;
        host.router().plugin("villain").unwrap().supervisor().reset();
        host.reaches("villain", StateName::Idle).await;
        host.echoes("villain").await;
        host.stop().await;
    });
}

#[test]
fn waits_longer_after_each_crash() {
    in_both_languages(async |language| {
        let limits = json!({ "backoff_initial": "100ms", "backoff_max": "1s", "stop_grace": "300ms" });
        let host = host(villain(language).supervised(limits)).await;
        host.echoes("villain").await;
        // 100, 200 and 400 ms, give or take a fifth.
        for least in [80, 160, 320] {
            assert_eq!(kind(&host.call("villain", "crash", json!({})).await), "plugin_crashed");
            let crashed = Instant::now();
            host.echoes("villain").await;
            let waited = crashed.elapsed();
            assert!(waited > Duration::from_millis(least - 20), "{waited:?} of {least} ms");
        }
        host.stop().await;
    });
}

#[test]
fn fails_a_call_whose_plugin_ends_politely_before_its_answer() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        let error = host.call("villain", "quit", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_crashed");
        assert!(error.message.contains("exited with status 0"), "{error}");
        let error = host.call("villain", "half", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "bad_response");
        assert!(error.message.contains("ended within the line"), "{error}");
        host.echoes("villain").await;
        host.stop().await;
    });
}

#[test]
fn kills_a_plugin_that_closed_its_output_and_starts_it_again() {
    in_both_languages(async |language| {
        let host = host(villain(language)).await;
        host.echoes("villain").await;
        let pid = host.pid("villain");
        let error = host.call("villain", "mute", json!({})).await.unwrap_err();
        assert_eq!(error.kind(), "plugin_crashed");
        assert!(error.message.contains("closed its input or output and was killed"), "{error}");
        host.echoes("villain").await;
        assert_ne!(host.pid("villain"), pid);
        host.stop().await;
    });
}

#[test]
fn ends_a_plugin_that_ignores_every_request_to_end() {
    in_both_languages(async |language| {
        let stubborn = villain(language).that("deaf").that_ignores_sigterm();
        let host = host(stubborn).await;
        host.echoes("villain").await;
        assert_eq!(host.call("villain", "grandchild", json!({})).await, Ok(json!({})));
        let begun = Instant::now();
        host.stop().await;
        let took = begun.elapsed();
        // The request's 300 ms, a second for its input, two for TERM.
        assert!(took < Duration::from_secs(6), "{took:?}");
    });
}
