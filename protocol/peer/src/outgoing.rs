//! What this side asks: calls, their outcomes, their progress.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use astros_protocol::{
    Error, ErrorCode, Id, MAX_PROGRESS_BYTES, Notification, PROGRESS_WINDOW, Request,
    message::write,
    stream::{AckParams, Cancel, CancelParams},
};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

use crate::shared::Shared;

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// The other side answered with an error.
    #[error("{0}")]
    Error(Error),
    /// This side could not ask, or could not read the answer.
    #[error("{0}")]
    Here(#[from] Error),
    /// The connection ended before the answer came.
    #[error("the connection is closed")]
    Closed,
    /// The connection ended before the request was written: the other side has not begun it.
    #[error("the connection was closed before the request was sent")]
    Unsent,
}

/// The handle to a connection: asks and tells the other side. Clones are cheap.
#[derive(Clone)]
pub struct Peer {
    pub(crate) shared: Arc<Shared>,
}

impl Peer {
    /// Asks. The request is on its way when this returns; its outcome is what the [`Call`] gives.
    pub fn call(&self, method: &str, params: &impl Serialize) -> Call {
        self.start(method, params, None)
    }

    /// Waits until a call may be queued: a side that asks more than the other reads is slowed down.
    /// Fails with `overloaded` where more than 1,024 wait already.
    pub async fn room(&self) -> Result<(), Failure> {
        self.shared.wait_for_room().await
    }

    /// Asks, and listens to `$/progress`.
    pub fn call_with_progress(&self, method: &str, params: &impl Serialize) -> (Call, ProgressStream) {
        let (sender, receiver) = mpsc::channel(PROGRESS_WINDOW);
        let call = self.start(method, params, Some(sender));
        let stream = ProgressStream { shared: self.shared.clone(), id: call.id, receiver, taken: 0 };
        (call, stream)
    }

    /// Asks with the method's own types.
    pub async fn request<M: Request>(&self, params: &M::Params) -> Result<M::Result, Failure> {
        let result = self.call(M::METHOD, params).await?;
        Ok(serde_json::from_str(result.get()).map_err(|error| bad_response(M::METHOD, &error))?)
    }

    /// Tells. Fails where too much waits to be written already.
    pub fn notify<M: Notification>(&self, params: &M::Params) -> Result<(), Failure> {
        let mut frame = Vec::new();
        write::notification(&mut frame, M::METHOD, params).map_err(|error| unwritable(M::METHOD, &error))?;
        self.shared.send(None, frame)
    }

    /// No more is asked; what waits is written, then the other side sees the end of its input.
    pub fn close(&self) {
        self.shared.close_output();
    }

    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Requests of this side without an answer, those that were cancelled included.
    pub fn open_calls(&self) -> usize {
        self.shared.lock().pending.len()
    }

    /// Requests of the other side that are being served.
    pub fn serving(&self) -> usize {
        self.shared.lock().serving.len()
    }

    /// The one request of the other side that is being served; `None` where there is none or are several.
    pub fn sole_request(&self) -> Option<Id> {
        let state = self.shared.lock();
        let mut ids = state.serving.keys();
        ids.next().filter(|_| state.serving.len() == 1).cloned()
    }

    /// Takes the other side's limit on a line, once it is known.
    pub fn set_peer_frame_limit(&self, bytes: usize) {
        self.shared.lock().frame_limit_out = bytes;
    }

    fn start(
        &self,
        method: &str,
        params: &impl Serialize,
        progress: Option<mpsc::Sender<Box<RawValue>>>,
    ) -> Call {
        let (sender, outcome) = oneshot::channel();
        let id = self.shared.next_id();
        let mut frame = self.shared.new_frame();
        let asked = match write::request(&mut frame, &Id::Number(id), method, params) {
            Ok(()) => {
                self.shared.learn_size(&frame);
                self.shared.ask(id, frame, Pending::Waiting { outcome: sender, progress })
            }
            Err(error) => Err((sender, Failure::Here(unwritable(method, &error)))),
        };
        if let Err((sender, failure)) = asked {
            // Nobody else holds the sender; the receiver is right here.
            let _ = sender.send(Err(failure));
        }
        Call { shared: self.shared.clone(), id, outcome, settled: false }
    }
}

type Outcome = Result<Box<RawValue>, Failure>;

/// A request that waits for its answer.
pub(crate) enum Pending {
    Waiting {
        outcome: oneshot::Sender<Outcome>,
        progress: Option<mpsc::Sender<Box<RawValue>>>,
    },
    /// Nobody waits any more; the other side's one answer is still to come.
    Abandoned,
}

