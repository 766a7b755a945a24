//! One run of the `astros` command.

use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    pty::{OpenptyResult, openpty},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    Outcome,
    terminal::{OnTerminal, terminal},
};

/// A command that takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command to run: built, then [`run`](Astros::run) or [`spawned`](Astros::spawn).
pub struct Astros {
    command: Command,
    said: String,
    input: Option<Vec<u8>>,
    /// Where the files of its streams are; nothing of the test's own environment gets in.
    folder: PathBuf,
}

impl Astros {
    pub(crate) fn new<S: AsRef<str>>(folder: &Path, arguments: impl IntoIterator<Item = S>) -> Astros {
        let arguments: Vec<OsString> = arguments.into_iter().map(|one| one.as_ref().into()).collect();
        let mut command = Command::new(program("astros"));
        command.args(&arguments).current_dir(folder).env_clear();
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("LANG", "C.UTF-8").env("USER", "ada");
        let said = arguments.iter().map(|one| format!("{} ", one.to_string_lossy())).collect();
        Astros { command, said, input: None, folder: folder.to_owned() }
    }

    /// With one more argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Astros {
        self.command.arg(argument);
        self
    }

    /// With a variable in its environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Astros {
        self.command.env(name, value);
        self
    }

    /// Without a variable in its environment.
    pub fn without_env(mut self, name: &str) -> Astros {
        self.command.env_remove(name);
        self
    }

    /// On a machine without these: `landlock`, `namespaces`.
    pub fn on_a_machine_without(mut self, without: &[String]) -> Astros {
        if without.is_empty() {
            return self;
        }
        let mut limited = Command::new(program("limited"));
        limited.args(without.iter().map(|what| format!("--no-{what}")));
        limited.arg(self.command.get_program()).args(self.command.get_args()).env_clear();
        limited.envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        limited.current_dir(&self.folder);
        self.command = limited;
        self
    }

    /// In this folder.
    pub fn within(mut self, folder: &Path) -> Astros {
        self.command.current_dir(folder);
        self
    }

    /// With this on its standard input.
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Astros {
        self.input = Some(input.into());
        self
    }

    /// Runs it to its end on a terminal, where somebody types `typed` once they are asked; what it shows is the
    /// outcome's stdout.
    pub fn run_on_a_terminal(mut self, typed: &str) -> Outcome {
        let OpenptyResult { master, slave } = openpty(None, None).expect("a terminal");
        let stream = || Stdio::from(slave.try_clone().expect("the terminal"));
        self.command.env("TERM", "xterm").stdin(stream()).stdout(stream()).stderr(stream());
        let mut child = self.command.spawn().expect("astros starts");
        // Nobody else holds that end: reading ends with the program.
        drop((self.command, slave));
        let mut terminal = File::from(master);
        let mut shown = Vec::new();
        if !typed.is_empty() {
            let mut byte = [0];
            while !shown.ends_with(b"[y/N] ") && terminal.read_exact(&mut byte).is_ok() {
                shown.extend(byte);
            }
            terminal.write_all(typed.as_bytes()).expect("somebody types");
        }
        // The end is an error here: that is how a terminal hangs up.
        let _ = terminal.read_to_end(&mut shown);
        let code = child.wait().expect("astros ends").code();
        let stdout = String::from_utf8(shown).expect("astros prints UTF-8");
        Outcome { code, stdout, stderr: String::new(), said: self.said }
    }

    /// Starts it on a terminal that the test sits at; no signal comes by itself, for it is not the command's own.
    pub fn spawn_on_a_terminal(mut self) -> OnTerminal {
        let (keyboard, screen) = terminal();
        let stream = || Stdio::from(screen.try_clone().expect("the terminal"));
        self.command.env("TERM", "xterm").stdin(stream()).stdout(stream()).stderr(stream());
        let child = self.command.spawn().expect("astros starts");
        OnTerminal::new(child, keyboard, screen)
    }

    /// Within a line of a shell, where `"$@"` is the command.
    pub fn in_shell(mut self, line: &str) -> Astros {
        let mut shell = Command::new("sh");
        shell.args(["-c", line, "sh"]).arg(self.command.get_program()).args(self.command.get_args());
        shell.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.current_dir(&self.folder);
        self.command = shell;
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Outcome {
        self.spawn().finish()
    }

    /// Starts it.
    pub fn spawn(mut self) -> Running {
        // Files, not pipes: nobody has to read while it runs.
        let streams = tempfile::tempdir_in(&self.folder).expect("a folder for the streams");
        let (out, err) = (streams.path().join("stdout"), streams.path().join("stderr"));
        let stdin = match &self.input {
            Some(bytes) => {
                let input = streams.path().join("stdin");
                fs::write(&input, bytes).expect("the standard input");
                Stdio::from(File::open(input).expect("the standard input"))
            }
            None => Stdio::null(),
        };
        let file = |path: &Path| Stdio::from(File::create(path).expect("a file for a stream"));
        let child = self.command.stdin(stdin).stdout(file(&out)).stderr(file(&err)).spawn();
        Running { child: child.expect("astros starts"), streams, said: self.said }
    }
}

/// A command that runs.
pub struct Running {
    child: Child,
    streams: tempfile::TempDir,
    said: String,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, as a terminal does with Ctrl-C.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        kill(pid, signal).expect("a signal to astros");
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.read("stderr")
    }

    /// What it wrote to stdout so far.
    pub fn stdout(&self) -> String {
        self.read("stdout")
    }

    /// Whether it has not ended yet; one that halted or became a zombie of this test has.
    pub fn is_running(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    /// Ends it as a service manager does.
    pub fn stop(self) -> Outcome {
        self.signal(Signal::SIGTERM);
        self.finish()
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("astros can be waited for") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("`astros {}` did not end within {PATIENCE:?}\n{}", self.said, self.read("stderr"));
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Outcome {
            code: status.code(),
            stdout: self.read("stdout"),
            stderr: self.read("stderr"),
            said: self.said,
        }
    }

    fn read(&self, stream: &str) -> String {
        let bytes = fs::read(self.streams.path().join(stream)).expect("what astros printed");
        String::from_utf8(bytes).expect("astros prints UTF-8")
    }
}

/// A program of this workspace, built beside the running test.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of the test");
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("`{name}` is not beside the test `{}`; run `cargo build --workspace` first", test.display())
    })
}
