//! One process of a plugin that is ready: its connection, what it offers, the work in flight, and its end.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_peer::Peer;
use astros_protocol::{
    Error, ErrorCode, PluginDescription, Version,
    lifecycle::{Limits, Sandbox},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, timeout},
};

use super::{Containment, slots::Slots, words};
use crate::launcher::Rule;

/// How long [`Session::crashed`] waits for the end of a process whose connection is gone.
const END: Duration = Duration::from_secs(1);
/// With all its slots held by requests that nobody waits for any more, a process has so long to answer one of them.
const WEDGED: Duration = Duration::from_secs(10);

/// A plugin's process that took `initialize`.
pub struct Session {
    pub plugin: Arc<str>,
    pub peer: Peer,
    /// What it said that it offers.
    pub description: Arc<PluginDescription>,
    /// The protocol's version that is spoken.
    pub version: Version,
    /// The extensions that it knows.
    pub features: Vec<String>,
    /// What it takes; `max_in_flight` is the lower one of the manifest's and its own.
    pub limits: Limits,
    pub pid: u32,
    /// What keeps its processes together.
    pub containment: Containment,
    /// How far it is confined.
    pub sandbox: Sandbox,
    /// What it sees of the files, as they were at its start.
    pub(crate) files: Option<Arc<[Rule]>>,
    /// Counts the processes that this host started, of all plugins.
    pub generation: u64,
    pub(crate) work: Arc<Work>,
    pub(crate) ended: watch::Receiver<Option<Crash>>,
}

impl Session {
    /// A request is about to be sent that has to be answered by then: a plugin that serves one at a time is held to it.
    pub fn expects(&self, deadline: std::time::Instant) {
        let mut due = self.work.due.lock().unwrap_or_else(PoisonError::into_inner);
        let others = due.filter(|_| self.peer.open_calls() > 0);
        *due = others.max(Some(deadline));
    }

    /// By when all that it was asked has to be answered.
    pub(crate) fn due(&self) -> Option<std::time::Instant> {
        *self.work.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once the peer said [`astros_peer::Failure::Closed`]: how the process ended, waiting a moment for it.
    ///
    /// The error is `plugin_crashed`, or `plugin_unavailable` where it was stopped on purpose. Its message says how
    /// the process ended and after what time, without the plugin's name; `detail` and the member `last_words` (an
    /// array) are its last lines, the hint says what comes now.
    pub async fn crashed(&self) -> Error {
        let mut ended = self.ended.clone();
        let seen = match timeout(END, ended.wait_for(Option::is_some)).await {
            Ok(Ok(crash)) => (*crash).clone(),
            // It does not go, or the supervisor is gone with the runtime.
            _ => None,
        };
        seen.unwrap_or_default().error(&self.plugin)
    }

    /// Ends the process as if it had crashed, for what it did: `broke the rules`.
    pub fn fail(&self, what: &str) {
        if self.work.fault.set(what.to_owned()).is_ok() {
            self.work.failed.notify_one();
        }
    }

    /// Resolves when it is to end, with what it did.
    pub(crate) async fn failed(&self) -> String {
        tokio::select! {
            () = self.work.failed.notified() => self.work.fault.get().cloned().unwrap_or_default(),
            () = self.wedged() => {
                format!("answered none of {} cancelled requests for 10 s", self.max_in_flight())
            }
        }
    }

    /// Resolves when requests that nobody waits for held all its slots for too long.
    async fn wedged(&self) {
        loop {
            let changed = self.work.slots.jam_changed();
            if !self.is_jammed() {
                changed.await;
            } else if timeout(WEDGED, changed).await.is_err() {
                return;
            }
        }
    }

    /// Resolves when it had nothing to do for so long.
    pub(crate) async fn idle(&self, limit: Duration) {
        loop {
            let rest = limit.saturating_sub(self.work.unused());
            let busy = self.in_flight() > 0 || self.peer.serving() > 0;
            match (busy, rest.is_zero()) {
                (false, true) => return,
                // Work that ends later moves the time on by then, so this is never too long.
                (true, _) => sleep(limit).await,
                (false, false) => sleep(rest).await,
            }
        }
    }

    /// Takes no new work; resolves when nobody waits for any.
    pub(crate) async fn drained(&self) {
        self.work.slots.close();
        loop {
            let changed = self.work.done.notified();
            if self.in_flight() == 0 && self.attended() == 0 {
                return;
            }
            changed.await;
        }
    }
}

/// What a session does.
#[derive(Debug)]
pub(crate) struct Work {
    pub(super) slots: Slots,
    begun: Instant,
    /// When work ended last, in milliseconds since `begun`.
    used: AtomicU64,
    due: Mutex<Option<std::time::Instant>>,
    pub(super) done: Notify,
    /// Deliveries that it has not answered.
    pub(super) attended: AtomicUsize,
    /// What it did that it cannot go on after.
    fault: OnceLock<String>,
    failed: Notify,
}

impl Work {
    pub(crate) fn new() -> Work {
        Work {
            slots: Slots::default(),
            begun: Instant::now(),
            used: AtomicU64::new(0),
            due: Mutex::default(),
            done: Notify::new(),
            attended: AtomicUsize::new(0),
            fault: OnceLock::new(),
            failed: Notify::new(),
        }
    }

    /// Nobody waits for anything any more.
    pub(super) fn ended(&self) {
        let used = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(used, Ordering::Relaxed);
        self.done.notify_waiters();
    }

    fn unused(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.used.load(Ordering::Relaxed)))
    }
}

/// How a process ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Crash {
    /// `exited with status 3`, `killed by SIGSEGV`, `closed its output`.
    pub exit: String,
    /// From its start.
    pub ran: Duration,
    /// Why it was stopped, where it was asked to end.
    pub asked: Option<String>,
    /// What comes now: `restart 4 of 5 in 2 s`.
    pub outlook: String,
    /// Its last lines, without control characters.
    pub last_words: Vec<String>,
}

impl Crash {
    /// `killed by SIGSEGV after 1.2 s`.
    pub fn story(&self) -> String {
        match self.exit.as_str() {
            "" => "closed its output".to_owned(),
            exit => format!("{exit} after {}", words::duration(self.ran)),
        }
    }

    fn error(&self, plugin: &str) -> Error {
        let mut error = match &self.asked {
            Some(reason) => {
                let message = format!("it was stopped before it had answered: {reason}");
                Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).retryable()
            }
            None => Error::new(ErrorCode::PLUGIN_CRASHED, self.story()),
        };
        if !self.last_words.is_empty() {
            error = error.with_detail(self.last_words.join("\n")).with("last_words", self.last_words.clone());
        }
        let logs = format!("`astros plugins logs {plugin}` shows more");
        let hint = if self.outlook.is_empty() { logs } else { format!("{}; {logs}", self.outlook) };
        error.with_plugin(plugin).with_hint(hint)
    }
}
