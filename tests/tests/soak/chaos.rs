//! What is done to plugins from outside, at random.

use std::{
    fs,
    time::{Duration, Instant},
};

use astros_tests::{Host, processes};
use fastrand::Rng;
use nix::sys::signal::Signal;

use crate::{Counts, PLUGINS, version};

/// Does something every now and then until it is time; how often each.
pub(crate) async fn run(host: &Host, seed: u64, until: Instant) -> Counts {
    let mut rng = Rng::with_seed(seed);
    let mut acts = Counts::new();
    let mut halted = Vec::new();
    while Instant::now() < until {
        let plugin = PLUGINS[rng.usize(0..PLUGINS.len())].0;
        let act = act(host, &mut rng, plugin, &mut halted).await;
        *acts.entry(act).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(rng.u64(10..120))).await;
    }
    acts
}

async fn act(host: &Host, rng: &mut Rng, plugin: &str, halted: &mut Vec<u32>) -> &'static str {
    let choice = rng.u32(0..100);
    let pids = host.status(plugin).pids;
    let pid = (!pids.is_empty()).then(|| pids[rng.usize(0..pids.len())]);
    match (choice, pid) {
        (0..40, Some(pid)) => {
            processes::kill(pid);
            "plugins killed"
        }
        (40..55, Some(pid)) => {
            // Its launcher, or the init of its namespace.
            parent(pid)
                .filter(|parent| *parent != std::process::id())
                .inspect(|parent| processes::kill(*parent));
            "launchers killed"
        }
        (55..70, Some(pid)) => {
            processes::signal(pid, Signal::SIGSTOP);
            halted.push(pid);
            "plugins halted"
        }
        (70..80, _) => {
            halted.drain(..).for_each(|pid| processes::signal(pid, Signal::SIGCONT));
            "halted ones continued"
        }
        (80..87, _) => {
            let (version, watched) = version(plugin);
            match host.reload(version, watched).await {
                Ok(()) => "reloads",
                Err(_) => "reloads that failed",
            }
        }
        (87..95, _) => {
            // Others may restart or end it meanwhile.
            let _ = host.router().plugin(plugin).unwrap().supervisor().restart().await;
            "restarts"
        }
        _ => {
            host.router().plugin(plugin).unwrap().supervisor().reset();
            "resets"
        }
    }
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}
