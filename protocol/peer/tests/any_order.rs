//! Whatever order messages come in, and whoever gives up when: each request has exactly one outcome, the first.

#![allow(clippy::unwrap_used)]

use std::{collections::HashMap, time::Duration};

use astros_peer::{Call, Failure, Incoming, Options, Peer, Responder, Service, connect};
use astros_protocol::{Error, ErrorCode};
use proptest::prelude::*;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::mpsc,
    time::sleep,
};

/// What happens; numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    /// This side asks, gives a request up, or is answered.
    Call,
    GiveUp(usize),
    Answer(usize, How),
    Progress(usize),
    /// The other side asks, by an id of a few, takes a request back, or is answered here.
    Ask(u8),
    TakeBack(u8),
    Serve(usize, bool),
    Noise(usize),
}

#[derive(Clone, Copy, Debug)]
enum How {
    Result,
    Error,
    Malformed,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let how = prop::sample::select(vec![How::Result, How::Error, How::Malformed]);
    let some = 0_usize..100;
    let step = prop_oneof![
        3 => Just(Step::Call),
        1 => some.clone().prop_map(Step::GiveUp),
        4 => (some.clone(), how).prop_map(|(at, how)| Step::Answer(at, how)),
        1 => some.clone().prop_map(Step::Progress),
        3 => (0_u8..6).prop_map(Step::Ask),
        1 => (0_u8..6).prop_map(Step::TakeBack),
        3 => (some.clone(), any::<bool>()).prop_map(|(at, answers)| Step::Serve(at, answers)),
        1 => some.prop_map(Step::Noise),
    ];
    prop::collection::vec(step, 0..60)
}

/// Hands its requests to the test.
struct Holder(mpsc::UnboundedSender<Responder>);

impl Service for Holder {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        let _ = self.0.send(request.responder);
    }
}

/// What is to come of a call.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Result(String),
    Error(ErrorCode),
    Closed,
}

struct Play {
    peer: Peer,
    far: DuplexStream,
    requests: mpsc::UnboundedReceiver<Responder>,
    calls: Vec<(Option<Call>, Option<Outcome>)>,
    serving: Vec<Responder>,
    /// The other side's requests: how many of each id were taken, and which are open.
    taken: HashMap<u8, usize>,
    open: Vec<u8>,
}

impl Play {
    async fn write(&mut self, line: &str) {
        self.far.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        // The clock stands still: this is when nothing can be done any more.
        sleep(Duration::from_millis(1)).await;
        while let Ok(responder) = self.requests.try_recv() {
            self.serving.push(responder);
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Call => {
                self.calls.push((Some(self.peer.call("m", &json!({}))), None));
                sleep(Duration::from_millis(1)).await;
            }
            Step::GiveUp(at) if !self.calls.is_empty() => {
                let at = at % self.calls.len();
                self.calls[at].0 = None;
            }
            Step::Answer(at, how) if !self.calls.is_empty() => {
                let at = at % self.calls.len();
                let text = format!("{{\"n\":{at},\"x\":{}}}", self.calls.len());
                let (member, outcome) = match how {
                    How::Result => (format!("\"result\":{text}"), Outcome::Result(text)),
                    How::Error => (
                        r#""error":{"code":-32012,"message":"m"}"#.to_owned(),
                        Outcome::Error(ErrorCode(-32012)),
                    ),
                    How::Malformed => {
                        ("\"result\":{\"x\":NaN}".to_owned(), Outcome::Error(ErrorCode::BAD_RESPONSE))
                    }
                };
                self.write(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{},{member}}}", at + 1)).await;
                self.calls[at].1.get_or_insert(outcome);
            }
            Step::Progress(at) => {
                let params = json!({ "id": at % 10, "value": {} });
                self.write(
                    &json!({ "jsonrpc": "2.0", "method": "$/progress", "params": params }).to_string(),
                )
                .await;
            }
            Step::Ask(id) => {
                if !self.open.contains(&id) {
                    *self.taken.entry(id).or_default() += 1;
                    self.open.push(id);
                }
                self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": "m" }).to_string()).await;
            }
            Step::TakeBack(id) => {
                let params = json!({ "id": id });
                self.write(&json!({ "jsonrpc": "2.0", "method": "$/cancel", "params": params }).to_string())
                    .await;
            }
            Step::Serve(at, answers) if !self.serving.is_empty() => {
                let responder = self.serving.swap_remove(at % self.serving.len());
                let id: u8 = responder.id().to_string().parse().unwrap();
                self.open.retain(|open| *open != id);
                if answers {
                    responder.result(&())
                } else {
                    drop(responder)
                }
                sleep(Duration::from_millis(1)).await;
            }
            Step::Noise(at) => {
                let lines = [
                    "noise",
                    "[]",
                    r#"{"jsonrpc":"2.0","id":9000,"result":1}"#,
                    r#"{"jsonrpc":"2.0","id":1"#,
                ];
                self.write(lines[at % lines.len()]).await;
            }
            Step::GiveUp(_) | Step::Answer(..) | Step::Serve(..) => {}
        }
    }

    /// The other side goes; every outcome is as it has to be.
    async fn end(mut self) {
        let unanswered = self.calls.iter().filter(|(_, outcome)| outcome.is_none()).count();
        assert_eq!(
            self.peer.open_calls(),
            unanswered,
            "those that were given up are open until they are answered"
        );
        assert_eq!(self.peer.serving(), self.open.len());
        self.serving.clear();
        self.peer.close();
        let mut written = Vec::new();
        self.far.read_to_end(&mut written).await.unwrap();
        let lines = written.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let mut answered: HashMap<u8, usize> = HashMap::new();
        for message in lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()) {
            if message.get("method").is_none() {
                *answered.entry(message["id"].as_u64().unwrap().try_into().unwrap()).or_default() += 1;
            }
        }
        assert_eq!(answered, self.taken, "each request that was taken is answered once");
        drop(self.far);
        sleep(Duration::from_millis(1)).await;
        for (call, expected) in self.calls {
            let Some(call) = call else { continue };
            let outcome = match call.await {
                Ok(result) => Outcome::Result(result.get().to_owned()),
                Err(Failure::Error(Error { code, .. }) | Failure::Here(Error { code, .. })) => {
                    Outcome::Error(code)
                }
                Err(Failure::Closed | Failure::Unsent) => Outcome::Closed,
            };
            assert_eq!(outcome, expected.unwrap_or(Outcome::Closed));
        }
        assert_eq!((self.peer.open_calls(), self.peer.serving(), self.peer.serving_bytes()), (0, 0, 0));
    }
}

proptest! {
    #[test]
    fn every_request_has_one_outcome_in_any_order(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(async {
            let (near, far) = duplex(1 << 20);
            let (sender, requests) = mpsc::unbounded_channel();
            let (input, output) = tokio::io::split(near);
            let (peer, connection) = connect(input, output, Holder(sender), Options::default());
            tokio::spawn(connection.run());
            let (calls, serving, taken, open) = Default::default();
            let mut play = Play { peer, far, requests, calls, serving, taken, open };
            for step in steps {
                play.step(step).await;
            }
            play.end().await;
        });
    }
}
