//! How much of the machine a plugin takes: resource limits, which its children inherit and nobody raises.

use std::{
    fs::{self, File},
    io,
    io::Write,
    os::fd::OwnedFd,
};

use rustix::{
    fs::{Mode, OFlags, openat},
    process::{Resource, Rlimit, geteuid, getrlimit, setrlimit},
};

use super::{Confinement, step::Step};

/// The launcher and the init are counted among the plugin's processes.
const KEEPERS: u64 = 2;
/// Numbers that the kernel gives nobody a second time.
const RESERVED: u64 = 300;
/// What the kernel adds for a plugin, in thousandths of the memory, when it looks for the largest.
const FIRST: i32 = 500;

pub(super) fn set(confinement: &Confinement) -> io::Result<()> {
    let limits = &confinement.limits;
    // The kernel counts those of a person in a user namespace: without one all others of his would be among them.
    let processes = limits.processes.filter(|_| confinement.means.namespaces);
    let all = [
        // No memory of it is left on the disk.
        (Resource::Core, Some(0), "core dumps"),
        // What it maps and does not write costs nothing, and interpreters map much.
        (Resource::Data, limits.memory, "memory"),
        (Resource::Nproc, processes.map(|most| most.saturating_add(KEEPERS)), "processes"),
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

/// So many open files, and as many more as it asks for within what nobody exceeds.
pub(super) fn open_files(most: u64) -> io::Result<()> {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(most), maximum })
        .step(format_args!("limiting open files to {most}"))
}

/// Where the machine has no memory left the kernel is to take a plugin, with all that is below its launcher, before
/// what the person works with. Nobody below has the right to lower it again: `/proc` is there to be read.
pub(super) fn go_first() {
    const SCORE: &str = "/proc/self/oom_score_adj";
    let known = fs::read_to_string(SCORE).ok().and_then(|score| score.trim().parse::<i32>().ok());
    // One that cannot be set is no reason not to start.
    if known.is_some_and(|known| known < FIRST) {
        let _ = fs::write(SCORE, FIRST.to_string());
    }
}

/// Nobody counts the processes of uid 0: the numbers of its namespace end somewhat above the limit, where the kernel
/// (from Linux 6.14) has them for each namespace.
pub(super) fn number_processes(proc: &OwnedFd, confinement: &Confinement) {
    let Some(most) = confinement.limits.processes.filter(|_| geteuid().is_root()) else { return };
    let most = most.saturating_add(KEEPERS + RESERVED).min(1 << 22);
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    if let Ok(file) = openat(proc, "sys/kernel/pid_max", flags, Mode::empty()) {
        let _ = File::from(file).write_all(most.to_string().as_bytes());
    }
}
