//! What waits for one subscriber: bounded in messages and bytes. Where it overflows, the oldest are dropped and
//! counted.

use std::{collections::VecDeque, sync::Arc};

use serde_json::value::RawValue;

use super::Subject;

/// So many messages wait for one subscriber.
pub const MAX_MESSAGES: usize = 1_000;
/// So many bytes wait for one subscriber; one larger message may wait alone.
pub const MAX_BYTES: usize = 4 << 20;

/// A message on its way; all who wait for it share it.
#[derive(Debug)]
pub struct Message {
    pub subject: Subject,
    /// Any JSON, on one line.
    pub data: Box<RawValue>,
    /// The plugin that published it; `user` is the person, `astros` the host.
    pub sender: Arc<str>,
    /// It starts a plugin that has declared its subscription.
    pub wakes: bool,
}

impl Message {
    fn size(&self) -> usize {
        self.subject.as_str().len() + self.data.get().len() + self.sender.len()
    }
}

/// A message for a subscriber.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub message: Arc<Message>,
    /// How many were dropped since the last delivery.
    pub dropped: u64,
}

/// The messages that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Arc<Message>>,
    bytes: usize,
    dropped: u64,
}

impl Queue {
    pub(super) fn push(&mut self, message: Arc<Message>) {
        let size = message.size();
        while !self.waiting.is_empty()
            && (self.waiting.len() >= MAX_MESSAGES || self.bytes + size > MAX_BYTES)
        {
            self.dropped += u64::from(self.take().is_some());
        }
        self.bytes += size;
        self.waiting.push_back(message);
    }

    /// The oldest message, with the count of those that were dropped; counting begins anew.
    pub(super) fn pop(&mut self) -> Option<Delivery> {
        let message = self.take()?;
        Some(Delivery { message, dropped: std::mem::take(&mut self.dropped) })
    }

    /// Counts messages that were not delivered.
    pub(super) fn lose(&mut self, count: u64) {
        self.dropped += count;
    }

    /// Takes out what is wanted no more; that counts as nothing.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&Message) -> bool) {
        self.waiting.retain(|message| wanted(message));
        self.bytes = self.waiting.iter().map(|message| message.size()).sum();
    }

    fn take(&mut self) -> Option<Arc<Message>> {
        let message = self.waiting.pop_front()?;
        self.bytes -= message.size();
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(number: usize, size: usize) -> Arc<Message> {
        let data = RawValue::from_string(format!("\"{}{number}\"", "0".repeat(size))).unwrap();
        Arc::new(Message { subject: Subject::parse("a").unwrap(), data, sender: Arc::from("p"), wakes: true })
    }

    fn drain(queue: &mut Queue) -> (Vec<usize>, u64) {
        let mut taken = (Vec::new(), 0);
        while let Some(Delivery { message, dropped }) = queue.pop() {
            taken.0.push(message.data.get().trim_matches('"').parse().unwrap());
            taken.1 += dropped;
        }
        taken
    }

    #[test]
    fn drops_the_oldest_and_counts_them() {
        let mut queue = Queue::default();
        (0..MAX_MESSAGES + 3).for_each(|number| queue.push(message(number, 0)));
        let first = queue.pop().unwrap();
        assert_eq!((first.message.data.get(), first.dropped), ("\"3\"", 3));
        assert_eq!(queue.pop().unwrap().dropped, 0, "they are counted once");
        queue.lose(2);
        assert_eq!(drain(&mut queue), ((5..MAX_MESSAGES + 3).collect(), 2));
    }

    #[test]
    fn holds_so_many_bytes_or_one_larger_message() {
        let mut queue = Queue::default();
        (0..5).for_each(|number| queue.push(message(number, 1 << 20)));
        assert_eq!(drain(&mut queue), (vec![2, 3, 4], 2));
        queue.push(message(0, 0));
        queue.push(message(1, MAX_BYTES + 1));
        assert_eq!(drain(&mut queue), (vec![1], 1));
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn forgets_what_is_wanted_no_more() {
        let mut queue = Queue::default();
        (0..4).for_each(|number| queue.push(message(number, 0)));
        queue.retain(|message| matches!(message.data.get(), "\"1\"" | "\"3\""));
        assert_eq!(queue.bytes, 2 * message(0, 0).size());
        assert_eq!(drain(&mut queue), (vec![1, 3], 0));
    }
}
