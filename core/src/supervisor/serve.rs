//! A process that is ready: until it is over, idle, or to be stopped.

use std::{sync::Arc, time::Duration};

use astros_protocol::{
    lifecycle::InitializeResult,
    manifest::{Exit, Start},
};
use futures_util::{FutureExt, future::join_all};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    Crash, Event, Host, Kill, Session, Spec,
    machine::{self, Ended},
    running::Running,
    session::Work,
    state::{Goal, State},
    task::Task,
    view::{Standing, View},
    watchdog::watch,
};

/// Why a ready process is looked at.
enum Over {
    /// It has ended, or closed its output.
    Ended,
    /// It has to be killed: why, and for what it did.
    Killed(Kill, String),
    /// Its plugin had nothing to do.
    Idle,
    /// It has done what it had to do before its end, or had its time.
    Drained,
}

impl<H: Host> Task<H> {
    pub(super) async fn serve(&mut self, spec: &Spec, mut running: Running, answer: InitializeResult) {
        let (ended, session) = self.session(spec, &running, answer);
        self.change(|view| view.session = Some(session.clone()));
        self.on(machine::Event::Initialized);
        let eager = spec.supervision.start == Start::Eager;
        let views = self.views.subscribe();
        let mut over = self
            .during(async {
                tokio::select! {
                    over = ends(&mut running, &session, spec) => over,
                    () = idle(views, spec.supervision.idle_stop), if !eager => Over::Idle,
                }
            })
            .await;
        if matches!(over, Some(Over::Idle)) {
            self.on(machine::Event::Stop(Goal::Idle));
        }
        if matches!(self.machine.state(), State::Draining { .. }) {
            let drained = drained(self.views.subscribe(), self.instance, &session, spec);
            over = self
                .during(async {
                    tokio::select! {
                        over = ends(&mut running, &session, spec) => over,
                        () = drained => Over::Drained,
                    }
                })
                .await;
            self.on(machine::Event::Drained);
            if !matches!(over, Some(Over::Ended | Over::Killed(..))) {
                return self.clean_up(running, true, Some(ended)).await;
            }
        }
        // Who comes now is to wait for the next process.
        self.change(|view| view.session = None);
        let mut end = running.end().await;
        let mut kill = end.kill.unwrap_or(Kill::Closed);
        if let Some(Over::Killed(why, what)) = over {
            end.crash.exit = format!("{what} and was killed");
            end.exit = None;
            kill = why;
        }
        let in_use = session.in_flight() > 0 || self.is_awaited() || eager;
        let success = end.exit == Some(Exit::Status(0));
        let how = if success && !in_use {
            Ended::Finished
        } else {
            Ended::Crashed { reason: end.crash.story(), in_use, failed: !success }
        };
        let crash = self.ended(end, how, Some(kill));
        ended.send_replace(Some(crash));
    }

    fn session(
        &self,
        spec: &Spec,
        running: &Running,
        answer: InitializeResult,
    ) -> (watch::Sender<Option<Crash>>, Arc<Session>) {
        let plugin = self.shared.plugin.clone();
        let mut description = answer.plugin;
        if description.name != spec.name {
            let said = std::mem::replace(&mut description.name, spec.name.clone());
            if !said.is_empty() {
                let text =
                    format!("its code says that its name is `{said}`, its manifest `{}` holds", spec.name);
                self.shared.tell(Event::Oddity { plugin: plugin.clone(), text });
            }
        }
        let description = Arc::new(description);
        if self.shared.stands(Standing::Serves) {
            let (plugin, description) = (plugin.clone(), description.clone());
            self.shared.tell(Event::Described { plugin, description });
        }
        let mut limits = answer.limits;
        let ours = spec.supervision.max_in_flight.get();
        limits.max_in_flight = Some(limits.max_in_flight.map_or(ours, |theirs| theirs.clamp(1, ours)));
        let (ended, seen) = watch::channel(None);
        let session = Session {
            plugin,
            peer: running.peer.clone(),
            description,
            version: answer.protocol_version,
            features: answer.features,
            limits,
            pid: running.process.pid(),
            containment: running.process.containment(),
            sandbox: running.process.sandbox,
            files: running.process.files.clone(),
            generation: self.generation,
            work: Arc::new(Work::new()),
            ended: seen,
        };
        (ended, Arc::new(session))
    }
}

/// Resolves when the process has ended or has to.
async fn ends(running: &mut Running, session: &Session, spec: &Spec) -> Over {
    tokio::select! {
        () = running.over() => Over::Ended,
        what = session.failed() => Over::Killed(Kill::BrokeRules, what),
        (kill, what) = watch(session, spec) => Over::Killed(kill, what),
    }
}

/// Resolves when no process of the plugin had anything to do for so long: they go together, as they came.
async fn idle(mut views: watch::Receiver<Vec<View>>, limit: Duration) {
    loop {
        let sessions: Vec<_> = views.borrow_and_update().iter().filter_map(View::taking).cloned().collect();
        let idle = || sessions.iter().map(|session| session.idle(limit));
        if idle().all(|idle| idle.now_or_never().is_some()) {
            return;
        }
        tokio::select! {
            _ = join_all(idle()) => {}
            _ = views.changed() => {}
        }
    }
}

/// Resolves when nothing is in flight, or the time for that is over.
async fn drained(mut views: watch::Receiver<Vec<View>>, instance: u32, session: &Session, spec: &Spec) {
    loop {
        let begun = Instant::now();
        let goal = |views: &[View]| match &views[instance as usize].state {
            State::Draining { goal } => Some(goal.clone()),
            _ => None,
        };
        let now = goal(&views.borrow_and_update());
        let time = if now == Some(Goal::Supersede) { spec.drain } else { spec.supervision.stop_grace };
        tokio::select! {
            () = session.drained() => return,
            () = sleep_until(begun + time) => return,
            // Who is to stop for another reason may have less time.
            _ = views.wait_for(|views| goal(views) != now) => {}
        }
    }
}
