//! What the test's own process holds, and with it the daemon in it.

use std::fs;

/// How many descriptors are open.
pub fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc can be read").count()
}

/// The memory in use, in bytes.
pub fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc can be read");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory is told");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// How many children have ended and were not waited for.
pub fn zombies() -> usize {
    let own = std::process::id().to_string();
    let is_one = |stat: &str| {
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        (fields.next(), fields.next()) == (Some("Z"), Some(&own))
    };
    let processes = fs::read_dir("/proc").expect("/proc can be read").flatten();
    processes
        .filter_map(|one| fs::read_to_string(one.path().join("stat")).ok())
        .filter(|stat| is_one(stat))
        .count()
}
