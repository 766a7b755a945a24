//! Who the daemon is, and how it and its plugins are, for `astros status`.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    api::{CONTROL_VERSION, Hello, Problem, Status},
    lifetime::Lifetime,
};
use crate::{
    daemon::{Daemon, Listed, paths::Paths},
    observe::PluginSnapshot,
    supervisor::needs_setup,
};

/// How plugins are counted whose packages are still to be installed.
const NEEDS_SETUP: &str = "needs_setup";

/// The states that a person should look at, the worst first.
const BAD: [&str; 4] = ["quarantined", "error", "blocked", "restarting"];

impl Hello {
    /// Whether it is the daemon of this home.
    pub fn is_of(&self, paths: &Paths) -> bool {
        self.home == text(&paths.data)
    }

    /// Whether it has the plugins that a command names; one that names none takes what is there.
    pub fn has(&self, named: &[PathBuf]) -> bool {
        named.is_empty() || named.iter().map(|folder| text(folder)).eq(self.plugin_dirs.iter().cloned())
    }

    pub(super) fn new(daemon: &Daemon) -> Hello {
        Hello {
            control_version: CONTROL_VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            home: text(&daemon.paths().data),
            plugin_dirs: daemon.named_folders().iter().map(|folder| text(folder)).collect(),
            since: jiff::Timestamp::now(),
        }
    }
}

/// JSON is text.
fn text(path: &Path) -> PathBuf {
    PathBuf::from(path.to_string_lossy().into_owned())
}

impl Status {
    pub(super) fn new(daemon: &Daemon, hello: &Hello, lifetime: &Lifetime) -> Status {
        let listed = daemon.list();
        let mut plugins = BTreeMap::new();
        for plugin in &listed {
            let state = if waits_for_packages(plugin) { NEEDS_SETUP } else { &plugin.state };
            *plugins.entry(state.to_owned()).or_default() += 1;
        }
        let needs_setup = listed.iter().filter(|plugin| waits_for_packages(plugin));
        let metrics = daemon.router().metrics().snapshot();
        Status {
            hello: hello.clone(),
            draining: lifetime.is_draining(),
            problems: problems(daemon, &listed),
            needs_setup: needs_setup.map(bad).collect(),
            plugins,
            in_flight: listed.iter().map(|plugin| plugin.in_flight).sum(),
            connections: lifetime.connections(),
            counters: counters(&metrics),
            metrics,
            learning: daemon.learning(),
        }
    }
}

fn problems(daemon: &Daemon, listed: &[Listed]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = replaced().into_iter().collect();
    for state in BAD {
        let such = listed.iter().filter(|plugin| plugin.state == state && !waits_for_packages(plugin));
        problems.extend(such.map(bad));
    }
    problems.extend(listed.iter().filter(|plugin| !BAD.contains(&&*plugin.state)).flat_map(|plugin| {
        let instances = daemon.router().plugin(&plugin.name).map(|one| one.status().instances);
        let bad = instances.unwrap_or_default().into_iter().filter(|one| BAD.contains(&one.state.as_str()));
        bad.map(|one| {
            let (number, state) = (one.instance, one.state);
            let reason = one.reason.unwrap_or_default();
            let hint = format!("`astros plugins reset {}` lets it start again", plugin.name);
            let what = format!("process {number} of `{}` is in the state {state}: {reason}", plugin.name);
            Problem { plugin: Some(plugin.name.clone()), state: None, what, hint: Some(hint) }
        })
    }));
    let about = |what| Problem { plugin: None, state: None, what, hint: None };
    let stale = listed.iter().filter_map(|plugin| {
        let (reason, hint) = daemon.reload_failure(&plugin.name)?;
        let hint = hint.unwrap_or_else(|| format!("`astros plugins reload {}` tries again", plugin.name));
        Some(Problem { hint: Some(hint), ..about(reason) })
    });
    problems.extend(stale);
    problems.extend(daemon.unread().map(about));
    problems.extend(daemon.warnings().into_iter().map(about));
    problems
}

fn bad(plugin: &Listed) -> Problem {
    Problem {
        plugin: Some(plugin.name.clone()),
        state: Some(plugin.state.clone()),
        what: plugin.reason.clone().unwrap_or_default(),
        hint: plugin.hint.clone(),
    }
}

/// Nothing is wrong with it: a person has not set it up yet.
fn waits_for_packages(plugin: &Listed) -> bool {
    plugin.state == "blocked" && needs_setup(plugin.hint.as_deref())
}

/// The program was upgraded while this process of it runs on.
fn replaced() -> Option<Problem> {
    let program = std::fs::read_link("/proc/self/exe").ok()?;
    let program = program.to_string_lossy().strip_suffix(" (deleted)")?.to_owned();
    let again = match std::env::var_os("INVOCATION_ID") {
        Some(_) => "`systemctl --user restart astros` runs the new one",
        None => "`astros daemon stop` ends it; the next one is the new one",
    };
    Some(Problem {
        plugin: None,
        state: None,
        what: format!("`{program}` was replaced since the daemon was started"),
        hint: Some(again.to_owned()),
    })
}

/// The numbers of all plugins together.
fn counters(metrics: &BTreeMap<String, PluginSnapshot>) -> BTreeMap<String, u64> {
    let sum = |count: fn(&PluginSnapshot) -> u64| metrics.values().map(count).sum();
    let counters: [(&str, u64); 9] = [
        ("calls", sum(|plugin| plugin.calls)),
        ("errors", sum(|plugin| plugin.errors.values().sum())),
        ("restarts", sum(|plugin| plugin.restarts)),
        ("crashes", sum(|plugin| plugin.crashes.values().sum())),
        ("kills", sum(|plugin| plugin.kills)),
        ("denials", sum(|plugin| plugin.denials.values().sum())),
        ("refusals", sum(|plugin| plugin.refusals.values().sum())),
        ("oddities", sum(|plugin| plugin.oddities.values().sum())),
        ("dropped_log_lines", sum(|plugin| plugin.dropped_log_lines)),
    ];
    counters.map(|(name, count)| (name.to_owned(), count)).into()
}
