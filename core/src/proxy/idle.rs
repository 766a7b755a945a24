//! A stream that knows how much went over it, and when something did last.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep_until},
};

/// What went over a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    pub(super) read: u64,
    pub(super) written: u64,
    last: Instant,
}

/// Shared by a stream and who watches it. A std mutex: held for an addition.
#[derive(Clone, Debug)]
pub(super) struct Meter(Arc<Mutex<Moved>>);

impl Meter {
    pub(super) fn new() -> Meter {
        Meter(Arc::new(Mutex::new(Moved { read: 0, written: 0, last: Instant::now() })))
    }

    pub(super) fn moved(&self) -> Moved {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves when nothing moved for so long.
    pub(super) async fn idle(&self, limit: Duration) {
        loop {
            let due = self.moved().last + limit;
            if due <= Instant::now() {
                return;
            }
            sleep_until(due).await;
        }
    }

    fn add(&self, read: usize, written: usize) {
        let mut moved = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        moved.read += read as u64;
        moved.written += written as u64;
        moved.last = Instant::now();
    }
}

/// A stream with a meter.
#[derive(Debug)]
pub(super) struct Metered<S> {
    pub(super) stream: S,
    pub(super) meter: Meter,
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.meter.add(buffer.filled().len() - before, 0);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.meter.add(0, written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
