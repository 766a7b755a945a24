//! The embedded bus: who has subscribed to what, and what waits for whom.
//!
//! It moves no bytes: [`Bus::publish`] puts a message into the queues of those who want it and names the plugins that
//! somebody has to begin delivering to; the router does, one message after the other for each plugin. A [`Stream`]
//! is the same for the host itself.

mod queue;
mod stream;
mod subject;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;
use tokio::sync::Notify;

pub use queue::{Delivery, MAX_BYTES as MAX_QUEUED_BYTES, MAX_MESSAGES, Message};
pub use stream::Stream;
pub use subject::{Pattern, Subject, SubjectError, token};
pub use table::{Holder, MAX_SUBSCRIPTIONS, Subscriber};

use queue::Queue;
use table::Table;

/// Subscriptions, and the messages that wait.
#[derive(Debug, Default)]
pub struct Bus {
    // A std mutex: held for a few moves of memory, never across an await.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    table: Table,
    /// Made with the first message.
    mailboxes: HashMap<Subscriber, Mailbox>,
    streams: u64,
}

#[derive(Debug, Default)]
struct Mailbox {
    queue: Queue,
    /// Somebody delivers what is in the queue.
    delivering: bool,
    /// Wakes the stream.
    news: Option<Arc<Notify>>,
}

impl Bus {
    /// Replaces the subscriptions that a plugin's description declares; they hold whether it runs or not.
    pub fn declare(&self, plugin: &Arc<str>, patterns: impl IntoIterator<Item = Pattern>) {
        self.lock().table.declare(Subscriber::Plugin(plugin.clone()), patterns);
    }

    /// Adds a subscription of one process of a plugin; false where it has too many.
    pub fn subscribe(&self, plugin: &Arc<str>, process: u64, pattern: Pattern) -> bool {
        self.lock().table.add(Subscriber::Plugin(plugin.clone()), Holder::Process(process), pattern)
    }

    /// Takes it away, with what waits for no other reason; false where there was none.
    pub fn unsubscribe(&self, plugin: &Arc<str>, process: u64, pattern: &Pattern) -> bool {
        let (mut state, subscriber) = (self.lock(), Subscriber::Plugin(plugin.clone()));
        let removed = state.table.remove(&subscriber, Holder::Process(process), pattern);
        state.discard(&subscriber);
        removed
    }

    /// A process has ended, and its subscriptions with it.
    pub fn forget(&self, plugin: &Arc<str>, process: u64) {
        let (mut state, subscriber) = (self.lock(), Subscriber::Plugin(plugin.clone()));
        state.table.forget(&subscriber, Holder::Process(process));
        state.discard(&subscriber);
    }

    /// A plugin is gone, with all that it subscribed to and all that waits for it.
    pub fn remove(&self, plugin: &Arc<str>) {
        let (mut state, subscriber) = (self.lock(), Subscriber::Plugin(plugin.clone()));
        state.table.clear(&subscriber);
        state.discard(&subscriber);
    }

    /// On whose word a plugin gets a message now.
    pub fn holders(&self, plugin: &Arc<str>, subject: &Subject) -> Vec<Holder> {
        self.lock().table.holders(&Subscriber::Plugin(plugin.clone()), subject).collect()
    }

    /// Puts a message into the queues of all who want it. Gives the plugins that nobody delivers to yet: the caller
    /// begins to, and goes on until [`Bus::take`] has nothing more.
    #[must_use = "somebody has to deliver"]
    pub fn publish(&self, message: Message) -> Vec<Arc<str>> {
        let message = Arc::new(message);
        let mut state = self.lock();
        let State { table, mailboxes, .. } = &mut *state;
        let mut begin = Vec::new();
        for subscriber in table.matching(&message.subject) {
            let mailbox = mailboxes.entry(subscriber.clone()).or_default();
            mailbox.queue.push(message.clone());
            match (subscriber, &mailbox.news) {
                (Subscriber::Plugin(plugin), _) if !mailbox.delivering => {
                    mailbox.delivering = true;
                    begin.push(plugin.clone());
                }
                (_, Some(news)) => news.notify_one(),
                _ => {}
            }
        }
        begin
    }

    /// The next message for a plugin; where there is none, who delivers has done so.
    pub fn take(&self, plugin: &Arc<str>) -> Option<Delivery> {
        let mut state = self.lock();
        let subscriber = Subscriber::Plugin(plugin.clone());
        let delivery = state.mailboxes.get_mut(&subscriber)?.queue.pop();
        if delivery.is_none() {
            let mailbox = state.mailboxes.get_mut(&subscriber)?;
            mailbox.delivering = false;
        }
        delivery
    }

    /// Counts messages that did not reach a plugin; its next delivery says so.
    pub fn lose(&self, plugin: &Arc<str>, count: u64) {
        if let Some(mailbox) = self.lock().mailboxes.get_mut(&Subscriber::Plugin(plugin.clone())) {
            mailbox.queue.lose(count);
        }
    }

    /// Subscribes from the host's side.
    pub fn stream(self: &Arc<Self>, pattern: Pattern) -> Stream {
        let (mut state, news) = (self.lock(), Arc::new(Notify::new()));
        state.streams += 1;
        let subscriber = Subscriber::Stream(state.streams);
        state.table.declare(subscriber.clone(), [pattern]);
        let mailbox = Mailbox { news: Some(news.clone()), ..Mailbox::default() };
        state.mailboxes.insert(subscriber.clone(), mailbox);
        drop(state);
        Stream { bus: Arc::downgrade(self), subscriber, news }
    }

    fn pop(&self, subscriber: &Subscriber) -> Option<Delivery> {
        self.lock().mailboxes.get_mut(subscriber)?.queue.pop()
    }

    fn end(&self, subscriber: &Subscriber) {
        let mut state = self.lock();
        state.table.forget(subscriber, Holder::Declared);
        state.mailboxes.remove(subscriber);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Throws away what waits for a plugin and is wanted no more.
    fn discard(&mut self, subscriber: &Subscriber) {
        let State { table, mailboxes, .. } = self;
        if let Some(mailbox) = mailboxes.get_mut(subscriber) {
            mailbox.queue.retain(|message| table.holders(subscriber, &message.subject).next().is_some());
        }
    }
}

/// When the bus is gone, so is what streams wait for.
impl Drop for Bus {
    fn drop(&mut self) {
        let state = self.lock();
        state
            .mailboxes
            .values()
            .filter_map(|mailbox| mailbox.news.as_ref())
            .for_each(|news| news.notify_one());
    }
}

#[cfg(test)]
mod tests;
