//! The system's keyring, by `secret-tool`: the attributes `service`, `plugin` and `key` name a secret.
//!
//! Secrets go over pipes, never over a command line. A keyring that waits for a person is given up.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::SecretsError;

const PROGRAM: &str = "secret-tool";
const SERVICE: [&str; 2] = ["service", "astros"];
/// How long the start of a plugin waits for the keyring.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How long a person has, who may be asked to unlock it.
const UNLOCKING: Duration = Duration::from_secs(120);
/// All that `secret-tool` sees of the environment.
const PASSED: [&str; 6] =
    ["DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "HOME", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];
/// The longest answer, in bytes.
const MAX_BYTES: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Keyring {
    program: PathBuf,
    environment: Vec<(OsString, OsString)>,
    /// It did not answer once: who asks again would only wait again.
    hangs: AtomicBool,
}

impl Keyring {
    /// The keyring of who has this environment; none without a session bus, or without the program that asks it.
    pub(super) fn find(environment: &[(OsString, OsString)]) -> Option<Keyring> {
        let variable = |name: &str| {
            let found = environment.iter().find(|(own, value)| own == name && !value.is_empty());
            found.map(|(_, value)| value.as_os_str())
        };
        let socket = |folder: &OsStr| Path::new(folder).join("bus").exists();
        if variable("DBUS_SESSION_BUS_ADDRESS").is_none() && !variable("XDG_RUNTIME_DIR").is_some_and(socket)
        {
            return None;
        }
        let program = which::which_in(PROGRAM, variable("PATH"), "/").ok()?.canonicalize().ok()?;
        // In a home a plugin could have put it there.
        let home = variable("HOME").and_then(|home| Path::new(home).canonicalize().ok());
        if home.is_some_and(|home| home.parent().is_some() && program.starts_with(home)) {
            return None;
        }
        let passed = environment.iter().filter(|(name, _)| PASSED.iter().any(|passed| name == passed));
        Some(Keyring { program, environment: passed.cloned().collect(), hangs: AtomicBool::new(false) })
    }

    pub(super) fn get(&self, plugin: &str, key: &str) -> Result<Option<String>, SecretsError> {
        if self.hangs.load(Ordering::Relaxed) {
            return Err(SecretsError::Keyring("it did not answer before".to_owned()));
        }
        let output = self.run(&["lookup"], Some((plugin, key)), None, PATIENCE)?;
        if !output.status.success() {
            return said_nothing(&output).map(|()| None);
        }
        let text = String::from_utf8(output.stdout);
        text.map(Some).map_err(|_| SecretsError::Keyring("a secret is no UTF-8 text".to_owned()))
    }

    pub(super) fn set(&self, plugin: &str, key: &str, secret: &str) -> Result<(), SecretsError> {
        let label = format!("--label=AstrOS: `{key}` of the plugin `{plugin}`");
        let output = self.run(&["store", &label], Some((plugin, key)), Some(secret), UNLOCKING)?;
        match output.status.success() {
            true => Ok(()),
            false => Err(SecretsError::Keyring(words(&output))),
        }
    }

    /// Says whether it was there.
    pub(super) fn remove(&self, plugin: &str, key: &str) -> Result<bool, SecretsError> {
        let output = self.run(&["clear"], Some((plugin, key)), None, UNLOCKING)?;
        if output.status.success() { Ok(true) } else { said_nothing(&output).map(|()| false) }
    }

    /// The plugin and the name of each.
    pub(super) fn list(&self) -> Result<Vec<(String, String)>, SecretsError> {
        let output = self.run(&["search", "--all"], None, None, UNLOCKING)?;
        if !output.status.success() {
            said_nothing(&output)?;
        }
        // Attributes are on one stream, secrets on the other.
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let values = |attribute: &str| {
            let prefix = format!("attribute.{attribute} = ");
            let lines = text.lines().filter_map(|line| line.strip_prefix(&prefix).map(str::to_owned));
            lines.collect::<Vec<_>>()
        };
        Ok(values("plugin").into_iter().zip(values("key")).collect())
    }

    fn run(
        &self,
        args: &[&str],
        of: Option<(&str, &str)>,
        input: Option<&str>,
        patience: Duration,
    ) -> Result<Output, SecretsError> {
        let failed = |error: std::io::Error| SecretsError::Keyring(error.to_string());
        let mut command = Command::new(&self.program);
        command.args(args).args(SERVICE).env_clear().envs(self.environment.iter().cloned());
        command.args(of.iter().flat_map(|(plugin, key)| ["plugin", plugin, "key", key]));
        command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(failed)?;
        if let (Some(mut stdin), Some(secret)) = (child.stdin.take(), input) {
            // A pipe holds more than a secret.
            let _ = stdin.write_all(secret.as_bytes());
        }
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let process = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        let (done, ended) = mpsc::channel();
        thread::spawn(move || {
            let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
            let errors = child.stderr.take().map(|errors| {
                thread::spawn(move || errors.take(MAX_BYTES).read_to_end(&mut stderr).map(|_| stderr))
            });
            let _ = child.stdout.take().map(|output| output.take(MAX_BYTES).read_to_end(&mut stdout));
            let status = child.wait();
            let stderr = errors.and_then(|errors| errors.join().ok()?.ok()).unwrap_or_default();
            let _ = done.send(status.map(|status| Output { status, stdout, stderr }));
        });
        ended.recv_timeout(patience).map(|output| output.map_err(failed)).unwrap_or_else(|_| {
            self.hangs.store(true, Ordering::Relaxed);
            process.map(|process| pidfd_send_signal(process, Signal::KILL));
            let seconds = patience.as_secs();
            Err(SecretsError::Keyring(format!("it did not answer within {seconds} s; it may be locked")))
        })
    }
}

/// A failure without a word means that there is none.
fn said_nothing(output: &Output) -> Result<(), SecretsError> {
    if output.stderr.is_empty() { Ok(()) } else { Err(SecretsError::Keyring(words(output))) }
}

fn words(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().next().unwrap_or_default().trim_start_matches("secret-tool: ").to_owned();
    if line.is_empty() { format!("`{PROGRAM}` ended: {}", output.status) } else { line }
}
