//! A process with a supervisor in it, to be stopped and killed: this test's program once more.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use astros_core::{
    launcher::{Containment, adopt_orphans},
    supervisor::{Event, Host, Launch, Sandboxed, Spec, Supervisor},
};
use astros_peer::{Incoming, Service};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, Uid},
};
use serde_json::{Value, json, value::RawValue};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(15);
/// The variable that all of a plugin's processes have, of a value that only they have.
const MARK: &str = "ASTROS_TEST_MARK";
const CONTAINMENT: &str = "ASTROS_TEST_CONTAINMENT";
const LAUNCHER: &str = "ASTROS_TEST_LAUNCHER";
/// Where there is no launcher there is no sandbox.
const UNCONFINED: &str = "ASTROS_TEST_UNCONFINED";
/// A uid without any right.
const NOBODY: u32 = 65534;

/// Ignores the end of its input; below it are children, and a session whose parent is gone.
const PLUGIN: &str = r#"
read -r line
read -r self rest < /proc/self/stat
sleep 600 <&- >&- 2>&- &
(setsid sh -c 'sleep 600 & exec sleep 600' &)
echo '{"jsonrpc":"2.0","id":1,"result":{"protocol_version":"1.0","plugin":{"name":"test","version":"'$self of $$'"}}}'
sleep 600
"#;
/// The plugin, and what is below it.
const PROCESSES: usize = 5;

#[derive(Clone, Copy, Debug)]
pub(crate) enum User {
    Own,
    Nobody,
}

impl User {
    /// Who tests can be.
    pub(crate) fn all() -> &'static [User] {
        if Uid::current().is_root() { &[User::Own, User::Nobody] } else { &[User::Own] }
    }
}

struct Quiet;

impl Service for Quiet {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        request.responder.result(&());
    }
}

impl Host for Quiet {
    type Service = Quiet;

    fn service(&self, _: &str, _: u64) -> Quiet {
        Quiet
    }

    fn event(&self, _: Event) {}
}

#[test]
#[ignore = "it is the daemon of the others"]
fn daemon() {
    adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let words = ["sh", "-c", PLUGIN].map(str::to_owned);
        let mut spec = Spec::new("test", "/usr", Launch::Command(words.to_vec()));
        spec.supervision.stop_grace = Duration::from_millis(50);
        spec.containment = serde_json::from_str(&env::var(CONTAINMENT).unwrap()).unwrap();
        if env::var_os(UNCONFINED).is_some() {
            spec.sandboxed = Sandboxed::Off;
        }
        spec.launcher = env::var_os(LAUNCHER).map(PathBuf::from);
        let supervisor = Supervisor::start(spec, Arc::new(Quiet));
        let session = match supervisor.ready().await {
            Ok(session) => session,
            Err(error) => return println!("\n{}", json!({ "error": error.message })),
        };
        let (pid, version) = (session.pid, session.description.version.clone());
        let about = json!({ "pid": pid, "version": version, "containment": session.containment });
        println!("\n{about}");
        // Until somebody says a word, or is gone.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()))
            .await
            .unwrap()
            .unwrap();
        supervisor.stop("enough").await;
    });
}

pub(crate) struct Daemon {
    child: Child,
    /// Open as long as it runs.
    _output: BufReader<ChildStdout>,
    mark: String,
    about: Value,
    /// The plugin, and those between it and the daemon.
    chain: Vec<i32>,
    /// Where its program is, if it is a copy.
    _folder: Option<tempfile::TempDir>,
}

impl Daemon {
    pub(crate) fn start(user: User, containment: Containment) -> Daemon {
        Daemon::launch(env::current_exe().unwrap(), user, containment, None).unwrap()
    }

    /// With this program as its launcher; the error where it does not get ready.
    pub(crate) fn start_through(launcher: &Path) -> Result<Daemon, String> {
        Daemon::launch(env::current_exe().unwrap(), User::Own, Containment::Namespace, Some(launcher))
    }

