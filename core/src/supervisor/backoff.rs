//! When a plugin that crashed is started again, and when not any more. Pure: times and the random number come in.
//!
//! The wait doubles with each crash, with a jitter of a fifth, and is back to the first once the plugin was ready
//! for a while. Too many restarts within a window end in a quarantine. Waiting does not count as time of that
//! window: otherwise a long wait would keep a plugin below the limit and restart it for ever.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use astros_protocol::manifest::Supervision;

/// A plugin that was ready for so long begins anew with the first wait.
const STEADY: Duration = Duration::from_secs(60);

/// What is to be done about a crash.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Start again after `wait`; it is the `number`th restart in the window.
    Restart { number: u32, wait: Duration },
    /// No more: there were so many restarts in the window already.
    TooMany(u32),
}

/// Remembers restarts.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    /// Waits since the plugin was steady.
    doublings: u32,
    /// Restarts in the window, by the time that ran until then without the waits.
    restarts: VecDeque<Duration>,
    first: Option<Instant>,
    waited: Duration,
}

impl Backoff {
    /// The plugin crashed after it had been ready for `ready`.
    pub(crate) fn crashed(
        &mut self,
        limits: &Supervision,
        now: Instant,
        ready: Duration,
        random: f64,
    ) -> Verdict {
        let first = *self.first.get_or_insert(now);
        let ran = now.saturating_duration_since(first).saturating_sub(self.waited);
        self.restarts.retain(|restart| ran.saturating_sub(*restart) < limits.restart_window);
        let count = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        if count >= limits.max_restarts {
            return Verdict::TooMany(count);
        }
        self.restarts.push_back(ran);
        if ready >= STEADY {
            self.doublings = 0;
        }
        let wait = self.wait(limits, random);
        self.waited = self.waited.saturating_add(wait);
        Verdict::Restart { number: count + 1, wait }
    }

    /// The next wait, for a number from 0 to 1.
    pub(crate) fn wait(&mut self, limits: &Supervision, random: f64) -> Duration {
        let factor = 1_u32.checked_shl(self.doublings).unwrap_or(u32::MAX);
        self.doublings = self.doublings.saturating_add(1);
        let wait = limits.backoff_initial.saturating_mul(factor).min(limits.backoff_max);
        let jitter = 0.8 + 0.4 * random.clamp(0.0, 1.0);
        Duration::try_from_secs_f64(wait.as_secs_f64() * jitter).unwrap_or(wait)
    }

    /// The start succeeded and failed no more: the next wait is the first one.
    pub(crate) fn clear(&mut self) {
        *self = Backoff::default();
    }
}
