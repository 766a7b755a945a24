//! How a plugin is kept running: the `supervision` section.

use std::num::NonZeroU32;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::duration::{self, DurationText};
use super::exit::Exit;
use super::source::in_words;

/// The `supervision` section; what is absent has the protocol's default (the numbers of its section 8).
///
/// In the file a duration is text (`30s`) or a whole number of milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Supervision {
    /// When it is started.
    pub start: Start,
    /// What is done when its process ends by itself.
    pub restart: Restart,
    /// Exit statuses and signals after which it is not started again before a person resets or restarts it; none.
    pub no_restart_on: Vec<Exit>,
    /// The longest time from start to the answer of `initialize`; 30 s.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub initialize_timeout: Duration,
    /// How long it may be without work before it is stopped; 5 min.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub idle_stop: Duration,
    /// How long it may take to answer `shutdown`; 5 s.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub stop_grace: Duration,
    /// The wait before the first restart, doubled for each further one; 250 ms.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub backoff_initial: Duration,
    /// The longest wait before a restart; 30 s.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub backoff_max: Duration,
    /// How many restarts within `restart_window` are too many; 5.
    pub max_restarts: u32,
    /// The time within which restarts are counted; 60 s.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub restart_window: Duration,
    /// How long it stays stopped after too many restarts; 10 min.
    #[serde(with = "duration")]
    #[schemars(with = "DurationText")]
    pub quarantine: Duration,
    /// How many requests it works on at the same time; 64, and 1 for a serial plugin.
    pub max_in_flight: NonZeroU32,
    /// True where two of its processes must never be alive at once (a port, a D-Bus name).
    pub exclusive: bool,
    /// How many processes share its work; 1, as always where it is exclusive.
    pub instances: NonZeroU32,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            start: Start::default(),
            restart: Restart::default(),
            no_restart_on: Vec::new(),
            initialize_timeout: Duration::from_secs(30),
            idle_stop: Duration::from_secs(5 * 60),
            stop_grace: Duration::from_secs(5),
            backoff_initial: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            max_restarts: 5,
            restart_window: Duration::from_secs(60),
            quarantine: Duration::from_secs(10 * 60),
            max_in_flight: NonZeroU32::MIN.saturating_add(63),
            exclusive: false,
            instances: NonZeroU32::MIN,
        }
    }
}

impl Supervision {
    /// The same with some members as the person's configuration has them.
    ///
    /// # Errors
    /// A member is not what it has to be; the words name it.
    pub fn with(&self, changes: &Map<String, Value>) -> Result<Self, String> {
        let mut merged = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            merged[name] = value.clone();
        }
        serde_path_to_error::deserialize(merged)
            .map_err(|error| format!("`{}`: {}", error.path(), in_words(&error.inner().to_string())))
    }
}

/// When a plugin is started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At its first use.
    #[default]
    OnDemand,
    /// With the daemon.
    Eager,
}

/// What is done when a plugin's process ends by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// It is started again, while it is in use.
    #[default]
    Permanent,
    /// It is started again where it ended with a failure.
    Transient,
    /// It is not started again before its next use.
    Temporary,
}
