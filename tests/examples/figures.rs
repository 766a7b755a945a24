//! The figures of the daemon that stays up, measured: `cargo run --release -p astros-tests --example figures`.
//!
//! What has to hold is held by tests; this prints how far it holds, and how fast.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it measures, and prints what it measured")]

use std::{
    cell::Cell,
    fs, thread,
    time::{Duration, Instant},
};

use astros_tests::{
    Adversary, Host, Language, World, adversary, eventually, kind, processes,
    this_process::{descriptors, memory, zombies},
};
use fastrand::Rng;
use futures_util::future::join_all;
use nix::sys::signal::Signal;
use serde_json::json;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for language in [Language::Rust, Language::Python] {
        println!("\nwith the adversary in {language:?}");
        let measure = |name: &str, measure: &dyn Fn()| {
            if wanted(name) {
                measure();
            }
        };
        measure("crash", &|| runtime.block_on(crash(language)));
        measure("hang", &|| runtime.block_on(hang(language)));
        measure("kills", &|| runtime.block_on(kills(language)));
        measure("restarts", &|| runtime.block_on(restarts(language)));
        measure("reloads", &|| runtime.block_on(reloads(language)));
        measure("floods", &|| runtime.block_on(floods(language)));
        measure("many", &|| runtime.block_on(many(language)));
    }
    if wanted("daemon") {
        println!("\nwith the daemon killed");
        kills_of_the_daemon();
    }
}

fn villain(language: Language) -> Adversary {
    let supervision = json!({
        "backoff_initial": "1ms", "backoff_max": "1ms", "max_restarts": 1_000_000, "stop_grace": "300ms",
    });
    adversary("villain").written_in(language).supervised(supervision)
}

async fn host(villain: Adversary) -> Host {
    let host = Host::start(World::new().with(villain).with(adversary("bystander"))).await;
    host.echoes("villain").await;
    host.echoes("bystander").await;
    host
}

/// From SIGKILL to the failure of the call that is pending.
async fn crash(language: Language) {
    let host = host(villain(language)).await;
    let mut seen = Vec::new();
    for round in 0..100 {
        let note = host.world().path(&format!("note-{round}"));
        let call = async { (host.call("villain", "hang", json!({ "note": note })).await, Instant::now()) };
        let kill = async {
            host.becomes("it is called", || note.exists()).await;
            processes::kill(host.pid("villain"));
            Instant::now()
        };
        let ((outcome, failed), killed) = tokio::join!(call, kill);
        assert_eq!(kind(&outcome), "plugin_crashed");
        seen.push(failed - killed);
    }
    println!("crash seen: {}", spread(seen));
    host.stop().await;
}

/// From SIGSTOP to the failure of the call that is pending, with the watch as it is by default.
async fn hang(language: Language) {
    let host = host(villain(language)).await;
    let halted = Instant::now();
    assert_eq!(kind(&host.call("villain", "halt", json!({})).await), "plugin_crashed");
    println!("hang seen: {:.1?}", halted.elapsed());
    host.stop().await;
}

