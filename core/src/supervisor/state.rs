//! The life of a plugin as states and events. Pure: no runtime, no clock, no I/O; the times come in.
//!
//! What is legal in which state stands in [`Machine::next`], and nowhere else.

use std::{
    fmt,
    time::{Duration, Instant},
};

use astros_protocol::{
    Error,
    manifest::{Restart, Start, Supervision},
};
use serde::{Deserialize, Serialize};

use super::{
    backoff::{Backoff, Verdict},
    words,
};

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
    /// It crashed too often.
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

/// A state with what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum State {
    Discovered,
    Disabled { reason: String },
    Blocked { reason: String, hint: String },
    Idle { crash: Option<Crash> },
    Loading,
    Initializing,
    Ready,
    Draining { goal: Goal },
    CleaningUp { goal: Goal },
    Restarting { until: Instant, number: u32, reason: String },
    Quarantined { until: Instant, reason: String },
    Error { error: Box<Error>, retry_at: Instant },
    Unloaded { reason: String },
}

/// A crash while nobody used the plugin: it is not started before `until`, as the `number`th restart.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Crash {
    until: Instant,
    number: u32,
    reason: String,
}

/// What comes after the end of the process that was asked to end.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Goal {
    Idle,
    Load,
    Unload { reason: String },
    Disable { reason: String },
    Block { reason: String, hint: String },
}

impl Goal {
    /// Why the process is asked to end, for the plugin and for people.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Goal::Idle => "idle",
            Goal::Load => "restart",
            Goal::Unload { reason } | Goal::Disable { reason } | Goal::Block { reason, .. } => reason,
        }
    }
}

/// What happens to a plugin.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Enable,
    /// Somebody needs it.
    Wanted,
    /// End the process, if there is one, and go there.
    Stop(Goal),
    /// A person wants it to be tried again.
    Reset,
    /// The time of [`Machine::deadline`] is there.
    Due,
    /// The process runs.
    Spawned,
    Initialized,
    /// Its work is done, or the time for that is over.
    Drained,
    /// There is no process any more.
    Ended(Ended),
}

/// How a process ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// As it was asked to, or by itself with status 0 and without work.
    Finished,
    /// It did not get ready, and starting it again at once would not help.
    FailedStart(Box<Error>),
    Crashed {
        reason: String,
        /// Somebody worked with it, or waited for it.
        in_use: bool,
        /// Its status was not 0.
        failed: bool,
    },
}

/// The state machine of one plugin.
#[derive(Debug)]
pub(crate) struct Machine {
    limits: Supervision,
    state: State,
    since: Instant,
    backoff: Backoff,
    restarts: u32,
}

