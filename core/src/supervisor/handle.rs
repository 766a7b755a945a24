//! The handle to one plugin's supervisor: cheap to clone, and quick where the plugin runs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_protocol::{Error, ErrorCode};
use serde::Serialize;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use super::{
    Admission, Host, Session, Spec, StateName,
    state::{Goal, State},
    task::{self, Command, View},
    words,
};

/// Supervises one plugin. When the last handle is dropped, its process is stopped.
#[derive(Clone)]
pub struct Supervisor {
    plugin: Arc<str>,
    commands: mpsc::UnboundedSender<Command>,
    view: watch::Receiver<View>,
    /// Those that wait in [`Supervisor::ready`].
    waiting: Arc<AtomicUsize>,
}

/// What is known of a plugin now.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    pub state: StateName,
    /// Why, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long it has been so, in milliseconds.
    pub since_ms: u64,
    /// For how long it will at most stay so, in milliseconds, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    pub pids: Vec<u32>,
    /// Starts after a crash.
    pub restarts: u32,
    pub in_flight: usize,
    /// How the last process ended: `killed by SIGSEGV after 1.2 s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// The last lines of the process that ended last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last_words: Vec<String>,
}

impl Status {
    /// It was started, and has not answered `initialize`.
    pub fn is_starting(&self) -> bool {
        matches!(self.state, StateName::Loading | StateName::Initializing)
    }
}

impl Supervisor {
    /// Makes the task of one plugin, on the current tokio runtime. An eager plugin is started now.
    pub fn start<H: Host>(spec: Spec, host: Arc<H>) -> Supervisor {
        let plugin: Arc<str> = Arc::from(spec.name.as_str());
        let waiting = Arc::new(AtomicUsize::new(0));
        let (commands, inbox) = mpsc::unbounded_channel();
        let (task, view) = task::Task::new(spec, plugin.clone(), host, inbox, waiting.clone());
        tokio::spawn(task.run());
        Supervisor { plugin, commands, view, waiting }
    }

    /// The process that is ready now.
    pub fn session(&self) -> Option<Arc<Session>> {
        self.view.borrow().session.clone().filter(|session| !session.peer.is_closed())
    }

    /// Every process that is ready now.
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.session().into_iter().collect()
    }

    /// The process that is ready, started where it is not, waiting for a start or a restart that is going on.
    ///
    /// Fails with `plugin_unavailable`, or with what kept it from starting. It has no limit of its own: a caller
    /// that drops this gives up.
    pub async fn ready(&self) -> Result<Arc<Session>, Error> {
        let _waiting = Waiting::new(&self.waiting);
        let mut view = self.view.clone();
        let mut tried = false;
        loop {
            let wanted = {
                let view = view.borrow_and_update();
                match &view.session {
                    Some(session) if !session.peer.is_closed() => return Ok(session.clone()),
                    _ => {}
                }
                match &view.state {
                    State::Idle { .. }
                    | State::Draining { goal: Goal::Idle }
                    | State::CleaningUp { goal: Goal::Idle } => true,
                    // An error from before is tried again, if it is time; one from now is the answer.
                    State::Error { retry_at, .. } if !tried && Instant::now().into_std() >= *retry_at => true,
                    state => match refusal(&self.plugin, state) {
                        Some(error) => return Err(error),
                        None => false,
                    },
                }
            };
            if wanted {
                tried = true;
                let _ = self.commands.send(Command::Wanted);
            }
            if view.changed().await.is_err() {
                let message = format!("plugin `{}` is not available: the daemon stops", self.plugin);
                return Err(Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(&*self.plugin));
            }
        }
    }

    pub fn status(&self) -> Status {
        let view = self.view.borrow();
        let in_flight = view.session.as_ref().map_or(0, |session| session.in_flight());
        let now = Instant::now().into_std();
        let state = match view.state.name() {
            StateName::Ready if in_flight > 0 => StateName::Executing,
            state => state,
        };
        Status {
            state,
            reason: view.state.reason().map(str::to_owned),
            since_ms: millis(now.saturating_duration_since(view.since)),
            until_ms: view.state.until().map(|until| millis(until.saturating_duration_since(now))),
            pids: view.pid.into_iter().collect(),
            restarts: view.restarts,
            in_flight,
            last_exit: view.last.as_ref().map(|crash| crash.story()),
            last_words: view.last.as_ref().map(|crash| crash.last_words.clone()).unwrap_or_default(),
        }
    }

    /// Lets it finish what it does, ends its process, and starts none by use; returns when none is left.
    pub async fn stop(&self, reason: &str) {
        self.stop_for(Goal::Unload { reason: reason.to_owned() }).await;
    }

    /// Ends its process as [`Supervisor::stop`] does, and starts a new one. A person's word: what failed before is
    /// forgotten.
    pub async fn restart(&self) -> Result<Arc<Session>, Error> {
        self.stop_for(Goal::Load).await;
        self.ready().await
    }

    /// Forgets crashes and failed starts, so that the next use starts it.
    pub fn reset(&self) {
        let _ = self.commands.send(Command::Reset);
    }

    /// Lets it run, or not; returns when no process is left that may not run.
    pub async fn admit(&self, admission: Admission) {
        match admission {
            Admission::Enabled => drop(self.commands.send(Command::Enable)),
            Admission::Disabled { reason } => self.stop_for(Goal::Disable { reason }).await,
            Admission::Blocked { reason, hint } => self.stop_for(Goal::Block { reason, hint }).await,
        }
    }

    async fn stop_for(&self, goal: Goal) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop { goal, done }).is_ok() {
            // The task drops its end when the process is gone.
            let _ = stopped.await;
        }
    }
}

/// Why a state cannot lead to a session by waiting; `None` where it can.
fn refusal(plugin: &str, state: &State) -> Option<Error> {
    let left = state.until().map(|until| until.saturating_duration_since(Instant::now().into_std()));
    let for_now = left.map(|left| format!(" for {}", words::duration(left))).unwrap_or_default();
    let reason = state.reason().unwrap_or_default();
    let (message, hint) = match state {
        State::Error { error, .. } => {
            let mut error = (**error).clone().with("state", state.name().as_str()).with_plugin(plugin);
            if let Some(left) = left {
                error = error.with("retry_after_ms", millis(left));
            }
            return Some(error);
        }
        State::Disabled { .. } => {
            (format!("is disabled: {reason}"), format!("`astros plugins enable {plugin}` lets it run"))
        }
        State::Blocked { hint, .. } => (format!("is blocked: {reason}"), hint.clone()),
        State::Quarantined { .. } => (
            format!("is quarantined{for_now}: {reason}"),
            format!("`astros plugins logs {plugin}` shows why"),
        ),
        State::Unloaded { .. } => (format!("is stopped: {reason}"), "the next command starts it".to_owned()),
        State::Draining { goal } | State::CleaningUp { goal } if *goal != Goal::Load => {
            (format!("is being stopped: {reason}"), "try again when it has ended".to_owned())
        }
        _ => return None,
    };
    let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, format!("plugin `{plugin}` {message}"));
    let error = error.with_plugin(plugin).with_hint(hint).with("state", state.name().as_str());
    Some(match left {
        Some(left) => error.with("reason", reason).with("retry_after_ms", millis(left)),
        None => error.with("reason", reason),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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
