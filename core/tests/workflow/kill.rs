//! A daemon, or a command with a daemon of its own, that is killed in any phase: the run goes on in the next one.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

use serde_json::Value;

use crate::harness::{Home, astros};

const PHASES: usize = 10;

/// In each phase one agent is done at once, and the other one waits for the file `go`.
fn file() -> String {
    let phase = |at: usize| {
        format!(
            "  - name: p{at}\n    agents:\n      - {{agent: do, name: first-{at}, inputs: {{note: first-{at}}}}}\n      \
             - {{agent: do, name: second-{at}, inputs: {{note: second-{at}, wait: go-{at}}}}}\n"
        )
    };
    format!("name: long\nphases:\n{}", (0..PHASES).map(phase).collect::<String>())
}

/// Ended as it is dropped, also where a test fails.
struct Running(Child);

impl Running {
    fn start(mut command: Command) -> (Running, impl Iterator<Item = String>) {
        let mut child = command.spawn().unwrap();
        let lines = lines(child.stderr.take().unwrap());
        (Running(child), lines)
    }

    /// Ends it at once, as the kernel does where memory runs out.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lines(stderr: ChildStderr) -> impl Iterator<Item = String> {
    BufReader::new(stderr).lines().map_while(Result::ok)
}

/// Reads on until a line says this.
fn await_line(lines: &mut impl Iterator<Item = String>, wanted: &str) {
    let mut heard = Vec::new();
    for line in lines {
        if line.contains(wanted) {
            return;
        }
        heard.push(line);
    }
    panic!("`{wanted}` was not said: {heard:#?}");
}

/// Begins a run, kills what runs it in the phase `at`, and lets it go on to its end; gives the report.
fn killed_in(home: &Home, at: usize, daemon_stays: bool) -> Value {
    for before in 0..at {
        std::fs::write(home.data(&format!("go-{before}")), "").unwrap();
    }
    let daemon = daemon_stays.then(|| {
        let mut command = astros(home);
        command.args(["daemon"]);
        let (daemon, mut said) = Running::start(command);
        await_line(&mut said, "ready");
        // Its log goes on.
        std::thread::spawn(move || said.for_each(drop));
        daemon
    });
    let mut command = astros(home);
    command.args(["workflow", "run", "./long.yaml", "--task", "t"]);
    let (run, mut said) = Running::start(command);
    // It was kept before it was said.
    await_line(&mut said, &format!("s first-{at}"));
    match daemon {
        Some(daemon) => {
            daemon.kill();
            await_line(&mut said, " workflow run ./long.yaml --resume=");
        }
        None => run.kill(),
    }
    for after in at..PHASES {
        std::fs::write(home.data(&format!("go-{after}")), "").unwrap();
    }
    let mut command = astros(home);
    command.args(["workflow", "run", "long", "--resume", "--json"]).stdout(Stdio::piped());
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)))
}

fn clear(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        std::fs::remove_file(entry.path()).unwrap();
    }
}

#[test]
fn a_run_whose_daemon_is_killed_in_any_phase_goes_on_and_repeats_nothing_that_was_done() {
    let home = Home::new();
    home.write("long.yaml", &file());
    std::fs::create_dir_all(home.data("")).unwrap();
    for at in 0..PHASES {
        let report = killed_in(&home, at, at % 2 == 0);
        assert_eq!((&report["success"], &report["resumed"]), (&true.into(), &1.into()), "{at}: {report:#}");
        let mut noted = home.noted();
        noted.sort();
        let mut once: Vec<String> =
            (0..PHASES).flat_map(|phase| ["first", "second"].map(|step| format!("{step}-{phase}"))).collect();
        once.sort();
        assert_eq!(noted, once, "killed in phase {at}");
        clear(&home.data(""));
    }
}
