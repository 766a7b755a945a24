//! How much of the machine a plugin takes: resource limits, which its children inherit and nobody raises.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{Limits, step::Step};

pub(super) fn set(limits: &Limits) -> io::Result<()> {
    let all = [
        // No memory of it is left on the disk.
        (Resource::Core, Some(0), "core dumps"),
        // What it maps and does not write costs nothing, and interpreters map much.
        (Resource::Data, limits.memory, "memory"),
        // Of a user namespace of its own, where there is one.
        (Resource::Nproc, limits.processes, "processes"),
        (Resource::Nofile, limits.open_files, "open files"),
        (Resource::Cpu, limits.cpu_seconds, "processor time"),
        (Resource::Fsize, limits.file_bytes, "file size"),
    ];
    for (resource, limit, what) in all {
        let Some(limit) = limit else { continue };
        // Never more than it would have without.
        let most = getrlimit(resource).maximum.map_or(limit, |most| most.min(limit));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .step(format_args!("limiting {what} to {most}"))?;
    }
    Ok(())
}
