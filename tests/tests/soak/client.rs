//! One client of the soak: asks at random, and holds each outcome against what was asked.

use std::time::{Duration, Instant};

use astros_tests::{Host, kind};
use fastrand::Rng;
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;

use crate::{Counts, PLUGINS};

/// What a request may take, and how much later its outcome may come where the machine is busy.
const TIME: Duration = Duration::from_secs(2);
const LATE: Duration = Duration::from_secs(8);
/// What nobody should do, but somebody does: how their outcomes are called is of no matter here.
const CRIMES: [&str; 16] = [
    "crash",
    "kill",
    "quit",
    "half",
    "die-calling",
    "mute",
    "garbage",
    "duplicate",
    "twice",
    "unknown",
    "stray",
    "flood",
    "text",
    "daemon",
    "grandchild",
    "late",
];

/// Asks until it is time; how often each outcome came.
pub(crate) async fn run(host: &Host, seed: u64, number: u64, until: Instant) -> Counts {
    let mut rng = Rng::with_seed(seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut outcomes = Counts::new();
    let mut request = 0;
    while Instant::now() < until {
        request += 1;
        let begun = Instant::now();
        let outcome = ask(host, &mut rng, number * 1_000_000 + request).await;
        assert!(begun.elapsed() < TIME + LATE, "an outcome took {:?}", begun.elapsed());
        *outcomes.entry(outcome).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..10))).await;
    }
    outcomes
}

async fn ask(host: &Host, rng: &mut Rng, request: u64) -> &'static str {
    let plugin = any(rng);
    match rng.u32(0..100) {
        0..50 => echo(host, plugin, request).await,
        50..65 => across(host, plugin, any(rng), request).await,
        65..75 => stream(host, plugin, rng.u64(1..200), Duration::from_millis(rng.u64(0..4))).await,
        75..82 => take_back(host, plugin, Duration::from_millis(rng.u64(0..50))).await,
        82..90 => {
            let handler = ["hang", "ignore", "block", "spin"][rng.usize(0..4)];
            let time = Duration::from_millis(rng.u64(1..200));
            kind(&host.call_within(time, plugin, handler, json!({ "ms": 300 })).await)
        }
        90..92 => {
            let what = ["errors", "stray", "frames"][rng.usize(0..3)];
            let params = json!({ "what": what, "mebibytes": 1 });
            kind(&host.call_within(TIME, plugin, "pour", params).await)
        }
        _ => {
            let handler = CRIMES[rng.usize(0..CRIMES.len())];
            let params = json!({ "plugin": any(rng), "handler": "echo", "params": {}, "after": "/" });
            kind(&host.call_within(TIME, plugin, handler, params).await)
        }
    }
}

fn any(rng: &mut Rng) -> &'static str {
    PLUGINS[rng.usize(0..PLUGINS.len())].0
}

/// A request that has its own answer, or an error; noted by the plugin that begins it.
async fn echo(host: &Host, plugin: &str, request: u64) -> &'static str {
    let note = host.world().note(&format!("notes/{request}"));
    let outcome = host.call_within(TIME, plugin, "echo", json!({ "number": request, "note": note })).await;
    if let Ok(answer) = &outcome {
        assert_eq!(number(answer), request, "it is another request's answer");
    }
    kind(&outcome)
}

/// One plugin calls another.
async fn across(host: &Host, plugin: &str, other: &str, request: u64) -> &'static str {
    let params = json!({ "plugin": other, "handler": "echo", "params": { "number": request } });
    let outcome = host.call_within(TIME, plugin, "call", params).await;
    match &outcome {
        Ok(answer) if answer["data"].get("answer").is_some() => {
            assert_eq!(number(&answer["data"]["answer"]), request, "it is another request's answer");
            "success across"
        }
        Ok(_) => "failure across",
        Err(_) => kind(&outcome),
    }
}

fn number(answer: &Value) -> u64 {
    answer["data"]["intent"]["context"]["number"].as_u64().unwrap()
}

/// A stream whose reader takes its time for each value.
async fn stream(host: &Host, plugin: &str, values: u64, pause: Duration) -> &'static str {
    let (sender, mut receiver) = mpsc::channel::<Box<RawValue>>(1);
    let read = async {
        let mut read = Vec::new();
        while let Some(value) = receiver.recv().await {
            let value: Value = serde_json::from_str(value.get()).unwrap();
            read.push(value["done"].as_u64().unwrap());
            tokio::time::sleep(pause).await;
        }
        read
    };
    let (outcome, read) =
        tokio::join!(host.listen(TIME, plugin, "stream", json!({ "values": values }), sender), read);
    assert!(read.is_sorted_by(|one, next| one - 1 == *next), "values are lost: {read:?}");
    if outcome.is_ok() { "success of a stream" } else { kind(&outcome) }
}

/// A request that is taken back.
async fn take_back(host: &Host, plugin: &str, after: Duration) -> &'static str {
    tokio::select! {
        outcome = host.call_within(TIME, plugin, "hang", json!({})) => kind(&outcome),
        () = tokio::time::sleep(after) => "taken back",
    }
}
