//! The numbers of one plugin. A call takes its lock once, when it ends, for a few moves of memory.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};
use foldhash::HashMap;
use jiff::Timestamp;

use super::{
    latency::Latency,
    life::{Bus, Counts, Life},
    snapshot::{HandlerSnapshot, LastError, PluginSnapshot},
};

/// So many handlers have numbers of their own; those beyond, and names that the plugin does not offer, share theirs.
const MAX_HANDLERS: usize = 64;
/// The name of what is shared.
const OTHER: &str = "other";
/// A handler with a longer name has no numbers of its own, in bytes.
const MAX_NAME: usize = 128;
/// So much of an error's message is kept, in characters.
const MAX_MESSAGE: usize = 300;

/// What is counted of one plugin, for all its processes and versions.
#[derive(Debug)]
pub struct PluginMetrics {
    name: Arc<str>,
    in_flight: AtomicU64,
    // A std mutex: never held across an await.
    numbers: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    handlers: HashMap<Box<str>, Handler>,
    other: Handler,
    last_error: Option<LastError>,
    life: Life,
}

/// The calls of one handler.
#[derive(Clone, Debug, Default)]
pub(super) struct Handler {
    pub(super) ok: u64,
    pub(super) errors: Counts,
    /// Made with the first call: most handlers are never used.
    pub(super) latency: Option<Box<Latency>>,
}

impl Handler {
    fn calls(&self) -> u64 {
        self.ok + self.errors.values().sum::<u64>()
    }
}

/// What is exported of one plugin.
pub(super) struct Reading {
    pub(super) name: Arc<str>,
    pub(super) in_flight: u64,
    /// Those that were called, by name.
    pub(super) handlers: Vec<(String, Handler)>,
    pub(super) life: Life,
}

impl PluginMetrics {
    pub(super) fn new(name: Arc<str>) -> PluginMetrics {
        PluginMetrics { name, in_flight: AtomicU64::new(0), numbers: Mutex::default() }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// A call begins. Where the timer is dropped before it was told the outcome, the call was cancelled.
    pub fn begin<'a>(&'a self, handler: &'a str) -> Timer<'a> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Timer { plugin: self, handler, begun: tokio::time::Instant::now().into_std(), ended: false }
    }

