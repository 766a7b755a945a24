//! What the handle of a plugin sees of its processes: one [`View`] an instance, and what the plugin is as a whole.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::Instant,
};

use astros_protocol::Extra;

use super::{Crash, Event, Session, Spec, state::State};

/// One instance of a plugin.
pub(crate) struct View {
    pub(crate) state: State,
    pub(crate) since: Instant,
    /// The process that took `initialize`, until it has ended; it takes calls in [`State::Ready`] only.
    pub(crate) session: Option<Arc<Session>>,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
    /// The end of the last process.
    pub(crate) last: Option<Last>,
}

/// An end, and when it was.
pub(crate) struct Last {
    pub(crate) crash: Crash,
    pub(crate) at: Instant,
}

impl View {
    /// The process, if it takes calls.
    pub(crate) fn taking(&self) -> Option<&Arc<Session>> {
        self.session.as_ref().filter(|session| self.state == State::Ready && !session.peer.is_closed())
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.session.as_ref().map_or(0, |session| session.in_flight())
    }

    /// A use would start it.
    pub(crate) fn starts_on_use(&self, now: Instant) -> bool {
        match self.state {
            State::Idle { .. } => true,
            State::Error { retry_at, .. } => now >= retry_at,
            _ => false,
        }
    }
}

/// The process that has the least to do, of those that take calls.
pub(crate) fn least_loaded(views: &[View]) -> Option<&Arc<Session>> {
    views.iter().filter_map(View::taking).min_by_key(|session| session.in_flight())
}

/// The instance that stands for the plugin: the one that gets nearest to taking calls.
pub(crate) fn lead(views: &[View]) -> &View {
    views.iter().min_by_key(|view| rank(&view.state)).expect("a plugin has an instance")
}

fn rank(state: &State) -> u8 {
    match state {
        State::Ready => 0,
        State::Initializing => 1,
        State::Loading => 2,
        State::Restarting { .. } => 3,
        State::Draining { .. } => 4,
        State::CleaningUp { .. } => 5,
        State::Idle { .. } => 6,
        State::Error { .. } => 7,
        State::Quarantined { .. } => 8,
        State::Unloaded { .. } => 9,
        State::Disabled { .. } => 10,
        State::Blocked { .. } => 11,
        State::Discovered => 12,
    }
}

/// What the handle of a plugin and the tasks of its instances share.
pub(crate) struct Shared {
    pub(crate) plugin: Arc<str>,
    /// Its settings may be others later, and nothing else of it. A std lock: held for the swap only.
    spec: RwLock<Arc<Spec>>,
    /// Those that wait in [`super::Supervisor::ready`].
    pub(crate) waiting: AtomicUsize,
    standing: AtomicU8,
    tell: Box<dyn Fn(Event) + Send + Sync>,
}

/// Whether this version of the plugin is the one that calls go to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Standing {
    /// It is started beside the one that serves, and has to show that it can.
    Candidate = 0,
    Serves = 1,
    /// Another one took its place: it ends what it has begun.
    Superseded = 2,
}

impl Shared {
    pub(crate) fn new(spec: Spec, standing: Standing, tell: Box<dyn Fn(Event) + Send + Sync>) -> Shared {
        let plugin = Arc::from(spec.name.as_str());
        let (waiting, standing) = (AtomicUsize::new(0), AtomicU8::new(standing as u8));
        Shared { plugin, spec: RwLock::new(Arc::new(spec)), waiting, standing, tell }
    }

    /// What the next process is started with.
    pub(crate) fn spec(&self) -> Arc<Spec> {
        self.spec.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next process is started with these settings.
    pub(crate) fn set_settings(&self, settings: Extra) {
        let spec = Spec { settings, ..(*self.spec()).clone() };
        *self.spec.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(spec);
    }

    pub(crate) fn stands(&self, standing: Standing) -> bool {
        self.standing.load(Ordering::Acquire) == standing as u8
    }

    pub(crate) fn stand(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }

    pub(crate) fn tell(&self, event: Event) {
        (self.tell)(event);
    }

    /// Tells what concerns the plugin and not one process of it: that is the business of the version that serves.
    pub(crate) fn tell_state(&self, state: &State) {
        if self.stands(Standing::Serves) {
            let reason = state.reason().map(str::to_owned);
            self.tell(Event::StateChanged { plugin: self.plugin.clone(), state: state.name(), reason });
        }
    }
}
