//! The versions of a plugin: the one that calls go to, and beside it those that a reload brings or takes away.
//!
//! A reload is blue and green: the new version has to be ready before calls go to it, in one step with what follows
//! the routing; the old one runs what it has to its end. Two versions of a plugin that is exclusive are never alive at
//! once: the old one ends first, and calls wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use astros_protocol::{
    Error, ErrorCode,
    manifest::{Permission, Start},
};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Known, Plugin};
use crate::supervisor::{Admission, Event, Host as _, Session, Spec, StateName, Status, Supervisor};

pub(super) struct Versions {
    current: watch::Sender<Supervisor>,
    /// Those that drain, and those that start.
    beside: Arc<Mutex<Vec<Supervisor>>>,
    /// One reload after the other.
    pub(super) reload: tokio::sync::Mutex<()>,
    stopping: CancellationToken,
    /// How many processes of it are in a person's foreground.
    foreground: watch::Sender<usize>,
}

/// A process in a person's foreground, for as long as this lives.
pub(super) struct InForeground<'a>(&'a watch::Sender<usize>);

impl Drop for InForeground<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Versions {
    pub(super) fn new(supervisor: Supervisor) -> Versions {
        Versions {
            current: watch::Sender::new(supervisor),
            beside: Arc::default(),
            reload: tokio::sync::Mutex::default(),
            stopping: CancellationToken::new(),
            foreground: watch::Sender::new(0),
        }
    }

    pub(super) fn current(&self) -> Supervisor {
        self.current.borrow().clone()
    }

    /// Asked of what the version that serves was granted: what is revoked counts at once, also for those that drain.
    pub(super) fn is_granted(&self, enough: impl FnOnce(&[Permission]) -> bool) -> bool {
        enough(&self.current.borrow().spec().granted)
    }

    fn beside(&self) -> MutexGuard<'_, Vec<Supervisor>> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a version that is not, or no more, the current one; resolves when nothing of it is left.
    fn retire(&self, old: &Supervisor, gone: impl Future<Output = ()> + Send + 'static) {
        self.beside().push(old.clone());
        let (beside, old) = (self.beside.clone(), old.clone());
        tokio::spawn(async move {
            gone.await;
            beside.lock().unwrap_or_else(PoisonError::into_inner).retain(|one| !one.is(&old));
        });
    }
}

