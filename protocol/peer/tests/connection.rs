//! Two sides in memory: every request has exactly one outcome, whatever either side does.

#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use astros_peer::{Call, Failure, Incoming, Oddity, Options, Peer, Responder, Service, connect};
use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex},
    sync::mpsc,
};

/// Serves the test's methods; tells what it sees.
struct Server {
    seen: mpsc::UnboundedSender<String>,
}

impl Service for Server {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        let Incoming { method, params, responder } = request;
        match &*method {
            "echo" => responder.result(&params),
            "hold" => hold(responder, self.seen.clone()),
            "panic" => drop(tokio::spawn(async move {
                let _responder = responder;
                panic!("as the test asked");
            })),
            "stream" => drop(tokio::spawn(stream(responder, self.seen.clone()))),
            "large" => responder.result(&"x".repeat(2_000)),
            _ => responder.error(&Error::new(ErrorCode::METHOD_NOT_FOUND, "no such method")),
        }
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) {
        let _ = self.seen.send(format!("{method} {}", params.map_or("", RawValue::get)));
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        let what = match oddity {
            Oddity::Stray(line) => format!("stray {}", String::from_utf8_lossy(line)),
            Oddity::Malformed { .. } => "malformed".to_owned(),
            Oddity::TooLarge { size, .. } => format!("too large {size}"),
            Oddity::UnknownResponse(id, _) => format!("unknown response {id:?}"),
            Oddity::DuplicateId(id) => format!("duplicate {id}"),
        };
        let _ = self.seen.send(what);
    }
}

/// Answers only when it is cancelled.
fn hold(responder: Responder, seen: mpsc::UnboundedSender<String>) {
    tokio::spawn(async move {
        let _ = seen.send("holding".to_owned());
        responder.cancelled().await;
        let _ = seen.send("cancelled".to_owned());
        responder.error(&Error::new(ErrorCode::CANCELLED, "cancelled"));
    });
}

/// Streams numbers until the window is closed, telling how far it came.
async fn stream(responder: Responder, seen: mpsc::UnboundedSender<String>) {
    for number in 0..100 {
        if responder.progress(&json!({ "done": number })).await.is_err() {
            break;
        }
        let _ = seen.send(format!("sent {number}"));
    }
    responder.result(&Value::Null);
}

struct Pair {
    peer: Peer,
    seen: mpsc::UnboundedReceiver<String>,
}

impl Pair {
    async fn sees(&mut self, expected: &str) {
        let next = tokio::time::timeout(Duration::from_secs(5), self.seen.recv()).await;
        assert_eq!(next.unwrap().as_deref(), Some(expected));
    }
}

/// A side that asks, connected to a `Server`.
fn pair() -> Pair {
    pair_with(Options::default(), Options::default())
}

fn pair_with(client: Options, server: Options) -> Pair {
    let (near, far) = duplex(1 << 16);
    let (seen_sender, seen) = mpsc::unbounded_channel();
    let (input, output) = tokio::io::split(far);
    let (_, connection) = connect(input, output, Server { seen: seen_sender.clone() }, server);
    tokio::spawn(connection.run());
    let (input, output) = tokio::io::split(near);
    let (peer, connection) = connect(input, output, Server { seen: seen_sender }, client);
    tokio::spawn(connection.run());
    Pair { peer, seen }
}

/// A side whose other end the test holds as bytes.
fn by_hand(options: Options) -> (Pair, BufReader<DuplexStream>) {
    let (near, far) = duplex(1 << 20);
    let (seen_sender, seen) = mpsc::unbounded_channel();
    let (input, output) = tokio::io::split(near);
    let (peer, connection) = connect(input, output, Server { seen: seen_sender }, options);
    tokio::spawn(connection.run());
    (Pair { peer, seen }, BufReader::new(far))
}

async fn line(far: &mut BufReader<DuplexStream>) -> String {
    let mut line = String::new();
    far.read_line(&mut line).await.unwrap();
    line.trim_end().to_owned()
}

