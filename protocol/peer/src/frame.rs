//! Lines out of a byte stream, in bounded memory.
//!
//! The state lives in the reader, not in a future, so a read that is dropped half-way loses nothing.
//! A line over the limit is thrown away while it comes in; its first bytes are kept, so that whoever asked can be
//! told, and reading goes on with the next line. So is one that finds the budget for large lines used up, which all
//! readers of the process share.

use std::{
    io,
    ops::Range,
    sync::atomic::{AtomicUsize, Ordering},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// What is kept of a line that is too long.
const PREFIX: usize = 256;
/// The least that one read asks for.
const READ: usize = 64 << 10;
/// A buffer that grew beyond this for a large frame takes from the budget, and is given back when it is empty.
const KEEP: usize = 1 << 20;

/// What all readers of this process may hold for large lines at once.
static LARGE: Budget = Budget::new(64 << 20);

/// Bytes that readers share.
#[derive(Debug)]
struct Budget {
    left: AtomicUsize,
}

impl Budget {
    const fn new(bytes: usize) -> Budget {
        Budget { left: AtomicUsize::new(bytes) }
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// One line, its end excluded.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Line(&'a [u8]),
    /// The line was longer than the limit; where that is `None`, there was no room for it at that time.
    TooLarge {
        size: usize,
        limit: Option<usize>,
        prefix: &'a [u8],
    },
}

/// Splits a stream into lines; `\r\n` ends a line as `\n` does, empty lines are passed over.
#[derive(Debug)]
pub struct FrameReader<R> {
    input: R,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the line that is being read begins, and how far it was searched for its end.
    start: usize,
    searched: usize,
    oversized: Option<Oversized>,
    budget: &'static Budget,
    /// What the buffer took from the budget.
    taken: usize,
}

#[derive(Debug)]
struct Oversized {
    size: usize,
    limit: Option<usize>,
    prefix: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Lines of more than `limit` bytes are not kept.
    pub fn new(input: R, limit: usize) -> FrameReader<R> {
        FrameReader::with_budget(input, limit, &LARGE)
    }

    fn with_budget(input: R, limit: usize, budget: &'static Budget) -> FrameReader<R> {
        let (buffer, oversized) = (Vec::new(), None);
        FrameReader { input, limit, buffer, start: 0, searched: 0, oversized, budget, taken: 0 }
    }

    /// The next line that is there already; `None` where more must be read.
    pub fn buffered(&mut self) -> Option<Frame<'_>> {
        if self.oversized.as_ref().is_some_and(|oversized| oversized.ended) {
            self.oversized = None;
        }
        loop {
            let line = self.next_line()?;
            if let Some(oversized) = &mut self.oversized {
                oversized.size += line.len();
                oversized.ended = true;
                break;
            }
            let bytes = &self.buffer[line.clone()];
            if bytes.len() > self.limit {
                self.oversized = Some(Oversized::new(bytes, Some(self.limit), true));
                break;
            }
            let length = bytes.strip_suffix(b"\r").unwrap_or(bytes).len();
            if length > 0 {
                return Some(Frame::Line(&self.buffer[line.start..line.start + length]));
            }
        }
        let oversized = self.oversized.as_ref();
        oversized.map(|Oversized { size, limit, prefix, .. }| Frame::TooLarge {
            size: *size,
            limit: *limit,
            prefix,
        })
    }

    /// Where the next whole line stands in the buffer.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) else {
            self.searched = self.buffer.len();
            self.discard_oversized();
            return None;
        };
        let line = self.start..self.searched + end;
        (self.start, self.searched) = (line.end + 1, line.end + 1);
        Some(line)
    }

    /// Reads once; false at the end of the stream. Safe to drop while it waits.
    pub async fn fill(&mut self) -> io::Result<bool> {
        self.make_room();
        Ok(self.input.read_buf(&mut self.buffer).await? > 0)
    }

    /// What the stream ended with: a last line without its end.
    pub fn rest(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    fn discard_oversized(&mut self) {
        let line = &self.buffer[self.start..];
        if self.oversized.is_some() || line.len() > self.limit {
            self.discard(Some(self.limit));
        }
    }

    /// Throws away what there is of the line.
    fn discard(&mut self, limit: Option<usize>) {
        let line = &self.buffer[self.start..];
        match &mut self.oversized {
            Some(oversized) => oversized.size += line.len(),
            None => self.oversized = Some(Oversized::new(line, limit, false)),
        }
        (self.start, self.searched) = (self.buffer.len(), self.buffer.len());
    }

    fn make_room(&mut self) {
        self.move_to_front();
        let filled = self.buffer.len();
        if self.buffer.capacity() - filled >= READ {
            return;
        }
        // A line that is long already will be longer: doubling keeps the copies few.
        let more = filled.min(self.limit.saturating_add(READ).saturating_sub(filled)).max(READ);
        if filled + more <= KEEP {
            return self.buffer.reserve(more);
        }
        let large = (filled + more - KEEP).saturating_sub(self.taken);
        if self.budget.take(large) {
            self.taken += large;
            self.buffer.reserve_exact(more);
        } else {
            self.discard(None);
            self.make_room();
        }
    }

    fn move_to_front(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            if self.buffer.capacity() > KEEP {
                self.buffer = Vec::new();
            }
            self.budget.give_back(std::mem::take(&mut self.taken));
        } else if self.start > 0 {
            self.buffer.drain(..self.start);
        }
        self.searched -= self.start;
        self.start = 0;
    }
}

