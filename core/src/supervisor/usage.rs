//! What the kernel says of a process and its descendants: whether they work, how much memory they take, and whether
//! somebody debugs them.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt};

/// So many processes are looked at, and so many threads of each: a look is not to take long, however many a plugin
/// makes.
const MAX: usize = 1024;

/// A process, its children, and theirs.
pub(crate) struct Family(Vec<u32>);

impl Family {
    pub(crate) fn of(pid: u32) -> Family {
        let mut found = vec![pid];
        let mut next = 0;
        while let Some(pid) = found.get(next) {
            let children = children(*pid);
            found.extend(children.into_iter().take(MAX - found.len()));
            next += 1;
        }
        Family(found)
    }

    /// The processor time that they and the children they outlived have used, in ticks of the kernel.
    pub(crate) fn used(&self) -> u64 {
        self.0.iter().filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")).ok()).map(ticks).sum()
    }

    /// Bytes of memory that are their own, on a quick look: what they share counts for each.
    pub(crate) fn memory(&self) -> u64 {
        self.taken(|pid| Memory::of(pid, "status", ["RssAnon:", "RssShmem:", "VmSwap:"]))
    }

    /// The same on a long look: what they share is divided among them.
    pub(crate) fn memory_divided(&self) -> u64 {
        let names = ["Pss_Anon:", "Pss_Shmem:", "SwapPss:"];
        // One that lets nobody look into it has all that it shares for itself.
        self.taken(|pid| {
            Memory::of(pid, "smaps_rollup", names)
                .or_else(|| Memory::of(pid, "status", ["RssAnon:", "RssShmem:", "VmSwap:"]))
        })
    }

    fn taken(&self, look: impl Fn(u32) -> Option<Memory>) -> u64 {
        let all = self.0.iter().filter_map(|pid| look(*pid));
        let sum = all.fold(Memory::default(), |sum, one| Memory {
            own: sum.own + one.own,
            shared: sum.shared + one.shared,
        });
        // Files in memory may be among what is shared, or not be mapped at all.
        sum.own + sum.shared.max(self.memory_files())
    }

    /// Bytes of the files without a name (`memfd_create`) that they have open.
    fn memory_files(&self) -> u64 {
        let folders = self.0.iter().filter_map(|pid| {
            let of = |task: String| fs::read_dir(format!("{task}/fd")).ok();
            of(format!("/proc/{pid}")).or_else(|| threads(*pid).find_map(of))
        });
        let entries = folders.flatten();
        let files = entries.flatten().map(|entry| entry.path()).filter(|path| {
            fs::read_link(path)
                .is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"/memfd:"))
        });
        let found: BTreeMap<_, _> = files
            .filter_map(|path| fs::metadata(path).ok())
            .map(|file| (file.ino(), file.blocks()))
            .collect();
        found.values().sum::<u64>() * 512
    }

    /// A debugger holds one of them.
    pub(crate) fn is_traced(&self) -> bool {
        self.0.iter().any(|pid| {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
            tracer.is_some_and(|pid| pid.trim() != "0")
        })
    }
}

/// Bytes of one process.
#[derive(Default)]
struct Memory {
    own: u64,
    shared: u64,
}

impl Memory {
    /// By the names that a file of `/proc` has for what is its own, what is shared, and what was swapped out.
    fn of(pid: u32, file: &str, names: [&str; 3]) -> Option<Memory> {
        // Where its first thread has ended, the others know.
        let of = |task: &str| Self::read(&fs::read_to_string(format!("{task}/{file}")).ok()?, &names);
        of(&format!("/proc/{pid}")).or_else(|| threads(pid).find_map(|thread| of(&thread)))
    }

    fn read(text: &str, [own, shared, swapped]: &[&str; 3]) -> Option<Memory> {
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<u64>().ok()? << 10)
        };
        Some(Memory {
            own: bytes(own)? + bytes(swapped).unwrap_or_default(),
            shared: bytes(shared).unwrap_or_default(),
        })
    }
}

/// Each thread has children of its own.
fn children(pid: u32) -> Vec<u32> {
    let lists = threads(pid).filter_map(|thread| fs::read_to_string(format!("{thread}/children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// The folders of a process's threads.
fn threads(pid: u32) -> impl Iterator<Item = String> {
    let folders = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    folders.take(MAX).map(|thread| thread.path().to_string_lossy().into_owned())
}

/// `utime`, `stime`, `cutime` and `cstime` of a `stat` file.
fn ticks(stat: String) -> u64 {
    // The name before may hold anything, parentheses too.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn reads_the_times_behind_any_name() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 90 80 0 0 12 3 400 5 20 0 1 0 99";
        assert_eq!(ticks(stat.to_owned()), 420);
        assert_eq!(ticks(String::new()), 0);
    }

    #[test]
    fn looks_at_so_many_of_a_crowd_and_no_more() {
        let crowd = "for each in $(seq 1100); do sleep 60 & done; echo; wait";
        let mut command = std::process::Command::new("sh");
        command.args(["-c", crowd]).stdout(std::process::Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap();
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let seen = Family::of(child.id()).0.len();
        let group = rustix::process::Pid::from_raw(child.id() as i32).unwrap();
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
        assert_eq!(seen, MAX);
    }

    #[test]
    fn finds_children_and_what_they_use() {
        let mut child = std::process::Command::new("sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let whole = || Family::of(std::process::id());
        while Family::of(child.id()).0.len() < 2 {
            std::thread::yield_now();
        }
        assert!(whole().0.len() >= 3 && whole().used() >= Family::of(child.id()).used());
        assert!(!Family::of(child.id()).is_traced());
        for pid in Family::of(child.id()).0 {
            let pid = rustix::process::Pid::from_raw(pid as i32).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        child.wait().unwrap();
    }
}