impl Pending {
    pub(crate) fn settle(self, outcome: Outcome) {
        if let Pending::Waiting { outcome: sender, .. } = self {
            // The receiver may be dropped at this moment; its answer is then nobody's.
            let _ = sender.send(outcome);
        }
    }
}

/// A request on its way. Dropped before its outcome, it is taken back: unwritten, it is never sent; written, the
/// other side gets `$/cancel`.
pub struct Call {
    shared: Arc<Shared>,
    id: i64,
    outcome: oneshot::Receiver<Outcome>,
    settled: bool,
}

impl Call {
    /// The id that the request has on this connection.
    pub fn id(&self) -> Id {
        Id::Number(self.id)
    }
}

impl Future for Call {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| {
            self.settled = true;
            outcome.unwrap_or(Err(Failure::Closed))
        })
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.settled {
            self.shared.abandon(self.id);
        }
    }
}

/// The progress of one call. Taking a value opens the other side's window again.
pub struct ProgressStream {
    shared: Arc<Shared>,
    id: i64,
    receiver: mpsc::Receiver<Box<RawValue>>,
    taken: u64,
}

impl ProgressStream {
    /// The next value; `None` after the last one.
    pub async fn next(&mut self) -> Option<Box<RawValue>> {
        if self.taken >= PROGRESS_WINDOW as u64 / 2 || (self.taken > 0 && self.receiver.is_empty()) {
            self.shared.acknowledge(self.id, std::mem::take(&mut self.taken));
        }
        let value = self.receiver.recv().await?;
        self.taken += 1;
        Some(value)
    }
}

impl Shared {
    /// Queues a request and remembers who waits for it.
    fn ask(
        &self,
        id: i64,
        frame: Vec<u8>,
        pending: Pending,
    ) -> Result<(), (oneshot::Sender<Outcome>, Failure)> {
        let mut state = self.lock();
        let refused = state.refusal(frame.len());
        match (refused, pending) {
            (Some(failure), Pending::Waiting { outcome, .. }) => Err((outcome, failure)),
            (_, pending) => {
                state.pending.insert(id, pending);
                state.queue.push(Some(id), frame);
                drop(state);
                self.wake_writer();
                Ok(())
            }
        }
    }

    /// Takes a request back whose caller is gone.
    fn abandon(&self, id: i64) {
        let mut state = self.lock();
        if state.queue.remove(id) {
            state.pending.remove(&id);
            return;
        }
        if let Some(pending) = state.pending.get_mut(&id) {
            *pending = Pending::Abandoned;
            drop(state);
            self.send_urgent::<Cancel>(&CancelParams { id: Id::Number(id) });
        }
    }

    pub(crate) fn acknowledge(&self, id: i64, count: u64) {
        if self.lock().pending.contains_key(&id) {
            self.send_urgent::<astros_protocol::stream::Ack>(&AckParams { id: Id::Number(id), count });
        }
    }

    /// The other side's answer; false where nothing of that id is open.
    pub(crate) fn answered(&self, id: &Id, outcome: Outcome) -> bool {
        let Id::Number(number) = id else { return false };
        let pending = self.lock().pending.remove(number);
        pending.map(|pending| pending.settle(outcome)).is_some()
    }

    /// The other side's progress; what is too much or too large ends the call.
    pub(crate) fn progressed(&self, id: i64, value: &RawValue) {
        let mut state = self.lock();
        let Some(pending) = state.pending.get_mut(&id) else { return };
        let listener = match pending {
            Pending::Waiting { progress, .. } => progress.as_mut(),
            Pending::Abandoned => None,
        };
        let refused = if value.get().len() > MAX_PROGRESS_BYTES {
            Some(format!("a progress of {} bytes, the limit is {MAX_PROGRESS_BYTES}", value.get().len()))
        } else if let Some(listener) = listener {
            match listener.try_send(value.to_owned()) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Closed(_)) => None,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    Some(format!("more than {PROGRESS_WINDOW} unacknowledged progress messages"))
                }
            }
        } else {
            None
        };
        match refused {
            None => {
                drop(state);
                self.acknowledge(id, 1);
            }
            Some(what) => {
                let error = Error::new(ErrorCode::BAD_RESPONSE, what);
                std::mem::replace(pending, Pending::Abandoned).settle(Err(error.into()));
                drop(state);
                self.send_urgent::<Cancel>(&CancelParams { id: Id::Number(id) });
            }
        }
    }
}

fn bad_response(method: &str, error: &serde_json::Error) -> Error {
    Error::new(ErrorCode::BAD_RESPONSE, format!("the answer to `{method}` does not fit: {error}"))
}

fn unwritable(method: &str, error: &serde_json::Error) -> Error {
    Error::new(
        ErrorCode::INVALID_PARAMS,
        format!("the params of `{method}` cannot be written as JSON: {error}"),
    )
}