impl Machine {
    pub(crate) fn new(limits: Supervision, now: Instant) -> Machine {
        Machine { limits, state: State::Discovered, since: now, backoff: Backoff::default(), restarts: 0 }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Since when it is in this state.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// How often it was started again after a crash.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// When [`Event::Due`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Restarting { until, .. } | State::Quarantined { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Takes an event, with a random number from 0 to 1; true where the state is another one now.
    pub(crate) fn on(&mut self, event: Event, now: Instant, random: f64) -> bool {
        let before = std::mem::replace(&mut self.state, State::Discovered);
        self.state = self.next(before.clone(), event, now, random);
        let changed = self.state != before;
        if self.state.name() != before.name() {
            self.since = now;
        }
        changed
    }

    fn next(&mut self, state: State, event: Event, now: Instant, random: f64) -> State {
        use State::{
            Blocked, CleaningUp, Disabled, Discovered, Draining, Idle, Initializing, Loading, Quarantined,
            Ready, Restarting, Unloaded,
        };
        match (state, event) {
            (Discovered | Disabled { .. } | Blocked { .. } | Unloaded { .. }, Event::Enable) => {
                self.reach(self.enabled())
            }
            (Draining { goal }, Event::Enable) if goal != Goal::Load => Draining { goal: self.enabled() },
            (CleaningUp { goal }, Event::Enable) if goal != Goal::Load => CleaningUp { goal: self.enabled() },

            (Idle { crash: Some(Crash { until, number, reason }) }, Event::Wanted) if now < until => {
                Restarting { until, number, reason }
            }
            (Idle { crash }, Event::Wanted) => {
                self.restarts += u32::from(crash.is_some());
                Loading
            }
            (State::Error { retry_at, .. }, Event::Wanted) if now >= retry_at => Loading,
            (Draining { goal: Goal::Idle }, Event::Wanted) => Draining { goal: Goal::Load },
            (CleaningUp { goal: Goal::Idle }, Event::Wanted) => CleaningUp { goal: Goal::Load },

            (Loading, Event::Spawned) => Initializing,
            (Initializing, Event::Initialized) => Ready,
            (Draining { goal }, Event::Drained) => CleaningUp { goal },

            (Ready | Draining { .. }, Event::Stop(goal)) => Draining { goal },
            (Loading | Initializing | CleaningUp { .. }, Event::Stop(goal)) => CleaningUp { goal },
            (_, Event::Stop(goal)) => {
                // A person decided: what was before counts no more.
                self.backoff.clear();
                self.reach(goal)
            }

            (Draining { goal } | CleaningUp { goal }, Event::Ended(_)) => self.reach(goal),
            (Ready, Event::Ended(Ended::Finished)) => Idle { crash: None },
            (Loading | Initializing | Ready, Event::Ended(Ended::FailedStart(error))) => {
                let retry_at = later(now, self.backoff.wait(&self.limits, random));
                State::Error { error, retry_at }
            }
            (
                state @ (Loading | Initializing | Ready),
                Event::Ended(Ended::Crashed { reason, in_use, failed }),
            ) => {
                let ready =
                    if state == Ready { now.saturating_duration_since(self.since) } else { Duration::ZERO };
                let again = in_use && restarts(self.limits.restart, failed);
                self.crashed(reason, again, ready, now, random)
            }

            (Restarting { until, .. }, Event::Due) if now >= until => {
                self.restarts += 1;
                Loading
            }
            (Quarantined { until, .. }, Event::Due) if now >= until => {
                self.backoff.clear();
                self.reach(self.enabled())
            }

            (state, Event::Reset) => {
                self.backoff.clear();
                match state {
                    Restarting { .. } => Loading,
                    Quarantined { .. } | State::Error { .. } => self.reach(self.enabled()),
                    Idle { .. } => Idle { crash: None },
                    other => other,
                }
            }
            (state, _) => state,
        }
    }

    fn enabled(&self) -> Goal {
        match self.limits.start {
            Start::Eager => Goal::Load,
            Start::OnDemand => Goal::Idle,
        }
    }

    /// Goes where it should go, now that no process is left.
    fn reach(&self, goal: Goal) -> State {
        match goal {
            Goal::Idle => State::Idle { crash: None },
            Goal::Load => State::Loading,
            Goal::Unload { reason } => State::Unloaded { reason },
            Goal::Disable { reason } => State::Disabled { reason },
            Goal::Block { reason, hint } => State::Blocked { reason, hint },
        }
    }

    fn crashed(&mut self, reason: String, again: bool, ready: Duration, now: Instant, random: f64) -> State {
        match self.backoff.crashed(&self.limits, now, ready, random) {
            Verdict::Restart { number, wait } if again => {
                State::Restarting { until: later(now, wait), number, reason }
            }
            Verdict::Restart { number, wait } => {
                State::Idle { crash: Some(Crash { until: later(now, wait), number, reason }) }
            }
            Verdict::TooMany(count) => {
                let window = words::duration(self.limits.restart_window);
                let reason = format!("{reason}; it was restarted {count} times within {window}");
                State::Quarantined { until: later(now, self.limits.quarantine), reason }
            }
        }
    }

    /// What comes now, in words, for the error of a crash; empty where that is plain.
    pub(crate) fn outlook(&self, now: Instant) -> String {
        let in_time = |until: Instant| words::duration(until.saturating_duration_since(now));
        match &self.state {
            State::Restarting { until, number, .. } => {
                format!("restart {number} of {} in {}", self.limits.max_restarts, in_time(*until))
            }
            State::Quarantined { until, .. } => {
                format!("crashed too often, quarantined for {}", in_time(*until))
            }
            State::Idle { .. } => "starts again at its next use".to_owned(),
            _ => String::new(),
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

    /// Until when it stays so, where that is known.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self {
            State::Restarting { until, .. } | State::Quarantined { until, .. } => Some(*until),
            State::Error { retry_at, .. } => Some(*retry_at),
            _ => None,
        }
    }
}

/// Whether a plugin of this type is restarted by itself after an end that was a failure, or was none.
fn restarts(restart: Restart, failed: bool) -> bool {
    match restart {
        Restart::Permanent => true,
        Restart::Transient => failed,
        Restart::Temporary => false,
    }
}

/// The sum, or a time far away where the configuration names a wait beyond all clocks.
fn later(now: Instant, wait: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    now.checked_add(wait).unwrap_or(now + YEAR)
}
