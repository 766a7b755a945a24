//! A process of a plugin's in a person's foreground: of its own beside those that the supervisor keeps, with the person's
//! streams, folder and terminal, for one request.
//!
//! It is held to what the plugin is held to, and sees what the person names in addition. Nobody watches over it and
//! nothing starts it again: it ends with its request, or by the person's hand.

use std::{collections::HashMap, ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use astros_peer::Peer;
use astros_protocol::{Error, ErrorCode, Extra, manifest::Exit};
use rustix::process::Signal;
use tokio::sync::mpsc;

use super::{
    Absent, Host, Secrets, Spec, Supervisor,
    command::command,
    environment,
    handshake::{Unready, initialize},
    program::spawn_failed,
    running::Running,
    stage::Stages,
    task::next_generation,
    words,
};

pub use crate::launcher::Streams;

/// A plugin has so long for a terminal's Ctrl-Z before it is stopped: to leave the terminal as it found it.
const STOPPING: Duration = Duration::from_millis(40);

/// Where a person runs something.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreground {
    /// The working directory, absolute and without links.
    pub cwd: PathBuf,
    /// What they name, absolute: the process may read and write it.
    pub paths: Vec<PathBuf>,
    /// What they name and is not there: the process may make it.
    pub absent: Vec<Absent>,
    /// Their environment: how their terminal and language are, and what it sets of the plugin; what else is in it is
    /// passed over.
    pub environment: Vec<(String, String)>,
    /// The plugin's settings and what of them is secret, where their environment has other ones than the daemon's.
    pub settings: Option<(Extra, Secrets)>,
}

impl Foreground {
    /// The variables of a process, from those that it would have in the background.
    pub(super) fn variables(
        &self,
        spec: &Spec,
        background: Vec<(OsString, OsString)>,
    ) -> Vec<(OsString, OsString)> {
        let own =
            environment::in_foreground(&self.environment, &spec.name, &spec.plugins, &spec.secrets.variables);
        let own: HashMap<OsString, OsString> = own.map(|(name, value)| (name.into(), value.into())).collect();
        let is_theirs =
            |name: &OsString| own.contains_key(name) || name.to_str().is_some_and(environment::is_shown);
        let others: Vec<_> = background.into_iter().filter(|(name, _)| !is_theirs(name)).collect();
        let here = [("PWD".into(), self.cwd.clone().into()), ("ASTROS_RPC_FDS".into(), "3,4".into())];
        others.into_iter().chain(own).chain(here).collect()
    }
}

/// How such a process ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// None where the host had to end it.
    pub exit: Option<Exit>,
    /// `killed by SIGSEGV after 1.2 s`.
    pub story: String,
}

/// The process. Dropped, it is killed with all that it started.
pub struct InForeground {
    spec: Spec,
    running: Running,
    // Dropped after the process.
    stages: Stages,
    pub generation: u64,
}

impl InForeground {
    /// Starts it, and tells it what a plugin is told first.
    ///
    /// # Errors
    /// The plugin cannot be started, ends, or refuses.
    pub async fn start<H: Host>(
        supervisor: &Supervisor,
        host: &Arc<H>,
        foreground: Foreground,
        streams: Streams,
    ) -> Result<InForeground, Error> {
        let mut spec = Spec { foreground: Some(foreground), ..(*supervisor.spec()).clone() };
        if let Some(own) = spec.foreground.as_mut().and_then(|foreground| foreground.settings.take()) {
            (spec.settings, spec.secrets) = own;
        }
        let mut prepared = super::command::Prepared { streams: Some(streams), ..command(&spec).await? };
        let stages = match (&spec.foreground, &mut prepared.policy.confinement) {
            (Some(foreground), Some(confinement)) => Stages::new(&foreground.absent, confinement)?,
            _ => Stages::default(),
        };
        let (generation, program) = (next_generation(), prepared.policy.program.clone());
        let (teller, plugin) = (host.clone(), spec.name.clone());
        let network = move |report| teller.network(&plugin, generation, report);
        let service = host.service(&spec.name, generation);
        // Its standard error is the person's.
        let running = Running::start(&spec, prepared, service, |_| {}, network).await;
        let running = running.map_err(|error| spawn_failed(&spec, program.as_ref(), &error))?;
        let mut process = InForeground { spec, running, stages, generation };
        match initialize(&process.spec, 0, &mut process.running).await {
            Ok(_) => Ok(process),
            Err(Unready::Refused(error)) => {
                process.running.stop("it could not be started", Duration::ZERO, false).await;
                process.end().await;
                Err(*error)
            }
            Err(Unready::Ended) => Err(process.ended_early().await),
        }
    }

    async fn ended_early(self) -> Error {
        let name = self.spec.name.clone();
        let (Ending { exit, story }, _) = self.end().await;
        let error =
            Error::new(ErrorCode::PLUGIN_CRASHED, format!("plugin `{name}` {story}, before it was ready"));
        let error = error.with_plugin(&name).with_hint("it says why on its standard error, if it does");
        match exit {
            Some(Exit::Signal(signal)) => error.with("signal", signal),
            _ => error,
        }
    }

    /// What is hidden of what it says.
    pub fn secrets(&self) -> &Secrets {
        &self.spec.secrets
    }

    pub fn peer(&self) -> &Peer {
        &self.running.peer
    }

    /// Passes the person's signals on; resolves when the process has ended, or closed its connection.
    pub async fn attend(&mut self, signals: &mut mpsc::Receiver<Signalled>) {
        loop {
            let signalled = tokio::select! {
                () = self.running.over() => return,
                Some(signalled) = signals.recv() => signalled,
            };
            self.running.process.signal(signalled.signal);
            if signalled.signal == Signal::TSTP {
                tokio::time::sleep(STOPPING).await;
                // Whoever handles that one has had its chance.
                self.running.process.signal(Signal::STOP);
            }
            let _ = signalled.done.send(());
        }
    }

    /// What it wrote is read to its end: every open request has its outcome then.
    pub async fn hear_out(&mut self) {
        self.running.hear_out().await;
    }

    /// Asks it to end, as at the end of any process.
    pub async fn stop(&mut self, reason: &str) {
        let grace = self.spec.supervision.stop_grace;
        self.running.stop(reason, grace, true).await;
    }

    /// Kills what is left of it, and tells how it ended, and what it made that did not get to its place.
    pub async fn end(mut self) -> (Ending, Vec<String>) {
        let end = self.running.end().await;
        let ending = Ending {
            exit: end.exit,
            story: format!("{} after {}", end.crash.exit, words::duration(end.crash.ran)),
        };
        (ending, self.stages.bring().await)
    }
}

/// A signal that a person's terminal, or they themselves, sent.
#[derive(Debug)]
pub struct Signalled {
    pub signal: Signal,
    /// Told when the process has it; and after a stop, when it has stopped.
    pub done: tokio::sync::oneshot::Sender<()>,
}
