//! The connection itself: the future that reads and writes.

use std::{sync::Arc, time::Duration};

use astros_protocol::MAX_FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::{dispatch::Dispatch, frame::FrameReader, incoming::Service, outgoing::Peer, shared::Shared};

/// How long answers may still come from a side that closed its input.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The longest line that this side reads, in bytes.
    pub max_frame_bytes: usize,
    /// How much may wait to be written, in bytes; one larger frame may wait alone.
    pub max_queued_bytes: usize,
    /// How many bytes of answers may wait to be read, and one answer more; what comes then is answered with
    /// `overloaded`. A plugin says [`usize::MAX`]: a host that asks for much gets it.
    pub max_answer_bytes: usize,
    /// Whether a line that cannot be read is answered with `parse_error` or `invalid_request` and the id null, as a
    /// plugin does; a host treats it as output that went astray.
    pub answer_malformed: bool,
    /// A side that takes nothing of what waits for so long counts as gone. A plugin says `None`: a halted host is no
    /// reason for it to end.
    pub stalled_after: Option<Duration>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            max_frame_bytes: MAX_FRAME_BYTES,
            max_queued_bytes: 4 << 20,
            max_answer_bytes: 16 << 20,
            answer_malformed: false,
            stalled_after: Some(Duration::from_secs(10)),
        }
    }
}

/// Makes a connection of two byte streams. Nothing moves until [`Connection::run`] is polled.
pub fn connect<R, W, S>(input: R, output: W, service: S, options: Options) -> (Peer, Connection<R, W, S>)
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: Service,
{
    let shared = Arc::new(Shared::new(&options));
    let peer = Peer { shared: shared.clone() };
    let reader = FrameReader::new(input, options.max_frame_bytes);
    let Options { answer_malformed, stalled_after, .. } = options;
    (peer, Connection { shared, reader, output, service, answer_malformed, stalled_after })
}

/// The future that moves the bytes.
pub struct Connection<R, W, S> {
    shared: Arc<Shared>,
    reader: FrameReader<R>,
    output: W,
    service: S,
    answer_malformed: bool,
    stalled_after: Option<Duration>,
}

impl<R, W, S> Connection<R, W, S>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: Service,
{
    /// Reads and writes until the other side's output ends, or its input is closed while something is to be written;
    /// then every open call fails with [`crate::Failure::Closed`].
    pub async fn run(self) {
        let Connection { shared, mut reader, output, service, answer_malformed, stalled_after } = self;
        let dispatch = Dispatch { shared: &shared, service: &service, answer_malformed };
        let guard = CloseOnDrop(&shared);
        let reading = async {
            loop {
                while let Some(frame) = reader.buffered() {
                    dispatch.frame(frame);
                }
                if !reader.fill().await.unwrap_or(false) {
                    break;
                }
            }
            if !reader.rest().is_empty() {
                dispatch.unreadable(reader.rest(), "the stream ended within the line".to_owned());
            }
        };
        tokio::pin!(reading);
        // Who writes without end uses up what a task may do in one turn, each time; what is for it is written even so.
        let writing = tokio::task::unconstrained(write_all(&shared, output, stalled_after));
        // In one task: what the reader's work puts into the queue is written in the same turn.
        tokio::select! {
            biased;
            () = shared.broken_off.notified() => {}
            () = &mut reading => {}
            // Nobody reads any more. What was asked before may have been answered; for ever nobody waits.
            () = writing => drop(tokio::time::timeout(LAST_ANSWERS, reading).await),
        }
        drop(guard);
    }
}

/// Settles everything also where the connection's task is dropped.
struct CloseOnDrop<'a>(&'a Shared);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Writes a batch; false where the other side closed its input, or takes nothing of it for too long.
async fn write_batch<W: AsyncWrite + Unpin>(
    output: &mut W,
    mut batch: &[u8],
    stalled_after: Option<Duration>,
) -> bool {
    while !batch.is_empty() {
        let write = output.write(batch);
        let written = match stalled_after {
            Some(limit) => tokio::time::timeout(limit, write).await.unwrap_or(Ok(0)),
            None => write.await,
        };
        match written {
            Ok(written) if written > 0 => batch = &batch[written..],
            _ => return false,
        }
    }
    output.flush().await.is_ok()
}

/// Writes what waits. Returns when the other side does not take it any more; once this side closed its output, waits for ever.
async fn write_all<W: AsyncWrite + Unpin>(shared: &Shared, mut output: W, stalled_after: Option<Duration>) {
    let mut batch = Vec::new();
    loop {
        {
            let mut state = shared.lock();
            if state.queue.is_empty() && state.closing {
                break;
            }
            state.queue.take(&mut batch);
            if state.waiting > 0 && state.has_room() {
                shared.room.notify_one();
            }
        }
        if batch.is_empty() {
            shared.writable.notified().await;
        } else if !write_batch(&mut output, &batch, stalled_after).await {
            shared.stop_asking();
            shared.room.notify_waiters();
            return;
        }
        if batch.capacity() > shared.max_queued_bytes {
            batch = Vec::new();
        }
    }
    let _ = output.shutdown().await;
    drop(output);
    std::future::pending().await
}
