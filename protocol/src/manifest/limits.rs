//! How much of the machine a plugin may use: the section `limits`, here and in `astros.yaml`.

use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::Deserialize;

use super::size::{self, SizeText};

/// The `limits` section; what is absent is left to who runs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, expecting = "a mapping")]
pub struct Limits {
    /// Memory of its own that each process has, in bytes: `512MB`.
    #[serde(deserialize_with = "size::deserialize")]
    #[schemars(with = "Option<SizeText>")]
    pub memory: Option<u64>,
    /// Processes and threads of the whole plugin.
    pub processes: Option<NonZeroU64>,
    /// Files that a process has open.
    pub open_files: Option<NonZeroU64>,
    /// Seconds of processor time of a process, after which it is ended.
    pub cpu_seconds: Option<NonZeroU64>,
    /// The largest file that it may write, in bytes: `1GB`.
    #[serde(deserialize_with = "size::deserialize")]
    #[schemars(with = "Option<SizeText>")]
    pub file_size: Option<u64>,
}

impl Limits {
    /// The names of its members.
    pub const NAMES: [&str; 5] = ["memory", "processes", "open_files", "cpu_seconds", "file_size"];

    /// These, and the others' where these say nothing.
    pub fn or(self, others: Self) -> Self {
        Self {
            memory: self.memory.or(others.memory),
            processes: self.processes.or(others.processes),
            open_files: self.open_files.or(others.open_files),
            cpu_seconds: self.cpu_seconds.or(others.cpu_seconds),
            file_size: self.file_size.or(others.file_size),
        }
    }

    /// The smaller of both, each.
    pub fn at_most(self, bound: Self) -> Self {
        fn smaller<T: Ord>(one: Option<T>, bound: Option<T>) -> Option<T> {
            one.into_iter().chain(bound).min()
        }
        Self {
            memory: smaller(self.memory, bound.memory),
            processes: smaller(self.processes, bound.processes),
            open_files: smaller(self.open_files, bound.open_files),
            cpu_seconds: smaller(self.cpu_seconds, bound.cpu_seconds),
            file_size: smaller(self.file_size, bound.file_size),
        }
    }
}
