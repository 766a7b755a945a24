//! What the other side asks: requests with exactly one answer each, notifications, and what is neither.

use std::{
    borrow::Cow,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use astros_protocol::{
    Error, ErrorCode, Id, MAX_PROGRESS_BYTES, Notification, PROGRESS_WINDOW, Params, message::write,
    stream::Progress,
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{Notify, Semaphore};

use crate::{
    outgoing::{Failure, Peer},
    queue::Kind,
    shared::Shared,
};

/// Serves the other side. Its functions are called in the order of the messages, on the task that reads: they must
/// not block, and start a task of their own for what takes time.
pub trait Service: Send + Sync + 'static {
    /// How params are read: `&RawValue`, or a type that knows some methods and saves reading those twice.
    type Params<'a>: Params<'a>;

    /// Serves a request; its [`Responder`] answers once, also where it is dropped.
    fn request(&self, request: Incoming<'_, Self::Params<'_>>);

    /// Takes note.
    fn notification(&self, method: &str, params: Option<Self::Params<'_>>) {
        let _ = (method, params);
    }

    /// Looks at what was no message, or a wrong one. The connection goes on.
    fn oddity(&self, oddity: Oddity<'_>) {
        let _ = oddity;
    }
}

/// A request of the other side.
pub struct Incoming<'a, P> {
    pub method: Cow<'a, str>,
    pub params: Option<P>,
    pub responder: Responder,
}

/// Something that should not have come.
#[derive(Debug)]
pub enum Oddity<'a> {
    /// A line that does not begin as a message: output that went astray.
    Stray(&'a [u8]),
    /// A line that begins as a message and is none; where it could be told which request it answers, that failed.
    Malformed { line: &'a [u8], error: String },
    /// A line beyond the limit, thrown away.
    TooLarge { size: usize, prefix: &'a [u8] },
    /// An answer to nothing that is open: late, doubled, or made up.
    UnknownResponse(Option<Id>, Option<Error>),
    /// A request whose id is still open; dropped.
    DuplicateId(Id),
}

/// A request that is being served, as the connection remembers it.
#[derive(Debug)]
pub(crate) struct Serving {
    /// The length of its line.
    pub(crate) bytes: usize,
    cancelled: AtomicBool,
    cancel: Notify,
    window: Semaphore,
}

impl Serving {
    fn new(bytes: usize) -> Serving {
        Serving {
            bytes,
            cancelled: AtomicBool::new(false),
            cancel: Notify::new(),
            window: Semaphore::new(PROGRESS_WINDOW),
        }
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.cancel.notify_waiters();
        self.window.close();
    }

    /// The answer is the last word: progress that waits for its window will not come.
    pub(crate) fn answered(&self) {
        self.window.close();
    }

    /// Opens the window; never beyond its size, whatever the other side counts.
    pub(crate) fn acknowledged(&self, count: u64) {
        let room = PROGRESS_WINDOW - self.window.available_permits();
        self.window.add_permits(room.min(usize::try_from(count).unwrap_or(room)));
    }
}

/// A request that is being served, without the right to answer it: a handler may keep it as long as it likes.
#[derive(Clone)]
pub struct Ticket {
    shared: Arc<Shared>,
    serving: Arc<Serving>,
    id: Id,
}

impl Ticket {
    /// The id that the other side gave its request.
    pub fn id(&self) -> &Id {
        &self.id
    }

    pub fn is_cancelled(&self) -> bool {
        self.serving.cancelled.load(Ordering::Acquire)
    }

    /// Resolves when the other side takes its request back, or is gone.
    pub async fn cancelled(&self) {
        let notified = self.serving.cancel.notified();
        if !self.is_cancelled() {
            notified.await;
        }
    }

    /// Tells how far the request is; waits while the other side has too much of it unacknowledged.
    /// Fails where the request was cancelled or answered, or the value is larger than 64 KiB.
    pub async fn progress(&self, value: &impl Serialize) -> Result<(), Failure> {
        let over = || Error::new(ErrorCode::CANCELLED, "the request was taken back, or answered");
        let params = ProgressRef { id: &self.id, value };
        let mut frame = Vec::new();
        write::notification(&mut frame, Progress::METHOD, &params)
            .map_err(|error| Error::new(ErrorCode::INVALID_PARAMS, error.to_string()))?;
        if frame.len() > MAX_PROGRESS_BYTES + 256 {
            let message = format!("a progress of {} bytes, the limit is {MAX_PROGRESS_BYTES}", frame.len());
            return Err(Error::new(ErrorCode::FRAME_TOO_LARGE, message).into());
        }
        self.serving.window.acquire().await.map_err(|_| over())?.forget();
        // A reader that is slow slows this down, it loses nothing.
        loop {
            self.shared.wait_for_room().await?;
            let mut state = self.shared.lock();
            if !state.serving.contains_key(&self.id) {
                return Err(over().into());
            }
            if state.has_room() {
                state.push(Kind::Notification, frame)?;
                drop(state);
                self.shared.wake_writer();
                return Ok(());
            }
        }
    }

    /// The handle to the connection that the request came by.
    pub fn peer(&self) -> Peer {
        Peer { shared: self.shared.clone() }
    }
}

/// Answers one request, once. Dropped without an answer, it answers with `handler_failed`: so a handler that panics
/// leaves nobody waiting.
pub struct Responder {
    ticket: Ticket,
    answered: bool,
}

impl Responder {
    /// What may be kept of the request, also after its answer.
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }

    pub fn result(self, result: &impl Serialize) {
        self.answer(Ok(result));
    }

    pub fn error(self, error: &Error) {
        self.answer::<()>(Err(error));
    }

    fn answer<T: Serialize>(mut self, outcome: Result<&T, &Error>) {
        self.answered = true;
        self.ticket.shared.answer(&self.ticket.id, outcome);
    }
}

/// A responder is its request's ticket too.
impl Deref for Responder {
    type Target = Ticket;

    fn deref(&self) -> &Ticket {
        &self.ticket
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            let error = Error::new(ErrorCode::HANDLER_FAILED, "the handler ended without an answer");
            self.ticket.shared.answer::<()>(&self.ticket.id, Err(&error));
        }
    }
}

