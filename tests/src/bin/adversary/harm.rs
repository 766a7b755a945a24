//! What a process does to itself and to the machine, each named by what it does.

use std::{
    fs::File,
    hint::black_box,
    io::{Write, stderr},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};

use crate::{handlers::done, process::FOR_EVER, wire::Wire};

/// Does it and answers, where it can still answer; false where the name is none of these.
pub(crate) fn does(name: &str, id: &Value, context: &Value) -> bool {
    let number = |member: &str, otherwise: u64| context[member].as_u64().unwrap_or(otherwise);
    match name {
        "mute" => {
            let _ = nix::unistd::close(1);
            sleep(FOR_EVER);
        }
        "halt" => signal_myself(Signal::SIGSTOP),
        "grandchild" => start_a_grandchild(),
        "daemon" => start_a_daemon(),
        "bomb" => (0..number("children", 200)).for_each(|_| start_a_child()),
        "spin" => spin(Duration::from_millis(number("ms", 600_000))),
        "eat" => eat(),
        "leak" => {
            let open: Vec<_> =
                std::iter::repeat_with(|| File::open("/dev/null")).map_while(Result::ok).collect();
            done(id, json!({ "data": open.len() }));
            // They stay open.
            std::mem::forget(open);
            return true;
        }
        "pour" => pour(context["what"].as_str().unwrap_or_default(), number("mebibytes", 64)),
        _ => return false,
    }
    done(id, json!({}));
    true
}

/// A child of a child that nobody waits for, in the group of this process.
pub(crate) fn start_a_grandchild() {
    let shell = Command::new("sh").args(["-c", "sleep 600 & exit 0"]).status();
    shell.expect("a shell starts");
}

/// As that, in a session of its own, as daemons do it.
fn start_a_daemon() {
    let status = Command::new("setsid").args(["-f", "sleep", "600"]).status();
    status.expect("a daemon starts");
}

fn start_a_child() {
    let child = Command::new("sleep").arg("600").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    // Where no more may be started, that is what was wanted.
    drop(child);
}

fn spin(time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        black_box(begun);
    }
}

/// Takes memory until there is none; an allocation that fails ends a program in Rust.
fn eat() {
    eprintln!("this will not fit");
    let eaten: Vec<Vec<u8>> = (0..4_096).map(|_| vec![1; 1 << 20]).collect();
    black_box(eaten);
}

/// So much of it, in lines of 64 KiB.
fn pour(what: &str, mebibytes: u64) {
    let filling = "x".repeat(65_400);
    for number in 0..mebibytes * 16 {
        match what {
            "errors" => drop(writeln!(stderr(), "{number} {filling}")),
            "stray" => Wire.line(&format!("{number} {filling}")),
            _ => Wire.notify("x/test/frame", json!({ "number": number, "filling": filling })),
        }
    }
}

pub(crate) fn signal_myself(signal: Signal) {
    let _ = kill(Pid::this(), signal);
}
