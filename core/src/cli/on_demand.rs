//! Starts the daemon that stays for a command that finds none, where `astros.yaml` wants that.

use std::{
    fs, io,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};

use super::own_log;
use crate::{
    control::{self, Client},
    daemon::{
        Options,
        paths::{HOME_VARIABLE, Paths},
    },
};

/// It can be spoken with within this.
const STARTING: Duration = Duration::from_secs(10);
/// How often it is looked for.
const INTERVAL: Duration = Duration::from_millis(5);
/// So many of its last lines are shown where it does not start.
const SHOWN: usize = 5;

/// Starts it, and waits until it can be spoken with.
pub(super) async fn start(options: &Options, paths: &Paths) -> Result<Client, Error> {
    let log = own_log::path(paths);
    let mut child: Option<Child> = None;
    let deadline = Instant::now() + STARTING;
    loop {
        if let Some(client) = Client::connect(&paths.runtime).await? {
            return Ok(client);
        }
        // Somebody else's is about to listen, or is stopping.
        let claimed = control::is_claimed(&paths.runtime);
        let ended = child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(Some(_))));
        if ended && !claimed || Instant::now() > deadline {
            return Err(not_started(&log));
        }
        if ended {
            child = None;
        } else if child.is_none() && !claimed {
            child = Some(spawn(options, paths).map_err(not_spawned)?);
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Of the same program; it leaves the terminal by itself.
fn spawn(options: &Options, paths: &Paths) -> io::Result<Child> {
    let log = own_log::open(paths)?;
    let mut daemon = Command::new(std::env::current_exe()?);
    // It stays in no folder of the person's, so that none is in use: what is seen from there is made absolute.
    daemon.current_dir("/");
    if let Some(home) = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
        daemon.env(HOME_VARIABLE, std::path::absolute(home)?);
    }
    if let Ok(folders) = std::env::join_paths(options.named_folders()) {
        daemon.env("ASTROS_PLUGIN_PATH", folders);
    }
    daemon.args(["daemon", "--detached"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()
}

fn not_spawned(error: io::Error) -> Error {
    Error::new(ErrorCode::INTERNAL_ERROR, format!("the daemon cannot be started: {error}"))
}

fn not_started(log: &Path) -> Error {
    let text = fs::read_to_string(log).unwrap_or_default();
    let mut last: Vec<&str> = text.lines().rev().take(SHOWN).collect();
    last.reverse();
    let error = Error::new(ErrorCode::INTERNAL_ERROR, "the daemon was started on demand and did not come up");
    error.with_detail(last.join("\n")).with_hint(format!(
        "`{}` has all of it; `astros daemon` in a terminal shows it as well",
        log.display()
    ))
}