impl Plugin {
    /// Counts a process in a person's foreground until what it gives is dropped.
    pub(super) fn in_foreground(&self) -> InForeground<'_> {
        self.versions.foreground.send_modify(|count| *count += 1);
        InForeground(&self.versions.foreground)
    }

    /// Resolves when what was started as this version in a person's foreground may not go on, and says why: the plugin
    /// is stopped, may not run any more, or may do less.
    pub(super) async fn forbidden(&self, version: &Supervisor) -> Error {
        let mut current = self.versions.current.subscribe();
        let was = version.spec();
        let (code, why) = tokio::select! {
            () = self.versions.stopping.cancelled() => {
                (ErrorCode::SHUTTING_DOWN, "AstrOS stops, or the plugin is removed".to_owned())
            }
            why = version.forbidden() => (ErrorCode::PLUGIN_UNAVAILABLE, why),
            _ = current.wait_for(|now| may_less(&now.spec(), &was)) => {
                (ErrorCode::PLUGIN_UNAVAILABLE, "it may do less than when it was started".to_owned())
            }
        };
        let message = format!("`{}` was stopped before it had ended: {why}", self.name);
        Error::new(code, message).with_plugin(&*self.name)
    }

    async fn nothing_in_foreground(&self) {
        // It lives as long as the sender in it.
        let _ = self.versions.foreground.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Forbids it to run; returns when nothing of it is left, also in no person's foreground.
    pub async fn forbid(&self, admission: Admission) {
        self.supervisor().admit(admission).await;
        self.nothing_in_foreground().await;
    }

    /// Supervises the version that serves now.
    pub fn supervisor(&self) -> Supervisor {
        self.versions.current()
    }

    /// What is known of the version that serves now, and how much those before it still do.
    pub fn status(&self) -> Status {
        let draining = self.versions.beside().iter().map(Supervisor::in_flight).sum();
        let mut status = Status { draining, ..self.supervisor().status() };
        let foreground = *self.versions.foreground.borrow();
        status.in_flight += foreground;
        if foreground > 0
            && matches!(status.state, StateName::Discovered | StateName::Idle | StateName::Ready)
        {
            status.state = StateName::Executing;
        }
        status
    }

    /// Ends its processes and starts new ones; refused where it may not run.
    pub async fn restart(&self) -> Result<Arc<Session>, Error> {
        let _one = self.versions.reload.lock().await;
        self.supervisor().restart().await
    }

    /// Stops every version of it for good, also one that a reload is about to bring; returns when none is left.
    pub async fn stop(&self, reason: &str) {
        self.versions.stopping.cancel();
        let mut all = self.versions.beside().clone();
        all.push(self.supervisor());
        join_all(all.iter().map(|one| one.stop(reason))).await;
        // Who runs something of it is to hear how that ended.
        self.nothing_in_foreground().await;
    }

    /// Waits until a process takes calls, started where it does not run, also over a reload.
    pub(super) async fn ready(&self) -> Result<Arc<Session>, Error> {
        let mut current = self.versions.current.subscribe();
        loop {
            let supervisor = self.supervisor();
            match supervisor.ready().await {
                Err(_) if supervisor.is_superseded() => tokio::select! {
                    _ = current.wait_for(|one| !one.is_superseded()) => {}
                    () = self.versions.stopping.cancelled() => return Err(self.stops()),
                },
                outcome => return outcome,
            }
        }
    }

    /// Brings another version of it, as [`super::Router::reload`] says.
    pub(super) async fn reload(&self, known: Known, spec: Spec) -> Result<(), Error> {
        let _one = self.versions.reload.lock().await;
        tokio::select! {
            biased;
            () = self.versions.stopping.cancelled() => Err(self.stops()),
            outcome = self.bring(Some(known), spec) => outcome,
        }
    }

    /// As [`Plugin::reload`], where it runs; else what is started at its next use is another.
    pub(super) async fn reconfigure(&self, known: Known, spec: Spec) -> Result<(), Error> {
        let one = self.versions.reload.lock().await;
        let old = self.supervisor();
        let is_idle = old.sessions().is_empty() && !old.status().is_starting();
        if is_idle && spec.supervision.start == Start::OnDemand {
            let new = self.begin(spec);
            self.switch(Some(known), &new);
            return Ok(());
        }
        drop(one);
        self.reload(known, spec).await
    }

    /// Brings the same version anew where it runs, as a reload does: what changed around it counts for a new process.
    pub async fn renew(&self) -> Result<(), Error> {
        let _one = self.versions.reload.lock().await;
        let current = self.supervisor();
        if current.sessions().is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = self.versions.stopping.cancelled() => Err(self.stops()),
            outcome = self.bring(None, (*current.spec()).clone()) => outcome,
        }
    }

    async fn bring(&self, known: Option<Known>, spec: Spec) -> Result<(), Error> {
        let old = self.supervisor();
        let forbidden = matches!(old.status().state, StateName::Disabled | StateName::Blocked);
        if forbidden || spec.admission != Admission::Enabled {
            let new = self.begin(spec);
            self.switch(known, &new);
            return Ok(());
        }
        if old.spec().supervision.exclusive || spec.supervision.exclusive {
            return self.exchange(&old, known, spec).await;
        }
        let new = self.begin(spec);
        if let Err(error) = new.all_ready().await {
            self.discard(&new).await;
            return Err(self.not_reloaded(error, "the version before goes on"));
        }
        self.switch(known, &new);
        Ok(())
    }

    /// The old version ends before the new one starts; who comes meanwhile waits in [`Plugin::ready`].
    async fn exchange(&self, old: &Supervisor, known: Option<Known>, spec: Spec) -> Result<(), Error> {
        old.supersede().await;
        let new = self.begin(spec);
        let Err(error) = new.all_ready().await else {
            self.switch(known, &new);
            return Ok(());
        };
        self.discard(&new).await;
        let mut spec = (*old.spec()).clone();
        spec.admission = Admission::Enabled;
        let again = self.begin(spec);
        let started = again.all_ready().await;
        // Ready or not: it is the one whose state counts now.
        self.switch(None, &again);
        Err(match started {
            Ok(()) => self.not_reloaded(error, "the version before runs again"),
            Err(_) => self.not_reloaded(error, "and the version before does not start again either"),
        })
    }

    /// Starts a version beside the one that serves.
    fn begin(&self, spec: Spec) -> Supervisor {
        let new = Supervisor::candidate(spec, self.host.clone());
        self.versions.beside().push(new.clone());
        new
    }

    async fn discard(&self, new: &Supervisor) {
        new.stop("it did not get ready").await;
        self.versions.beside().retain(|one| !one.is(new));
    }

    /// From here on calls go to `new`, and what follows the routing does as well: nothing waits between.
    fn switch(&self, known: Option<Known>, new: &Supervisor) {
        if let Some(known) = known {
            self.know(known);
        }
        let old = self.versions.current.send_replace(new.clone());
        self.versions.beside().retain(|one| !one.is(new));
        self.versions.retire(&old, old.supersede());
        new.serve();
        let generations = new.sessions().iter().map(|session| session.generation).collect();
        self.host.event(Event::Switched { plugin: self.name.clone(), generations });
    }

    fn not_reloaded(&self, mut error: Error, then: &str) -> Error {
        error.message = format!("`{}` was not reloaded, {then}: {}", self.name, error.message);
        error
    }

    fn stops(&self) -> Error {
        let message = format!("plugin `{}` is being stopped: AstrOS stops", self.name);
        Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(&*self.name)
    }
}

/// Whether a version may not do all that another one might.
fn may_less(now: &Spec, was: &Spec) -> bool {
    let mut before = was.granted.iter().flat_map(Permission::atoms);
    now.admission != Admission::Enabled || before.any(|one| !one.is_covered(&now.granted))
}