async fn failure(call: Call) -> Error {
    match call.await {
        Err(Failure::Error(error) | Failure::Here(error)) => error,
        other => panic!("expected an error, found {other:?}"),
    }
}

#[tokio::test]
async fn answers_many_requests_at_once_each_with_its_own() {
    let Pair { peer, .. } = pair();
    let calls: Vec<_> = (0..500).map(|number| (number, peer.call("echo", &json!({ "n": number })))).collect();
    for (number, call) in calls.into_iter().rev() {
        assert_eq!(call.await.unwrap().get(), format!("{{\"n\":{number}}}"));
    }
    assert_eq!(peer.open_calls(), 0);
}

#[tokio::test]
async fn passes_what_is_large_through() {
    let Pair { peer, .. } = pair();
    let text = "ü".repeat(300_000);
    let answer = peer.call("echo", &json!({ "text": text })).await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(answer.get()).unwrap()["text"], text);
}

#[tokio::test]
async fn answers_for_a_handler_that_panics() {
    let Pair { peer, .. } = pair();
    assert_eq!(failure(peer.call("panic", &json!({}))).await.code, ErrorCode::HANDLER_FAILED);
    assert!(peer.call("echo", &json!({})).await.is_ok());
}

#[tokio::test]
async fn keeps_notifications_in_order() {
    enum Note {}
    impl astros_protocol::Notification for Note {
        const METHOD: &'static str = "note";
        type Params = u32;
    }
    let mut pair = pair();
    for number in 0..100 {
        pair.peer.notify::<Note>(&number).unwrap();
    }
    for number in 0..100 {
        pair.sees(&format!("note {number}")).await;
    }
}

#[tokio::test]
async fn cancels_on_the_other_side_what_is_dropped_here() {
    let mut pair = pair();
    let call = pair.peer.call("hold", &json!({}));
    pair.sees("holding").await;
    drop(call);
    pair.sees("cancelled").await;
    pair.peer.call("echo", &json!({})).await.unwrap();
    assert_eq!(pair.peer.open_calls(), 0, "the one answer of the cancelled call was taken");
}

#[tokio::test]
async fn never_sends_what_was_dropped_before_it_was_written() {
    let (pair, mut far) = by_hand(Options::default());
    drop(pair.peer.call("first", &json!({})));
    let _second = pair.peer.call("second", &json!({}));
    assert!(line(&mut far).await.contains("second"));
}

#[tokio::test]
async fn settles_every_call_when_the_other_side_is_gone() {
    let (pair, mut far) = by_hand(Options::default());
    let calls = [pair.peer.call("a", &json!({})), pair.peer.call("b", &json!({}))];
    for _ in &calls {
        line(&mut far).await;
    }
    drop(far);
    for call in calls {
        assert_eq!(call.await.unwrap_err(), Failure::Closed);
    }
    assert_eq!(pair.peer.call("c", &json!({})).await.unwrap_err(), Failure::Unsent);
}

#[tokio::test]
async fn tells_what_was_never_sent_from_what_may_have_begun() {
    let (pair, mut far) = by_hand(Options::default());
    let (written, large) = (pair.peer.call("a", &json!({})), json!({ "x": "y".repeat(2 << 20) }));
    line(&mut far).await;
    let halved = pair.peer.call("b", &large);
    let unwritten = pair.peer.call("c", &json!({}));
    tokio::task::yield_now().await;
    drop(far);
    assert_eq!(written.await.unwrap_err(), Failure::Closed);
    assert_eq!(halved.await.unwrap_err(), Failure::Closed);
    assert_eq!(unwritten.await.unwrap_err(), Failure::Unsent);
}

