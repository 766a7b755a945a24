//! What was granted, revoked and done that cannot be undone: one JSON line an event in `audit.jsonl`; what was denied
//! stands in `denials.jsonl`, so that a plugin that is denied much pushes out nothing else.
//!
//! [`Audit::record`] never waits: a thread of its own writes. What is denied once more within a second is counted,
//! so that a plugin that does not give up fills neither queue nor disk.

mod denials;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::lines;
use super::printable::printable;
use denials::{Denials, SECOND};

/// In the folder of the logs.
const FILE: &str = "audit.jsonl";
/// Beside it: plugins bring these about as they like.
const DENIALS: &str = "denials.jsonl";
/// A file that grew to this is moved aside, in the place of the one before.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// So many events may wait for the disk.
const QUEUE: usize = 1024;
/// A longer text is cut after so many characters.
const MAX_TEXT: usize = 1 << 10;
/// What was denied is what a plugin made up.
const MAX_DENIED: usize = 128;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A person granted a permission.
    Granted,
    Revoked,
    Enabled,
    Disabled,
    /// A plugin wanted what it was not granted.
    Denied,
    /// A handler was called whose effects cannot be undone.
    Destructive,
    /// A secret was handed to a plugin.
    Secret,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// RFC 3339 in the file.
    pub time: Timestamp,
    pub event: Kind,
    /// The plugin that it is about.
    pub plugin: String,
    /// The permission, the call (`plugin.handler`) or the setting.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// Who granted, called or wanted it: a person's id, or a plugin.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub who: String,
    /// Of the request that it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// How often.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub count: u64,
}

impl Event {
    /// What happens to a plugin now; `what` is a permission, a call or a setting.
    pub fn now(event: Kind, plugin: &str, what: impl Into<String>) -> Event {
        let (plugin, what) = (plugin.to_owned(), what.into());
        let time = Timestamp::now();
        Event { time, event, plugin, what, who: String::new(), correlation_id: None, count: 1 }
    }

    /// The same, by a person or a plugin.
    pub fn by(self, who: impl Into<String>) -> Event {
        Event { who: who.into(), ..self }
    }

    /// The same, in the request of this id.
    pub fn in_request(self, correlation_id: impl Into<String>) -> Event {
        Event { correlation_id: Some(correlation_id.into()), ..self }
    }

    /// One line for a terminal, without an end of line; what controls a terminal is escaped.
    pub fn render(&self) -> String {
        let time = self.time.strftime("%Y-%m-%d %H:%M:%SZ");
        let kind = match self.event {
            Kind::Granted => "granted",
            Kind::Revoked => "revoked",
            Kind::Enabled => "enabled",
            Kind::Disabled => "disabled",
            Kind::Denied => "denied",
            Kind::Destructive => "destructive",
            Kind::Secret => "secret",
        };
        let mut text = format!("{time} {kind:<11} {}", self.plugin);
        if !self.what.is_empty() {
            text.push_str(&format!("  {}", self.what));
        }
        if !self.who.is_empty() && self.who != self.plugin {
            text.push_str(&format!("  by {}", self.who));
        }
        if self.count > 1 {
            text.push_str(&format!("  {} times", self.count));
        }
        printable(&text).replace('\n', "\\n")
    }
}

/// A handle on the thread that writes the log.
#[derive(Clone)]
pub struct Audit {
    queue: SyncSender<Task>,
    /// A std mutex: held for a look into a map.
    denials: Arc<Mutex<Denials>>,
}

enum Task {
    Write(Event),
    Flush(oneshot::Sender<()>),
}

impl Audit {
    /// Writes into `folder`, which is made when the first event comes.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn open(folder: PathBuf) -> io::Result<Audit> {
        let (queue, tasks) = sync_channel(QUEUE);
        let audit = Audit { queue, denials: Arc::default() };
        let denials = audit.denials.clone();
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || work(&folder, &tasks, &denials))?;
        Ok(audit)
    }

    /// Notes an event without waiting. What finds too many in the queue is lost, and the daemon's own log says so.
    pub fn record(&self, mut event: Event) {
        let is_denied = event.event == Kind::Denied;
        cut(&mut event.plugin, MAX_TEXT);
        cut(&mut event.what, if is_denied { MAX_DENIED } else { MAX_TEXT });
        cut(&mut event.who, MAX_TEXT);
        if is_denied && !locked(&self.denials).is_new(&event, Instant::now()) {
            return;
        }
        if let Err(TrySendError::Full(Task::Write(event))) = self.queue.try_send(Task::Write(event)) {
            tracing::error!(line = event.render(), "the audit log does not keep up");
        }
    }

    /// Waits until what was recorded so far stands in the file.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let mut task = Task::Flush(done);
        while let Err(TrySendError::Full(again)) = self.queue.try_send(task) {
            task = again;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // Where the thread is gone, nothing is left to wait for.
        let _ = flushed.await;
    }
}

/// The newest `count` events of all kinds, oldest first.
///
/// # Errors
/// The log is there and cannot be read.
pub fn read_last(folder: &Path, count: usize) -> io::Result<Vec<Event>> {
    let mut events: Vec<Event> = lines::read(&folder.join(FILE))?;
    events.extend(lines::read::<Event>(&folder.join(DENIALS))?);
    events.sort_by_key(|event| event.time);
    events.drain(..events.len().saturating_sub(count));
    Ok(events)
}

/// Writes into a folder until every [`Audit`] is gone.
fn work(folder: &Path, tasks: &Receiver<Task>, denials: &Mutex<Denials>) {
    loop {
        let waiting = !locked(denials).is_empty();
        let task = match waiting {
            true => tasks.recv_timeout(SECOND),
            false => tasks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let ended = matches!(task, Err(RecvTimeoutError::Disconnected));
        let mut events = Vec::new();
        let mut flushed = Vec::new();
        for task in task.into_iter().chain(tasks.try_iter()) {
            match task {
                Task::Write(event) => events.push(event),
                Task::Flush(done) => flushed.push(done),
            }
        }
        // Who waits for all of it, or ends, gets what was only counted so far.
        let whole = ended || !flushed.is_empty();
        events.extend(locked(denials).repeated(if whole { None } else { Some(Instant::now()) }));
        let (denied, others): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|event| event.event == Kind::Denied);
        write(&folder.join(FILE), &others);
        write(&folder.join(DENIALS), &denied);
        for done in flushed {
            let _ = done.send(());
        }
        if ended {
            return;
        }
    }
}

/// What the disk refuses stands in the daemon's own log.
fn write(path: &Path, events: &[Event]) {
    let mut text = Vec::new();
    for event in events {
        if serde_json::to_writer(&mut text, event).is_ok() {
            text.push(b'\n');
        }
    }
    if !text.is_empty()
        && let Err(error) = lines::append(path, &text, MAX_FILE_BYTES)
    {
        let text = String::from_utf8_lossy(&text);
        tracing::error!(file = %path.display(), %error, %text, "the audit log cannot be written");
    }
}

fn cut(text: &mut String, max: usize) {
    if let Some((end, _)) = text.char_indices().nth(max) {
        text.truncate(end);
        text.push('…');
    }
}

fn locked(denials: &Mutex<Denials>) -> MutexGuard<'_, Denials> {
    denials.lock().unwrap_or_else(PoisonError::into_inner)
}

fn once() -> u64 {
    1
}

// Serde's `skip_serializing_if` hands over a reference.
fn is_once(count: &u64) -> bool {
    *count == 1
}

#[cfg(test)]
mod tests;
