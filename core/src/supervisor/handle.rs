//! The handle to one plugin's supervisor: cheap to clone, and quick where the plugin runs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use astros_protocol::{Error, ErrorCode, Extra};
use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Admission, Event, Host, Session, Spec, Status,
    state::{Goal, SUPERSEDED, State},
    status::refusal,
    task::{Command, Task},
    view::{Shared, Standing, View, lead, least_loaded},
};

/// Supervises one version of a plugin: as many processes as its manifest says, each with its own restarts. When the
/// last handle is dropped, they are stopped.
#[derive(Clone)]
pub struct Supervisor {
    pub(super) shared: Arc<Shared>,
    pub(super) instances: Arc<[mpsc::UnboundedSender<Command>]>,
    pub(super) views: watch::Receiver<Vec<View>>,
}

impl Supervisor {
    /// Makes the tasks of one plugin, on the current tokio runtime. An eager plugin is started now.
    pub fn start<H: Host>(spec: Spec, host: Arc<H>) -> Supervisor {
        Supervisor::new(spec, host, Standing::Serves)
    }

    /// As [`Supervisor::start`], for a version that has to show that it gets ready before it is spoken of.
    pub(crate) fn candidate<H: Host>(spec: Spec, host: Arc<H>) -> Supervisor {
        Supervisor::new(spec, host, Standing::Candidate)
    }

    fn new<H: Host>(spec: Spec, host: Arc<H>, standing: Standing) -> Supervisor {
        let teller = host.clone();
        let shared = Arc::new(Shared::new(spec, standing, Box::new(move |event| teller.event(event))));
        let views = watch::Sender::new(Vec::new());
        let seen = views.subscribe();
        let supervision = &shared.spec().supervision;
        let count = if supervision.exclusive { 1 } else { supervision.instances.get() };
        let (instances, tasks): (Vec<_>, Vec<_>) = (0..count)
            .map(|instance| {
                let (commands, inbox) = mpsc::unbounded_channel();
                (commands, Task::new(instance, shared.clone(), host.clone(), inbox, views.clone()))
            })
            .unzip();
        // They look at each other: all are there before the first runs.
        for task in tasks {
            tokio::spawn(task.run());
        }
        Supervisor { shared, instances: instances.into(), views: seen }
    }

    /// What it is started with.
    pub fn spec(&self) -> Arc<Spec> {
        self.shared.spec()
    }

    /// Processes that are started from now on get these settings; those that run have been told already.
    pub(crate) fn set_settings(&self, settings: Extra) {
        self.shared.set_settings(settings);
    }

    /// The process that takes calls now; the one with the least to do, where there are several.
    pub fn session(&self) -> Option<Arc<Session>> {
        if self.is_superseded() {
            return None;
        }
        let views = self.views.borrow();
        self.wake(&views);
        least_loaded(&views).cloned()
    }

