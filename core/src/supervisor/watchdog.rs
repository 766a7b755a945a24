//! The watch over a process that is ready: a busy one is not a hung one.
//!
//! It is asked for a sign of life every few seconds. Hung is who sends none for a while in which its whole family of
//! processes uses no processor time. A plugin that works on one request at a time cannot answer meanwhile: it is not
//! asked while it works, and has to answer that request in its time.

use std::{
    pin::pin,
    sync::OnceLock,
    time::{Duration, Instant},
};

use astros_protocol::lifecycle::{Ping, PingParams};
use tokio::time::sleep;

use super::{Kill, Session, Spec, usage::Family, words};

/// How the watch is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Between one round of questions and the next.
    pub ping_every: Duration,
    /// So long without an answer and without processor time is hung.
    pub hung_after: Duration,
    /// What a request of a serial plugin may take beyond its deadline.
    pub overrun: Duration,
}

impl Default for Watch {
    fn default() -> Watch {
        let [ping_every, hung_after, overrun] = [5, 10, 2].map(Duration::from_secs);
        Watch { ping_every, hung_after, overrun }
    }
}

/// Resolves when the process has to be killed: why, and what it did.
pub(crate) async fn watch(session: &Session, spec: &Spec) -> (Kill, String) {
    let Watch { ping_every, hung_after, overrun } = spec.watch;
    let serial = session.limits.max_in_flight == Some(1);
    loop {
        let due = session.due().filter(|_| serial).map(|due| due + overrun);
        let rest = due.map(|due| due.saturating_duration_since(now())).filter(|rest| !rest.is_zero());
        let ping = until_round(ping_every);
        sleep(rest.map_or(ping, |rest| rest.min(ping))).await;
        if serial && session.peer.open_calls() > 0 {
            if due.is_some_and(|due| now() >= due && session.due().map(|now| now + overrun) == Some(due)) {
                let overrun = words::duration(overrun);
                return (Kill::Overran, format!("did not answer within its time and {overrun} more"));
            }
        } else if !lives(session, spec).await {
            let silent = words::duration(hung_after);
            return (Kill::Hung, format!("did not answer a ping for {silent} and used no CPU"));
        }
    }
}

/// Until the next round: all plugins are asked in the same moments, so that many that idle disturb the others as
/// rarely as one does.
pub(super) fn until_round(every: Duration) -> Duration {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let since = now().saturating_duration_since(*BEGIN.get_or_init(now)).as_nanos();
    let rest = since.checked_rem(every.as_nanos()).unwrap_or_default();
    every.saturating_sub(Duration::from_nanos(u64::try_from(rest).unwrap_or_default()))
}

/// Asks for a sign of life; false where none comes and nothing is done.
async fn lives(session: &Session, spec: &Spec) -> bool {
    let mut answer = pin!(session.peer.request_urgent::<Ping>(&PingParams {}));
    let mut silence = Silence::new(now(), spec.watch.hung_after);
    loop {
        tokio::select! {
            biased;
            // Any answer will do, also that it does not know the method. Where the connection is closed, others see it.
            _ = &mut answer => return true,
            () = sleep(silence.step()) => {}
        }
        let family = Family::of(session.pid);
        if spec.dev_mode && family.is_traced() {
            silence = Silence::new(now(), spec.watch.hung_after);
        } else if silence.is_too_long(now(), family.used()) {
            return false;
        }
    }
}

/// How long a process has neither answered nor worked. Pure.
#[derive(Debug)]
struct Silence {
    limit: Duration,
    since: Instant,
    looked: Instant,
    used: Option<u64>,
}

impl Silence {
    fn new(now: Instant, limit: Duration) -> Silence {
        Silence { limit, since: now, looked: now, used: None }
    }

    /// Between one look and the next.
    fn step(&self) -> Duration {
        self.limit / 20
    }

    /// Takes what the process has used until now.
    fn is_too_long(&mut self, now: Instant, used: u64) -> bool {
        let works = self.used.replace(used).is_some_and(|before| before != used);
        // Who looked away for long was halted itself: an answer may be there that nobody has read.
        let was_away = now.saturating_duration_since(self.looked) > self.step() * 4;
        self.looked = now;
        if works || was_away {
            self.since = now;
        }
        now.saturating_duration_since(self.since) >= self.limit
    }
}

/// By tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Looks every half second; `used` tells the ticks at each look. When it is too long, in half seconds.
    fn too_long(used: impl Fn(u32) -> u64) -> Option<u32> {
        let begin = Instant::now();
        let mut silence = Silence::new(begin, LIMIT);
        (1..200).find(|look| silence.is_too_long(begin + silence.step() * *look, used(*look)))
    }

    #[test]
    fn takes_who_does_nothing_for_hung_after_ten_seconds() {
        assert_eq!(too_long(|_| 7), Some(20));
        assert_eq!(
            too_long(|look| u64::from(look.min(6))),
            Some(26),
            "it worked for the first three seconds"
        );
    }

    #[test]
    fn takes_nobody_for_hung_who_works() {
        assert_eq!(too_long(u64::from), None);
        assert_eq!(too_long(|look| u64::from(look / 10)), None, "a tick every five seconds is work");
    }

    #[test]
    fn blames_nobody_for_a_halt_of_its_own() {
        let begin = Instant::now();
        let mut silence = Silence::new(begin, LIMIT);
        assert!(!silence.is_too_long(begin + Duration::from_secs(60), 7));
        assert!(!silence.is_too_long(begin + Duration::from_millis(60_500), 7));
    }
}
