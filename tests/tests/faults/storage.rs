//! What plugins stored, when the disk is full or the daemon is killed while it writes.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use astros_tests::{Host, World, eventually, in_both_languages};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::signal::Signal,
};
use serde_json::{Value, json};

use crate::villain;

#[test]
fn keeps_the_old_value_and_says_so_when_the_disk_is_full_and_recovers_by_itself() {
    in_both_languages(async |language| {
        let world = World::new().with(villain(language));
        let disk = world.path("home");
        if let Err(why) = small_disk(&disk) {
            return println!("skipped: a disk of its own cannot be mounted here: {why}");
        }
        let host = Host::start(world).await;
        let ask = async |method: &str, params: Value| {
            let answer =
                host.call("villain", "ask", json!({ "method": method, "params": params })).await.unwrap();
            answer["data"].clone()
        };
        let set = async |value: &str| ask("storage/set", json!({ "key": "k", "value": value })).await;
        let get = async || ask("storage/get", json!({ "key": "k" })).await["answer"]["value"].clone();
        let (old, new) = ("old".repeat(50_000), "new".repeat(50_000));
        assert_eq!(set(&old).await["answer"]["version"], 1);
        fill(&disk.join("filling"));
        let error = set(&new).await["error"].clone();
        assert_eq!(error["data"]["kind"], "storage_failed", "{error}");
        assert!(error["message"].as_str().unwrap().contains("full"), "{error}");
        assert!(get().await == *old, "the old value is there");
        fs::remove_file(disk.join("filling")).unwrap();
        assert!(set(&new).await["answer"]["version"].as_u64() > Some(1), "there is room again");
        assert!(get().await == *new, "the new value is there");
        host.stop().await;
        umount2(&disk, MntFlags::MNT_DETACH).unwrap();
    });
}

/// A disk of 4 MiB at this place, for this thread and what it starts.
fn small_disk(place: &Path) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(Some("tmpfs"), place, Some("tmpfs"), MsFlags::empty(), Some("size=4m"))
}

/// Takes all the room that is left.
fn fill(file: &Path) {
    let error = fs::write(file, vec![0; 8 << 20]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn keeps_whole_what_was_being_written_when_astros_is_killed() {
    in_both_languages(async |language| {
        let world = World::new().with(villain(language));
        for round in 1..=4 {
            let note = world.note(&format!("note-{round}"));
            let running = world.calling("villain", "count", json!({ "note": note })).spawn();
            let noted = || fs::read_to_string(&note).unwrap_or_default().lines().count();
            eventually("it is writing", || (noted() > 5 * round).then_some(()));
            running.signal(Signal::SIGKILL);
            assert_eq!(running.finish().code, None);
            eventually("its plugin is gone too", || world.processes().is_empty().then_some(()));
            let text = fs::read_to_string(&note).unwrap();
            let answered: u64 = text.lines().last().unwrap().parse().unwrap();
            let params = json!({ "method": "storage/get", "params": { "key": "count" } });
            let value = world.call("villain", "ask", params).succeeds().data()["answer"]["value"].clone();
            let stored = value["number"].as_u64().unwrap();
            assert!(stored >= answered, "{stored} is stored, {answered} was answered");
            assert_eq!(value["filling"].as_str().map(str::len), Some(100_000), "it is whole");
        }
    });
}

#[test]
fn ends_calls_at_their_deadline_when_the_clock_jumps() {
    let Some(shim) = jumping_clock() else {
        return println!("skipped: there is no C compiler to make the clock jump");
    };
    in_both_languages(async |language| {
        for years in ["1", "-1"] {
            let world = World::new().with(villain(language));
            let call = world.calling("villain", "count", json!({})).arg("--timeout").arg("2s");
            let call = call.env("LD_PRELOAD", shim.path().join("clock.so")).env("JUMP", years);
            let begun = Instant::now();
            call.env("JUMPED", world.path("jumped")).run().fails(7, "deadline_exceeded");
            let took = begun.elapsed();
            assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&took), "{years}: {took:?}");
            assert!(world.path("jumped").exists(), "the daemon saw that clock");
        }
    });
}

/// A clock of the day that jumps by `$JUMP` years when the process is half a second old; whoever looked at it then made
/// the file `$JUMPED`.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    static struct timespec first, now;
    int result = syscall(SYS_clock_gettime, clock, time);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (!first.tv_sec) first = now;
    double age = (now.tv_sec - first.tv_sec) + (now.tv_nsec - first.tv_nsec) / 1e9;
    if (clock != CLOCK_REALTIME || age < 0.5) return result;
    close(open(getenv("JUMPED"), O_CREAT | O_WRONLY, 0600));
    time->tv_sec += atoi(getenv("JUMP")) * 31536000L;
    return result;
}
"#;

fn jumping_clock() -> Option<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clock.c"), CLOCK).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o", "clock.so", "clock.c"]).current_dir(folder.path());
    compiler.status().ok()?.success().then_some(folder)
}
