//! Which processes run, by a variable of their environment that only they have: the home of their world.

use std::{fs, os::unix::ffi::OsStrExt, path::Path};

use nix::{
    sys::signal::{Signal, kill as send},
    unistd::Pid,
};

/// The processes whose environment has `name` with this path. A zombie has no environment, and is not among them.
pub fn with_environment(name: &str, value: &Path) -> Vec<u32> {
    let wanted = [name.as_bytes(), b"=", value.as_os_str().as_bytes()].concat();
    let has = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ"))
            .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == wanted))
    };
    let entries = fs::read_dir("/proc").expect("/proc can be read").flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has).collect()
}

/// A process's command line.
pub fn describe(pid: u32) -> String {
    let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid}: {}", String::from_utf8_lossy(&words).replace('\0', " "))
}

/// Kills a process; one that is gone already is no failure.
pub fn kill(pid: u32) {
    signal(pid, Signal::SIGKILL);
}

/// Sends a process a signal; one that is gone already is no failure.
pub fn signal(pid: u32, signal: Signal) {
    let _ = send(Pid::from_raw(i32::try_from(pid).expect("a process id")), signal);
}
