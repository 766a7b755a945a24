//! What is fuzzed: one function a target, which takes any bytes and asserts what has to hold of them.
//!
//! `tests/fuzz` gives them to libFuzzer; [`check`] runs them in an ordinary test, over seeds that it changes at random.

mod check;
mod envelope;
mod frame;
mod host;
mod json;
mod manifest;
mod mutate;
mod plugin;
mod recognition;
mod recording;
mod settings;
mod wire;

pub use check::check;

/// A function that is fuzzed.
pub struct Target {
    pub name: &'static str,
    /// Panics where something does not hold.
    pub run: fn(&[u8]),
    /// Where changes begin.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target; `tests/fuzz/targets` has a file for each.
pub const TARGETS: &[Target] = &[
    Target { name: "frame", run: frame::run, seeds: frame::seeds },
    Target { name: "envelope", run: envelope::run, seeds: envelope::seeds },
    Target { name: "manifest", run: manifest::run, seeds: manifest::seeds },
    Target { name: "recognition", run: recognition::run, seeds: recognition::seeds },
    Target { name: "recording", run: recording::run, seeds: recording::seeds },
    Target { name: "settings", run: settings::run, seeds: settings::seeds },
    Target { name: "host", run: host::run, seeds: host::seeds },
    Target { name: "plugin", run: plugin::run, seeds: plugin::seeds },
];

/// The target of a name.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        panic!("no target `{name}`; there are {}", names.join(", "))
    })
}

/// A file of the project.
fn read(path: &str) -> Vec<u8> {
    std::fs::read(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The project's folder: the lib is part of two packages, which are not equally deep in it.
fn root() -> &'static std::path::Path {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .find(|folder| folder.join("protocol/golden").is_dir())
        .expect("it is built where its sources are")
}
