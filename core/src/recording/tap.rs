//! A stream of a plugin's process that, where it is recorded, tells what passes through it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Source, Tape};

/// Passes everything on. Without a tape it does nothing else.
pub struct Tap<S> {
    stream: S,
    heard: Option<Heard>,
}

impl<S> Tap<S> {
    /// What passes through `stream` is written by `source`.
    pub fn new(stream: S, source: Source, tape: Option<&Tape>) -> Tap<S> {
        let heard = tape.map(|tape| Heard { tape: tape.clone(), source, line: Vec::new(), length: 0 });
        Tap { stream, heard }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if let Some(heard) = &mut self.heard {
            match &buffer.filled()[before..] {
                [] => heard.end(),
                bytes => heard.bytes(bytes),
            }
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        if let (Some(heard), Ok(length)) = (&mut self.heard, &written) {
            heard.bytes(&bytes[..*length]);
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(heard) = &mut self.heard {
            heard.end();
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The lines of one stream.
struct Heard {
    tape: Tape,
    source: Source,
    /// The line that is not ended yet, as much of it as is kept.
    line: Vec<u8>,
    length: usize,
}

impl Heard {
    fn bytes(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (part, ended) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            let room = astros_protocol::MAX_FRAME_BYTES.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            self.length += part.len();
            if ended {
                self.tell();
            }
        }
    }

    fn tell(&mut self) {
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
            self.length -= 1;
        }
        if !self.line.is_empty() {
            self.tape.wrote(self.source, &self.line, self.length);
        }
        self.line.clear();
        self.length = 0;
    }

    /// The stream has ended.
    fn end(&mut self) {
        self.tell();
        if self.source == Source::Host {
            self.tape.closed();
        }
    }
}
