//! The plugin's process: started in a throw-away home, and ended with all that it started.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::outcome::shown;

/// What is not handed on: the person's own places, and what tells a plugin of another host.
const TAKEN: [&str; 12] = [
    "ASTROS_HOME",
    "ASTROS_PLUGIN_PATH",
    "ASTROS_RPC_FDS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "PWD",
];
/// How much of standard error is kept.
const WORDS: usize = 4 << 10;
/// How long what was killed may take to be gone.
const GONE: Duration = Duration::from_secs(2);

/// A command that can be started, its paths absolute.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) path: PathBuf,
    pub(crate) arguments: Vec<OsString>,
}

pub(crate) struct Process {
    child: Child,
    folder: TempDir,
    words: Arc<Mutex<VecDeque<u8>>>,
    listener: JoinHandle<()>,
}

/// The ends of the plugin's pipes.
pub(crate) struct Pipes {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: ChildStdout,
}

impl Process {
    pub(crate) fn start(program: &Program) -> std::io::Result<(Process, Pipes)> {
        // As the kernel says it of a process that works there.
        let parent = fs::canonicalize(std::env::temp_dir())?;
        let folder = tempfile::Builder::new().prefix("astros-conformance-").tempdir_in(parent)?;
        for name in ["home", "tmp", "data", "cache", "config"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let mut command = Command::new(&program.path);
        command.args(&program.arguments).current_dir(folder.path().join("home"));
        for name in TAKEN {
            command.env_remove(name);
        }
        command.env("HOME", folder.path().join("home")).env("TMPDIR", folder.path().join("tmp"));
        command.env("ASTROS_PROTOCOL", "1.0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Its own group: Ctrl-C is for who runs the harness, and that ends it.
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let missing = || std::io::Error::other("a pipe of the process is missing");
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let listener = tokio::spawn(listen(child.stderr.take().ok_or_else(missing)?, words.clone()));
        Ok((Process { child, folder, words, listener }, Pipes { stdin, stdout }))
    }

    /// A folder of this name in its throw-away place.
    pub(crate) fn folder(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Its status, where it ends within this time.
    pub(crate) async fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        timeout(within, self.child.wait()).await.ok()?.ok()
    }

    /// How it is, with the last of what it wrote to standard error. `ends`: its output has ended, so it may end, too.
    pub(crate) async fn story(&mut self, ends: bool) -> String {
        let status = self.ended(if ends { GONE } else { Duration::ZERO }).await;
        if status.is_some() && !self.listener.is_finished() {
            // What it said last is on its way; who holds its standard error open is not waited for.
            let _ = timeout(GONE, &mut self.listener).await;
        }
        let how = status.map_or("its process runs".to_owned(), |status| format!("it ended: {status}"));
        let mut words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(words.make_contiguous());
        match words.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(last) => format!("{how}; its last words: {}", shown(last.as_bytes())),
            None => how,
        }
    }

    /// The processor time that it and all that it started have used, and whether one of them wants more at this moment.
    pub(crate) fn effort(&self) -> (u64, bool) {
        let efforts = self.inhabitants().into_iter().filter_map(effort);
        efforts.fold((0, false), |(all, wants), (one, runs)| (all + one, wants || runs))
    }

    /// The processes that it started and that run, by their command lines.
    pub(crate) fn left(&self) -> Vec<String> {
        let own = self.child.id();
        let others = self.inhabitants().into_iter().filter(|pid| Some(*pid) != own);
        others.map(|pid| describe(pid).unwrap_or_default()).collect()
    }

    /// Everybody whose home is this one, or who works in it; a zombie has neither, and is not among them.
    fn inhabitants(&self) -> Vec<u32> {
        let home = self.folder.path().join("home");
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| lives_in(*pid, &home)).collect()
    }

    /// Ends it and all that it started.
    fn end(&mut self) {
        // While it is not reaped, the number of its group is its own.
        if let Some(group) = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let deadline = Instant::now() + GONE;
        let home = self.folder.path().join("home");
        // Who starts others while it is killed is found in the next round.
        loop {
            let found = self.inhabitants();
            if found.is_empty() || Instant::now() > deadline {
                return;
            }
            found.into_iter().for_each(|pid| kill(pid, &home));
            std::thread::yield_now();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Through a descriptor, after a second look: a number may be a stranger's by now.
fn kill(pid: u32, home: &Path) {
    let Some(pid_) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(descriptor) = pidfd_open(pid_, PidfdFlags::empty()) else { return };
    if lives_in(pid, home) {
        let _ = pidfd_send_signal(descriptor, Signal::KILL);
    }
}

fn lives_in(pid: u32, home: &Path) -> bool {
    // An environment may be taken off, and be written over; a title of a process stands where it was.
    if fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|folder| folder.starts_with(home)) {
        return true;
    }
    let wanted = [b"HOME=", home.as_os_str().as_bytes()].concat();
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
}

/// Ticks, and whether it runs or would if it could.
fn effort(pid: u32) -> Option<(u64, bool)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in brackets, and may hold anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
    Some((ticks(11)? + ticks(12)?, matches!(*fields.first()?, "R" | "D")))
}

fn describe(pid: u32) -> Option<String> {
    let words = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words =
        words.split(|byte| *byte == 0).map(OsStr::from_bytes).map(|word| word.to_string_lossy().into_owned());
    Some(format!("{pid} `{}`", words.collect::<Vec<_>>().join(" ").trim_end()))
}

/// Reads standard error, always, and keeps the end of it.
async fn listen(mut stderr: ChildStderr, words: Arc<Mutex<VecDeque<u8>>>) {
    let mut buffer = [0; 4 << 10];
    while let Ok(count @ 1..) = stderr.read(&mut buffer).await {
        let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend(&buffer[..count]);
        let beyond = words.len().saturating_sub(WORDS);
        words.drain(..beyond);
    }
}
