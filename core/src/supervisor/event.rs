//! What a supervisor tells its owner, and what it asks of it.

use std::{sync::Arc, time::Duration};

use astros_protocol::{Extra, PluginDescription, person::Level};
use serde::{Deserialize, Serialize};

use super::StateName;
use crate::proxy::Report;

/// Who owns supervisors: serves what plugins ask, and takes note of what happens to them.
pub trait Host: Send + Sync + 'static {
    type Service: astros_peer::Service;

    /// Makes what serves one process of a plugin; each process has a generation of its own,
    /// which no other process of this host has.
    fn service(&self, plugin: &str, generation: u64) -> Self::Service;

    /// Takes note. Called in order for one plugin, on the supervisor's tasks: it must not block.
    fn event(&self, event: Event);

    /// Takes note of what one process of a plugin does in the network. Called on the proxies' thread: it must not block.
    fn network(&self, plugin: &str, generation: u64, report: Report) {
        let _ = (plugin, generation, report);
    }
}

/// Something that happened to a plugin.
///
/// [`Event::StateChanged`] and [`Event::Described`] are told of the version that serves only, so that they are one
/// story however many versions and processes a plugin has; the others name the process that they are about.
#[derive(Clone, Debug)]
pub enum Event {
    /// It is in another state. `executing` is not told: it comes and goes with each call.
    StateChanged { plugin: Arc<str>, state: StateName, reason: Option<String> },
    /// It said what it offers, when it became ready.
    Described { plugin: Arc<str>, description: Arc<PluginDescription> },
    /// It wrote a line to stderr.
    Line { plugin: Arc<str>, line: LogLine },
    /// Its process ended: how, and after what time. `asked`: as it was told to; `killed`: the host had to do it.
    Ended {
        plugin: Arc<str>,
        instance: u32,
        generation: u64,
        pid: u32,
        exit: String,
        ran: Duration,
        asked: bool,
        killed: Option<Kill>,
    },
    /// It is started again after a crash, for the `restarts`th time in all.
    Restarted { plugin: Arc<str>, instance: u32, restarts: u32 },
    /// Somebody who needed it was turned away.
    Refused { plugin: Arc<str>, state: StateName, reason: String },
    /// A reload: from now on calls go to another version of it, whose processes have these generations. Told in one
    /// step with the switch.
    Switched { plugin: Arc<str>, generations: Vec<u64> },
    /// Another version of it was to take its place; the error says why that did not, or does not serve.
    Reloaded { plugin: Arc<str>, error: Option<String> },
    /// It is not there any more: nobody supervises it.
    Removed { plugin: Arc<str>, reason: String },
    /// Something is not as it should be, and it runs all the same.
    Oddity { plugin: Arc<str>, text: String },
}

/// Why the host killed a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kill {
    /// It did not end when it was asked to.
    StopForced,
    /// It did not answer a ping, and did nothing.
    Hung,
    /// It works on one request at a time, and did not answer that one in its time.
    Overran,
    /// It did what nothing can go on after.
    BrokeRules,
    /// It took more memory than its limit, with all that it started.
    Outgrown,
    /// It closed its input or output.
    Closed,
}

/// A line of stderr, without what would disturb a terminal.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub level: Level,
    pub message: String,
    /// The further members of a line that is JSON.
    pub fields: Extra,
}
