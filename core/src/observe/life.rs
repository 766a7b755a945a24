//! What happens to a plugin beside its calls: counted, and told once as a structured event.
//!
//! Events name plugin, process and reason; never what a plugin or a person said, which may be secret.

use std::collections::BTreeMap;

/// Counts by kind.
pub(super) type Counts = BTreeMap<&'static str, u64>;

/// How a process ended.
#[derive(Clone, Copy, Debug)]
pub struct End<'a> {
    pub pid: u32,
    /// In words: `killed by SIGSEGV`.
    pub exit: &'a str,
    /// One of a few: `exit`, `signal`, `hung`, `wedged`, `closed_pipes`, `broke_rules`.
    pub reason: &'static str,
    /// It was to end.
    pub asked: bool,
    /// AstrOS killed it.
    pub killed: bool,
}

/// What happened to a message of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bus {
    Published,
    Delivered,
    Dropped,
}

impl Bus {
    fn name(self) -> &'static str {
        match self {
            Bus::Published => "published",
            Bus::Delivered => "delivered",
            Bus::Dropped => "dropped",
        }
    }
}

/// The counts of one plugin.
#[derive(Clone, Debug, Default)]
pub(super) struct Life {
    pub(super) restarts: u64,
    pub(super) crashes: Counts,
    pub(super) kills: u64,
    pub(super) refusals: Counts,
    pub(super) oddities: Counts,
    pub(super) dropped_log_lines: u64,
    pub(super) bus: Counts,
    /// Why its process ended unasked, until the next state says whether that was a crash.
    ended: Option<&'static str>,
    /// The next start is one after a crash.
    crashed: bool,
}

impl Life {
    pub(super) fn ended(&mut self, plugin: &str, end: End<'_>) {
        let End { pid, exit, reason, asked, killed } = end;
        self.ended = (!asked).then_some(reason);
        if killed {
            self.kills += 1;
            tracing::warn!(plugin, pid, exit, reason, "process killed");
        } else if asked {
            tracing::info!(plugin, pid, exit, "process ended");
        } else {
            tracing::warn!(plugin, pid, exit, reason, "process ended unasked");
        }
    }

    /// It is in another state; `failed` where that has a reason that is nobody's wish.
    pub(super) fn state(&mut self, plugin: &str, state: &'static str, failed: bool) {
        match (state, self.ended) {
            ("restarting" | "quarantined" | "error" | "idle", Some(reason)) if failed => {
                *self.crashes.entry(reason).or_default() += 1;
                self.crashed = matches!(state, "restarting" | "idle");
                self.ended = None;
            }
            ("loading", _) => {
                self.ended = None;
                if std::mem::take(&mut self.crashed) {
                    self.restarts += 1;
                    tracing::info!(plugin, restarts = self.restarts, "plugin restarted");
                }
            }
            // From idle it starts by way of `restarting` where it is used soon after its crash.
            ("restarting", _) => {}
            ("quarantined" | "disabled" | "blocked" | "unloaded" | "error", _) => self.crashed = false,
            _ => {}
        }
    }

    pub(super) fn bus(&mut self, what: Bus, count: u64) {
        *self.bus.entry(what.name()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGFAULT: End<'_> =
        End { pid: 7, exit: "killed by SIGSEGV", reason: "signal", asked: false, killed: false };

    #[test]
    fn counts_a_crash_and_the_restart_after_it() {
        let mut life = Life::default();
        for state in ["loading", "initializing", "ready"] {
            life.state("p", state, false);
        }
        life.ended("p", SEGFAULT);
        life.state("p", "restarting", true);
        assert_eq!((life.crashes["signal"], life.restarts), (1, 0));
        life.state("p", "loading", false);
        assert_eq!(life.restarts, 1);
    }

    #[test]
    fn counts_one_crash_where_nobody_used_it_until_later() {
        let mut life = Life::default();
        life.ended("p", SEGFAULT);
        life.state("p", "idle", true);
        life.state("p", "restarting", true);
        life.state("p", "loading", false);
        assert_eq!((life.crashes["signal"], life.restarts), (1, 1));
    }

    #[test]
    fn counts_neither_an_end_that_was_asked_for_nor_one_that_is_well() {
        let mut life = Life::default();
        life.ended("p", End { asked: true, killed: true, ..SEGFAULT });
        life.state("p", "idle", false);
        life.ended("p", End { exit: "exited with status 0", reason: "exit", ..SEGFAULT });
        life.state("p", "idle", false);
        life.state("p", "loading", false);
        assert_eq!((life.crashes.len(), life.restarts, life.kills), (0, 0, 1));
    }
}