    /// Every process that takes calls now.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        if self.is_superseded() {
            return Vec::new();
        }
        let views = self.views.borrow();
        self.wake(&views);
        views.iter().filter_map(View::taking).cloned().collect()
    }

    /// Those that ended beside others that run are started again by the next use.
    fn wake(&self, views: &[View]) {
        let runs = || views.iter().any(|view| view.taking().is_some());
        if views.len() > 1 && runs() && views.iter().any(|view| view.starts_on_use(now())) {
            self.send(|| Command::Wanted);
        }
    }

    /// Beside those that take calls another process is on its way.
    pub(crate) fn brings_more(&self) -> bool {
        let views = self.views.borrow();
        let comes = |view: &View| {
            view.taking().is_none() && refusal(&self.shared.plugin, &view.state, now()).is_none()
        };
        views.len() > 1 && views.iter().any(comes)
    }

    /// The two are handles of the same supervisor.
    pub(crate) fn is(&self, other: &Supervisor) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The process that is ready, started where it is not, waiting for a start or a restart that is going on.
    ///
    /// Fails with `plugin_unavailable`, or with what kept it from starting. It has no limit of its own: a caller
    /// that drops this gives up.
    pub async fn ready(&self) -> Result<Arc<Session>, Error> {
        let _waiting = Waiting::new(&self.shared.waiting);
        let mut views = self.views.clone();
        let mut tried = false;
        loop {
            if self.is_superseded() {
                return Err(self.unavailable(SUPERSEDED));
            }
            let now = now();
            let wanted = {
                let views = views.borrow_and_update();
                if let Some(session) = least_loaded(&views) {
                    self.wake(&views);
                    return Ok(session.clone());
                }
                // A failed start from before is tried again, if it is time; one from now is the answer.
                let starts = |view: &View| match view.state {
                    State::Draining { goal: Goal::Idle } | State::CleaningUp { goal: Goal::Idle } => true,
                    State::Error { .. } if tried => false,
                    _ => view.starts_on_use(now),
                };
                let wanted = views.iter().any(starts);
                let hopes = |view: &View| refusal(&self.shared.plugin, &view.state, now).is_none();
                if !wanted && !views.iter().any(hopes) {
                    return Err(self.refuse(&lead(&views).state));
                }
                wanted
            };
            if wanted {
                tried = true;
                self.send(|| Command::Wanted);
            }
            if views.changed().await.is_err() {
                return Err(self.unavailable("the daemon stops"));
            }
        }
    }

    /// Starts every process; returns when all take calls, and fails as soon as one does not get there.
    pub(crate) async fn all_ready(&self) -> Result<(), Error> {
        let mut views = self.views.clone();
        self.send(|| Command::Wanted);
        loop {
            {
                let views = views.borrow_and_update();
                if views.iter().all(|view| view.taking().is_some()) {
                    return Ok(());
                }
                if let Some(error) = views.iter().find_map(|view| self.failed(&view.state)) {
                    return Err(error);
                }
            }
            if views.changed().await.is_err() {
                return Err(self.unavailable("the daemon stops"));
            }
        }
    }

    /// Why a state is none on the way from a first start to ready.
    fn failed(&self, state: &State) -> Option<Error> {
        match state {
            State::Restarting { reason, .. } => Some(self.crashed(reason)),
            State::Idle { crash: Some(crash) } => Some(self.crashed(&crash.reason)),
            state => refusal(&self.shared.plugin, state, now()),
        }
    }

    fn crashed(&self, reason: &str) -> Error {
        let plugin = &*self.shared.plugin;
        Error::new(ErrorCode::PLUGIN_CRASHED, format!("plugin `{plugin}` {reason}")).with_plugin(plugin)
    }

    fn refuse(&self, state: &State) -> Error {
        let plugin = self.shared.plugin.clone();
        let error = refusal(&plugin, state, now()).unwrap_or_else(|| self.unavailable("it does not start"));
        let reason = state.reason().unwrap_or_default().to_owned();
        self.shared.tell(Event::Refused { plugin, state: state.name(), reason });
        error
    }

    fn unavailable(&self, why: &str) -> Error {
        let plugin = &*self.shared.plugin;
        let message = format!("plugin `{plugin}` is not available: {why}");
        Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(plugin)
    }

    pub fn status(&self) -> Status {
        Status::of(&self.shared.plugin, &self.views.borrow(), now())
    }

    /// Requests that it works on, also when it takes no more.
    pub fn in_flight(&self) -> usize {
        self.views.borrow().iter().map(View::in_flight).sum()
    }

    /// Lets it finish what it does, ends its processes, and starts none by use; returns when none is left.
    pub async fn stop(&self, reason: &str) {
        self.stop_for(Goal::Unload { reason: reason.to_owned() }).await;
    }

    /// Ends its processes as [`Supervisor::stop`] does, and starts new ones. A person's word: what failed before is
    /// forgotten. Refused where it may not run.
    pub async fn restart(&self) -> Result<Arc<Session>, Error> {
        if !self.is_superseded() {
            self.stop_for(Goal::Load).await;
        }
        self.ready().await
    }

    /// Forgets crashes and failed starts, so that the next use starts it.
    pub fn reset(&self) {
        self.send(|| Command::Reset);
    }

    /// Lets it run, or not; returns when no process is left that may not run.
    pub async fn admit(&self, admission: Admission) {
        match admission {
            Admission::Enabled => self.send(|| Command::Enable),
            Admission::Disabled { reason } => self.stop_for(Goal::Disable { reason }).await,
            Admission::Blocked { reason, hint } => self.stop_for(Goal::Block { reason, hint }).await,
        }
    }

    /// Resolves when it may not run any more, and says why.
    pub(crate) async fn forbidden(&self) -> String {
        let mut views = self.views.clone();
        let reason =
            |view: &View| view.state.is_forbidden().then(|| view.state.reason().map(str::to_owned))?;
        loop {
            if let Some(reason) = views.borrow_and_update().iter().find_map(reason) {
                return reason;
            }
            if views.changed().await.is_err() {
                // Nobody forbade it before its tasks ended.
                std::future::pending().await
            }
        }
    }

    /// Another version took its place: no call goes to it any more.
    pub fn is_superseded(&self) -> bool {
        self.shared.stands(Standing::Superseded)
    }

    /// The candidate shows that it can: it is the plugin from now on.
    pub(crate) fn serve(&self) {
        self.shared.stand(Standing::Serves);
        let plugin = self.shared.plugin.clone();
        // Taken first: who is told may look at what is known of the plugin.
        let session = least_loaded(&self.views.borrow()).cloned();
        let state = lead(&self.views.borrow()).state.clone();
        if let Some(session) = session {
            self.shared.tell(Event::Described { plugin, description: session.description.clone() });
        }
        self.shared.tell_state(&state);
    }

    /// Takes no more calls from now on, lets those that it has run to their own ends, and ends; resolves when nothing
    /// is left.
    pub(crate) fn supersede(&self) -> impl Future<Output = ()> + use<> {
        self.shared.stand(Standing::Superseded);
        self.stop_for(Goal::Supersede)
    }

    /// It is on its way when this returns, and done when that resolves.
    fn stop_for(&self, goal: Goal) -> impl Future<Output = ()> + use<> {
        let stopped = self.instances.iter().filter_map(|commands| {
            let (done, stopped) = oneshot::channel();
            commands.send(Command::Stop { goal: goal.clone(), done }).ok().map(|()| stopped)
        });
        // A task drops its end when its process is gone.
        let stopped = join_all(stopped.collect::<Vec<_>>());
        async move { drop(stopped.await) }
    }

    fn send(&self, command: impl Fn() -> Command) {
        for commands in &*self.instances {
            // Without a task the daemon stops.
            let _ = commands.send(command());
        }
    }
}

/// By tokio's clock, which tests can pause.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// Counts somebody who waits.
struct Waiting<'a>(&'a AtomicUsize);

impl Waiting<'_> {
    fn new(count: &AtomicUsize) -> Waiting<'_> {
        count.fetch_add(1, Ordering::Relaxed);
        Waiting(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
