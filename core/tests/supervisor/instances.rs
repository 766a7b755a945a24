//! Several processes of one plugin.

use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc, time::Duration};

use astros_core::supervisor::{Event, Session, Spec, StateName};
use serde_json::{Value, json};

use crate::harness::{Test, ask, ask_for_death, echoes, gone, plugin};

fn three(spec: &mut Spec) {
    spec.supervision.instances = NonZeroU32::new(3).unwrap();
}

impl Test {
    /// Waits until so many processes take calls; each of them, by its number.
    async fn all(&self, count: usize) -> Vec<(u64, Arc<Session>)> {
        self.ready().await;
        self.until(|| self.supervisor.sessions().len() == count).await;
        let mut all = Vec::new();
        for session in self.supervisor.sessions() {
            let number = ask(&session, "instance", Value::Null).await.unwrap();
            all.push((number.as_u64().unwrap(), session));
        }
        all
    }
}

#[tokio::test]
async fn starts_them_all_at_the_first_use_and_tells_each_its_number() {
    let test = plugin(&[], three);
    assert!(test.supervisor.status().pids.is_empty());
    let numbers: BTreeSet<_> = test.all(3).await.into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, BTreeSet::from([0, 1, 2]));
    let status = test.supervisor.status();
    assert_eq!((status.state, status.pids.len(), status.instances.len()), (StateName::Ready, 3, 3));
    test.supervisor.stop("enough").await;
    for pid in status.pids {
        gone(pid).await;
    }
    assert_eq!(test.supervisor.status().state, StateName::Unloaded);
}

#[tokio::test]
async fn gives_the_least_loaded_one() {
    let test = plugin(&[], three);
    test.all(3).await;
    let (one, other) = (test.supervisor.session().unwrap(), test.supervisor.session().unwrap());
    assert_eq!(one.pid, other.pid);
    let _working = [one.begin(), one.begin()];
    let second = test.supervisor.session().unwrap();
    let _more = second.begin();
    let third = test.supervisor.session().unwrap();
    assert_eq!(BTreeSet::from([one.pid, second.pid, third.pid]).len(), 3);
    let _even_more = [third.begin(), third.begin()];
    assert_eq!(test.supervisor.session().unwrap().pid, second.pid);
}

#[tokio::test]
async fn hides_the_crash_of_one_from_the_callers_of_the_others() {
    let test = plugin(&[], three);
    let all = test.all(3).await;
    let before = test.notes.states();
    let slow = ask(&all[1].1, "slow", json!({ "seconds": 0.3 }));
    let (slow, _) = tokio::join!(slow, ask_for_death(&all[0].1, "leave", json!({ "status": 1 })));
    assert_eq!(slow, Ok(Value::Null));
    let next = test.supervisor.session().expect("the others serve");
    echoes(&next).await;
    let numbers: Vec<_> = test.all(3).await.into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers.len(), 3, "it is back");
    assert_eq!(test.notes.states(), before, "the plugin was ready all the time");
    let status = test.supervisor.status();
    let restarts: Vec<_> = status.instances.iter().map(|one| one.restarts).collect();
    assert_eq!((status.restarts, restarts), (1, vec![1, 0, 0]));
}

#[tokio::test]
async fn serves_on_with_one_of_them_quarantined() {
    let test = plugin(&[], |spec| {
        three(spec);
        spec.supervision.max_restarts = 0;
    });
    let all = test.all(3).await;
    ask_for_death(&all[0].1, "leave", json!({ "status": 1 })).await;
    echoes(&test.ready().await).await;
    let status = test.supervisor.status();
    assert_eq!((status.state, status.pids.len()), (StateName::Ready, 2));
    let quarantined = &status.instances[all[0].0 as usize];
    assert_eq!(quarantined.state, StateName::Quarantined);
    assert!(quarantined.reason.as_ref().unwrap().starts_with("exited with status 1"));
    let told = test.notes.collect(|event| match event {
        Event::Oddity { text, .. } => Some(text.clone()),
        _ => None,
    });
    let expected = format!("its process {} is quarantined: exited with status 1", all[0].0);
    assert!(told[0].starts_with(&expected), "{told:?}");
    test.supervisor.reset();
    test.all(3).await;
}

#[tokio::test]
async fn stops_them_for_idleness_together() {
    let test = plugin(&[], |spec| {
        three(spec);
        spec.supervision.idle_stop = Duration::from_millis(400);
    });
    let all = test.all(3).await;
    for _ in 0..8 {
        // One is used, all stay.
        ask(&all[2].1, "slow", json!({ "seconds": 0.1 })).await.unwrap();
    }
    assert_eq!(test.supervisor.sessions().len(), 3);
    test.until(|| test.supervisor.status().pids.is_empty()).await;
    assert_eq!(test.supervisor.status().state, StateName::Idle);
}

#[tokio::test]
async fn serves_with_those_that_start() {
    let test = plugin(&["second"], |spec| {
        three(spec);
        spec.supervision.backoff_initial = Duration::from_secs(60);
        spec.supervision.backoff_max = Duration::from_secs(60);
    });
    let numbers: BTreeSet<_> = test.all(2).await.into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, BTreeSet::from([0, 2]));
    test.until(|| test.supervisor.status().instances[1].state == StateName::Error).await;
    echoes(&test.ready().await).await;
}
