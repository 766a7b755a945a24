//! The frame reader: the same lines however the bytes come, and no more memory than it may take.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use astros_peer::frame::{Frame, FrameReader};
use fastrand::Rng;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, ReadBuf};

/// Lines may be so long, by the first byte.
const LIMITS: [usize; 6] = [0, 1, 7, 100, 300, 2 << 20];
/// This byte stands for so many, so that small inputs make large lines.
const LARGE: (u8, usize) = (0xfe, 100_000);
const MOST_LARGE: usize = 40;
/// What is kept of a line that is too long, and what one read asks for at least.
const PREFIX: usize = 256;
const READ: usize = 64 << 10;

/// A frame, as it is compared.
#[derive(Debug, PartialEq)]
enum Seen {
    Line(Vec<u8>),
    TooLarge(usize),
}

pub(super) fn run(data: &[u8]) {
    let [limit, cuts, data @ ..] = data else { return };
    let limit = LIMITS[usize::from(*limit) % LIMITS.len()];
    let input = expanded(data);
    let (expected, rest) = expected(&input, limit);
    let reader =
        FrameReader::new(Pieces { input: &input, random: Rng::with_seed(u64::from(*cuts)), limit }, limit);
    let (seen, left) = frames(reader, &input, limit);
    assert!(seen == expected, "limit {limit}: found {seen:.300?}, expected {expected:.300?}");
    if rest.len() <= limit {
        assert_eq!(left, rest, "what the stream ended with");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let texts =
        ["{}\r\n\n{\"a\":1}\nrest", "\r\n\r\r\n", "xxxxxxxxxxxxxxxx\n\nabc\n", "a\n\u{e9}\nfff\n", ""];
    let mut seeds: Vec<Vec<u8>> = (0..6_u8)
        .flat_map(|limit| texts.map(|text| [&[limit, limit * 40], text.as_bytes()].concat()))
        .collect();
    seeds.push([&[5, 0][..], &[LARGE.0; 30], b"\nnext\n", &[LARGE.0; 12], b"\n"].concat());
    seeds
}

fn expanded(data: &[u8]) -> Vec<u8> {
    let mut large = 0;
    let mut input = Vec::new();
    for byte in data {
        large += usize::from(*byte == LARGE.0);
        let times = if *byte == LARGE.0 && large <= MOST_LARGE { LARGE.1 } else { 1 };
        input.resize(input.len() + times, *byte);
    }
    input
}

/// What the frames are, said in the shortest way.
fn expected(input: &[u8], limit: usize) -> (Vec<Seen>, &[u8]) {
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let rest = lines.pop().unwrap_or_default();
    let seen = lines.into_iter().filter_map(|line| match line.strip_suffix(b"\r").unwrap_or(line) {
        _ if line.len() > limit => Some(Seen::TooLarge(line.len())),
        [] => None,
        line => Some(Seen::Line(line.to_vec())),
    });
    (seen.collect(), rest)
}

fn frames(mut reader: FrameReader<Pieces<'_>>, input: &[u8], limit: usize) -> (Vec<Seen>, Vec<u8>) {
    let mut seen = Vec::new();
    loop {
        while let Some(frame) = reader.buffered() {
            seen.push(match frame {
                Frame::Line(line) => Seen::Line(line.to_vec()),
                Frame::TooLarge { size, limit: said, prefix } => {
                    assert_eq!(said, Some(limit), "nobody else has large lines");
                    assert!(prefix.len() >= PREFIX.min(limit + 1) && prefix.len() <= PREFIX.min(size));
                    assert!(input.windows(prefix.len()).any(|window| window == prefix), "it was read");
                    Seen::TooLarge(size)
                }
            });
        }
        if !reader.fill().now_or_never().expect("the bytes are there").expect("they can be read") {
            return (seen, reader.rest().to_vec());
        }
    }
}

/// Gives the input in pieces of random length.
struct Pieces<'a> {
    input: &'a [u8],
    random: Rng,
    limit: usize,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        assert!(out.remaining() <= 2 * (self.limit + 2 * READ), "memory is bounded: {}", out.remaining());
        let longest = if self.input.len() > 10_000 { 1 << 17 } else { 1 << self.random.u32(..8) };
        let piece = 1 + self.random.usize(..longest);
        let (now, later) = self.input.split_at(piece.min(self.input.len()).min(out.remaining()));
        out.put_slice(now);
        self.input = later;
        Poll::Ready(Ok(()))
    }
}
