//! The far end of a connection, spoken to line by line, on a clock that is paused.

use std::{future::Future, time::Duration};

use astros_protocol::{Id, Message};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{sleep, timeout},
};

/// A message, as it is looked at.
#[derive(Debug)]
pub(super) enum Heard {
    Request { id: Id, method: String },
    Notification,
    Response { id: Option<Id>, is_result: bool },
}

pub(super) struct Wire {
    stream: DuplexStream,
    unread: Vec<u8>,
    ended: bool,
    /// Of an input that is looked at alone, what is said is shown.
    shows: bool,
}

impl Wire {
    pub(super) fn new(stream: DuplexStream) -> Wire {
        let shows = std::env::var_os("ASTROS_FUZZ_INPUT").is_some();
        Wire { stream, unread: Vec::new(), ended: false, shows }
    }

    /// Writes bytes, as far as somebody takes them.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        self.show(">", bytes);
        self.ended |=
            !matches!(timeout(Duration::from_secs(60), self.stream.write_all(bytes)).await, Ok(Ok(())));
    }

    pub(super) async fn say(&mut self, message: &Value) {
        self.write(format!("{message}\n").as_bytes()).await;
    }

    /// All that is there to be read once nothing moves any more; each line has to be a message.
    pub(super) async fn hear(&mut self) -> Vec<Heard> {
        sleep(Duration::from_millis(1)).await;
        while let Ok(read) = timeout(Duration::from_millis(1), self.stream.read_buf(&mut self.unread)).await {
            if read.unwrap_or(0) == 0 {
                self.ended = true;
                break;
            }
        }
        let end = self.unread.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.unread.drain(..end).collect();
        self.show("<", &lines);
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(heard).collect()
    }

    fn show(&self, way: &str, bytes: &[u8]) {
        if self.shows {
            bytes.split_inclusive(|byte| *byte == b'\n').for_each(|line| {
                eprintln!("{way} {}", String::from_utf8_lossy(line).trim_end());
            });
        }
    }

    /// Nothing comes any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }
}

fn heard(line: &[u8]) -> Heard {
    let message: Message<'_> =
        Message::parse(line).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)));
    match message {
        Message::Request { id, method, .. } => Heard::Request { id, method: method.into_owned() },
        Message::Notification { .. } => Heard::Notification,
        Message::Response { id, outcome } => Heard::Response { id, is_result: outcome.is_ok() },
    }
}

/// Runs a play on a runtime of its own, whose clock stands still while anything can be done.
pub(super) fn play(play: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime can be made").block_on(play);
}
