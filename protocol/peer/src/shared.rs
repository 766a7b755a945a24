//! What the handle, the responders and the running connection share: open requests of both sides, and the queue.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
};

use astros_protocol::{Error, ErrorCode, Id, MAX_FRAME_BYTES, Notification, message::write};
use foldhash::HashMap;
use tokio::sync::Notify;

use crate::{
    connection::Options,
    incoming::Serving,
    outgoing::{Failure, Pending},
    queue::{Kind, Queue},
};

/// The room that a new frame has at least and at most, in bytes.
const LEAST_FRAME: usize = 1 << 10;
const MOST_FRAME: usize = 1 << 20;
/// So many frames that overtake may wait: more than every request's window and end together. They have no other bound.
const MAX_URGENT: usize = 1 << 16;
/// So many may wait for room in a connection's queue.
const MAX_WAITING: usize = 1_024;

/// What handle, responders and the running connection share.
pub(crate) struct Shared {
    // A std mutex: held for a few moves of memory, never across an await.
    state: Mutex<State>,
    /// Nothing more can be said: `closing` or `closed`, to be read without the lock.
    over: AtomicBool,
    next_id: AtomicI64,
    /// The size of the frame that was queued last: the next one is often of about that size.
    usual_frame: AtomicUsize,
    pub(crate) max_queued_bytes: usize,
    pub(crate) max_answer_bytes: usize,
    pub(crate) writable: Notify,
    pub(crate) room: Notify,
    pub(crate) broken_off: Notify,
}

pub(crate) struct State {
    pub(crate) pending: HashMap<i64, Pending>,
    pub(crate) serving: HashMap<Id, Arc<Serving>>,
    /// What those requests had, in bytes.
    pub(crate) serving_bytes: usize,
    pub(crate) queue: Queue,
    pub(crate) frame_limit_out: usize,
    max_queued_bytes: usize,
    /// So many wait for room in the queue.
    pub(crate) waiting: usize,
    /// Nothing more is written after what waits.
    pub(crate) closing: bool,
    /// The other side is gone.
    pub(crate) closed: bool,
}

impl State {
    /// Why a frame of this size cannot be sent now.
    pub(crate) fn refusal(&self, size: usize) -> Option<Failure> {
        if self.closed || self.closing {
            return Some(Failure::Unsent);
        }
        if size > self.frame_limit_out.saturating_add(1) {
            let message =
                format!("the message has {size} bytes, the other side takes {}", self.frame_limit_out);
            let error = Error::new(ErrorCode::FRAME_TOO_LARGE, message).with("size", size);
            return Some(
                error.with("limit", self.frame_limit_out).with_hint("send what is large by file").into(),
            );
        }
        (!self.has_room()).then(|| self.overloaded())
    }

    /// One frame may go beyond the bound, so that a large one is not refused for ever.
    pub(crate) fn has_room(&self) -> bool {
        self.queue.bytes() < self.max_queued_bytes
    }

    fn overloaded(&self) -> Failure {
        let waiting = self.queue.bytes();
        let message = format!("the other side does not keep up: {waiting} bytes wait to be read");
        Error::new(ErrorCode::OVERLOADED, message).with("retry_after_ms", 100).retryable().into()
    }

    /// Queues a frame, unless it cannot be sent now. The caller wakes the writer.
    pub(crate) fn push(&mut self, kind: Kind, frame: Vec<u8>) -> Result<(), Failure> {
        if let Some(refusal) = self.refusal(frame.len()) {
            return Err(refusal);
        }
        self.queue.push(kind, frame);
        Ok(())
    }
}