/// `ProgressParams`, borrowed.
#[derive(Serialize)]
struct ProgressRef<'a, T> {
    id: &'a Id,
    value: &'a T,
}

impl Shared {
    /// Opens a request of the other side, of a line of so many bytes; `None` where its id is open already.
    pub(crate) fn open(self: &Arc<Self>, id: Id, bytes: usize) -> Option<Responder> {
        use std::collections::hash_map::Entry;
        let mut state = self.lock();
        let Entry::Vacant(entry) = state.serving.entry(id.clone()) else { return None };
        let serving = entry.insert(Arc::new(Serving::new(bytes))).clone();
        state.serving_bytes += bytes;
        Some(Responder { ticket: Ticket { shared: self.clone(), serving, id }, answered: false })
    }

    /// Writes the one answer. An answer that the other side would not read is replaced by an error that it will.
    fn answer<T: Serialize>(&self, id: &Id, outcome: Result<&T, &Error>) {
        let mut frame = self.new_frame();
        let written = match outcome {
            Ok(result) => write::result(&mut frame, id, result),
            Err(error) => write::error(&mut frame, Some(id), error),
        };
        self.learn_size(&frame);
        let limit = self.lock().frame_limit_out;
        let refused = match written {
            Err(error) => Some(Error::new(
                ErrorCode::INTERNAL_ERROR,
                format!("the answer cannot be written as JSON: {error}"),
            )),
            Ok(()) if frame.len() > limit => Some(
                Error::new(
                    ErrorCode::FRAME_TOO_LARGE,
                    format!("the answer has {} bytes, the limit is {limit}", frame.len()),
                )
                .with_hint("send what is large by file"),
            ),
            Ok(()) => None,
        };
        if let Some(error) = refused {
            frame.clear();
            write::error(&mut frame, Some(id), &error).expect("an error of plain strings is JSON");
        }
        self.close_request(id, frame);
    }
}

/// The raw value of `$/progress` and its id, read without the typed value.
#[derive(serde::Deserialize)]
pub(crate) struct RawProgress<'a> {
    pub(crate) id: Id,
    #[serde(borrow)]
    pub(crate) value: &'a RawValue,
}
