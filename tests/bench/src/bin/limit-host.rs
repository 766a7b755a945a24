//! The limit, `pipe-json`: blocking pipes, envelopes parsed, payloads passed as raw JSON, and nothing else: no
//! deadlines, no cancellation, no supervision. One thread where calls follow each other; a writing and a reading
//! thread, both with batches, where 64 are in flight.

use std::{
    io::Write,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use astros_bench::{
    Clock, Effort, Figures, Lines, Message, OneCore, SIZES, Size, Turn, arguments, payload, print,
};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};

struct Plugin {
    child: Child,
    input: ChildStdin,
    lines: Lines<ChildStdout>,
    next: u64,
}

impl Plugin {
    fn start(command: &[String]) -> Result<Plugin> {
        let mut plugin = Plugin::spawn(command)?;
        plugin.call("initialize", &*to_raw_value(&json!({}))?)?;
        Ok(plugin)
    }

    fn spawn(command: &[String]) -> Result<Plugin> {
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("`{}` cannot be started", command[0]))?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = pipes else { anyhow::bail!("the child has no pipes") };
        Ok(Plugin { child, input, lines: Lines::new(output), next: 1 })
    }

    fn call(&mut self, method: &str, params: &RawValue) -> Result<Message<'_>> {
        let id = self.next;
        self.next += 1;
        let mut out = Vec::with_capacity(params.get().len() + 64);
        Message::request(id, method, params).write(&mut out)?;
        self.input.write_all(&out)?;
        let answer = Message::parse(self.lines.read()?)?;
        ensure!(answer.id == Some(id) && answer.result.is_some(), "an answer to something else");
        Ok(answer)
    }

    fn stop(self) {
        let Plugin { mut child, input, lines, .. } = self;
        drop((input, lines));
        // It ends with its input.
        let _ = child.wait();
    }
}

fn main() -> Result<()> {
    let (effort, child) = arguments()?;
    let mut figures = Figures::default();
    let one_core = OneCore::hold()?;
    let mut plugin = Plugin::start(&child)?;
    for size in &SIZES {
        latency(&mut plugin, effort, size, &mut figures)?;
    }
    plugin.stop();
    figures.route(route(&child, effort.routes())?);
    drop(one_core);
    let mut plugin = Plugin::start(&child)?;
    for size in &SIZES {
        throughput(&mut plugin, effort, size, &mut figures)?;
    }
    plugin.stop();
    let mut times = Vec::new();
    for _ in 0..effort.starts() {
        let begin = Instant::now();
        let plugin = Plugin::start(&child)?;
        times.push(begin.elapsed());
        plugin.stop();
    }
    figures.starts(times);
    figures.mass((0..effort.masses()).map(|_| mass(&child)).collect::<Result<_>>()?);
    print(&figures)
}

/// All are spawned before the first is spoken to.
fn mass(child: &[String]) -> Result<Duration> {
    let begin = Instant::now();
    let mut plugins = (0..Effort::MASS).map(|_| Plugin::spawn(child)).collect::<Result<Vec<_>>>()?;
    for plugin in &mut plugins {
        plugin.call("initialize", &*to_raw_value(&json!({}))?)?;
    }
    let took = begin.elapsed();
    plugins.into_iter().for_each(Plugin::stop);
    Ok(took)
}

fn latency(plugin: &mut Plugin, effort: Effort, size: &Size, figures: &mut Figures) -> Result<()> {
    let payload = payload(size.bytes);
    let calls = effort.latency(size);
    for _ in 0..calls / 10 {
        plugin.call("echo", &payload)?;
    }
    let answer = plugin.call("echo", &payload)?;
    let echoed = answer.result.map(|result| result.get()).unwrap_or_default();
    ensure!(echoed == payload.get(), "the echo differs: {echoed}");
    let mut times = Vec::with_capacity(calls);
    for _ in 0..calls {
        let begin = Instant::now();
        plugin.call("echo", &payload)?;
        times.push(begin.elapsed());
    }
    figures.latency(size, times);
    Ok(())
}

/// How many calls are in flight.
#[derive(Default)]
struct Window {
    open: Mutex<usize>,
    closed: Condvar,
}

impl Window {
    /// Opens as many as there is room for, and at most `most`; waits where there is room for none.
    fn open(&self, most: usize) -> usize {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |open: &mut usize| *open >= Effort::WINDOW;
        let mut open = self.closed.wait_while(open, full).unwrap_or_else(PoisonError::into_inner);
        let room = (Effort::WINDOW - *open).min(most);
        *open += room;
        room
    }

    fn close(&self, calls: usize) {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) -= calls;
        self.closed.notify_one();
    }
}

fn throughput(plugin: &mut Plugin, effort: Effort, size: &Size, figures: &mut Figures) -> Result<()> {
    let payload = payload(size.bytes);
    let calls = effort.each_in_flight(size) * Effort::WINDOW;
    let turns = (0..Effort::TURNS).map(|_| turn(plugin, &payload, calls)).collect::<Result<_>>()?;
    figures.throughput(size, calls, turns);
    Ok(())
}

fn turn(plugin: &mut Plugin, payload: &RawValue, calls: usize) -> Result<Turn> {
    let window = Window::default();
    let Plugin { input, lines, .. } = plugin;
    let clock = Clock::start();
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| write_all(input, payload, calls, &window));
        let mut answered = 0;
        while answered < calls {
            ensure!(lines.fill()?, "the child ended");
            let mut batch = 0;
            while let Some(line) = lines.buffered() {
                ensure!(Message::parse(line)?.result.is_some(), "an answer without a result");
                batch += 1;
            }
            answered += batch;
            window.close(batch);
        }
        writer.join().map_err(|_| anyhow::anyhow!("the writing thread panicked"))?
    })?;
    Ok(clock.stop())
}

fn write_all(input: &mut ChildStdin, payload: &RawValue, calls: usize, window: &Window) -> Result<()> {
    let (mut sent, mut out) = (0, Vec::new());
    while sent < calls {
        let batch = window.open(calls - sent);
        for id in sent..sent + batch {
            Message::request(id as u64, "echo", payload).write(&mut out)?;
        }
        input.write_all(&out)?;
        out.clear();
        sent += batch;
    }
    Ok(())
}

/// A asks the host, which asks B: both are served by this one thread.
fn route(child: &[String], calls: usize) -> Result<Vec<u64>> {
    let (mut a, mut b) = (Plugin::start(child)?, Plugin::start(child)?);
    let params = to_raw_value(&json!({ "calls": calls, "payload": &*payload(300) }))?;
    let mut out = Vec::new();
    Message::request(2, "route", &params).write(&mut out)?;
    a.input.write_all(&out)?;
    let times = loop {
        let message = Message::parse(a.lines.read()?)?;
        let (Some("echo"), Some(params)) = (message.method, message.params) else {
            let times: Value = serde_json::from_str(message.result.context("no times of A")?.get())?;
            break serde_json::from_value(times)?;
        };
        let answer = b.call("echo", params)?;
        out.clear();
        Message::response(message.id, answer.result.context("no answer of B")?).write(&mut out)?;
        a.input.write_all(&out)?;
    };
    a.stop();
    b.stop();
    Ok(times)
}
