//! What a launcher costs: the time from a start to the first answer, one plugin after the other and fifty at once.
//!
//! `cargo run --release -p astros-core --example starts`

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use astros_core::{
    launcher::{Containment, run_if_asked},
    supervisor::{Event, Host, Launch, Sandboxed, Spec, Supervisor},
};
use astros_peer::{Incoming, Service};
use futures_util::future::join_all;
use serde_json::value::RawValue;

const STARTS: usize = 300;
const AT_ONCE: usize = 50;
const ROUNDS: usize = 9;
/// A small program that answers `initialize`.
const PLUGIN: &str = r#"read -r line
echo '{"jsonrpc":"2.0","id":1,"result":{"protocol_version":"1.0","plugin":{"name":"tiny"}}}'
read -r line"#;

struct Quiet;

impl Service for Quiet {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        request.responder.result(&());
    }
}

impl Host for Quiet {
    type Service = Quiet;

    fn service(&self, _: &str, _: u64) -> Quiet {
        Quiet
    }

    fn event(&self, _: Event) {}
}

fn main() {
    run_if_asked();
    let one = measured(STARTS, || {
        let started = Instant::now();
        let mut child = bare();
        answer(&mut child);
        let took = started.elapsed();
        end(child);
        took
    });
    let many = measured(ROUNDS, || {
        let started = Instant::now();
        let mut children: Vec<_> = (0..AT_ONCE).map(|_| bare()).collect();
        children.iter_mut().for_each(answer);
        let took = started.elapsed();
        children.into_iter().for_each(end);
        took
    });
    show("bare spawn", one, many);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for containment in [Containment::Group, Containment::Subreaper, Containment::Namespace] {
        let one = measured(STARTS, || runtime.block_on(started(1, containment, Sandboxed::Off)));
        let many = measured(ROUNDS, || runtime.block_on(started(AT_ONCE, containment, Sandboxed::Off)));
        show(&format!("supervised, {containment:?}"), one, many);
    }
    let started = |count| runtime.block_on(started(count, Containment::Namespace, Sandboxed::Enforced));
    show("supervised, sandboxed", measured(STARTS, || started(1)), measured(ROUNDS, || started(AT_ONCE)));
}

/// So many plugins at once, from the start to the last one that is ready.
async fn started(count: usize, containment: Containment, sandboxed: Sandboxed) -> Duration {
    // Any that is there; a sandboxed plugin may read it.
    let folder = std::path::Path::new("/usr/share");
    let began = Instant::now();
    let plugins: Vec<_> = (0..count)
        .map(|_| {
            let mut spec = Spec::new("tiny", folder, Launch::Executable("/bin/sh".into()));
            spec.args = vec!["-c".to_owned(), PLUGIN.to_owned()];
            spec.environment = Default::default();
            spec.supervision.stop_grace = Duration::ZERO;
            spec.containment = containment;
            spec.sandboxed = sandboxed;
            Supervisor::start(spec, Arc::new(Quiet))
        })
        .collect();
    join_all(plugins.iter().map(async |plugin| {
        let session = plugin.ready().await.expect("it starts");
        assert_eq!(session.containment, containment);
    }))
    .await;
    let took = began.elapsed();
    join_all(plugins.iter().map(|plugin| plugin.stop("measured"))).await;
    took
}

fn bare() -> Child {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", PLUGIN])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    child.stdin.as_mut().expect("a pipe").write_all(b"{}\n").expect("it reads");
    child
}

fn answer(child: &mut Child) {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("it answers");
}

fn end(mut child: Child) {
    drop(child.stdin.take());
    child.wait().expect("it ends");
}

/// What so many times took, the shortest first.
fn measured(times: usize, mut measure: impl FnMut() -> Duration) -> Vec<Duration> {
    let mut all: Vec<_> = (0..times).map(|_| measure()).collect();
    all.sort();
    all
}

#[allow(clippy::print_stdout, reason = "that is what it is for")]
fn show(what: &str, one: Vec<Duration>, many: Vec<Duration>) {
    let at = |all: &[Duration], percent: usize| all[all.len() * percent / 100].as_secs_f64() * 1000.0;
    println!(
        "{what:24} {:6.2} ms (p95 {:6.2} ms), {AT_ONCE} at once {:7.1} ms",
        at(&one, 50),
        at(&one, 95),
        at(&many, 50)
    );
}
