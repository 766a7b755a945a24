//! What is measured, how often, and how it is told.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// A name such as `latency_300_us`, and its figure.
#[derive(Debug, Default, serde::Serialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub fn set(&mut self, name: impl Into<String>, value: f64) {
        self.0.insert(name.into(), value);
    }

    /// The median of the times that calls of one size took, one after the other.
    pub fn latency(&mut self, size: &Size, times: Vec<Duration>) {
        self.set(format!("latency_{}_us", size.name), micros(median(times)));
    }

    /// The medians of turns of so many calls: how long they took, and how much time of the host's processor.
    pub fn throughput(&mut self, size: &Size, calls: usize, turns: Vec<Turn>) {
        let (took, cpu) = turns.into_iter().map(|turn| (turn.took, turn.cpu)).unzip();
        self.set(format!("calls_{}_s", size.name), calls as f64 / median(took).as_secs_f64());
        self.set(format!("cpu_{}_us", size.name), micros(median(cpu)) / calls as f64);
    }

    /// From before the spawn to the end of the handshake.
    pub fn starts(&mut self, times: Vec<Duration>) {
        let least = times.iter().min().copied().unwrap_or_default();
        self.set("start_min_ms", micros(least) / 1e3);
        self.set("start_ms", micros(median(times)) / 1e3);
    }

    /// [`Effort::MASS`] starts at once, until the last is ready.
    pub fn mass(&mut self, times: Vec<Duration>) {
        self.set("mass_ms", micros(median(times)) / 1e3);
    }

    /// From plugin A through the host to plugin B and back, as A sees it, in nanoseconds.
    pub fn route(&mut self, times: Vec<u64>) {
        self.set("route_us", micros(median(times.into_iter().map(Duration::from_nanos).collect())));
    }
}

/// Some calls, 64 in flight.
pub struct Turn {
    took: Duration,
    cpu: Duration,
}

/// A turn that is going on.
pub struct Clock {
    begun: Instant,
    cpu: Duration,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { begun: Instant::now(), cpu: host_cpu() }
    }

    pub fn stop(self) -> Turn {
        Turn { took: self.begun.elapsed(), cpu: host_cpu().saturating_sub(self.cpu) }
    }
}

/// A size of payloads.
pub struct Size {
    pub name: &'static str,
    pub bytes: usize,
    latency: usize,
    in_flight: usize,
}

pub const SIZES: [Size; 2] = [
    Size { name: "300", bytes: 300, latency: 3_000, in_flight: 6_400 },
    Size { name: "64k", bytes: 65_536, latency: 300, in_flight: 256 },
];

/// How much is done for a figure.
#[derive(Clone, Copy)]
pub struct Effort {
    divisor: usize,
}

impl Effort {
    /// Calls in flight at once, where many are.
    pub const WINDOW: usize = 64;

    /// Calls one after the other.
    pub fn latency(self, size: &Size) -> usize {
        (size.latency / self.divisor).max(10)
    }

    /// Turns of calls in flight: the machine's other work disturbs some of them.
    pub const TURNS: usize = 7;

    /// Calls of each of the 64 that are in flight, in one turn.
    pub fn each_in_flight(self, size: &Size) -> usize {
        (size.in_flight / self.divisor).div_ceil(Self::WINDOW)
    }

    pub fn starts(self) -> usize {
        (15 / self.divisor).max(3)
    }

    /// Starts at once, where many are.
    pub const MASS: usize = 50;

    /// How often so many are started.
    pub fn masses(self) -> usize {
        (5 / self.divisor).max(1)
    }

    pub fn routes(self) -> usize {
        1_000 / self.divisor
    }
}

/// `[--quick] -- CHILD ARGS…`: how much to do, and the child's command line.
pub fn arguments() -> anyhow::Result<(Effort, Vec<String>)> {
    let mut before = std::env::args().skip(1);
    let options: Vec<String> = before.by_ref().take_while(|argument| argument != "--").collect();
    let child: Vec<String> = before.collect();
    anyhow::ensure!(!child.is_empty(), "expected `[--quick] -- CHILD ARGS…`, found no child");
    let quick = options.iter().any(|option| option == "--quick");
    Ok((Effort { divisor: if quick { 10 } else { 1 } }, child))
}

pub fn print(figures: &Figures) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(figures)?);
    Ok(())
}

/// The processor's time that this process has used, all threads together.
fn host_cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
