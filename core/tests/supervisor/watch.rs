//! The watchdog: a hung plugin is ended, a busy one is not.

use std::time::{Duration, Instant};

use astros_core::supervisor::{Event, Kill, Sandboxed, Spec, StateName, Watch};
use astros_peer::Failure;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Test, ask, ask_for_death, echoes, plugin};

/// As the real one, twenty times as fast.
fn quick(spec: &mut Spec) {
    let [ping_every, hung_after, overrun] = [250, 500, 100].map(Duration::from_millis);
    spec.watch = Watch { ping_every, hung_after, overrun };
}

/// Looked at as often, and not taken for hung.
fn limited(spec: &mut Spec) {
    quick(spec);
    spec.watch.hung_after = Duration::from_secs(60);
    spec.limits.memory = Some(100 << 20);
}

fn kills(test: &Test) -> Vec<Kill> {
    test.notes.collect(|event| match event {
        Event::Ended { killed, .. } => *killed,
        _ => None,
    })
}

#[tokio::test]
async fn ends_a_stopped_plugin_as_a_crash_and_starts_it_again_while_it_is_in_use() {
    let test = plugin(&[], quick);
    let session = test.ready().await;
    let _working = session.begin();
    let stopped = Instant::now();
    kill_process(Pid::from_raw(session.pid as i32).unwrap(), Signal::STOP).unwrap();
    let error = ask_for_death(&session, "echo", Value::Null).await;
    // A ping every 250 ms and 500 ms of silence; the real times are twenty times as long, and leave a second.
    assert!(stopped.elapsed() < Duration::from_millis(1600), "{:?}", stopped.elapsed());
    assert!(
        error.message.starts_with("did not answer a ping for 500 ms and used no CPU and was killed after "),
        "{error}"
    );
    assert_eq!(kills(&test), [Kill::Hung]);
    echoes(&test.ready().await).await;
    assert_eq!(test.supervisor.status().restarts, 1);
    let restarts = |event: &Event| matches!(event, Event::Restarted { restarts: 1, .. }).then_some(());
    assert_eq!(test.notes.collect(restarts).len(), 1);
}

#[tokio::test]
async fn ends_a_plugin_that_waits_for_nothing() {
    let test = plugin(&[], quick);
    let error = ask_for_death(&test.ready().await, "slow", json!({ "seconds": 30 })).await;
    assert!(error.message.contains("did not answer a ping"), "{error}");
}

#[tokio::test]
async fn leaves_a_plugin_alone_whose_child_is_busy() {
    let test = plugin(&[], quick);
    let session = test.ready().await;
    assert_eq!(ask(&session, "spin", json!({ "seconds": 2 })).await, Ok(Value::Null));
    echoes(&session).await;
    assert_eq!(kills(&test), []);
}

#[tokio::test]
async fn takes_any_answer_for_a_sign_of_life() {
    // The plugin knows no `ping`, and says so.
    let test = plugin(&[], quick);
    let session = test.ready().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    echoes(&session).await;
    assert_eq!(test.supervisor.status().pids, vec![session.pid]);
}

#[tokio::test]
async fn holds_a_serial_plugin_to_the_deadline_of_its_request_and_not_to_pings() {
    let test = plugin(&["serial"], quick);
    let session = test.ready().await;
    session.expects(Instant::now() + Duration::from_secs(30));
    assert_eq!(ask(&session, "slow", json!({ "seconds": 1.5 })).await, Ok(Value::Null));
    session.expects(Instant::now() + Duration::from_millis(500));
    let error = ask_for_death(&session, "slow", json!({ "seconds": 30 })).await;
    assert!(
        error.message.starts_with("did not answer within its time and 100 ms more and was killed after"),
        "{error}"
    );
    assert_eq!(kills(&test), [Kill::Overran]);
}

#[tokio::test]
async fn ends_a_plugin_that_takes_more_memory_than_its_limit_with_all_that_it_started() {
    for way in ["share", "orphan"] {
        let test = plugin(&[], |spec| {
            limited(spec);
        });
        let session = test.ready().await;
        assert_eq!(ask(&session, way, json!({ "bytes": 60 << 20 })).await, Ok(Value::Null));
        assert_eq!(ask(&session, "slow", json!({ "seconds": 1 })).await, Ok(Value::Null), "{way}: below it");
        // It may be seen before all of it is written.
        if ask(&session, way, json!({ "bytes": 60 << 20 })).await.is_ok() {
            assert_eq!(ask(&session, "slow", json!({ "seconds": 30 })).await, Err(Failure::Closed), "{way}");
        }
        let error = session.crashed().await;
        let said = "MiB of memory with all that it started, its limit is 100 MiB (`limits.memory` in its manifest, \
                    or in `astros.yaml`) and was killed after";
        assert!(error.message.starts_with("took 1") && error.message.contains(said), "{way}: {error}");
        assert_eq!(kills(&test), [Kill::Outgrown]);
        test.leaves_nobody().await;
    }
}

#[tokio::test]
async fn counts_what_forks_share_once() {
    let test = plugin(&[], |spec| {
        limited(spec);
    });
    let session = test.ready().await;
    assert_eq!(ask(&session, "forks", json!({ "bytes": 40 << 20 })).await, Ok(Value::Null));
    assert_eq!(ask(&session, "slow", json!({ "seconds": 1 })).await, Ok(Value::Null));
    echoes(&session).await;
    assert_eq!(kills(&test), []);
}

#[tokio::test]
async fn lets_who_is_debugged_stand_still() {
    let traced = |dev_mode| {
        let test = plugin(&[], |spec| {
            quick(spec);
            spec.dev_mode = dev_mode;
            // It lets itself be traced, which the sandbox refuses.
            spec.sandboxed = Sandboxed::Off;
        });
        async move { ask(&test.ready().await, "trace", json!({ "seconds": 2 })).await }
    };
    assert_eq!(traced(true).await, Ok(Value::Null));
    assert_eq!(traced(false).await, Err(Failure::Closed), "only while its author is at work");
}

#[tokio::test]
async fn sees_a_plugin_that_hangs_unused_and_does_not_start_it_for_nobody() {
    let test = plugin(&[], quick);
    let session = test.ready().await;
    kill_process(Pid::from_raw(session.pid as i32).unwrap(), Signal::STOP).unwrap();
    test.notes.reaches(StateName::Idle).await;
    assert_eq!(kills(&test), [Kill::Hung]);
}

#[tokio::test]
#[ignore = "takes as long as the real watch: a quarter of a minute"]
async fn sees_a_stopped_plugin_within_16_seconds() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    echoes(&session).await;
    let stopped = Instant::now();
    kill_process(Pid::from_raw(session.pid as i32).unwrap(), Signal::STOP).unwrap();
    test.until(|| test.supervisor.session().is_none()).await;
    assert!(stopped.elapsed() < Duration::from_secs(16), "{:?}", stopped.elapsed());
    println!("seen after {:?}", stopped.elapsed());
}