    /// In a folder where no `astros` is.
    pub(crate) fn start_without_astros() -> Daemon {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("embedder");
        fs::copy(env::current_exe().unwrap(), &copy).unwrap();
        let mut daemon = Daemon::launch(copy, User::Own, Containment::Namespace, None).unwrap();
        daemon._folder = Some(folder);
        daemon
    }

    fn launch(
        program: PathBuf,
        user: User,
        containment: Containment,
        launcher: Option<&Path>,
    ) -> Result<Daemon, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let alone = program != env::current_exe().unwrap();
        let mut command = Command::new(program);
        command
            .envs(alone.then_some((UNCONFINED, "1")))
            .args(["daemon::daemon", "--exact", "--ignored", "--nocapture"])
            .env(MARK, &mark)
            .envs(launcher.map(|launcher| (LAUNCHER, launcher)))
            .env(CONTAINMENT, serde_json::to_string(&containment).unwrap())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let User::Nobody = user {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let about = output.by_ref().lines().map_while(Result::ok).find(|line| line.starts_with('{'));
        let about = about.expect("the daemon gets ready");
        let about: Value = serde_json::from_str(&about).unwrap();
        if let Some(error) = about["error"].as_str() {
            child.wait().unwrap();
            return Err(error.to_owned());
        }
        let mut daemon = Daemon { child, _output: output, mark, about, chain: Vec::new(), _folder: None };
        daemon.chain.push(i32::try_from(daemon.about["pid"].as_i64().unwrap()).unwrap());
        loop {
            let parent = parent(*daemon.chain.last().unwrap());
            if parent == daemon.id() {
                break;
            }
            daemon.chain.push(parent);
        }
        eventually("all of the tree runs", || (daemon.tree().len() == PROCESSES).then_some(()));
        Ok(daemon)
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub(crate) fn plugin(&self) -> i32 {
        self.chain[0]
    }

    pub(crate) fn init(&self) -> i32 {
        self.chain[1]
    }

    pub(crate) fn launcher(&self) -> i32 {
        assert!(self.chain.len() > 1, "there is none");
        *self.chain.last().unwrap()
    }

    pub(crate) fn version(&self) -> &str {
        self.about["version"].as_str().unwrap()
    }

    pub(crate) fn containment(&self) -> Containment {
        serde_json::from_value(self.about["containment"].clone()).unwrap()
    }

    pub(crate) fn kill(&self, pid: i32, signal: Signal) {
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    /// Halts a process, and waits until it is.
    pub(crate) fn halt(&self, pid: i32) {
        self.kill(pid, Signal::SIGSTOP);
        let stat = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        eventually("it is halted", || stat().contains(") T ").then_some(()));
    }

    /// Tells it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    /// The plugin's processes.
    fn tree(&self) -> Vec<i32> {
        let wanted = format!("{MARK}={}", self.mark).into_bytes();
        let has = |pid: &i32| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            *pid != self.id() && environment.split(|byte| *byte == 0).any(|variable| variable == wanted)
        };
        let entries = fs::read_dir("/proc").unwrap().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(has).collect()
    }

    /// Neither the plugin's processes nor those between are left, not even as zombies where the daemon lives.
    pub(crate) fn leaves_nobody(&mut self, how: &str) {
        eventually(&format!("nobody is left {how}"), || {
            let reaps = self.child.try_wait().unwrap().is_none();
            let gone = |pid: &i32| match fs::read_to_string(format!("/proc/{pid}/stat")) {
                Ok(stat) => !reaps && stat.contains(") Z "),
                Err(_) => true,
            };
            (self.chain.iter().all(gone) && self.tree().is_empty()).then_some(())
        });
    }

    pub(crate) fn runs(&self, pid: i32) -> bool {
        self.tree().contains(&pid)
    }

    /// Kills each process by its id.
    pub(crate) fn end_by_force(&mut self) {
        let _ = self.child.kill();
        for pid in self.tree() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.end_by_force();
        let _ = self.child.wait();
    }
}

fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until something is so. There is no event for a stranger's end.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        sleep(Duration::from_millis(5));
    }
}
