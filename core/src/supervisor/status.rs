//! What is known of a plugin now, and why it turns somebody away.

use std::time::{Duration, Instant};

use astros_protocol::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

use super::{
    Admission, StateName,
    state::{Goal, State},
    view::{View, lead},
    words,
};

/// What is known of a plugin now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    /// Of the instance that gets nearest to taking calls.
    pub state: StateName,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What a person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For how long it has been so, in milliseconds.
    pub since_ms: u64,
    /// For how long it will at most stay so, in milliseconds, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    pub pids: Vec<u32>,
    /// Starts after a crash.
    pub restarts: u32,
    pub in_flight: usize,
    /// Requests that versions from before a reload still work on.
    #[serde(default)]
    pub draining: usize,
    /// How the last process ended: `killed by SIGSEGV after 1.2 s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// The last lines of the process that ended last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub last_words: Vec<String>,
    /// Each of its processes, where it has several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceStatus>,
}

/// What is known of one process of a plugin that has several.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceStatus {
    pub instance: u32,
    pub state: StateName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub since_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    pub restarts: u32,
    pub in_flight: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
}

impl Status {
    /// Of a plugin that nobody started yet.
    pub fn unstarted(plugin: &str, admission: &Admission) -> Status {
        let state = match admission.clone() {
            Admission::Enabled => State::Idle { crash: None },
            Admission::Disabled { reason } => State::Disabled { reason },
            Admission::Blocked { reason, hint } => State::Blocked { reason, hint },
        };
        let since = Instant::now();
        let view = View { state, since, session: None, pid: None, restarts: 0, last: None };
        Status::of(plugin, &[view], since)
    }

    pub(crate) fn of(plugin: &str, views: &[View], now: Instant) -> Status {
        let instances: Vec<_> = (0..).zip(views).map(|(number, view)| instance(number, view, now)).collect();
        let (lead, in_flight) = (lead(views), instances.iter().map(|one| one.in_flight).sum());
        let last = views.iter().filter_map(|view| view.last.as_ref()).max_by_key(|last| last.at);
        Status {
            state: name(&lead.state, in_flight),
            reason: lead.state.reason().map(str::to_owned),
            hint: hint(plugin, &lead.state),
            since_ms: millis(now.saturating_duration_since(lead.since)),
            until_ms: left(&lead.state, now).map(millis),
            pids: views.iter().filter_map(|view| view.pid).collect(),
            restarts: instances.iter().map(|one| one.restarts).sum(),
            in_flight,
            draining: 0,
            last_exit: last.map(|last| last.crash.story()),
            last_words: last.map(|last| last.crash.last_words.clone()).unwrap_or_default(),
            instances: if views.len() > 1 { instances } else { Vec::new() },
        }
    }

    /// It was started, and has not answered `initialize`.
    pub fn is_starting(&self) -> bool {
        matches!(self.state, StateName::Loading | StateName::Initializing)
    }
}

fn instance(instance: u32, view: &View, now: Instant) -> InstanceStatus {
    InstanceStatus {
        instance,
        state: name(&view.state, view.in_flight()),
        reason: view.state.reason().map(str::to_owned),
        since_ms: millis(now.saturating_duration_since(view.since)),
        until_ms: left(&view.state, now).map(millis),
        pid: view.pid,
        restarts: view.restarts,
        in_flight: view.in_flight(),
        last_exit: view.last.as_ref().map(|last| last.crash.story()),
    }
}

fn name(state: &State, in_flight: usize) -> StateName {
    match state.name() {
        StateName::Ready if in_flight > 0 => StateName::Executing,
        name => name,
    }
}

/// How long it stays so.
fn left(state: &State, now: Instant) -> Option<Duration> {
    state.until().map(|until| until.saturating_duration_since(now))
}

/// Why a state cannot lead to a session by waiting; `None` where it can.
pub(crate) fn refusal(plugin: &str, state: &State, now: Instant) -> Option<Error> {
    let left = left(state, now);
    let for_now = left.map(|left| format!(" for {}", words::duration(left))).unwrap_or_default();
    let reason = state.reason().unwrap_or_default();
    let message = match state {
        State::Error { error, .. } => {
            let error = (**error).clone().with("state", state.name().as_str()).with_plugin(plugin);
            return Some(with_time(error, left));
        }
        State::Disabled { .. } => format!("is disabled: {reason}"),
        State::Blocked { .. } => format!("is blocked: {reason}"),
        State::Quarantined { .. } => format!("is quarantined{for_now}: {reason}"),
        State::Unloaded { .. } => format!("is stopped: {reason}"),
        State::Draining { goal } | State::CleaningUp { goal } if *goal != Goal::Load => {
            format!("is being stopped: {reason}")
        }
        _ => return None,
    };
    let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, format!("plugin `{plugin}` {message}"));
    let error = error.with_plugin(plugin).with_hint(hint(plugin, state).unwrap_or_default());
    Some(with_time(error.with("state", state.name().as_str()).with("reason", reason), left))
}

fn with_time(error: Error, left: Option<Duration>) -> Error {
    match left {
        Some(left) => error.with("retry_after_ms", millis(left)),
        None => error,
    }
}

/// What a person can do about a state.
fn hint(plugin: &str, state: &State) -> Option<String> {
    match state {
        State::Disabled { .. } => Some(format!("`astros plugins enable {plugin}` lets it run")),
        State::Blocked { hint, .. } => Some(hint.clone()),
        State::Quarantined { .. } => Some(format!(
            "`astros plugins logs {plugin}` shows why, `astros plugins reset {plugin}` lets it start again"
        )),
        State::Error { error, .. } if error.hint().is_some() => error.hint().map(str::to_owned),
        State::Restarting { .. } | State::Error { .. } => {
            Some(format!("`astros plugins logs {plugin}` shows more"))
        }
        State::Unloaded { .. } => Some(format!("`astros plugins restart {plugin}` starts it")),
        State::Draining { .. } | State::CleaningUp { .. } => Some("try again when it has ended".to_owned()),
        _ => None,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
