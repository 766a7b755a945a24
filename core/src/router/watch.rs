//! What is seen of calls and plugins: told to the metrics, and to the traces where there are any.

use std::{sync::Arc, time::Instant};

use astros_peer::Oddity;
use astros_protocol::{Error, ErrorCode};

use super::{Call, Plugin, tree::Link};
use crate::{
    observe::{End, Metrics, PluginMetrics, Span, Timer, Traces},
    supervisor::Event,
};

/// Watches one call. Dropped before it was told the outcome, the call was cancelled.
pub(super) struct Watch<'a> {
    timer: Option<Timer<'a>>,
    /// When the call came.
    pub(super) begun: Instant,
    traces: Option<&'a Arc<Traces>>,
    call: &'a Call<'a>,
    /// Where it stands in the tree; known where traces are on and it was not refused.
    link: Option<Arc<Link>>,
    /// How often it was given to a process.
    pub(super) attempt: u32,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(
        traces: Option<&'a Arc<Traces>>,
        plugin: &'a Plugin,
        call: &'a Call<'a>,
    ) -> Watch<'a> {
        let timer = plugin.metrics.begin(call.handler);
        let begun = timer.begun();
        Watch { timer: Some(timer), begun, traces, call, link: None, attempt: 1 }
    }

    pub(super) fn stands(&mut self, link: &Arc<Link>) {
        self.link = self.traces.map(|_| link.clone());
    }

    pub(super) fn end(mut self, error: Option<&Error>) {
        self.tell(error);
    }

    fn tell(&mut self, error: Option<&Error>) {
        let Some(timer) = self.timer.take() else { return };
        let took = timer.end(error);
        let Some(traces) = self.traces else { return };
        let above = &self.call.above;
        // A link without a deadline is of a request that may be another one's: no parent, and another trace.
        let parent = above.link.as_ref().filter(|_| above.deadline.is_some()).map(|link| link.span());
        traces.record(&Span {
            trace: &self.call.root.correlation_id,
            id: self.link.as_ref().map_or_else(|| fastrand::u64(1..), |link| link.span()),
            parent,
            plugin: self.call.plugin,
            handler: self.call.handler,
            caller: above.caller.as_deref(),
            attempt: self.attempt,
            error: error.map(Error::kind),
            took,
        });
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if self.timer.is_some() {
            self.tell(Some(&Error::new(ErrorCode::CANCELLED, String::new())));
        }
    }
}

/// Counts what happened to a plugin.
pub(super) fn note(metrics: &Metrics, event: &Event) {
    match event {
        Event::StateChanged { plugin, state, reason } => {
            metrics.plugin(plugin).state(state.as_str(), reason.is_some());
        }
        Event::Ended { plugin, pid, exit, asked, .. } => {
            let reason = why(exit);
            let killed = exit.contains("was killed");
            metrics.plugin(plugin).ended(End { pid: *pid, exit, reason, asked: *asked, killed });
        }
        Event::Oddity { plugin, .. } => metrics.plugin(plugin).oddity("other"),
        Event::Described { .. } | Event::Line { .. } => {}
    }
}

/// Counts what should not have come.
pub(super) fn odd(metrics: &PluginMetrics, oddity: &Oddity<'_>) {
    metrics.oddity(match oddity {
        Oddity::Stray(_) => "stray_output",
        Oddity::Malformed { .. } => "malformed",
        Oddity::TooLarge { .. } => "too_large",
        Oddity::UnknownResponse(..) => "unknown_response",
        Oddity::DuplicateId(_) => "duplicate_id",
    });
}

/// The kind of an end that is told in words.
fn why(exit: &str) -> &'static str {
    match exit {
        _ if exit.starts_with("exited") => "exit",
        _ if exit.starts_with("killed by") => "signal",
        _ if exit.contains("hung") => "hung",
        _ if exit.contains("wedged") => "wedged",
        _ if exit.starts_with("closed its") => "closed_pipes",
        _ => "broke_rules",
    }
}
