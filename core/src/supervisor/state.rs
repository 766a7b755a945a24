//! The states of a plugin, with what belongs to each, and their public names. Pure.

use std::{fmt, time::Instant};

use astros_protocol::Error;
use serde::{Deserialize, Serialize};

/// The public names of the states: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Found, and not decided upon yet.
    Discovered,
    /// Somebody switched it off.
    Disabled,
    /// Something is missing that a person can mend.
    Blocked,
    /// Not running; starts at its next use.
    Idle,
    /// Its process is being started.
    Loading,
    /// Its process runs and has not answered `initialize`.
    Initializing,
    /// Takes requests.
    Ready,
    /// Ready, with work in flight.
    Executing,
    /// Takes no more requests, ends those it has.
    Draining,
    /// Its process is being ended.
    CleaningUp,
    /// It crashed and is started again after a wait.
    Restarting,
    /// It crashed too often, or ended in a way after which it is not to be started again.
    Quarantined,
    /// It failed to start.
    Error,
    /// Stopped, and not started by use.
    Unloaded,
}

impl StateName {
    pub fn as_str(self) -> &'static str {
        match self {
            StateName::Discovered => "discovered",
            StateName::Disabled => "disabled",
            StateName::Blocked => "blocked",
            StateName::Idle => "idle",
            StateName::Loading => "loading",
            StateName::Initializing => "initializing",
            StateName::Ready => "ready",
            StateName::Executing => "executing",
            StateName::Draining => "draining",
            StateName::CleaningUp => "cleaning_up",
            StateName::Restarting => "restarting",
            StateName::Quarantined => "quarantined",
            StateName::Error => "error",
            StateName::Unloaded => "unloaded",
        }
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a plugin may run.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Admission {
    #[default]
    Enabled,
    /// Switched off; the reason is for people.
    Disabled { reason: String },
    /// Something is missing; the hint says what helps.
    Blocked { reason: String, hint: String },
}

impl Admission {
    /// Blocked for this, beside what it is blocked for.
    pub(crate) fn and_blocked(&self, reason: &str, hint: &str) -> Admission {
        let (reason, hint) = match self {
            Admission::Blocked { reason: first, hint: helps } => {
                (format!("{first}, and {reason}"), format!("{helps}; {hint}"))
            }
            _ => (reason.to_owned(), hint.to_owned()),
        };
        Admission::Blocked { reason, hint }
    }
}

/// Why a version from before a reload does not run.
pub(crate) const SUPERSEDED: &str = "another version took its place";

/// A state with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Discovered,
    Disabled {
        reason: String,
    },
    Blocked {
        reason: String,
        hint: String,
    },
    Idle {
        crash: Option<Unused>,
    },
    Loading,
    Initializing,
    Ready,
    Draining {
        goal: Goal,
    },
    CleaningUp {
        goal: Goal,
    },
    Restarting {
        until: Instant,
        number: u32,
        reason: String,
    },
    /// Without a time: until a person says otherwise.
    Quarantined {
        until: Option<Instant>,
        reason: String,
    },
    Error {
        error: Box<Error>,
        retry_at: Instant,
    },
    Unloaded {
        reason: String,
    },
}

/// A crash while nobody used the plugin: it is not started before `until`, as the `number`th restart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unused {
    pub(crate) until: Instant,
    pub(crate) number: u32,
    pub(crate) reason: String,
}

/// What comes after the end of the process that was asked to end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Goal {
    Idle,
    Load,
    Unload {
        reason: String,
    },
    /// Another version took its place.
    Supersede,
    Disable {
        reason: String,
    },
    Block {
        reason: String,
        hint: String,
    },
}

impl Goal {
    /// Why the process is asked to end, for the plugin and for people.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Goal::Idle => "idle",
            Goal::Load => "restart",
            Goal::Supersede => SUPERSEDED,
            Goal::Unload { reason } | Goal::Disable { reason } | Goal::Block { reason, .. } => reason,
        }
    }
}

impl State {
    /// Its public name; [`StateName::Executing`] is for who knows what is in flight.
    pub(crate) fn name(&self) -> StateName {
        match self {
            State::Discovered => StateName::Discovered,
            State::Disabled { .. } => StateName::Disabled,
            State::Blocked { .. } => StateName::Blocked,
            State::Idle { .. } => StateName::Idle,
            State::Loading => StateName::Loading,
            State::Initializing => StateName::Initializing,
            State::Ready => StateName::Ready,
            State::Draining { .. } => StateName::Draining,
            State::CleaningUp { .. } => StateName::CleaningUp,
            State::Restarting { .. } => StateName::Restarting,
            State::Quarantined { .. } => StateName::Quarantined,
            State::Error { .. } => StateName::Error,
            State::Unloaded { .. } => StateName::Unloaded,
        }
    }

    /// Why it is in this state, for people.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            State::Disabled { reason }
            | State::Blocked { reason, .. }
            | State::Restarting { reason, .. }
            | State::Quarantined { reason, .. }
            | State::Unloaded { reason } => Some(reason),
            State::Idle { crash } => crash.as_ref().map(|crash| crash.reason.as_str()),
            State::Draining { goal } | State::CleaningUp { goal } => Some(goal.reason()),
            State::Error { error, .. } => Some(&error.message),
            State::Discovered | State::Loading | State::Initializing | State::Ready => None,
        }
    }

    /// It is not to run, or will be so when its process is gone.
    pub(crate) fn is_forbidden(&self) -> bool {
        use Goal::{Block, Disable};
        match self {
            State::Disabled { .. } | State::Blocked { .. } => true,
            State::Draining { goal } | State::CleaningUp { goal } => {
                matches!(goal, Disable { .. } | Block { .. })
            }
            _ => false,
        }
    }

    /// Until when it stays so, where that is known.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self {
            State::Restarting { until, .. } => Some(*until),
            State::Quarantined { until, .. } => *until,
            State::Error { retry_at, .. } => Some(*retry_at),
            _ => None,
        }
    }
}
