//! What a side that means no good cannot do to the other: fill its memory, or keep it from writing.

#![allow(clippy::unwrap_used)]

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use astros_peer::{Failure, Incoming, Options, Peer, Responder, Service, connect};
use serde_json::{json, value::RawValue};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// Hands its requests to the test.
struct Holder(mpsc::UnboundedSender<Responder>);

impl Service for Holder {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        let _ = self.0.send(request.responder);
    }
}

/// A side whose other end the test holds as bytes, and the requests that it serves.
fn by_hand(options: Options) -> (Peer, BufReader<DuplexStream>, mpsc::UnboundedReceiver<Responder>) {
    let (near, far) = duplex(1 << 20);
    let (sender, requests) = mpsc::unbounded_channel();
    let (input, output) = tokio::io::split(near);
    let (peer, connection) = connect(input, output, Holder(sender), options);
    tokio::spawn(connection.run());
    (peer, BufReader::new(far), requests)
}

async fn line(far: &mut BufReader<DuplexStream>) -> String {
    let mut line = String::new();
    timeout(PATIENCE, far.read_line(&mut line)).await.expect("it is written").unwrap();
    line
}

#[tokio::test]
async fn breaks_off_with_a_side_that_floods_with_progress_and_reads_no_acknowledgement() {
    let (peer, mut far, _requests) = by_hand(Options { stalled_after: None, ..Options::default() });
    let call = peer.call("m", &json!({}));
    line(&mut far).await;
    let progress = r#"{"jsonrpc":"2.0","method":"$/progress","params":{"id":1,"value":0}}"#;
    let flood = format!("{progress}\n").repeat(1_000);
    let flooding = async { while far.get_mut().write_all(flood.as_bytes()).await.is_ok() {} };
    tokio::select! {
        outcome = call => assert_eq!(outcome.unwrap_err(), Failure::Closed),
        () = flooding => {}
        () = tokio::time::sleep(PATIENCE) => panic!("what waits to be read only grows"),
    }
}

/// Has always more to read, as a pipe that is filled faster than it is read.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(pin!(tokio::task::consume_budget()).poll(context));
        out.put_slice(b"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n");
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn writes_to_a_side_that_writes_without_end() {
    let (near, far) = duplex(1 << 10);
    let (sender, _requests) = mpsc::unbounded_channel();
    let (peer, connection) = connect(Endless, near, Holder(sender), Options::default());
    let connection = tokio::spawn(connection.run());
    let call = peer.call("m", &json!({}));
    assert!(line(&mut BufReader::new(far)).await.contains("\"m\""));
    peer.break_off();
    let over = timeout(PATIENCE, call).await;
    assert_eq!(over.expect("it is over").unwrap_err(), Failure::Closed);
    connection.await.unwrap();
}

#[tokio::test]
async fn counts_the_bytes_of_the_requests_that_are_open() {
    let (peer, mut far, mut requests) = by_hand(Options::default());
    let mut open = Vec::new();
    for id in 1..=2 {
        let request =
            json!({ "jsonrpc": "2.0", "id": id, "method": "m", "params": { "x": "y".repeat(1_000) } });
        far.get_mut().write_all(format!("{request}\n").as_bytes()).await.unwrap();
        open.push(requests.recv().await.unwrap());
        assert!((1_000 * id..1_200 * id).contains(&peer.serving_bytes()));
    }
    open.pop().unwrap().result(&());
    assert!((1_000..1_200).contains(&peer.serving_bytes()));
}
