//! A plugin's stderr: read to its end in bounded memory, told line by line, its last lines kept as last words.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use astros_protocol::{Extra, person::Level};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::Instant,
};

use super::{Secrets, event::LogLine, level::Levels, words};

/// So many lines are last words.
const LAST_WORDS: usize = 50;
/// The rest of a longer line is not kept.
const LINE: usize = 8 << 10;
/// So many lines are told in a second; a flood is counted, and still read, so that it stops nobody.
const LINES_A_SECOND: u32 = 1_000;

/// The last lines of a plugin's output.
#[derive(Debug, Default)]
pub(crate) struct LastWords {
    // A std mutex: held for one push, never across an await.
    lines: Mutex<VecDeque<String>>,
}

impl LastWords {
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.len() == LAST_WORDS {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads to the end, and tells each line, without secrets.
pub(crate) async fn read(
    mut input: impl AsyncRead + Unpin,
    secrets: &Secrets,
    words: &LastWords,
    tell: impl Fn(LogLine),
) {
    let mut lines = Lines { levels: Levels::default(), pace: Pace::new(), secrets, words, tell };
    let mut line = Line::default();
    let mut buffer = vec![0; LINE];
    while let Ok(read @ 1..) = input.read(&mut buffer).await {
        for part in buffer[..read].split_inclusive(|byte| *byte == b'\n') {
            let (part, ended) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            line.extend(part);
            if ended {
                lines.tell(&line.take());
            }
        }
        // A pipe that never runs dry would keep the thread from everybody else.
        tokio::task::yield_now().await;
    }
    if line.length > 0 {
        lines.tell(&line.take());
    }
    lines.tell_dropped();
}

/// A line that grows, and not beyond its bound.
#[derive(Default)]
struct Line {
    kept: Vec<u8>,
    length: usize,
}

impl Line {
    fn extend(&mut self, part: &[u8]) {
        let room = LINE - self.kept.len();
        self.kept.extend_from_slice(&part[..part.len().min(room)]);
        self.length += part.len();
    }

    fn take(&mut self) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).trim_end_matches('\r').to_owned();
        if self.length > LINE {
            text.push_str(&format!(" … ({} bytes more)", self.length - LINE));
        }
        self.kept.clear();
        self.length = 0;
        text
    }
}

struct Lines<'a, F> {
    levels: Levels,
    pace: Pace,
    secrets: &'a Secrets,
    words: &'a LastWords,
    tell: F,
}

impl<F: Fn(LogLine)> Lines<'_, F> {
    fn tell(&mut self, line: &str) {
        if line.trim().is_empty() {
            return;
        }
        if !self.pace.admits() {
            // Only what is last matters of a flood.
            let mut line = words::printable(line);
            self.secrets.hide(&mut line);
            return self.words.push(line);
        }
        self.tell_dropped();
        let mut line = self.levels.read(line);
        self.secrets.hide(&mut line.message);
        self.secrets.hide_in_members(&mut line.fields);
        self.words.push(line.message.clone());
        (self.tell)(line);
    }

    fn tell_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.pace.dropped);
        if dropped > 0 {
            let message = format!("{dropped} lines were dropped: more than {LINES_A_SECOND} in a second");
            (self.tell)(LogLine { level: Level::Warn, message, fields: Extra::new() });
        }
    }
}

/// Admits so many lines in each second.
struct Pace {
    since: Instant,
    admitted: u32,
    dropped: u64,
}

impl Pace {
    fn new() -> Pace {
        Pace { since: Instant::now(), admitted: 0, dropped: 0 }
    }

    fn admits(&mut self) -> bool {
        if self.admitted >= LINES_A_SECOND {
            // The clock is read only here: lines at an ordinary pace cost nothing.
            if self.since.elapsed() < Duration::from_secs(1) {
                self.dropped += 1;
                return false;
            }
            self.since = Instant::now();
            self.admitted = 0;
        }
        self.admitted += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    async fn told(input: &[u8]) -> (Vec<LogLine>, Vec<String>) {
        let (words, told) = (LastWords::default(), RefCell::new(Vec::new()));
        read(input, &Secrets::default(), &words, |line| told.borrow_mut().push(line)).await;
        (told.into_inner(), words.lines())
    }

    #[tokio::test]
    async fn cuts_long_lines_and_keeps_what_is_no_utf8() {
        let mut input = vec![b'x'; 20_000];
        input.extend_from_slice(b"\n\xffok\r\n\n  \nunended");
        let (told, words) = told(&input).await;
        assert_eq!(told.len(), 3);
        assert!(told[0].message.ends_with("x … (11808 bytes more)"), "{}", told[0].message);
        assert_eq!(words[1..], ["\u{fffd}ok", "unended"]);
    }

    #[tokio::test]
    async fn tells_a_flood_as_a_number_and_keeps_its_last_words() {
        let flood: String = (0..50_000).map(|line| format!("line {line}\n")).collect();
        let (told, words) = told(flood.as_bytes()).await;
        assert_eq!(told.len(), LINES_A_SECOND as usize + 1);
        assert!(told.last().unwrap().message.starts_with("49000 lines were dropped"));
        assert_eq!((words.len(), words[49].as_str()), (LAST_WORDS, "line 49999"));
    }
}
