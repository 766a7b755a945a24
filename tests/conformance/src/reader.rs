//! Reads lines, each within a limit: what is longer is thrown away while it is read.

use tokio::io::{AsyncRead, AsyncReadExt};

/// How much of a line that is too long is kept, to be shown.
const KEPT: usize = 1 << 10;

/// What the stream gave.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// A line without its end.
    Line(Vec<u8>),
    TooLong {
        size: usize,
        begin: Vec<u8>,
    },
    /// The stream's end, with what came after the last line.
    End(Vec<u8>),
}

pub(crate) struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// How much of the buffer was looked through.
    seen: usize,
    /// How much of a line that is too long was thrown away.
    thrown: usize,
    begin: Vec<u8>,
    pub(crate) limit: usize,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(input: R, limit: usize) -> Reader<R> {
        Reader { input, buffer: Vec::new(), seen: 0, thrown: 0, begin: Vec::new(), limit }
    }

    /// The next piece. Nothing is lost where this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Piece {
        loop {
            if let Some(piece) = self.buffered() {
                return piece;
            }
            if self.input.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                self.seen = 0;
                return Piece::End(std::mem::take(&mut self.buffer));
            }
        }
    }

    /// How many bytes came of a line that has no end yet.
    pub(crate) fn unfinished(&self) -> usize {
        self.thrown + self.buffer.len()
    }

    fn buffered(&mut self) -> Option<Piece> {
        let end = self.buffer[self.seen..].iter().position(|byte| *byte == b'\n').map(|at| self.seen + at);
        let Some(end) = end else {
            self.seen = self.buffer.len();
            if self.seen > self.limit {
                self.throw_away(self.seen);
            }
            return None;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).take(end).collect();
        self.seen = 0;
        if self.thrown + line.len() <= self.limit {
            return Some(Piece::Line(line));
        }
        let size = std::mem::take(&mut self.thrown) + line.len();
        let mut begin = std::mem::take(&mut self.begin);
        begin.extend_from_slice(&line[..line.len().min(KEPT.saturating_sub(begin.len()))]);
        Some(Piece::TooLong { size, begin })
    }

    fn throw_away(&mut self, count: usize) {
        let room = KEPT.saturating_sub(self.begin.len());
        self.begin.extend_from_slice(&self.buffer[..count.min(room)]);
        self.thrown += count;
        self.buffer.clear();
        self.seen = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_lines_and_throws_away_what_is_too_long() {
        let long = "y".repeat(100_000);
        let text = format!("one\n\n{}\n{long}\ntwo\nrest", "x".repeat(8));
        let mut reader = Reader::new(text.as_bytes(), 8);
        assert_eq!(reader.next().await, Piece::Line(b"one".to_vec()));
        assert_eq!(reader.next().await, Piece::Line(Vec::new()));
        assert_eq!(reader.next().await, Piece::Line(vec![b'x'; 8]));
        let Piece::TooLong { size, begin } = reader.next().await else { panic!("it is too long") };
        assert_eq!((size, begin[0]), (100_000, b'y'));
        assert_eq!(reader.next().await, Piece::Line(b"two".to_vec()));
        assert_eq!(reader.next().await, Piece::End(b"rest".to_vec()));
    }
}
