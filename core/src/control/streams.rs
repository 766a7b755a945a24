//! The streams that clients lend for what they run in their foreground, and the signals for what runs on them.
//!
//! A client of the socket connects to a second one beside it, and sends its standard input, output and error with one
//! byte; the answer is a token that a request names. What was lent and not used goes with that connection.

use std::{
    io,
    os::fd::AsFd,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use astros_protocol::{Error, ErrorCode};
use foldhash::HashMap;
use nix::sys::signal::Signal as Named;
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::UnixStream,
    sync::{mpsc, oneshot},
};

use super::{failure, socket};
use crate::supervisor::{Signalled, Streams, descriptors};

/// Signals that wait for a process; who sends more waits itself.
const WAITING: usize = 8;
/// The length of a token.
const TOKEN: usize = 32;

/// What was lent, and what runs on it, by token.
#[derive(Default)]
pub(super) struct Lent(Mutex<HashMap<String, Loan>>);

enum Loan {
    Unused(Streams),
    /// It runs, and takes signals.
    Used(mpsc::Sender<Signalled>),
}

impl Lent {
    /// Keeps streams until they are used; gives their token.
    pub(super) fn keep(&self, streams: Streams) -> String {
        let token = format!("{:0TOKEN$x}", fastrand::u128(..));
        self.lock().insert(token.clone(), Loan::Unused(streams));
        token
    }

    /// Takes the streams of a token for what runs on them; signals reach it while the guard lives.
    ///
    /// # Errors
    /// Nobody lent them, or they are in use.
    pub(super) fn take(
        self: &Arc<Self>,
        token: &str,
    ) -> Result<(Streams, mpsc::Receiver<Signalled>, Used), Error> {
        let (sender, signals) = mpsc::channel(WAITING);
        let mut lent = self.lock();
        match lent.remove(token) {
            Some(Loan::Unused(streams)) => {
                lent.insert(token.to_owned(), Loan::Used(sender));
                Ok((streams, signals, Used { lent: self.clone(), token: token.to_owned() }))
            }
            other => {
                other.into_iter().for_each(|other| drop(lent.insert(token.to_owned(), other)));
                Err(unknown())
            }
        }
    }

    /// Sends a signal to what runs; resolves when it has it, and after a stop, when it has stopped.
    ///
    /// # Errors
    /// Nothing runs on these streams, or there is no such signal.
    pub(super) async fn signal(&self, token: &str, name: &str) -> Result<(), Error> {
        let signal = name.parse().ok().and_then(|named: Named| Signal::from_named_raw(named as i32));
        let signal = signal.ok_or_else(|| {
            let message = format!("there is no signal `{name}`, expected one such as `SIGINT`");
            Error::new(ErrorCode::INVALID_PARAMS, message)
        })?;
        let sender = match self.lock().get(token) {
            Some(Loan::Used(sender)) => sender.clone(),
            _ => return Err(unknown()),
        };
        let (done, told) = oneshot::channel();
        // What has ended meanwhile needs no signal.
        if sender.send(Signalled { signal, done }).await.is_ok() {
            let _ = told.await;
        }
        Ok(())
    }

    /// Takes one loan, and forgets it with its connection.
    pub(super) async fn serve(&self, mut stream: UnixStream) -> io::Result<()> {
        let (_, came) =
            stream.async_io(Interest::READABLE, || descriptors::receive(&stream, &mut [0])).await?;
        let Ok(streams) = <Streams>::try_from(came) else { return Ok(()) };
        let token = self.keep(streams);
        let told = stream.write_all(token.as_bytes()).await;
        if told.is_ok() {
            // Only its end is to come.
            let _ = stream.read(&mut [0]).await;
        }
        let mut lent = self.lock();
        if matches!(lent.get(&token), Some(Loan::Unused(_))) {
            lent.remove(&token);
        }
        told
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Loan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams that something runs on, until this is dropped.
pub(super) struct Used {
    lent: Arc<Lent>,
    token: String,
}

impl Drop for Used {
    fn drop(&mut self) {
        self.lent.lock().remove(&self.token);
    }
}

/// What a client has lent. Dropped before it is used, it is given back.
pub struct Lease {
    /// What a request names.
    pub token: String,
    _connection: Option<UnixStream>,
}

impl Lease {
    /// Lends streams to the daemon of a runtime folder.
    pub(super) async fn over(runtime: &Path, streams: &Streams) -> Result<Lease, Error> {
        let lost = |error: io::Error| failure::gone(&format!("it does not take the streams: {error}"));
        let stream = socket::connect_for_streams(runtime).await?;
        let mut stream =
            stream.ok_or_else(|| failure::gone("it takes no streams: it is of an older version"))?;
        let beside: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
        let send = || descriptors::send(&stream, &[0], &beside);
        stream.async_io(Interest::WRITABLE, send).await.map_err(lost)?;
        let mut token = [0; TOKEN];
        stream.read_exact(&mut token).await.map_err(lost)?;
        let token = String::from_utf8_lossy(&token).into_owned();
        Ok(Lease { token, _connection: Some(stream) })
    }

    /// Lends streams within this process.
    pub(super) fn here(lent: &Lent, streams: Streams) -> Lease {
        Lease { token: lent.keep(streams), _connection: None }
    }
}

fn unknown() -> Error {
    let error = Error::new(ErrorCode::INVALID_PARAMS, "no streams are lent under this token");
    error.with_hint("a client lends its own over the socket; by HTTP there are none to lend")
}
