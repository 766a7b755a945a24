//! Frames that wait to be written: bounded in bytes, some overtaking, unwritten ones taken out again.

use std::collections::VecDeque;

/// The most that is put together for one write.
const BATCH: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    frames: VecDeque<Queued>,
    /// `$/ack`, `$/cancel` and `ping`: small, and of use only soon.
    urgent: VecDeque<Queued>,
    bytes: usize,
    answers: usize,
    answer_bytes: usize,
}

#[derive(Debug)]
struct Queued {
    kind: Kind,
    frame: Vec<u8>,
}

/// What a frame is, as far as the queue has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// With its id, so that it can be taken out.
    Request(i64),
    /// Counted: whoever asks and does not read is not to fill the memory with answers.
    Answer,
    Notification,
}

impl Queue {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The answers that were not written.
    pub(crate) fn answers(&self) -> usize {
        self.answers
    }

    pub(crate) fn answer_bytes(&self) -> usize {
        self.answer_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.urgent.is_empty()
    }

    pub(crate) fn push(&mut self, kind: Kind, frame: Vec<u8>) {
        self.bytes += frame.len();
        if kind == Kind::Answer {
            self.answers += 1;
            self.answer_bytes += frame.len();
        }
        self.frames.push_back(Queued { kind, frame });
    }

    /// What waits and overtakes.
    pub(crate) fn urgent(&self) -> usize {
        self.urgent.len()
    }

    pub(crate) fn push_urgent(&mut self, kind: Kind, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.urgent.push_back(Queued { kind, frame });
    }

    /// Takes an unwritten request out; false where it is written already.
    pub(crate) fn remove(&mut self, request: i64) -> bool {
        for frames in [&mut self.frames, &mut self.urgent] {
            // The newest are the likeliest: who gives up at once has just asked.
            if let Some(at) = frames.iter().rposition(|queued| queued.kind == Kind::Request(request)) {
                self.bytes -= frames.remove(at).map_or(0, |queued| queued.frame.len());
                return true;
            }
        }
        false
    }

    /// The requests that were not written.
    pub(crate) fn requests(&self) -> impl Iterator<Item = i64> {
        self.frames.iter().chain(&self.urgent).filter_map(|queued| match queued.kind {
            Kind::Request(id) => Some(id),
            Kind::Answer | Kind::Notification => None,
        })
    }

    /// Fills `batch` with what comes next: small frames together, a large one by itself and without a copy.
    pub(crate) fn take(&mut self, batch: &mut Vec<u8>) {
        batch.clear();
        while batch.len() < BATCH {
            let Some(queued) = self.urgent.pop_front().or_else(|| self.next_fitting(batch.is_empty())) else {
                break;
            };
            let Queued { kind, frame } = queued;
            self.bytes -= frame.len();
            if kind == Kind::Answer {
                self.answers -= 1;
                self.answer_bytes -= frame.len();
            }
            if batch.is_empty() && frame.len() >= BATCH / 4 {
                *batch = frame;
                break;
            }
            batch.extend_from_slice(&frame);
        }
    }

    fn next_fitting(&mut self, first: bool) -> Option<Queued> {
        let next = self.frames.front()?;
        (first || next.frame.len() < BATCH / 4).then(|| self.frames.pop_front()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_small_frames_together_and_a_large_one_alone() {
        let mut queue = Queue::default();
        let large = vec![b'x'; BATCH];
        for frame in [b"a".to_vec(), b"b".to_vec(), large.clone(), b"c".to_vec()] {
            queue.push(Kind::Answer, frame);
        }
        queue.push_urgent(Kind::Notification, b"!".to_vec());
        let mut batches = Vec::new();
        let mut batch = Vec::new();
        while !queue.is_empty() {
            queue.take(&mut batch);
            batches.push(batch.clone());
        }
        assert_eq!(batches, [b"!ab".to_vec(), large, b"c".to_vec()]);
        assert_eq!((queue.bytes(), queue.answers(), queue.answer_bytes()), (0, 0, 0));
    }

    #[test]
    fn takes_an_unwritten_request_out() {
        let mut queue = Queue::default();
        queue.push(Kind::Request(1), b"one".to_vec());
        queue.push(Kind::Request(2), b"two".to_vec());
        queue.push_urgent(Kind::Request(3), b"three".to_vec());
        assert!(queue.remove(1) && queue.remove(3));
        assert!(!queue.remove(1));
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert_eq!(batch, b"two");
    }
}
