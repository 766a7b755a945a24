//! Other processes: the daemon, the launcher, the init of the namespace, another plugin.

use std::{
    fs::{self, File, OpenOptions},
    os::fd::AsRawFd,
};

use nix::libc;

use crate::{
    Outcome,
    calls::{address, call, denied, passes, room},
    place::{Place, see},
};

pub(crate) const NAMES: &str = "environ-of-daemon mem-of-daemon root-of-daemon cwd-of-daemon fd-of-daemon maps-of-daemon \
    mem-of-launcher root-of-launcher cwd-of-launcher fd-of-launcher maps-of-launcher mem-of-init root-of-init \
    cwd-of-init fd-of-init maps-of-init environ-of-other mem-of-other root-of-other cwd-of-other fd-of-other maps-of-other \
    trace-daemon trace-launcher trace-init trace-other read-memory-of-daemon read-memory-of-launcher read-memory-of-init \
    read-memory-of-other take-descriptor-of-daemon take-descriptor-of-launcher take-descriptor-of-init \
    take-descriptor-of-other enter-namespace-of-daemon enter-namespace-of-launcher enter-namespace-of-init \
    enter-namespace-of-other signal-daemon signal-launcher signal-other limits-of-daemon priority-of-daemon \
    processors-of-daemon score-of-daemon";

const CALLED: [(&str, &str); 4] =
    [("daemon", "astros"), ("launcher", "astros-launcher"), ("init", "astros-init"), ("other", "adversary")];

pub(crate) fn attempt(name: &str, at: &Place) -> Option<Outcome> {
    let (verb, who) = name.rsplit_once('-')?;
    let verb = verb.strip_suffix("-of").unwrap_or(verb);
    Some(with_any(who, at, |pid| match verb {
        "trace" => passes(libc::SYS_ptrace, &[i64::from(libc::PTRACE_SEIZE), pid, 0, 0], &[]),
        "read-memory" => read_memory(pid),
        "take-descriptor" => {
            passes(libc::SYS_pidfd_getfd, &[call(libc::SYS_pidfd_open, &[pid, 0])?, 0, 0], &[])
        }
        "enter-namespace" => enter(pid),
        "signal" => passes(libc::SYS_kill, &[pid, i64::from(libc::SIGCONT)], &[]),
        "limits" => limits(pid),
        "priority" => passes(libc::SYS_setpriority, &[i64::from(libc::PRIO_PROCESS), pid, 0], &[]),
        "processors" => processors(pid),
        "score" => OpenOptions::new()
            .write(true)
            .open(format!("/proc/{pid}/oom_score_adj"))
            .map(|_| "the score could be set".to_owned()),
        place => look(pid, place),
    }))
}

/// The first process that is called so with which it works.
fn with_any(who: &str, at: &Place, mut attempt: impl FnMut(i64) -> Outcome) -> Outcome {
    let (_, comm) =
        CALLED.iter().find(|(name, _)| *name == who).ok_or_else(|| denied("nobody is called so"))?;
    let running =
        fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let called =
        |pid: &i64| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == *comm);
    let found = at.pid(who).map(i64::from).into_iter().chain(running.filter(called));
    let mut failed = format!("no process is called {comm}");
    for pid in found {
        match attempt(pid) {
            Ok(how) => return Ok(how),
            Err(error) => failed = format!("{pid}: {error}"),
        }
    }
    Err(denied(failed))
}

fn look(pid: i64, place: &str) -> Outcome {
    let path = format!("/proc/{pid}/{place}");
    match place {
        "root" | "cwd" => Ok(format!("{} entries are seen", fs::read_dir(format!("{path}/"))?.count())),
        "fd" => {
            let links = fs::read_dir(&path)?.flatten().map(|entry| fs::read_link(entry.path()));
            let links = links.collect::<Result<Vec<_>, _>>()?;
            if links.is_empty() { Err(denied("it has ended")) } else { Ok(format!("{links:?}")) }
        }
        "mem" => File::open(&path).map(|_| "its memory could be opened".to_owned()),
        _ => see(path),
    }
}

/// An address that is nobody's: whether it is there is only looked up where it is allowed.
fn read_memory(pid: i64) -> Outcome {
    let buffer = room(16);
    let (here, there) = ([address(&*buffer), 16], [0x10000_i64, 16]);
    passes(libc::SYS_process_vm_readv, &[pid, address(&here), 1, address(&there), 1, 0], &[libc::EFAULT])
}

fn enter(pid: i64) -> Outcome {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    passes(libc::SYS_setns, &[i64::from(namespace.as_raw_fd()), 0], &[])
}

fn limits(pid: i64) -> Outcome {
    let old = room(16);
    let files = i64::from(libc::RLIMIT_NOFILE);
    call(libc::SYS_prlimit64, &[pid, files, 0, address(&*old)])?;
    passes(libc::SYS_prlimit64, &[pid, files, address(&*old), 0], &[])
}

fn processors(pid: i64) -> Outcome {
    let mask = room(128);
    let size = call(libc::SYS_sched_getaffinity, &[pid, 128, address(&*mask)])?;
    passes(libc::SYS_sched_setaffinity, &[pid, size, address(&*mask)], &[])
}
