//! How much of the machine a plugin may use: what its manifest says within the operator's bounds.

use std::num::NonZeroU64;

use astros_protocol::manifest::Limits;

use crate::supervisor;

/// What a plugin gets that says nothing.
const DEFAULT: Limits = Limits {
    memory: Some(2 << 30),
    processes: NonZeroU64::new(512),
    open_files: NonZeroU64::new(1024),
    cpu_seconds: None,
    file_size: None,
};

/// More cannot be looked at for what they take together.
const MOST_PROCESSES: u64 = 1000;

/// The operator's word on this plugin holds in either direction; else the manifest's, at most the bounds for all.
pub(super) fn limits(manifest: Limits, bounds: Limits, own: Limits) -> supervisor::Limits {
    let Limits { memory, processes, open_files, cpu_seconds, file_size } =
        own.or(manifest.or(DEFAULT).at_most(bounds));
    supervisor::Limits {
        memory,
        processes: processes.map(|most| most.get().min(MOST_PROCESSES)),
        open_files: open_files.map(NonZeroU64::get),
        cpu_seconds: cpu_seconds.map(NonZeroU64::get),
        file_bytes: file_size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_what_a_manifest_asks_for_unless_the_operator_says_otherwise() {
        let memory = |bytes| Limits { memory: Some(bytes), ..Limits::default() };
        let none = Limits::default();
        let default = limits(none, none, none);
        assert_eq!(
            (default.memory, default.processes, default.cpu_seconds),
            (Some(2 << 30), Some(512), None)
        );
        assert_eq!(limits(memory(8 << 30), none, none).memory, Some(8 << 30));
        assert_eq!(limits(memory(8 << 30), memory(1 << 30), none).memory, Some(1 << 30));
        assert_eq!(limits(none, memory(1 << 30), none).memory, Some(1 << 30));
        assert_eq!(limits(memory(1), memory(2), memory(3)).memory, Some(3));
    }
}