impl<R> Drop for FrameReader<R> {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

impl Oversized {
    fn new(line: &[u8], limit: Option<usize>, ended: bool) -> Oversized {
        Oversized { size: line.len(), limit, prefix: line[..PREFIX.min(line.len())].to_vec(), ended }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every frame of `input`, as it comes in pieces of `piece` bytes.
    async fn frames(input: &[u8], limit: usize, piece: usize) -> Vec<Result<Vec<u8>, usize>> {
        let mut reader = FrameReader::new(Pieces { input, piece }, limit);
        let mut found = Vec::new();
        loop {
            while let Some(frame) = reader.buffered() {
                found.push(match frame {
                    Frame::Line(line) => Ok(line.to_vec()),
                    Frame::TooLarge { size, .. } => Err(size),
                });
            }
            assert!(reader.buffer.len() <= limit + 2 * piece.max(1), "memory is bounded");
            if !reader.fill().await.unwrap() {
                return found;
            }
        }
    }

    struct Pieces<'a> {
        input: &'a [u8],
        piece: usize,
    }

    impl AsyncRead for Pieces<'_> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            out: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            let (now, later) = self.input.split_at(self.piece.min(self.input.len()).min(out.remaining()));
            out.put_slice(now);
            self.input = later;
            std::task::Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn reads_on_after_a_line_that_is_too_long() {
        let mut input = b"{}\n".to_vec();
        input.extend([b'x'; 5_000]);
        input.extend(b"\n\r\n\nnext\r\nrest");
        for piece in [1, 7, 4_096, 100_000] {
            let found = frames(&input, 1_000, piece).await;
            assert_eq!(found, [Ok(b"{}".to_vec()), Err(5_000), Ok(b"next".to_vec())], "pieces of {piece}");
        }
    }

    #[tokio::test]
    async fn keeps_the_beginning_of_a_line_that_is_too_long() {
        let input = [b"{\"id\":7".as_slice(), &[b' '; 2_000], b"}\n"].concat();
        let mut reader = FrameReader::new(Pieces { input: &input, piece: 100 }, 500);
        while reader.fill().await.unwrap() {
            if let Some(Frame::TooLarge { size, prefix, .. }) = reader.buffered() {
                assert_eq!(size, input.len() - 1);
                assert!(prefix.starts_with(b"{\"id\":7"));
                return;
            }
        }
        panic!("the line was not reported");
    }

    #[tokio::test]
    async fn reads_only_so_many_large_lines_at_once() {
        static BUDGET: Budget = Budget::new(2 << 20);
        let line = [vec![b'x'; 4 << 20], b"\nnext\n".to_vec()].concat();
        let reader = |input| FrameReader::with_budget(Pieces { input, piece: READ }, 16 << 20, &BUDGET);
        // It holds what it read of its line; the other one finds too little left.
        let mut first = reader(&line);
        while first.buffer.len() < 2 << 20 {
            assert!(first.buffered().is_none() && first.fill().await.unwrap());
        }
        let mut second = reader(&line);
        let mut seen = Vec::new();
        while second.fill().await.unwrap() {
            assert!(second.buffer.capacity() <= 2 << 20, "memory is bounded");
            while let Some(frame) = second.buffered() {
                seen.push(match frame {
                    Frame::Line(line) => line.len(),
                    Frame::TooLarge { size, limit, .. } => {
                        assert_eq!(limit, None);
                        size
                    }
                });
            }
        }
        assert_eq!(seen, [4 << 20, 4], "it reads on after the line that it had no room for");
        drop((first, second));
        assert_eq!(BUDGET.left.load(Ordering::Relaxed), 2 << 20, "what was taken is given back");
    }

    proptest! {
        #[test]
        fn splits_alike_however_the_bytes_arrive(
            lines in prop::collection::vec(prop::collection::vec(prop::num::u8::ANY, 0..60), 0..8),
            piece in 1usize..70,
        ) {
            let input = lines.join(&b'\n');
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let whole = runtime.block_on(frames(&input, 40, 100_000));
            prop_assert_eq!(runtime.block_on(frames(&input, 40, piece)), whole);
        }
    }
}