#[tokio::test(start_paused = true)]
async fn gives_up_a_side_that_takes_nothing_for_too_long() {
    let (pair, _far) = by_hand(Options::default());
    let call = pair.peer.call("m", &json!({ "x": "y".repeat(2 << 20) }));
    let begun = tokio::time::Instant::now();
    assert_eq!(call.await.unwrap_err(), Failure::Closed);
    assert!((10..12).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn stops_streaming_at_the_window_until_it_is_acknowledged() {
    let mut pair = pair();
    let (call, mut progress) = pair.peer.call_with_progress("stream", &json!({}));
    for number in 0..32 {
        pair.sees(&format!("sent {number}")).await;
    }
    tokio::task::yield_now().await;
    assert!(pair.seen.try_recv().is_err(), "nothing more is sent while nobody takes it");
    for number in 0..100 {
        assert_eq!(progress.next().await.unwrap().get(), format!("{{\"done\":{number}}}"));
    }
    assert!(call.await.is_ok());
    assert!(progress.next().await.is_none());
}

#[tokio::test]
async fn drops_and_acknowledges_progress_that_nobody_listens_to() {
    assert!(pair().peer.call("stream", &json!({})).await.is_ok());
}

#[tokio::test]
async fn fails_a_call_whose_progress_floods() {
    let (pair, mut far) = by_hand(Options::default());
    let (call, _progress) = pair.peer.call_with_progress("m", &json!({}));
    line(&mut far).await;
    let flood =
        "{\"jsonrpc\":\"2.0\",\"method\":\"$/progress\",\"params\":{\"id\":1,\"value\":{}}}\n".repeat(33);
    far.get_mut().write_all(flood.as_bytes()).await.unwrap();
    assert_eq!(failure(call).await.code, ErrorCode::BAD_RESPONSE);
    assert!(line(&mut far).await.contains("$/cancel"));
}

#[tokio::test]
async fn passes_over_stray_output_and_answers_to_nothing() {
    let (mut pair, mut far) = by_hand(Options::default());
    far.get_mut().write_all(b"Hello!\n{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}\n").await.unwrap();
    pair.sees("stray Hello!").await;
    pair.sees("unknown response Some(Number(99))").await;
    far.get_mut()
        .write_all(b"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"echo\",\"params\":{}}\n")
        .await
        .unwrap();
    assert_eq!(line(&mut far).await, r#"{"jsonrpc":"2.0","id":"x","result":{}}"#);
}

#[tokio::test]
async fn fails_the_call_that_a_broken_answer_belongs_to_and_no_other() {
    let (pair, mut far) = by_hand(Options::default());
    let (broken, whole) = (pair.peer.call("a", &json!({})), pair.peer.call("b", &json!({})));
    let answers = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"x\":NaN}}\n{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}\n";
    far.get_mut().write_all(answers).await.unwrap();
    assert_eq!(failure(broken).await.code, ErrorCode::BAD_RESPONSE);
    assert_eq!(whole.await.unwrap().get(), "2");
}

#[tokio::test]
async fn fails_the_call_whose_answer_is_too_large_to_read() {
    let (mut pair, mut far) = by_hand(Options { max_frame_bytes: 1_000, ..Options::default() });
    let call = pair.peer.call("a", &json!({}));
    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"{}\"}}\n", "x".repeat(5_000));
    far.get_mut().write_all(answer.as_bytes()).await.unwrap();
    assert_eq!(failure(call).await.code, ErrorCode::FRAME_TOO_LARGE);
    pair.sees(&format!("too large {}", answer.len() - 1)).await;
}

#[tokio::test]
async fn refuses_to_send_what_the_other_side_would_not_read() {
    let Pair { peer, .. } = pair();
    peer.set_peer_frame_limit(1_000);
    let error = failure(peer.call("echo", &json!({ "x": "y".repeat(2_000) }))).await;
    assert_eq!(error.code, ErrorCode::FRAME_TOO_LARGE);
    assert!(peer.call("echo", &json!({})).await.is_ok());
}

#[tokio::test]
async fn replaces_an_answer_that_the_other_side_would_not_read() {
    let (pair, mut far) = by_hand(Options::default());
    pair.peer.set_peer_frame_limit(1_000);
    far.get_mut().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"large\"}\n").await.unwrap();
    let answer = line(&mut far).await;
    assert!(answer.contains("\"id\":5") && answer.contains("-32009"), "{answer}");
}

#[tokio::test]
async fn refuses_more_when_the_other_side_does_not_read() {
    let (pair, _far) = by_hand(Options { max_queued_bytes: 100_000, ..Options::default() });
    let payload = json!({ "x": "y".repeat(50_000) });
    // The pipe takes a megabyte; beyond it and the bound, calls are refused at once.
    let mut calls: Vec<_> = (0..60).map(|_| pair.peer.call("m", &payload)).collect();
    let error = failure(calls.pop().unwrap()).await;
    assert_eq!(error.code, ErrorCode::OVERLOADED);
    assert!(error.data.unwrap().retryable);
}

#[tokio::test]
async fn slows_down_who_asks_for_room_until_the_other_side_reads() {
    let (near, far) = duplex(1 << 12);
    let (input, output) = tokio::io::split(far);
    let (seen, _) = mpsc::unbounded_channel();
    let (_, far) = connect(input, output, Server { seen: seen.clone() }, Options::default());
    let (input, output) = tokio::io::split(near);
    let options = Options { max_queued_bytes: 100_000, ..Options::default() };
    let (peer, near) = connect(input, output, Server { seen }, options);
    tokio::spawn(near.run());
    let payload = Arc::new(json!({ "x": "y".repeat(50_000) }));
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (peer, payload) = (peer.clone(), payload.clone());
            tokio::spawn(async move {
                peer.room().await?;
                peer.call("echo", &*payload).await
            })
        })
        .collect();
    tokio::task::yield_now().await;
    tokio::spawn(far.run());
    for caller in callers {
        assert!(caller.await.unwrap().is_ok());
    }
}

