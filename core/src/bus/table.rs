//! Who has subscribed to what. A subscriber that several of its subjects take a message in for is found once.

use std::sync::Arc;

use foldhash::HashMap;

use super::{Pattern, Subject};

/// A plugin subscribes to at most so many subjects, those that it declares and those of each process.
pub const MAX_SUBSCRIPTIONS: usize = 256;

/// Who gets messages: once, however many of its subjects take them in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subscriber {
    Plugin(Arc<str>),
    /// A part of the host, or somebody who watches from outside.
    Stream(u64),
}

/// On whose word a subscription holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The description of the plugin, or the stream itself.
    Declared,
    /// One process of a plugin, by its generation.
    Process(u64),
}

/// All subscriptions. They are looked through one by one: a thousand take less than 50 µs, about one delivery.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashMap<Subscriber, Vec<(Holder, Pattern)>>,
}

impl Table {
    /// Replaces what a subscriber has declared.
    pub(super) fn declare(&mut self, subscriber: Subscriber, patterns: impl IntoIterator<Item = Pattern>) {
        self.forget(&subscriber, Holder::Declared);
        for pattern in patterns {
            self.add(subscriber.clone(), Holder::Declared, pattern);
        }
    }

    /// Adds a subscription, once; false where the subscriber has too many.
    pub(super) fn add(&mut self, subscriber: Subscriber, holder: Holder, pattern: Pattern) -> bool {
        let entries = self.entries.entry(subscriber).or_default();
        let entry = (holder, pattern);
        if entries.contains(&entry) {
            return true;
        }
        let room = entries.iter().filter(|(other, _)| *other == holder).count() < MAX_SUBSCRIPTIONS;
        if room {
            entries.push(entry);
        }
        room
    }

    /// Takes a subscription away; false where there was none.
    pub(super) fn remove(&mut self, subscriber: &Subscriber, holder: Holder, pattern: &Pattern) -> bool {
        let before = self.of(subscriber).len();
        self.retain(subscriber, |entry| (entry.0, &entry.1) != (holder, pattern));
        self.of(subscriber).len() < before
    }

    /// Takes away what holds on somebody's word.
    pub(super) fn forget(&mut self, subscriber: &Subscriber, holder: Holder) {
        self.retain(subscriber, |entry| entry.0 != holder);
    }

    /// Takes all subscriptions of a subscriber away.
    pub(super) fn clear(&mut self, subscriber: &Subscriber) {
        self.entries.remove(subscriber);
    }

    /// Those who get a message of this subject.
    pub(super) fn matching<'a>(&'a self, subject: &'a Subject) -> impl Iterator<Item = &'a Subscriber> {
        let wants =
            |entries: &[(Holder, Pattern)]| entries.iter().any(|(_, pattern)| pattern.matches(subject));
        self.entries.iter().filter(move |(_, entries)| wants(entries)).map(|(subscriber, _)| subscriber)
    }

    /// Those on whose word a subscriber gets a message of this subject.
    pub(super) fn holders<'a>(
        &'a self,
        subscriber: &Subscriber,
        subject: &'a Subject,
    ) -> impl Iterator<Item = Holder> + 'a {
        self.of(subscriber).iter().filter(|(_, pattern)| pattern.matches(subject)).map(|(holder, _)| *holder)
    }

    fn of(&self, subscriber: &Subscriber) -> &[(Holder, Pattern)] {
        self.entries.get(subscriber).map_or(&[], Vec::as_slice)
    }

    fn retain(&mut self, subscriber: &Subscriber, keep: impl FnMut(&(Holder, Pattern)) -> bool) {
        let Some(entries) = self.entries.get_mut(subscriber) else { return };
        entries.retain(keep);
        if entries.is_empty() {
            self.entries.remove(subscriber);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    fn subject(text: &str) -> Subject {
        Subject::parse(text).unwrap()
    }

    #[test]
    fn finds_a_subscriber_once_for_overlapping_subjects() {
        let (mut table, plugin) = (Table::default(), Subscriber::Plugin(Arc::from("p")));
        for text in ["a.>", "a.*", "a.b", "a.b"] {
            assert!(table.add(plugin.clone(), Holder::Process(1), pattern(text)));
        }
        assert_eq!(table.matching(&subject("a.b")).count(), 1);
        assert_eq!(table.of(&plugin).len(), 3, "the same subject twice is one subscription");
        assert!(table.remove(&plugin, Holder::Process(1), &pattern("a.b")));
        assert!(!table.remove(&plugin, Holder::Process(1), &pattern("a.b")));
        assert_eq!(table.matching(&subject("a.b")).count(), 1, "the others still hold");
    }

    #[test]
    fn forgets_what_a_process_asked_for_and_keeps_what_is_declared() {
        let (mut table, plugin) = (Table::default(), Subscriber::Plugin(Arc::from("p")));
        table.declare(plugin.clone(), [pattern("a")]);
        table.add(plugin.clone(), Holder::Process(1), pattern(">"));
        table.add(plugin.clone(), Holder::Process(2), pattern("b"));
        let holders = |table: &Table, text| table.holders(&plugin, &subject(text)).collect::<Vec<_>>();
        assert_eq!(holders(&table, "a"), [Holder::Declared, Holder::Process(1)]);
        table.forget(&plugin, Holder::Process(1));
        assert_eq!(
            (holders(&table, "a"), holders(&table, "b")),
            (vec![Holder::Declared], vec![Holder::Process(2)])
        );
        table.declare(plugin.clone(), [pattern("c")]);
        assert_eq!(table.matching(&subject("a")).count(), 0, "declared subjects are replaced");
    }

    #[test]
    fn bounds_the_subscriptions_of_each_process() {
        let (mut table, plugin) = (Table::default(), Subscriber::Plugin(Arc::from("p")));
        let mut add = |process, number: usize| {
            table.add(plugin.clone(), Holder::Process(process), pattern(&format!("a.{number}")))
        };
        assert!((0..MAX_SUBSCRIPTIONS).all(|number| add(1, number)));
        assert!(!add(1, MAX_SUBSCRIPTIONS) && add(1, 0) && add(2, 0));
    }
}
