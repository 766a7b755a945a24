//! The log of each plugin: what it says on stderr and by `log`, as JSON lines in `<name>.log`.
//!
//! [`Log::write`] never waits: a thread of its own writes, and what comes faster than the disk takes it is
//! dropped, counted, and noted. A log is kept to about 1 MB: the file and the one before it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use astros_protocol::Extra;
use astros_protocol::person::Level;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, oneshot};

use super::lines;
use super::printable::printable;

/// A file that grew to this is moved aside; with the one before it, the log has twice as much.
const MAX_FILE_BYTES: u64 = 512 << 10;
/// A longer message is cut.
const MAX_MESSAGE_BYTES: usize = 16 << 10;
/// Fields that are longer as JSON are left out.
const MAX_FIELDS_BYTES: usize = 64 << 10;
/// So many records may wait for the disk.
const QUEUE: usize = 1024;
/// So many records may wait for who follows.
const FOLLOWED: usize = 256;
/// So many records are written at once.
const BATCH: usize = 256;

/// Something that a plugin said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// RFC 3339 in the file.
    pub time: Timestamp,
    pub level: Level,
    pub plugin: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub fields: Extra,
    pub source: Source,
}

/// How a record came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A line of the plugin's standard error.
    Stderr,
    /// A line on standard output that is no message.
    Stdout,
    /// The notification `log`.
    Log,
    /// AstrOS itself, about the plugin.
    Host,
}

impl Record {
    /// A record of this moment, without fields.
    pub fn now(plugin: &str, level: Level, message: impl Into<String>, source: Source) -> Record {
        Record {
            time: Timestamp::now(),
            level,
            plugin: plugin.to_owned(),
            message: message.into(),
            fields: Extra::new(),
            source,
        }
    }

    /// One line or more for a terminal, without an end of line; what controls a terminal is escaped.
    pub fn render(&self) -> String {
        let time = self.time.strftime("%Y-%m-%d %H:%M:%S%.3fZ");
        let message = printable(&self.message);
        let stray = if self.source == Source::Stdout { "[stdout] " } else { "" };
        let mut text = format!("{time} {:5} {stray}{}", level_name(&self.level), message.trim_end());
        // What follows the first line is set off, so that nobody takes it for a record of its own.
        text = text.replace('\n', "\n    ");
        for (name, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pair = format!(" {name}={value}");
            text.push_str(&printable(&pair).replace('\n', "\\n"));
        }
        text
    }
}

/// A handle on the thread that writes the logs.
#[derive(Clone)]
pub struct Log {
    queue: SyncSender<Task>,
    /// Records that found the queue full, by plugin. A std mutex: never held across an await.
    dropped: Arc<Mutex<BTreeMap<String, u64>>>,
    followers: broadcast::Sender<Record>,
}

enum Task {
    Write(Record),
    Flush(oneshot::Sender<()>),
}

impl Log {
    /// Logs into `folder`, which is made when the first record comes.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn open(folder: PathBuf) -> io::Result<Log> {
        let (queue, tasks) = sync_channel(QUEUE);
        let dropped = Arc::new(Mutex::default());
        let followers = broadcast::Sender::new(FOLLOWED);
        let log = Log { queue, dropped: Arc::clone(&dropped), followers };
        std::thread::Builder::new().name("log".to_owned()).spawn(move || work(&folder, &tasks, &dropped))?;
        Ok(log)
    }

    /// Queues a record, or drops and counts it where too many wait; gives the plugin whose it was then.
    pub fn write(&self, mut record: Record) -> Option<String> {
        cut(&mut record);
        if self.followers.receiver_count() > 0 {
            // The last one may have gone meanwhile.
            let _ = self.followers.send(record.clone());
        }
        if let Err(TrySendError::Full(Task::Write(record))) = self.queue.try_send(Task::Write(record)) {
            let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
            *dropped.entry(record.plugin.clone()).or_default() += 1;
            return Some(record.plugin);
        }
        None
    }

    /// Every record of every plugin from now on, those that the disk was too slow for included; rotation of the
    /// files is not seen. Who does not keep up misses the oldest.
    pub fn follow(&self) -> broadcast::Receiver<Record> {
        self.followers.subscribe()
    }

    /// Waits until what was queued so far stands in the files.
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

/// The last `count` records of a plugin that matter at least so much, oldest first; none where it has no log.
///
/// # Errors
/// The log is there and cannot be read.
pub fn read_last(folder: &Path, plugin: &str, count: usize, least: &Level) -> io::Result<Vec<Record>> {
    let mut records: Vec<Record> = lines::read(&path_of(folder, plugin))?;
    records.retain(|record| severity(&record.level) >= severity(least));
    records.drain(..records.len().saturating_sub(count));
    Ok(records)
}

/// How much a level matters; an unknown one as much as `info`.
pub fn severity(level: &Level) -> u8 {
    match level {
        Level::Trace => 0,
        Level::Debug => 1,
        Level::Info | Level::Other(_) => 2,
        Level::Warn => 3,
        Level::Error => 4,
    }
}

fn level_name(level: &Level) -> &str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info | Level::Other(_) => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// Writes until every [`Log`] is gone. What the disk refuses is lost: a log must not stop a plugin.
fn work(folder: &Path, tasks: &Receiver<Task>, dropped: &Mutex<BTreeMap<String, u64>>) {
    while let Ok(first) = tasks.recv() {
        let mut lines: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut flushed = Vec::new();
        for task in std::iter::once(first).chain(tasks.try_iter().take(BATCH)) {
            match task {
                Task::Write(record) => push(&mut lines, &record),
                Task::Flush(done) => flushed.push(done),
            }
        }
        let lost = std::mem::take(&mut *dropped.lock().unwrap_or_else(PoisonError::into_inner));
        for (plugin, count) in lost {
            tracing::debug!(plugin, count, "log records dropped");
            let words = format!("{count} records were dropped: they came faster than they could be written");
            push(&mut lines, &Record::now(&plugin, Level::Warn, words, Source::Host));
        }
        for (plugin, lines) in lines {
            if let Err(error) = lines::append(&path_of(folder, &plugin), &lines, MAX_FILE_BYTES) {
                tracing::warn!(plugin, folder = %folder.display(), %error, "a log cannot be written");
            }
        }
        for done in flushed {
            let _ = done.send(());
        }
    }
}

fn push(lines: &mut BTreeMap<String, Vec<u8>>, record: &Record) {
    let lines = lines.entry(record.plugin.clone()).or_default();
    let before = lines.len();
    match serde_json::to_writer(&mut *lines, record) {
        Ok(()) => lines.push(b'\n'),
        Err(_) => lines.truncate(before),
    }
}

fn path_of(folder: &Path, plugin: &str) -> PathBuf {
    // A name that is no file's name comes from a plugin that was refused; its log stays in the folder too.
    folder.join(format!("{}.log", plugin.replace(['/', '\0'], "_")))
}

fn cut(record: &mut Record) {
    if record.message.len() > MAX_MESSAGE_BYTES {
        let bytes = record.message.len();
        let whole = (0..=MAX_MESSAGE_BYTES).rev().find(|end| record.message.is_char_boundary(*end));
        record.message.truncate(whole.unwrap_or_default());
        let _ = write!(record.message, "… ({bytes} bytes, cut)");
    }
    let fields = serde_json::to_vec(&record.fields).map_or(usize::MAX, |text| text.len());
    if !record.fields.is_empty() && fields > MAX_FIELDS_BYTES {
        record.fields = Extra::from_iter([("left_out_bytes".to_owned(), fields.into())]);
    }
}

#[cfg(test)]
mod tests;