#[tokio::test]
async fn lets_ping_overtake_all_that_waits() {
    enum Ping {}
    impl astros_protocol::Request for Ping {
        const METHOD: &'static str = "ping";
        type Params = Value;
        type Result = Value;
    }
    let (pair, mut far) = by_hand(Options { max_queued_bytes: 10, ..Options::default() });
    let _asked = pair.peer.call("first", &json!({ "x": "more than the bound" }));
    let params = json!({});
    let ping = pair.peer.request_urgent::<Ping>(&params);
    tokio::pin!(ping);
    // Asked before the connection can write, both are in the queue.
    let first = tokio::select! {
        biased;
        _ = &mut ping => panic!("nobody answered"),
        line = line(&mut far) => line,
    };
    let lines = [first, line(&mut far).await];
    assert!(lines[0].contains("\"ping\"") && lines[1].contains("\"first\""), "{lines:?}");
    assert_eq!(pair.peer.open_calls(), 1, "the ping is no work");
    far.get_mut().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"in_flight\":0}}\n").await.unwrap();
    assert_eq!(ping.await.unwrap(), json!({ "in_flight": 0 }));
}

#[tokio::test]
async fn keeps_what_a_call_holds_until_the_answer_comes() {
    let (pair, mut far) = by_hand(Options::default());
    let held = Arc::new(());
    let (call, _) = pair.peer.call_holding(pair.peer.next_id(), "m", &json!({}), held.clone(), false);
    line(&mut far).await;
    drop(call);
    assert!(line(&mut far).await.contains("$/cancel"));
    assert_eq!(Arc::strong_count(&held), 2, "nobody waits, but the other side may still work");
    far.get_mut().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\nlast\n").await.unwrap();
    let mut pair = pair;
    pair.sees("stray last").await;
    assert_eq!(Arc::strong_count(&held), 1);

    drop(pair.peer.call_holding(pair.peer.next_id(), "m", &json!({}), held.clone(), false));
    assert_eq!(Arc::strong_count(&held), 1, "it was not written");
    let (call, _) = pair.peer.call_holding(pair.peer.next_id(), "m", &json!({}), held.clone(), false);
    line(&mut far).await;
    drop(far);
    assert_eq!(call.await.unwrap_err(), Failure::Closed);
    assert_eq!(Arc::strong_count(&held), 1, "the connection is closed");
}