impl Shared {
    pub(crate) fn new(options: &Options) -> Shared {
        let state = State {
            pending: HashMap::default(),
            serving: HashMap::default(),
            serving_bytes: 0,
            queue: Queue::default(),
            frame_limit_out: MAX_FRAME_BYTES,
            max_queued_bytes: options.max_queued_bytes,
            waiting: 0,
            closing: false,
            closed: false,
        };
        Shared {
            state: Mutex::new(state),
            over: AtomicBool::new(false),
            next_id: AtomicI64::new(1),
            usual_frame: AtomicUsize::new(0),
            max_queued_bytes: options.max_queued_bytes,
            max_answer_bytes: options.max_answer_bytes,
            writable: Notify::new(),
            room: Notify::new(),
            broken_off: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock panics; if it did, the maps would still be whole.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn next_id(&self) -> i64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// An empty frame with room for one like the last: a large one that grew bit by bit would be copied often.
    pub(crate) fn new_frame(&self) -> Vec<u8> {
        Vec::with_capacity(self.usual_frame.load(Ordering::Relaxed).clamp(LEAST_FRAME, MOST_FRAME))
    }

    /// Learns from a frame; a little more than it had, so that one that is hardly longer fits.
    pub(crate) fn learn_size(&self, frame: &[u8]) {
        self.usual_frame.store(frame.len() + frame.len() / 8, Ordering::Relaxed);
    }

    pub(crate) fn wake_writer(&self) {
        self.writable.notify_one();
    }

    /// Waits until more may be queued. Fails where too many wait already, or nobody will read any more.
    pub(crate) async fn wait_for_room(&self) -> Result<(), Failure> {
        let mut waiting = None;
        loop {
            // Made before the look, so that no news is missed between the two.
            let news = self.room.notified();
            {
                let mut state = self.lock();
                if self.is_over() {
                    return Err(Failure::Unsent);
                }
                if state.has_room() {
                    break;
                }
                if waiting.is_none() {
                    if state.waiting >= MAX_WAITING {
                        return Err(state.overloaded());
                    }
                    state.waiting += 1;
                    waiting = Some(Waiting(self));
                }
            }
            news.await;
        }
        // Who waits behind this one may fit as well.
        if waiting.is_some() {
            self.room.notify_one();
        }
        Ok(())
    }

    pub(crate) fn send(&self, kind: Kind, frame: Vec<u8>) -> Result<(), Failure> {
        self.lock().push(kind, frame)?;
        self.wake_writer();
        Ok(())
    }

    /// Sends what is small and of use only soon, past all that waits.
    pub(crate) fn send_urgent<M: Notification>(&self, params: &M::Params) {
        let mut frame = Vec::with_capacity(96);
        if write::notification(&mut frame, M::METHOD, params).is_ok() {
            let mut state = self.lock();
            if state.queue.urgent() >= MAX_URGENT {
                // It sends what has to be told of, on and on, and does not read that.
                return self.broken_off.notify_one();
            }
            state.queue.push_urgent(Kind::Notification, frame);
            drop(state);
            self.wake_writer();
        }
    }

    /// Ends a request of the other side with its answer. One that finds too many bytes of answers unread before it is
    /// replaced by an error: there is always an answer.
    pub(crate) fn close_request(&self, id: &Id, mut frame: Vec<u8>) {
        let mut state = self.lock();
        if let Some(serving) = state.serving.remove(id) {
            state.serving_bytes -= serving.bytes;
            serving.answered();
        }
        if !state.closed {
            let unread = state.queue.answer_bytes();
            if unread > self.max_answer_bytes {
                let message = format!("the answer was dropped: {unread} bytes of answers wait to be read");
                let error = Error::new(ErrorCode::OVERLOADED, message).with("retry_after_ms", 100);
                frame.clear();
                write::error(&mut frame, Some(id), &error.retryable())
                    .expect("an error of plain strings is JSON");
            }
            state.queue.push(Kind::Answer, frame);
            drop(state);
            self.wake_writer();
        }
    }

    /// Nothing more can be said.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn close_output(&self) {
        self.stop_asking();
        self.wake_writer();
    }

    /// Nothing is taken any more that is to be written.
    pub(crate) fn stop_asking(&self) {
        let mut state = self.lock();
        state.closing = true;
        self.over.store(true, Ordering::Release);
    }

    /// The other side is gone: every call gets its outcome, every handler learns that nobody waits.
    pub(crate) fn close(&self) {
        let (mut pending, serving, queue) = {
            let mut state = self.lock();
            state.closed = true;
            self.over.store(true, Ordering::Release);
            let queue = std::mem::take(&mut state.queue);
            state.serving_bytes = 0;
            (std::mem::take(&mut state.pending), std::mem::take(&mut state.serving), queue)
        };
        for unwritten in queue.requests().filter_map(|request| pending.remove(&request)) {
            unwritten.settle(Err(Failure::Unsent));
        }
        for call in pending.into_values() {
            call.settle(Err(Failure::Closed));
        }
        for request in serving.into_values() {
            request.cancel();
        }
        self.room.notify_waiters();
    }
}

/// Counts one that waits for room.
struct Waiting<'a>(&'a Shared);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}
