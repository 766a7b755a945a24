//! What is seen of calls and plugins: told to the metrics, and to the traces where there are any.

use std::sync::Arc;

use astros_peer::Oddity;
use astros_protocol::{Error, ErrorCode};

use super::{Call, Plugin, tree::Link};
use crate::{
    observe::{Metrics, PluginMetrics, Span, Timer, Traces},
    supervisor::{Event, Kill},
};

/// Watches one call. Dropped before it was told the outcome, the call was cancelled.
pub(super) struct Watch<'a> {
    timer: Option<Timer<'a>>,
    traces: Option<&'a Arc<Traces>>,
    call: &'a Call<'a>,
    /// Where it stands in the tree; known where traces are on and it was not refused.
    link: Option<Arc<Link>>,
}

impl<'a> Watch<'a> {
    pub(super) fn begin(
        traces: Option<&'a Arc<Traces>>,
        plugin: &'a Plugin,
        call: &'a Call<'a>,
    ) -> Watch<'a> {
        let timer = plugin.metrics.begin(call.handler);
        Watch { timer: Some(timer), traces, call, link: None }
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
        traces.record(&Span {
            trace: &self.call.root.correlation_id,
            id: self.link.as_ref().map_or_else(|| fastrand::u64(1..), |link| link.span()),
            parent: above.parent.as_ref().map(|parent| parent.link.span()),
            plugin: self.call.plugin,
            handler: self.call.handler,
            caller: above.caller.as_deref(),
            attempt: self.link.as_ref().map_or(0, |link| link.attempt()),
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
        Event::Ended { plugin, exit, asked, killed, .. } => {
            metrics.plugin(plugin).ended(why(exit, *killed).filter(|_| !asked), killed.is_some());
        }
        Event::Restarted { plugin, .. } => metrics.plugin(plugin).restarted(),
        Event::Oddity { plugin, .. } => metrics.plugin(plugin).oddity("other"),
        _ => {}
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

/// The kind of an end; none where it went by itself and well.
fn why(exit: &str, killed: Option<Kill>) -> Option<&'static str> {
    Some(match killed {
        Some(Kill::Hung) => "hung",
        Some(Kill::Overran) => "overran",
        Some(Kill::Outgrown) => "outgrown",
        Some(Kill::Closed) => "closed_pipes",
        Some(Kill::BrokeRules) => "broke_rules",
        Some(Kill::StopForced) => "stop_forced",
        None if exit == "exited with status 0" => return None,
        None if exit.starts_with("exited") => "exit",
        None => "signal",
    })
}
