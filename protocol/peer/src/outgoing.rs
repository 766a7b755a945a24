//! What this side asks: calls, their outcomes, their progress.

use std::{
    any::Any,
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

use crate::{queue::Kind, shared::Shared};

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
        self.start(self.next_id(), method, params, None, None, Push::InOrder)
    }

    /// Asks past all that waits, also past the bound on bytes: for what is small and of use only soon, as `ping`.
    pub async fn request_urgent<M: Request>(&self, params: &M::Params) -> Result<M::Result, Failure> {
        let result = self.start(self.next_id(), M::METHOD, params, None, None, Push::Urgent).await?;
        read::<M>(&result)
    }

    /// The id of the next request, for [`Peer::call_holding`].
    pub fn next_id(&self) -> i64 {
        self.shared.next_id()
    }

    /// Asks by an id of [`Peer::next_id`], and keeps `held` until the other side's one answer is there: also where
    /// nobody waits for it any more. With progress where `listens`.
    pub fn call_holding(
        &self,
        id: i64,
        method: &str,
        params: &impl Serialize,
        held: Held,
        listens: bool,
    ) -> (Call, Option<ProgressStream>) {
        let (sender, receiver) = listens.then(|| mpsc::channel(PROGRESS_WINDOW)).unzip();
        let call = self.start(id, method, params, sender, Some(held), Push::InOrder);
        let stream = receiver.map(|receiver| self.stream(&call, receiver));
        (call, stream)
    }

    /// Waits until a call may be queued: a side that asks more than the other reads is slowed down.
    /// Fails with `overloaded` where more than 1,024 wait already.
    pub async fn room(&self) -> Result<(), Failure> {
        self.shared.wait_for_room().await
    }

    /// Asks, and listens to `$/progress`.
    pub fn call_with_progress(&self, method: &str, params: &impl Serialize) -> (Call, ProgressStream) {
        let (sender, receiver) = mpsc::channel(PROGRESS_WINDOW);
        let call = self.start(self.next_id(), method, params, Some(sender), None, Push::InOrder);
        let stream = self.stream(&call, receiver);
        (call, stream)
    }

    fn stream(&self, call: &Call, receiver: mpsc::Receiver<Box<RawValue>>) -> ProgressStream {
        ProgressStream { shared: self.shared.clone(), id: call.id, receiver, taken: 0 }
    }

    /// Asks with the method's own types.
    pub async fn request<M: Request>(&self, params: &M::Params) -> Result<M::Result, Failure> {
        let result = self.call(M::METHOD, params).await?;
        read::<M>(&result)
    }

    /// Tells. Fails where too much waits to be written already.
    pub fn notify<M: Notification>(&self, params: &M::Params) -> Result<(), Failure> {
        let mut frame = Vec::new();
        write::notification(&mut frame, M::METHOD, params).map_err(|error| unwritable(M::METHOD, &error))?;
        self.shared.send(Kind::Notification, frame)
    }

    /// No more is asked; what waits is written, then the other side sees the end of its input.
    pub fn close(&self) {
        self.shared.close_output();
    }

    /// Ends the connection at once, for a side that does not keep to the rules: every open call fails.
    pub fn break_off(&self) {
        self.shared.broken_off.notify_one();
    }

    /// Nothing can be asked any more; answers to what was asked before may still come.
    pub fn is_closed(&self) -> bool {
        self.shared.is_over()
    }

    /// Requests of this side without an answer, those that were cancelled included, urgent ones not.
    pub fn open_calls(&self) -> usize {
        self.shared.lock().pending.values().filter(|pending| pending.push == Push::InOrder).count()
    }

    /// Requests of the other side that are being served, or whose answer is not written yet.
    pub fn serving(&self) -> usize {
        let state = self.shared.lock();
        state.serving.len() + state.queue.answers()
    }

    /// How large the requests of the other side are that are being served, in bytes.
    pub fn serving_bytes(&self) -> usize {
        self.shared.lock().serving_bytes
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
        id: i64,
        method: &str,
        params: &impl Serialize,
        progress: Option<mpsc::Sender<Box<RawValue>>>,
        held: Option<Held>,
        push: Push,
    ) -> Call {
        let (sender, outcome) = oneshot::channel();
        let mut frame = self.shared.new_frame();
        let asked = match write::request(&mut frame, &Id::Number(id), method, params) {
            Ok(()) => {
                self.shared.learn_size(&frame);
                self.shared.ask(id, frame, Waiter { outcome: sender, progress }, held, push)
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

/// What lives until an answer is there.
pub type Held = Arc<dyn Any + Send + Sync>;

/// Where a request goes in the queue.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Push {
    InOrder,
    Urgent,
}

/// A request whose one answer is still to come.
pub(crate) struct Pending {
    /// None where nobody waits any more.
    waiter: Option<Waiter>,
    push: Push,
    _held: Option<Held>,
}

struct Waiter {
    outcome: oneshot::Sender<Outcome>,
    progress: Option<mpsc::Sender<Box<RawValue>>>,
}

impl Pending {
    pub(crate) fn settle(self, outcome: Outcome) {
        if let Some(waiter) = self.waiter {
            waiter.settle(outcome);
        }
    }
}

impl Waiter {
    fn settle(self, outcome: Outcome) {
        // The receiver may be dropped at this moment; its answer is then nobody's.
        let _ = self.outcome.send(outcome);
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
        waiter: Waiter,
        held: Option<Held>,
        push: Push,
    ) -> Result<(), (oneshot::Sender<Outcome>, Failure)> {
        let mut state = self.lock();
        let refused = match push {
            Push::InOrder => state.refusal(frame.len()),
            Push::Urgent => self.is_over().then_some(Failure::Unsent),
        };
        if let Some(failure) = refused {
            return Err((waiter.outcome, failure));
        }
        state.pending.insert(id, Pending { waiter: Some(waiter), push, _held: held });
        match push {
            Push::InOrder => state.queue.push(Kind::Request(id), frame),
            Push::Urgent => state.queue.push_urgent(Kind::Request(id), frame),
        }
        drop(state);
        self.wake_writer();
        Ok(())
    }

    /// Takes a request back whose caller is gone.
    fn abandon(&self, id: i64) {
        let mut state = self.lock();
        if state.queue.remove(id) {
            let taken = state.pending.remove(&id);
            drop(state);
            // Not under the lock: what was held may look at the connection as it goes.
            drop(taken);
        } else if let Some(pending) = state.pending.get_mut(&id) {
            let waiter = pending.waiter.take();
            drop(state);
            drop(waiter);
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
        let listener = pending.waiter.as_mut().and_then(|waiter| waiter.progress.as_mut());
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
                let waiter = pending.waiter.take();
                drop(state);
                if let Some(waiter) = waiter {
                    waiter.settle(Err(error.into()));
                }
                self.send_urgent::<Cancel>(&CancelParams { id: Id::Number(id) });
            }
        }
    }
}

fn read<M: Request>(result: &RawValue) -> Result<M::Result, Failure> {
    Ok(serde_json::from_str(result.get()).map_err(|error| bad_response(M::METHOD, &error))?)
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