    /// Which handlers it offers now.
    pub fn offers<'a>(&self, handlers: impl Iterator<Item = &'a str>) {
        let mut numbers = self.numbers();
        // Those that an earlier version offered, and nobody called, make room.
        numbers.handlers.retain(|_, handler| handler.calls() > 0);
        for name in handlers.filter(|name| name.len() <= MAX_NAME) {
            if numbers.handlers.len() == MAX_HANDLERS {
                return;
            }
            if !numbers.handlers.contains_key(name) {
                numbers.handlers.insert(name.into(), Handler::default());
            }
        }
    }

    /// A process of it ended: why, where nobody had asked it to and it did not go well; and whether the host had to
    /// kill it.
    pub fn ended(&self, crash: Option<&'static str>, killed: bool) {
        let life = &mut self.numbers().life;
        if let Some(reason) = crash {
            *life.crashes.entry(reason).or_default() += 1;
        }
        life.kills += u64::from(killed);
    }

    /// It is started again after a crash.
    pub fn restarted(&self) {
        self.numbers().life.restarts += 1;
    }

    /// Something came from it that should not have.
    pub fn oddity(&self, kind: &'static str) {
        *self.numbers().life.oddities.entry(kind).or_default() += 1;
    }

    /// It wanted what it was not granted, by the permission's name.
    pub fn denied(&self, permission: &'static str) {
        *self.numbers().life.denials.entry(permission).or_default() += 1;
    }

    /// A line for its log came faster than it could be written.
    pub fn dropped_log_line(&self) {
        self.numbers().life.dropped_log_lines += 1;
    }

    /// Messages of the bus went from it, to it, or were lost on the way to it.
    pub fn bus(&self, what: Bus, count: u64) {
        if count > 0 {
            *self.numbers().life.bus.entry(what.name()).or_default() += count;
        }
    }

    /// Its proxy let a request to the network through.
    pub fn requested(&self) {
        self.numbers().life.requests += 1;
    }

    /// A connection of it to the network ended that moved so many bytes, from it and to it.
    pub fn moved(&self, sent: u64, received: u64) {
        let bytes = &mut self.numbers().life.bytes;
        *bytes.entry("sent").or_default() += sent;
        *bytes.entry("received").or_default() += received;
    }

    pub fn snapshot(&self) -> PluginSnapshot {
        let numbers = self.numbers();
        let life = &numbers.life;
        let (mut calls, mut errors, mut all) = (0, BTreeMap::new(), Latency::default());
        let mut slowest = Vec::new();
        for (name, handler) in numbers.each() {
            calls += handler.calls();
            for (kind, count) in &handler.errors {
                *errors.entry((*kind).to_owned()).or_default() += count;
            }
            if let Some(latency) = &handler.latency {
                all.add(latency);
                let (handler, calls) = (name.to_owned(), handler.calls());
                slowest.push(HandlerSnapshot { handler, calls, latency: latency.snapshot() });
            }
        }
        slowest.sort_by(|one, other| other.latency.p99_ms.total_cmp(&one.latency.p99_ms));
        slowest.truncate(3);
        PluginSnapshot {
            calls,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            errors,
            latency: (all.count() > 0).then(|| all.snapshot()),
            slowest,
            restarts: life.restarts,
            crashes: owned(&life.crashes),
            kills: life.kills,
            refusals: owned(&life.refusals),
            denials: owned(&life.denials),
            oddities: owned(&life.oddities),
            dropped_log_lines: life.dropped_log_lines,
            bus: owned(&life.bus),
            requests: life.requests,
            bytes: owned(&life.bytes),
            last_error: numbers.last_error.clone(),
        }
    }

    pub(super) fn read(&self) -> Reading {
        let numbers = self.numbers();
        let called = numbers.each().filter(|(_, handler)| handler.calls() > 0);
        let mut handlers: Vec<_> = called.map(|(name, handler)| (name.to_owned(), handler.clone())).collect();
        handlers.sort_by(|(one, _), (other, _)| one.cmp(other));
        let in_flight = self.in_flight.load(Ordering::Relaxed);
        Reading { name: self.name.clone(), in_flight, handlers, life: numbers.life.clone() }
    }

    fn record(&self, handler: &str, took: Duration, error: Option<&Error>) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let mut numbers = self.numbers();
        match error {
            None => numbers.handler(handler).succeeded(took),
            Some(error) => numbers.failed(&self.name, handler, took, error),
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler {
    fn succeeded(&mut self, took: Duration) {
        self.ok += 1;
        self.latency.get_or_insert_default().record(took);
    }
}

impl Numbers {
    fn handler(&mut self, name: &str) -> &mut Handler {
        self.handlers.get_mut(name).unwrap_or(&mut self.other)
    }

    fn each(&self) -> impl Iterator<Item = (&str, &Handler)> {
        let named = self.handlers.iter().map(|(name, handler)| (&**name, handler));
        named.chain(std::iter::once((OTHER, &self.other)))
    }

    #[cold]
    fn failed(&mut self, plugin: &str, name: &str, took: Duration, error: &Error) {
        let kind = error.kind();
        let refused = refusal(error);
        let handler = self.handler(name);
        *handler.errors.entry(kind).or_default() += 1;
        // What the plugin never saw, or nobody waited for, says nothing of how fast it is.
        let asked =
            refused.is_none() && !matches!(error.code, ErrorCode::CANCELLED | ErrorCode::HANDLER_NOT_FOUND);
        if asked {
            handler.latency.get_or_insert_default().record(took);
        }
        if let Some(reason) = refused {
            *self.life.refusals.entry(reason).or_default() += 1;
            // Not at `info`: whoever asks again and again would fill the log.
            tracing::debug!(plugin, handler = name, reason, "call refused");
        }
        if error.code != ErrorCode::CANCELLED {
            self.last_error = Some(LastError {
                time: Timestamp::now(),
                handler: name.chars().take(MAX_NAME).collect(),
                kind: kind.to_owned(),
                message: error.message.chars().take(MAX_MESSAGE).collect(),
            });
        }
    }
}

/// Why a call was refused before the plugin was asked, where it was.
fn refusal(error: &Error) -> Option<&'static str> {
    const STATES: [&str; 7] =
        ["quarantined", "blocked", "disabled", "unloaded", "error", "draining", "cleaning_up"];
    match error.code {
        ErrorCode::OVERLOADED | ErrorCode::CALL_CYCLE | ErrorCode::PERMISSION_DENIED => Some(error.kind()),
        _ => {
            let state = error.data.as_ref()?.extra.get("state")?.as_str()?;
            STATES.into_iter().find(|known| *known == state)
        }
    }
}

fn owned(counts: &Counts) -> BTreeMap<String, u64> {
    counts.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect()
}

/// One call that goes on.
#[derive(Debug)]
pub struct Timer<'a> {
    plugin: &'a PluginMetrics,
    handler: &'a str,
    begun: Instant,
    ended: bool,
}

impl Timer<'_> {
    /// The call has this outcome; gives how long it took.
    pub fn end(mut self, error: Option<&Error>) -> Duration {
        self.ended = true;
        let took = self.begun.elapsed();
        self.plugin.record(self.handler, took, error);
        took
    }
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let error = Error::new(ErrorCode::CANCELLED, String::new());
            self.plugin.record(self.handler, self.begun.elapsed(), Some(&error));
        }
    }
}

#[cfg(test)]
mod tests;