#[tokio::test]
async fn counts_a_request_as_open_until_its_answer_is_written() {
    let (near, far) = duplex(1 << 10);
    let (seen, _) = mpsc::unbounded_channel();
    let (input, output) = tokio::io::split(near);
    let options = Options { max_answer_bytes: 20_000, ..Options::default() };
    let (peer, connection) = connect(input, output, Server { seen }, options);
    tokio::spawn(connection.run());
    let (from, mut to) = tokio::io::split(far);
    // Two thousand bytes each; the pipe takes one and a batch is being written.
    for id in 0..200 {
        let request = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"large\"}}\n");
        to.write_all(request.as_bytes()).await.unwrap();
    }
    to.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":200,\"method\":\"large\"}\n").await.unwrap();
    let mut lines = BufReader::new(from).lines();
    let mut refused = 0;
    let open = peer.serving();
    for _ in 0..=200 {
        let answer = lines.next_line().await.unwrap().unwrap();
        refused += usize::from(answer.contains("-32008"));
    }
    assert!(open > 100 && refused > 100 && refused < 200, "{open} open, {refused} refused");
    assert_eq!(peer.serving(), 0);
}

#[tokio::test]
async fn streams_no_faster_than_its_frames_are_taken() {
    let mut pair = pair_with(Options::default(), Options { max_queued_bytes: 100, ..Options::default() });
    let (call, mut progress) = pair.peer.call_with_progress("stream", &json!({}));
    for number in 0..100 {
        assert_eq!(progress.next().await.unwrap().get(), format!("{{\"done\":{number}}}"));
        pair.sees(&format!("sent {number}")).await;
    }
    assert!(call.await.is_ok());
}

#[tokio::test]
async fn breaks_off_with_a_side_that_does_not_keep_to_the_rules() {
    let (pair, mut far) = by_hand(Options::default());
    let call = pair.peer.call("m", &json!({}));
    line(&mut far).await;
    pair.peer.break_off();
    assert_eq!(call.await.unwrap_err(), Failure::Closed);
    assert_eq!(line(&mut far).await, "", "the end of the input");
}

#[tokio::test]
async fn drops_a_request_whose_id_is_open() {
    let (mut pair, mut far) = by_hand(Options::default());
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n".repeat(2);
    far.get_mut().write_all(&request).await.unwrap();
    let mut seen = [pair.seen.recv().await.unwrap(), pair.seen.recv().await.unwrap()];
    seen.sort();
    assert_eq!(seen, ["duplicate 1", "holding"]);
}

#[tokio::test]
async fn answers_what_it_cannot_read_where_it_is_told_to() {
    let (_pair, mut far) = by_hand(Options { answer_malformed: true, ..Options::default() });
    far.get_mut().write_all(b"nonsense\n[1]\n").await.unwrap();
    let answer = line(&mut far).await;
    assert!(answer.starts_with(r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700"#), "{answer}");
    assert!(line(&mut far).await.contains("-32600"));
}

#[tokio::test]
async fn writes_what_waits_before_it_closes() {
    let (pair, mut far) = by_hand(Options::default());
    let _call = pair.peer.call("last", &json!({}));
    pair.peer.close();
    let mut all = String::new();
    far.read_to_string(&mut all).await.unwrap();
    assert!(all.contains("last"));
    assert_eq!(pair.peer.call("more", &json!({})).await.unwrap_err(), Failure::Unsent);
}

#[tokio::test]
async fn tells_handlers_that_the_other_side_is_gone() {
    let (mut pair, mut far) = by_hand(Options::default());
    far.get_mut().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hold\"}\n").await.unwrap();
    pair.sees("holding").await;
    drop(far);
    pair.sees("cancelled").await;
}

#[test]
fn handles_go_between_threads() {
    fn sendable<T: Send + Sync>() {}
    sendable::<Peer>();
    sendable::<Responder>();
    sendable::<Arc<Call>>();
}
