//! Idleness, stops, restarts, and who may run.

use std::time::{Duration, Instant};

use astros_core::supervisor::{Admission, Event, StateName};
use astros_protocol::{ErrorCode, manifest::Start};
use serde_json::{Value, json};

use crate::harness::{ask, echoes, gone, plugin};

#[tokio::test]
async fn stops_when_it_is_idle_and_starts_again() {
    let test = plugin(&[], |spec| spec.supervision.idle_stop = Duration::from_millis(100));
    let first = test.ready().await;
    test.notes.reaches(StateName::Idle).await;
    assert_eq!(test.notes.exits(), ["exited with status 0"]);
    assert!(test.notes.lines().iter().any(|line| line.message == "goodbye: idle"));
    gone(first.pid).await;
    assert!(test.ready().await.generation > first.generation);
}

#[tokio::test]
async fn does_not_stop_for_idleness_while_it_works() {
    let test = plugin(&[], |spec| spec.supervision.idle_stop = Duration::from_millis(50));
    let session = test.ready().await;
    ask(&session, "slow", json!({ "seconds": 0.4 })).await.unwrap();
    assert_eq!(test.supervisor.session().unwrap().generation, session.generation);
}

#[tokio::test]
async fn lets_work_end_before_it_stops() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    let work = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, "slow", json!({ "seconds": 0.3 })).await }
    });
    while session.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    test.supervisor.stop("the daemon stops").await;
    assert_eq!(work.await.unwrap(), Ok(Value::Null));
    use StateName::{CleaningUp, Draining, Ready, Unloaded};
    assert_eq!(test.notes.states()[3..], [Ready, Draining, CleaningUp, Unloaded]);
    let error = test.refusal().await;
    assert_eq!(error.message, "plugin `test` is stopped: the daemon stops");
}

#[tokio::test]
async fn tells_who_still_waited_that_it_was_stopped() {
    let test = plugin(&[], |spec| spec.supervision.stop_grace = Duration::from_millis(100));
    let session = test.ready().await;
    let call = session.peer.call("slow", &json!({ "seconds": 30 }));
    let _working = session.begin();
    test.supervisor.stop("enough").await;
    assert_eq!(call.await.map(drop), Err(astros_peer::Failure::Closed));
    let error = session.crashed().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_UNAVAILABLE);
    assert_eq!(error.message, "it was stopped before it had answered: enough");
}

#[tokio::test]
async fn kills_what_ignores_every_request_to_end() {
    let test = plugin(&["ignores"], |spec| spec.supervision.stop_grace = Duration::from_millis(100));
    let session = test.ready().await;
    ask(&session, "grandchild", Value::Null).await.unwrap();
    let asked = Instant::now();
    test.supervisor.stop("enough").await;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(test.notes.exits(), ["did not end when it was asked to and was killed"]);
    test.leaves_nobody().await;
}

#[tokio::test]
async fn restarts_when_it_is_told_to() {
    let test = plugin(&[], |_| {});
    let first = test.ready().await;
    let next = test.supervisor.restart().await.unwrap();
    assert!(next.generation > first.generation);
    echoes(&next).await;
    assert_eq!(test.supervisor.status().restarts, 0);
}

#[tokio::test]
async fn runs_only_what_may_run() {
    let test = plugin(&[], |spec| {
        spec.admission = Admission::Disabled { reason: "switched off in astros.yaml".to_owned() };
    });
    let error = test.refusal().await;
    assert_eq!(error.message, "plugin `test` is disabled: switched off in astros.yaml");
    test.supervisor.admit(Admission::Enabled).await;
    test.notes.reaches(StateName::Idle).await;
    let session = test.ready().await;
    let blocked = Admission::Blocked { reason: "needs `api_key`".to_owned(), hint: "set it".to_owned() };
    test.supervisor.admit(blocked).await;
    gone(session.pid).await;
    let error = test.refusal().await;
    assert_eq!(
        (error.message.as_str(), error.hint()),
        ("plugin `test` is blocked: needs `api_key`", Some("set it"))
    );
}

#[tokio::test]
async fn does_not_restart_what_may_not_run() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    let reason = "switched off in astros.yaml".to_owned();
    test.supervisor.admit(Admission::Disabled { reason }).await;
    gone(session.pid).await;
    let error = test.supervisor.restart().await.err().unwrap();
    assert_eq!(error.message, "plugin `test` is disabled: switched off in astros.yaml");
    assert_eq!(error.hint(), Some("`astros plugins enable test` lets it run"));
    assert_eq!(test.notes.exits().len(), 1, "nothing was started");
}

#[tokio::test]
async fn tells_who_comes_while_it_stops_that_it_does() {
    let test = plugin(&[], |_| {});
    let session = test.ready().await;
    let work = tokio::spawn({
        let session = session.clone();
        async move { ask(&session, "slow", json!({ "seconds": 0.3 })).await }
    });
    while session.in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let stop = tokio::spawn({
        let supervisor = test.supervisor.clone();
        async move { supervisor.stop("AstrOS stops").await }
    });
    test.notes.reaches(StateName::Draining).await;
    let error = test.refusal().await;
    assert_eq!(error.code, ErrorCode::PLUGIN_UNAVAILABLE);
    assert_eq!(error.message, "plugin `test` is being stopped: AstrOS stops");
    let refused = |event: &Event| match event {
        Event::Refused { state, reason, .. } => Some((*state, reason.clone())),
        _ => None,
    };
    assert_eq!(test.notes.collect(refused), [(StateName::Draining, "AstrOS stops".to_owned())]);
    stop.await.unwrap();
    assert_eq!(work.await.unwrap(), Ok(Value::Null));
}

#[tokio::test]
async fn starts_an_eager_plugin_unasked_and_stops_it_with_its_last_handle() {
    let test = plugin(&[], |spec| spec.supervision.start = Start::Eager);
    test.notes.reaches(StateName::Ready).await;
    let pid = test.supervisor.status().pids[0];
    let notes = test.notes.clone();
    drop(test);
    notes.reaches(StateName::Unloaded).await;
    gone(pid).await;
}

#[test]
fn leaves_no_process_when_the_runtime_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let test = runtime.block_on(async { plugin(&["ignores"], |_| {}) });
    let pid = runtime.block_on(async { test.ready().await.pid });
    drop(runtime);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(gone(pid));
}
