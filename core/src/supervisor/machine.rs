//! The life of a plugin as a state machine. Pure: no runtime, no clock, no I/O; times and random numbers come in.
//!
//! What is legal in which state stands in [`Machine::next`], and nowhere else.

use std::time::{Duration, Instant};

use astros_protocol::{
    Error,
    manifest::{Restart, Start, Supervision},
};

use super::{
    backoff::{Backoff, Verdict},
    state::{Goal, SUPERSEDED, State, Unused},
    words,
};

/// A plugin that was ready for so long is not about to crash again: the next wait is the first one.
const STEADY: Duration = Duration::from_secs(60);

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
    /// In a way after which its manifest forbids to start it again.
    Forbidden { reason: String },
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
            State::Restarting { until, .. } => Some(until),
            State::Quarantined { until, .. } => until,
            _ => None,
        }
    }

    /// Takes an event, with a random number from 0 to 1; true where the state is another one now.
    pub(crate) fn on(&mut self, event: Event, now: Instant, random: f64) -> bool {
        let before = std::mem::replace(&mut self.state, State::Discovered);
        if before == State::Ready && now.saturating_duration_since(self.since) >= STEADY {
            self.backoff.steady();
        }
        if matches!(&event, Event::Reset) || matches!(&event, Event::Stop(goal) if *goal != Goal::Idle) {
            // A person decided: what was before counts no more.
            self.backoff.clear();
        }
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

            (Idle { crash: Some(Unused { until, number, reason }) }, Event::Wanted) if now < until => {
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

            // What may not run is not started by asking for a restart.
            (state, Event::Stop(Goal::Load)) if state.is_forbidden() => state,
            (Ready | Draining { .. }, Event::Stop(goal)) => Draining { goal },
            (Loading | Initializing | CleaningUp { .. }, Event::Stop(goal)) => CleaningUp { goal },
            (_, Event::Stop(goal)) => self.reach(goal),

            (Draining { goal } | CleaningUp { goal }, Event::Ended(_)) => self.reach(goal),
            (Ready, Event::Ended(Ended::Finished)) => Idle { crash: None },
            (Loading | Initializing | Ready, Event::Ended(Ended::FailedStart(error))) => {
                let retry_at = later(now, self.backoff.wait(&self.limits, random));
                State::Error { error, retry_at }
            }
            (Loading | Initializing | Ready, Event::Ended(Ended::Crashed { reason, in_use, failed })) => {
                let again = in_use && restarts(self.limits.restart, failed);
                self.crashed(reason, again, now, random)
            }
            (Loading | Initializing | Ready, Event::Ended(Ended::Forbidden { reason })) => {
                let reason = format!("{reason}; `supervision.no_restart_on` forbids a restart after that");
                Quarantined { until: None, reason }
            }

            (Restarting { until, .. }, Event::Due) if now >= until => {
                self.restarts += 1;
                Loading
            }
            (Quarantined { until: Some(until), .. }, Event::Due) if now >= until => {
                self.backoff.clear();
                self.reach(self.enabled())
            }

            (Restarting { .. }, Event::Reset) => Loading,
            (Quarantined { .. } | State::Error { .. }, Event::Reset) => self.reach(self.enabled()),
            (Idle { .. }, Event::Reset) => Idle { crash: None },

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
            Goal::Supersede => State::Unloaded { reason: SUPERSEDED.to_owned() },
            Goal::Disable { reason } => State::Disabled { reason },
            Goal::Block { reason, hint } => State::Blocked { reason, hint },
        }
    }

    fn crashed(&mut self, reason: String, again: bool, now: Instant, random: f64) -> State {
        match self.backoff.crashed(&self.limits, now, random) {
            Verdict::Restart { number, wait } if again => {
                State::Restarting { until: later(now, wait), number, reason }
            }
            Verdict::Restart { number, wait } => {
                State::Idle { crash: Some(Unused { until: later(now, wait), number, reason }) }
            }
            Verdict::TooMany(count) => {
                let window = words::duration(self.limits.restart_window);
                let reason = format!("{reason}; it was restarted {count} times within {window}");
                State::Quarantined { until: Some(later(now, self.limits.quarantine)), reason }
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
            State::Quarantined { until: Some(until), .. } => {
                format!("crashed too often, quarantined for {}", in_time(*until))
            }
            State::Quarantined { until: None, .. } => "not started again until it is reset".to_owned(),
            State::Idle { .. } => "starts again at its next use".to_owned(),
            _ => String::new(),
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

#[cfg(test)]
mod tests;
