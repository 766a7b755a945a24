//! The time of a tree of calls: it stands still while a person is asked something, for all of the tree.
//!
//! Deadlines are times of this clock. Where nobody is asked anything it is the clock of the machine.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use tokio::sync::watch;

/// The clock of one tree.
#[derive(Debug, Default)]
pub struct Clock(OnceLock<watch::Sender<Stops>>);

/// How long it has stood still.
#[derive(Clone, Copy, Debug)]
struct Stops {
    /// So many hold it now, the first of them since then.
    held: usize,
    since: Instant,
    /// Before that.
    total: Duration,
}

impl Stops {
    /// What the clock shows at a moment.
    fn shown(self, now: Instant) -> Instant {
        let now = if self.held > 0 { self.since } else { now };
        now.checked_sub(self.total).unwrap_or(now)
    }
}

impl Clock {
    /// What it shows now.
    pub fn now(&self) -> Instant {
        match self.0.get() {
            None => now(),
            Some(stops) => stops.borrow().shown(now()),
        }
    }

    /// Stops it for as long as the guard lives; several may.
    #[must_use = "it goes on when this is dropped"]
    pub fn stop(&self) -> Stopped<'_> {
        let stops =
            self.0.get_or_init(|| watch::Sender::new(Stops { held: 0, since: now(), total: Duration::ZERO }));
        stops.send_modify(|stops| {
            if stops.held == 0 {
                stops.since = now();
            }
            stops.held += 1;
        });
        Stopped(stops)
    }

    /// The moment at which it will show this, as far as is known: it may be stopped before.
    pub fn moment(&self, deadline: Instant) -> Instant {
        now() + deadline.saturating_duration_since(self.now())
    }

    /// Gives what `work` does until the clock shows `deadline`; none where it takes longer.
    pub async fn limit<T>(&self, deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
        tokio::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout_at(self.moment(deadline).into(), &mut work).await {
                return Some(done);
            }
            // While it stands still, it shows no more than before.
            if let Some(stops) = self.0.get()
                && stops.borrow().held > 0
            {
                let mut seen = stops.subscribe();
                tokio::select! {
                    done = &mut work => return Some(done),
                    _ = seen.wait_for(|stops| stops.held == 0) => {}
                }
            }
            if self.now() >= deadline {
                return None;
            }
        }
    }
}

/// Keeps a clock from going on.
#[derive(Debug)]
pub struct Stopped<'a>(&'a watch::Sender<Stops>);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|stops| {
            stops.held -= 1;
            if stops.held == 0 {
                stops.total += now().saturating_duration_since(stops.since);
            }
        });
    }
}

/// By tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn gives_what_it_stood_still_on_top() {
        let (clock, begun) = (Clock::default(), now());
        let deadline = clock.now() + 10 * SECOND;
        let work = async {
            sleep(4 * SECOND).await;
            let outer = clock.stop();
            sleep(60 * SECOND).await;
            let inner = clock.stop();
            drop(outer);
            sleep(60 * SECOND).await;
            drop(inner);
            assert_eq!(clock.moment(deadline) - now(), 6 * SECOND);
            std::future::pending::<()>().await;
        };
        assert_eq!(clock.limit(deadline, work).await, None);
        assert_eq!(now() - begun, 130 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_what_takes_too_long_where_nobody_stops_it() {
        let (clock, begun) = (Clock::default(), now());
        let deadline = clock.now() + 10 * SECOND;
        assert_eq!(clock.limit(deadline, sleep(9 * SECOND)).await, Some(()));
        assert_eq!(clock.limit(deadline, sleep(2 * SECOND)).await, None);
        assert_eq!(now() - begun, 10 * SECOND);
        assert_eq!(clock.limit(deadline, async { 7 }).await, Some(7), "what is done is done");
    }
}
