//! The connection itself: the future that reads and writes.

use std::{convert::Infallible, sync::Arc};

use astros_protocol::MAX_FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::{dispatch::Dispatch, frame::FrameReader, incoming::Service, outgoing::Peer, shared::Shared};

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The longest line that this side reads, in bytes.
    pub max_frame_bytes: usize,
    /// How much may wait to be written, in bytes; one larger frame may wait alone.
    pub max_queued_bytes: usize,
    /// Whether a line that cannot be read is answered with `parse_error` or `invalid_request` and the id null, as a
    /// plugin does; a host treats it as output that went astray.
    pub answer_malformed: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { max_frame_bytes: MAX_FRAME_BYTES, max_queued_bytes: 4 << 20, answer_malformed: false }
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
    (peer, Connection { shared, reader, output, service, answer_malformed: options.answer_malformed })
}

/// The future that moves the bytes.
pub struct Connection<R, W, S> {
    shared: Arc<Shared>,
    reader: FrameReader<R>,
    output: W,
    service: S,
    answer_malformed: bool,
}

impl<R, W, S> Connection<R, W, S>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
    S: Service,
{
    /// Reads and writes until the other side's output ends; then every open call fails with [`Failure::Closed`].
    pub async fn run(self) {
        let Connection { shared, mut reader, output, service, answer_malformed } = self;
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
        // In one task: what the reader's work puts into the queue is written in the same turn.
        tokio::select! {
            biased;
            () = reading => {}
            never = write_all(&shared, output) => match never {},
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

/// Writes what waits; once the output is closed, by either side, waits for ever.
async fn write_all<W: AsyncWrite + Unpin>(shared: &Shared, mut output: W) -> Infallible {
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
        } else if output.write_all(&batch).await.is_err() || output.flush().await.is_err() {
            // Nobody reads any more. What was asked before may still be answered, so reading goes on.
            shared.lock().closing = true;
            shared.room.notify_waiters();
            break;
        }
        if batch.capacity() > shared.max_queued_bytes {
            batch = Vec::new();
        }
    }
    let _ = output.shutdown().await;
    drop(output);
    std::future::pending().await
}
<<<<<<< HEAD
=======

/// Reads frames and hands them on.
struct Dispatch<'a, S> {
    shared: &'a Arc<Shared>,
    service: &'a S,
    answer_malformed: bool,
}

impl<S: Service> Dispatch<'_, S> {
    fn frame(&self, frame: Frame<'_>) {
        match frame {
            Frame::Line(line) => self.line(line),
            Frame::TooLarge { size, limit, prefix } => {
                let message = format!("a message of {size} bytes was not read, the limit is {limit}");
                let error = Error::new(ErrorCode::FRAME_TOO_LARGE, message).with("size", size);
                let error = error.with("limit", limit);
                self.fail_answered(prefix, &error);
                self.service.oddity(Oddity::TooLarge { size, prefix });
                if self.answer_malformed {
                    self.answer_null(&error);
                }
            }
        }
    }

    fn line(&self, line: &[u8]) {
        match Message::<S::Params<'_>>::parse(line) {
            Ok(Message::Request { id, method, params }) => match self.shared.open(id.clone()) {
                Some(responder) => self.service.request(Incoming { method, params, responder }),
                None => self.service.oddity(Oddity::DuplicateId(id)),
            },
            Ok(Message::Notification { method, params }) if method.starts_with("$/") => {
                drop(params);
                self.stream_notification(line, &method);
            }
            Ok(Message::Notification { method, params }) => self.service.notification(&method, params),
            Ok(Message::Response { id, outcome }) => self.response(id, outcome),
            Err(malformed) => self.malformed(line, malformed),
        }
    }

    fn response(&self, id: Option<Id>, outcome: Result<&RawValue, Error>) {
        let error = outcome.as_ref().err().cloned();
        let known = id.as_ref().is_some_and(|id| {
            self.shared.answered(id, outcome.map(ToOwned::to_owned).map_err(Failure::Error))
        });
        if !known {
            self.service.oddity(Oddity::UnknownResponse(id, error));
        }
    }

    /// `$/cancel`, `$/ack`, `$/progress`; others are of a later version and passed over.
    fn stream_notification(&self, line: &[u8], method: &str) {
        let Ok(Message::Notification { params: Some(params), .. }) = Message::<&RawValue>::parse(line) else {
            return;
        };
        let params = params.get();
        let read = match method {
            Cancel::METHOD => serde_json::from_str(params).map(|CancelParams { id }| self.cancelled(&id)),
            Ack::METHOD => serde_json::from_str(params).map(|AckParams { id, count }| {
                let serving = self.shared.lock().serving.get(&id).cloned();
                serving.inspect(|serving| serving.acknowledged(count));
            }),
            Progress::METHOD => serde_json::from_str(params).map(|RawProgress { id, value }| {
                if let Id::Number(id) = id {
                    self.shared.progressed(id, value);
                }
            }),
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.service.oddity(Oddity::Malformed { line, error: format!("params of `{method}`: {error}") });
        }
    }

    fn cancelled(&self, id: &Id) {
        let serving = self.shared.lock().serving.get(id).cloned();
        serving.inspect(|serving| serving.cancel());
    }

    fn malformed(&self, line: &[u8], malformed: Malformed) {
        // The receiver's own type for params may be what did not fit: then the request can be told so.
        if let Ok(Message::Request { id, method, .. }) = Message::<&RawValue>::parse(line) {
            let message = format!("the params of `{method}` do not fit: {malformed}");
            match self.shared.open(id.clone()) {
                Some(responder) => responder.error(&Error::new(ErrorCode::INVALID_PARAMS, message)),
                None => self.service.oddity(Oddity::DuplicateId(id)),
            }
            return;
        }
        self.unreadable(line, malformed.to_string());
        if self.answer_malformed {
            let code = match malformed {
                Malformed::Json(_) => ErrorCode::PARSE_ERROR,
                Malformed::Envelope(_) => ErrorCode::INVALID_REQUEST,
            };
            self.answer_null(&Error::new(code, malformed.to_string()));
        }
    }

    /// A line that is no message: stray output, or a broken answer, which fails the request that it belongs to.
    fn unreadable(&self, line: &[u8], error: String) {
        if !salvage::begins_as_envelope(line) {
            return self.service.oddity(Oddity::Stray(line));
        }
        let failure = Error::new(ErrorCode::BAD_RESPONSE, format!("the answer cannot be read: {error}"));
        self.fail_answered(line, &failure);
        self.service.oddity(Oddity::Malformed { line, error });
    }

    fn fail_answered(&self, line: &[u8], error: &Error) {
        if let Some(id) = salvage::response_id(line) {
            self.shared.answered(&id, Err(error.clone().into()));
        }
    }

    fn answer_null(&self, error: &Error) {
        let mut frame = Vec::new();
        if write::error(&mut frame, None, error).is_ok() {
            // Refused only where the other side does not read: it does not want to know.
            let _ = self.shared.send(None, frame);
        }
    }
}
>>>>>>> e2e
