//! Ends that nobody asked for.

use std::time::{Duration, Instant};

use astros_core::supervisor::{Spec, StateName};
use astros_protocol::{
    ErrorCode,
    manifest::{Exit, Restart},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{ask, ask_for_death, echoes, gone, plugin};

fn kill(pid: u32) {
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn tells_how_it_ended_and_its_last_words_and_the_next_call_works() {
    let test = plugin(&["stray"], |_| {});
    let session = test.ready().await;
    let error = ask_for_death(&session, "segfault", Value::Null).await;
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED);
    assert!(error.message.starts_with("killed by SIGSEGV after "), "{error}");
    let data = error.data.unwrap();
    assert_eq!(data.extra["last_words"], json!(["this is no message", "ERROR: index 7 of 3"]));
    let hint = data.hint.unwrap();
    assert!(
        hint.starts_with("restart 1 of 5 in ") && hint.ends_with("`astros plugins logs test` shows more")
    );
    let next = test.ready().await;
    echoes(&next).await;
    let status = test.supervisor.status();
    assert_eq!((status.restarts, status.in_flight), (1, 0));
    assert!(status.last_exit.unwrap().starts_with("killed by SIGSEGV after "));
}

#[tokio::test]
async fn takes_an_end_with_status_0_for_a_crash_while_it_is_asked_something() {
    let test = plugin(&[], |_| {});
    let first = test.ready().await;
    let error = ask_for_death(&first, "leave", json!({ "status": 0 })).await;
    assert!(error.message.starts_with("exited with status 0 after "), "{error}");
    assert!(test.ready().await.generation > first.generation);
}

#[tokio::test]
async fn gives_every_open_call_its_outcome_when_it_is_killed() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    let calls: Vec<_> = (0..50).map(|_| session.peer.call("slow", &json!({ "seconds": 30 }))).collect();
    let _working = session.begin();
    let killed = Instant::now();
    kill(session.pid);
    for call in calls {
        assert_eq!(call.await.map(drop), Err(astros_peer::Failure::Closed));
    }
    session.crashed().await;
    assert!(killed.elapsed() < Duration::from_millis(500), "{:?}", killed.elapsed());
}

#[tokio::test]
async fn does_not_restart_what_nobody_uses() {
    let test = plugin(&[], |_| {});
    let first = test.ready().await;
    kill(first.pid);
    test.notes.reaches(StateName::Idle).await;
    assert!(test.supervisor.status().reason.unwrap().starts_with("killed by SIGKILL"));
    assert!(test.ready().await.generation > first.generation);
}

#[tokio::test]
async fn quarantines_a_crash_loop_until_a_person_resets_it() {
    let test = plugin(&[], |spec| {
        spec.supervision.max_restarts = 2;
        spec.supervision.backoff_initial = Duration::from_millis(1);
    });
    for _ in 0..3 {
        ask_for_death(&test.ready().await, "leave", json!({ "status": 7 })).await;
    }
    let error = test.refusal().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_UNAVAILABLE);
    assert!(
        error.message.starts_with("plugin `test` is quarantined for 10 min: exited with status 7"),
        "{error}"
    );
    assert_eq!(error.data.unwrap().extra["state"], "quarantined");
    test.supervisor.reset();
    test.notes.reaches(StateName::Idle).await;
    echoes(&test.ready().await).await;
}

#[tokio::test]
async fn restarts_in_use_by_the_type_of_its_manifest_and_at_the_next_use_in_any_case() {
    let cases = [
        (Restart::Permanent, 0, StateName::Ready),
        (Restart::Transient, 3, StateName::Ready),
        (Restart::Transient, 0, StateName::Idle),
        (Restart::Temporary, 3, StateName::Idle),
    ];
    for (restart, status, comes_to) in cases {
        let test = plugin(&[], |spec| spec.supervision.restart = restart);
        let first = test.ready().await;
        // Nobody asks for it after this.
        ask_for_death(&first, "leave", json!({ "status": status })).await;
        let runs_again =
            || test.notes.states().iter().filter(|state| **state == StateName::Ready).count() == 2;
        match comes_to {
            StateName::Ready => test.until(runs_again).await,
            _ => test.notes.reaches(comes_to).await,
        }
        assert!(test.ready().await.generation > first.generation, "{restart:?} after status {status}");
    }
}

#[tokio::test]
async fn starts_no_plugin_again_whose_end_forbids_it_until_a_person_says_so() {
    let exits = |exits: &[Exit]| {
        let no_restart_on = exits.to_vec();
        move |spec: &mut Spec| spec.supervision.no_restart_on = no_restart_on
    };
    let test = plugin(&[], exits(&[Exit::Status(78), Exit::Signal("SIGSEGV".to_owned())]));
    ask_for_death(&test.ready().await, "leave", json!({ "status": 77 })).await;
    let error = ask_for_death(&test.ready().await, "leave", json!({ "status": 78 })).await;
    let hint = error.data.unwrap().hint.unwrap();
    assert!(hint.starts_with("not started again until it is reset"), "{hint}");
    let error = test.refusal().await;
    assert!(
        error.message.starts_with("plugin `test` is quarantined: exited with status 78 after "),
        "{error}"
    );
    assert!(error.message.ends_with("`supervision.no_restart_on` forbids a restart after that"), "{error}");
    assert!(error.hint().unwrap().contains("`astros plugins reset test`"), "{error:?}");
    assert_eq!(test.supervisor.status().until_ms, None);
    test.supervisor.reset();
    test.notes.reaches(StateName::Idle).await;
    ask_for_death(&test.ready().await, "segfault", Value::Null).await;
    test.refusal().await;
    echoes(&test.supervisor.restart().await.unwrap()).await;

    let early = plugin(&["exit"], exits(&[Exit::Status(1)]));
    early.refusal().await;
    assert_eq!(early.supervisor.status().state, StateName::Quarantined);
}

#[tokio::test]
async fn ends_a_plugin_that_closed_its_output() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    let error = ask_for_death(&session, "close", Value::Null).await;
    assert!(error.message.starts_with("closed its input or output and was killed after "), "{error}");
    gone(session.pid).await;
}

#[tokio::test]
async fn sees_the_end_though_a_grandchild_holds_the_pipes_and_ends_that_too() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    ask(&session, "grandchild", Value::Null).await.unwrap();
    ask(&session, "holder", Value::Null).await.unwrap();
    let asked = Instant::now();
    ask_for_death(&session, "leave", json!({ "status": 1 })).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    test.leaves_nobody().await;
}

#[tokio::test]
async fn survives_a_flood_of_stderr() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    ask(&session, "flood", Value::Null).await.unwrap();
    echoes(&session).await;
    let error = ask_for_death(&session, "leave", json!({ "status": 1 })).await;
    let lines = test.notes.lines();
    assert!(lines.len() < 20_000, "{} lines were told", lines.len());
    let words = error.data.unwrap().extra["last_words"].clone();
    let words = words.as_array().unwrap();
    assert_eq!((words.len(), words[49].as_str()), (50, Some("leaving")));
    assert!(words[48].as_str().unwrap().starts_with("flooding with line 39999 "));
}
