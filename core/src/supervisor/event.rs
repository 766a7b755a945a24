//! What a supervisor tells its owner, and what it asks of it.

use std::{sync::Arc, time::Duration};

use astros_protocol::{Extra, PluginDescription, person::Level};

use super::StateName;

/// Who owns supervisors: serves what plugins ask, and takes note of what happens to them.
pub trait Host: Send + Sync + 'static {
    type Service: astros_peer::Service;

    /// Makes what serves one process of a plugin; each process has a generation of its own,
    /// which no other process of this host has.
    fn service(&self, plugin: &str, generation: u64) -> Self::Service;

    /// Takes note. Called in order for one plugin, on the supervisor's tasks: it must not block.
    fn event(&self, event: Event);
}

/// Something that happened to a plugin.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is in another state. `executing` is not told: it comes and goes with each call.
    StateChanged { plugin: Arc<str>, state: StateName, reason: Option<String> },
    /// It said what it offers, when it became ready.
    Described { plugin: Arc<str>, description: Arc<PluginDescription> },
    /// It wrote a line to stderr.
    Line { plugin: Arc<str>, line: LogLine },
    /// Its process ended: how, and after what time.
    Ended { plugin: Arc<str>, pid: u32, exit: String, ran: Duration, asked: bool },
    /// Another version of it was to take its place; the error says why that did not, or does not serve.
    Reloaded { plugin: Arc<str>, error: Option<String> },
    /// It is not there any more: nobody supervises it.
    Removed { plugin: Arc<str>, reason: String },
    /// Something is not as it should be, and it runs all the same.
    Oddity { plugin: Arc<str>, text: String },
}

/// A line of stderr, without what would disturb a terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub level: Level,
    pub message: String,
    /// The further members of a line that is JSON.
    pub fields: Extra,
}
