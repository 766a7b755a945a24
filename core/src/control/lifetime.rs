//! How long a daemon goes on: the requests that are open, whether new ones are taken, and the wish that it stops.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use astros_protocol::{Error, ErrorCode};
use tokio::sync::watch;

/// What connections and the daemon's main loop share.
pub(super) struct Lifetime {
    /// Whether a client may ask it to stop: one that is embedded ends with its command.
    stays: bool,
    /// Requests that are open.
    requests: watch::Sender<usize>,
    stage: watch::Sender<Stage>,
    connections: Arc<AtomicUsize>,
}

/// A connection, as long as somebody keeps it.
pub(super) struct Connection(Arc<AtomicUsize>);

/// One way only.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Stage {
    Serving,
    /// A client wants it to stop.
    Asked,
    /// New requests are refused.
    Draining,
}

impl Lifetime {
    pub(super) fn new(stays: bool) -> Lifetime {
        let (requests, stage) = (watch::Sender::new(0), watch::Sender::new(Stage::Serving));
        Lifetime { stays, requests, stage, connections: Arc::default() }
    }

    /// Counts a connection until what it gives is dropped.
    pub(super) fn connect(&self) -> Connection {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Connection(self.connections.clone())
    }

    /// How many connections there are.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Takes a new request on, or refuses it where the daemon is about to stop.
    pub(super) fn begin(&self) -> Result<Open<'_>, Error> {
        if self.is_draining() {
            let error =
                Error::new(ErrorCode::SHUTTING_DOWN, "the daemon is stopping and takes no new requests");
            return Err(error.with_hint("the same command works when it has ended").retryable());
        }
        self.requests.send_modify(|open| *open += 1);
        Ok(Open(self))
    }

    /// A client wants the daemon to stop; false where this is not to be had.
    pub(super) fn ask_to_stop(&self) -> bool {
        if self.stays {
            self.advance(Stage::Asked);
        }
        self.stays
    }

    /// Resolves when a client wants the daemon to stop.
    pub(super) async fn asked_to_stop(&self) {
        // It lives as long as the sender in it.
        let _ = self.stage.subscribe().wait_for(|stage| *stage >= Stage::Asked).await;
    }

    /// Refuses new requests from now on.
    pub(super) fn drain(&self) {
        self.advance(Stage::Draining);
    }

    pub(super) fn is_draining(&self) -> bool {
        *self.stage.borrow() == Stage::Draining
    }

    /// Resolves when no request is open.
    pub(super) async fn idle(&self) {
        let _ = self.requests.subscribe().wait_for(|open| *open == 0).await;
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let later = *stage < to;
            if later {
                *stage = to;
            }
            later
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is open, until this is dropped.
pub(super) struct Open<'a>(&'a Lifetime);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.requests.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn refuses_what_comes_while_it_drains_and_waits_for_what_came_before() {
        let lifetime = Lifetime::new(true);
        let open = lifetime.begin().unwrap();
        lifetime.drain();
        assert_eq!(lifetime.begin().err().unwrap().code, ErrorCode::SHUTTING_DOWN);
        assert!(lifetime.idle().now_or_never().is_none());
        drop(open);
        assert!(lifetime.idle().now_or_never().is_some());
    }

    #[test]
    fn is_asked_to_stop_only_where_it_stays() {
        assert!(!Lifetime::new(false).ask_to_stop());
        let lifetime = Lifetime::new(true);
        assert!(lifetime.asked_to_stop().now_or_never().is_none());
        assert!(lifetime.ask_to_stop());
        assert!(lifetime.asked_to_stop().now_or_never().is_some());
    }
}