/// Kills of plugins that have grandchildren, daemons and children: when nobody of them is left.
async fn kills(language: Language) {
    const KILLS: usize = 500;
    let mut rng = Rng::with_seed(7);
    let (mut gone, mut left) = (Vec::new(), 0);
    let host = host(villain(language)).await;
    for _ in 0..KILLS {
        for handler in ["grandchild", "daemon", "bomb"] {
            let _ = host.call("villain", handler, json!({ "children": rng.u64(1..6) })).await;
        }
        let pid = host.pid("villain");
        let family = family(pid);
        // The plugin, its launcher or its init.
        let whom = if rng.bool() { pid } else { processes::parent(pid).unwrap() };
        processes::kill(whom);
        let killed = Instant::now();
        // By the count of the last look: ids are given anew.
        left += loop {
            let survivors = family.iter().filter(|pid| processes::runs(**pid)).count();
            if survivors == 0 || killed.elapsed() > Duration::from_secs(2) {
                break survivors;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        gone.push(killed.elapsed());
        host.becomes("it is seen", || !host.status("villain").pids.contains(&pid)).await;
        host.echoes("villain").await;
    }
    println!("{left} survivors of {KILLS} kills, gone after: {}", spread(gone));
    host.stop().await;
}

/// Whoever has the environment of the plugin with this id and is in its namespace.
fn family(pid: u32) -> Vec<u32> {
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let wanted = namespace(pid);
    let all = fs::read_dir("/proc").unwrap().flatten();
    let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|other| namespace(*other) == wanted).collect()
}

/// What a daemon holds after many restarts.
async fn restarts(language: Language) {
    const RESTARTS: usize = 500;
    let host = host(villain(language)).await;
    for _ in 0..20 {
        let _ = host.call("villain", "kill", json!({})).await;
    }
    host.echoes("villain").await;
    let before = (descriptors(), memory());
    let begun = Instant::now();
    for _ in 0..RESTARTS {
        assert_eq!(kind(&host.call("villain", "kill", json!({})).await), "plugin_crashed");
    }
    host.echoes("villain").await;
    println!(
        "after {RESTARTS} restarts in {:.1?}: {:+} descriptors, {} zombies, {:+} KiB",
        begun.elapsed(),
        descriptors().cast_signed() - before.0.cast_signed(),
        zombies(),
        (memory().cast_signed() - before.1.cast_signed()) >> 10,
    );
    host.stop().await;
}

/// Calls that are lost or done twice over reloads.
async fn reloads(language: Language) {
    const RELOADS: usize = 20;
    const IN_FLIGHT: usize = 500;
    let host = Host::start(World::new().with(adversary("bystander"))).await;
    host.add(villain(language), |_| {});
    host.echoes("villain").await;
    let reloading = Cell::new(true);
    let reload = async {
        for _ in 0..RELOADS {
            host.reload(villain(language), |_| {}).await.unwrap();
        }
        reloading.set(false);
    };
    let client = async |client| {
        let (mut calls, mut lost, mut doubled) = (0, 0, 0);
        while reloading.get() {
            calls += 1;
            let note = host.world().path(&format!("note-{client}-{calls}"));
            let outcome = host.call("villain", "echo", json!({ "number": calls, "note": note })).await;
            lost += usize::from(
                !outcome.is_ok_and(|answer| answer["data"]["intent"]["context"]["number"] == calls),
            );
            doubled += usize::from(fs::read_to_string(&note).unwrap_or_default().lines().count() > 1);
            let _ = fs::remove_file(note);
        }
        [calls, lost, doubled]
    };
    let ((), counts) = tokio::join!(reload, join_all((0..IN_FLIGHT).map(client)));
    let [calls, lost, doubled] =
        [0, 1, 2].map(|which| counts.iter().map(|count| count[which]).sum::<usize>());
    println!(
        "{RELOADS} reloads with {IN_FLIGHT} calls in flight: {calls} calls, {lost} lost, {doubled} done twice"
    );
    host.stop().await;
}

/// What a flood costs the daemon, and another plugin.
async fn floods(language: Language) {
    for what in ["errors", "stray", "frames"] {
        let host = host(villain(language)).await;
        let quiet = echoes(&host, "bystander", tokio::time::sleep(Duration::from_secs(1))).await;
        let before = memory();
        let flood = async {
            let poured = host.call("villain", "pour", json!({ "what": what, "mebibytes": 64 })).await;
            assert_eq!(kind(&poured), "success");
        };
        let flooded = echoes(&host, "bystander", flood).await;
        let grown = memory().saturating_sub(before) >> 10;
        println!(
            "64 MiB of {what}: {grown} KiB more, p99 of another plugin {quiet:?} before, {flooded:?} meanwhile"
        );
        host.stop().await;
    }
}

/// One plugin among many that run.
async fn many(language: Language) {
    const MANY: usize = 200;
    let host = host(villain(language)).await;
    let alone = echoes(&host, "villain", tokio::time::sleep(Duration::from_secs(2))).await;
    let names: Vec<_> = (0..MANY).map(|number| format!("plugin-{number}")).collect();
    names.iter().for_each(|name| host.add(adversary(name), |_| {}));
    join_all(names.iter().map(|name| host.echoes(name))).await;
    let among = echoes(&host, "villain", tokio::time::sleep(Duration::from_secs(2))).await;
    println!("p99 of a plugin alone {alone:?}, among {MANY} that run {among:?}");
    host.stop().await;
}

/// The 99th percentile of echoes until something has happened.
async fn echoes(host: &Host, plugin: &str, until: impl Future<Output = ()>) -> Duration {
    let mut times = Vec::new();
    let echoing = async {
        loop {
            let begun = Instant::now();
            host.echoes(plugin).await;
            times.push(begun.elapsed());
        }
    };
    tokio::select! {
        () = until => {}
        () = echoing => {}
    }
    times.sort();
    times[times.len() * 99 / 100]
}

/// Kills of a daemon whose plugins have grandchildren and daemons.
fn kills_of_the_daemon() {
    const KILLS: usize = 100;
    let (mut gone, mut left) = (Vec::new(), 0);
    for _ in 0..KILLS {
        let world =
            World::new().with(adversary("rust")).with(adversary("python").written_in(Language::Python));
        let daemon = world.astros(["daemon"]).spawn();
        eventually("it answers", || (world.astros(["status"]).run().code == Some(0)).then_some(()));
        for (plugin, handler) in
            [("rust", "daemon"), ("python", "daemon"), ("rust", "bomb"), ("python", "grandchild")]
        {
            world.call(plugin, handler, json!({ "children": 5 })).succeeds();
        }
        daemon.signal(Signal::SIGKILL);
        let killed = Instant::now();
        let (mut seen, mut looks) = (killed, 0);
        // One that is just being started has no environment to be known by: three looks in a row have to find nobody.
        let remaining = loop {
            let found = world.processes();
            looks = if found.is_empty() { looks + 1 } else { 0 };
            if !found.is_empty() {
                seen = Instant::now();
            }
            if looks == 3 || killed.elapsed() > Duration::from_secs(2) {
                break found.len();
            }
            thread::sleep(Duration::from_millis(1));
        };
        gone.push(seen - killed);
        left += remaining;
        daemon.finish();
    }
    println!("{left} survivors of {KILLS} kills of the daemon, gone after: {}", spread(gone));
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort();
    let [median, p99] = [50, 99].map(|percent| times[times.len() * percent / 100]);
    format!("median {median:.1?}, p99 {p99:.1?}, at most {:.1?}", times[times.len() - 1])
}
