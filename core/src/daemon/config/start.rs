//! `daemon` in `astros.yaml`: who starts the daemon that stays.

use serde::Deserialize;

/// The daemon that stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, expecting = "a mapping")]
pub struct DaemonSection {
    pub start: Start,
}

/// Who starts the daemon that stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// The person, or the service manager; a command that finds none does without.
    #[default]
    Manual,
    /// The first command that finds none.
    OnDemand,
}
