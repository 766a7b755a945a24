//! Frames that wait to be written: bounded in bytes, some overtaking, unwritten ones taken out again.

use std::collections::VecDeque;

/// The most that is put together for one write.
const BATCH: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct Queue {
    frames: VecDeque<Queued>,
    /// `$/ack`, `$/cancel` and `ping`: small, and of use only soon.
    urgent: VecDeque<Vec<u8>>,
    bytes: usize,
}

#[derive(Debug)]
struct Queued {
    /// The request's id, so that it can be taken out.
    request: Option<i64>,
    frame: Vec<u8>,
}

impl Queue {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.urgent.is_empty()
    }

    pub(crate) fn push(&mut self, request: Option<i64>, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.frames.push_back(Queued { request, frame });
    }

    pub(crate) fn push_urgent(&mut self, frame: Vec<u8>) {
        self.bytes += frame.len();
        self.urgent.push_back(frame);
    }

    /// Takes an unwritten request out; false where it is written already.
    pub(crate) fn remove(&mut self, request: i64) -> bool {
        // The newest are the likeliest: who gives up at once has just asked.
        let Some(at) = self.frames.iter().rposition(|queued| queued.request == Some(request)) else {
            return false;
        };
        self.bytes -= self.frames.remove(at).map_or(0, |queued| queued.frame.len());
        true
    }

    /// The requests that were not written.
    pub(crate) fn requests(&self) -> impl Iterator<Item = i64> {
        self.frames.iter().filter_map(|queued| queued.request)
    }

    /// Fills `batch` with what comes next: small frames together, a large one by itself and without a copy.
    pub(crate) fn take(&mut self, batch: &mut Vec<u8>) {
        batch.clear();
        while batch.len() < BATCH {
            let Some(frame) = self.urgent.pop_front().or_else(|| self.next_fitting(batch.is_empty())) else {
                break;
            };
            self.bytes -= frame.len();
            if batch.is_empty() && frame.len() >= BATCH / 4 {
                *batch = frame;
                break;
            }
            batch.extend_from_slice(&frame);
        }
    }

    fn next_fitting(&mut self, first: bool) -> Option<Vec<u8>> {
        let next = self.frames.front()?;
        (first || next.frame.len() < BATCH / 4)
            .then(|| self.frames.pop_front())
            .flatten()
            .map(|queued| queued.frame)
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
            queue.push(None, frame);
        }
        queue.push_urgent(b"!".to_vec());
        let mut batches = Vec::new();
        let mut batch = Vec::new();
        while !queue.is_empty() {
            queue.take(&mut batch);
            batches.push(batch.clone());
        }
        assert_eq!(batches, [b"!ab".to_vec(), large, b"c".to_vec()]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn takes_an_unwritten_request_out() {
        let mut queue = Queue::default();
        queue.push(Some(1), b"one".to_vec());
        queue.push(Some(2), b"two".to_vec());
        assert!(queue.remove(1));
        assert!(!queue.remove(1));
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert_eq!(batch, b"two");
    }
}
