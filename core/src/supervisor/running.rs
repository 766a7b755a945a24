//! A plugin's process with its connection and its stderr: what runs while it lives, and how it is brought to its end.

use std::{io, sync::Arc, time::Duration};

use astros_peer::{Incoming, Oddity, Options, Peer, Service, connect};
use astros_protocol::{
    lifecycle::{Shutdown, ShutdownParams},
    manifest::Exit,
};
use rustix::process::Signal;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Kill, Secrets, Spec,
    command::Prepared,
    event::LogLine,
    outgrown::Outgrown,
    output::{self, LastWords},
    process::Process,
    session::Crash,
    words,
};
use crate::{
    launcher::Policy,
    proxy::Report,
    recording::{Source, Started, Tap, Tape},
};

/// After the shutdown request's time: for going by itself once the input is closed.
const INPUT_CLOSED: Duration = Duration::from_secs(1);
/// For going after TERM.
const TERMINATED: Duration = Duration::from_secs(2);
/// For what is still in a pipe when the process has ended; a stranger may hold the pipe open.
const PIPES: Duration = Duration::from_millis(250);

/// A process, and the tasks that read what it writes.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) peer: Peer,
    pub(crate) words: Arc<LastWords>,
    // Sets of one: dropping a set ends its task.
    connection: JoinSet<()>,
    errors: JoinSet<()>,
    pub(crate) memory: Outgrown,
    tape: Option<Tape>,
    asked: bool,
}

impl Running {
    /// Starts the process and its tasks; `tell` takes the lines of its stderr, `network` what its
    /// proxy tells.
    pub(crate) async fn start<S: Service>(
        spec: &Spec,
        prepared: Prepared,
        service: S,
        tell: impl Fn(LogLine) + Send + 'static,
        network: impl Fn(Report) + Send + Sync + 'static,
    ) -> io::Result<Running> {
        let started = started(&prepared.policy);
        let memory = prepared.policy.confinement.as_ref().and_then(|confinement| confinement.limits.memory);
        let (process, pipes) = Process::spawn(spec, prepared, network).await?;
        let memory = Outgrown::watch(process.top(), memory, spec.watch.ping_every);
        let tape = spec.recorder.as_ref().map(|recorder| recorder.started(&started));
        let input = Tap::new(pipes.input, Source::Host, tape.as_ref());
        let output = Tap::new(pipes.output, Source::Plugin, tape.as_ref());
        let errors = Tap::new(pipes.errors, Source::Stderr, tape.as_ref());
        let words = Arc::new(LastWords::default());
        let service = Overheard { service, secrets: spec.secrets.clone(), words: words.clone() };
        let (peer, connection) = connect(output, input, service, Options::default());
        let mut tasks = (JoinSet::new(), JoinSet::new());
        tasks.0.spawn(connection.run());
        let (secrets, heard) = (spec.secrets.clone(), words.clone());
        tasks.1.spawn(async move { output::read(errors, &secrets, &heard, tell).await });
        Ok(Running { process, peer, words, connection: tasks.0, errors: tasks.1, memory, tape, asked: false })
    }

    /// Resolves when the process has ended, closed its output or taken too much memory.
    pub(crate) async fn over(&mut self) {
        tokio::select! {
            () = self.memory.seen() => {}
            () = self.process.exited() => {}
            _ = self.connection.join_next() => {}
        }
    }

    /// The process has ended: what it wrote before is still read, then every open call has its outcome.
    pub(crate) async fn hear_out(&mut self) {
        if timeout(PIPES, self.connection.join_next()).await.is_err() {
            self.connection.shutdown().await;
        }
    }

    /// Asks it to end, ever more firmly; every step has its bound. What it writes is read all the while.
    pub(crate) async fn stop(&mut self, reason: &str, grace: Duration, initialized: bool) {
        self.asked = true;
        if initialized {
            let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
            let params = ShutdownParams { reason: reason.to_owned(), grace_ms };
            tokio::select! {
                () = self.process.exited() => return,
                // Whatever it answers: the next step is the same.
                _ = self.peer.request::<Shutdown>(&params) => {}
                () = sleep(grace) => {}
            }
        }
        self.peer.close();
        if self.process.exits_within(INPUT_CLOSED).await {
            return;
        }
        self.process.signal(Signal::TERM);
        self.process.exits_within(TERMINATED).await;
        // What is left now is killed by `end`.
    }

    /// The end: kills what is left of its tree, and tells how the process ended.
    pub(crate) async fn end(mut self) -> End {
        // Where its output ended first, the process itself may just be going.
        let outgrown = self.memory.told().map(|what| format!("{what} and was killed"));
        let going = if self.asked || outgrown.is_some() { Duration::ZERO } else { PIPES };
        let by_itself = self.process.exits_within(going).await;
        let (pid, started) = (self.process.pid(), self.process.started);
        let ran = started.elapsed();
        let status = self.process.end().await;
        // With the tree whoever held the pipes is gone, save who left it where only a group holds it together.
        if timeout(PIPES, self.connection.join_next()).await.is_err() {
            self.connection.shutdown().await;
        }
        let _ = timeout(PIPES, self.errors.join_next()).await;
        let kill = outgrown.is_some().then_some(Kill::Outgrown);
        let by_itself = by_itself && kill.is_none();
        let exit = match (by_itself, status) {
            (true, Some(status)) => words::exit(status),
            (false, Some(_)) if self.asked => "did not end when it was asked to and was killed".to_owned(),
            (false, Some(_)) => "closed its input or output and was killed".to_owned(),
            (_, None) => "does not end, even killed".to_owned(),
        };
        let exit = outgrown.unwrap_or(exit);
        let crash = Crash { exit, ran, last_words: self.words.lines(), ..Crash::default() };
        let exit = status.filter(|_| by_itself).map(words::ended);
        if let Some(tape) = &self.tape {
            tape.ended(exit.as_ref());
        }
        End { crash, pid, exit, kill }
    }
}

/// How a recording says what was started.
fn started(policy: &Policy) -> Started {
    Started {
        program: policy.program.to_string_lossy().into_owned(),
        args: policy.args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect(),
        folder: policy.folder.to_string_lossy().into_owned(),
    }
}

/// How a process ended.
pub(crate) struct End {
    pub(crate) crash: Crash,
    pub(crate) pid: u32,
    /// How it ended by itself; `None` where the host had to kill it.
    pub(crate) exit: Option<Exit>,
    /// Why the host killed it, where that is known here.
    pub(crate) kill: Option<Kill>,
}

/// The owner's service; what goes astray on stdout is heard as last words too.
struct Overheard<S> {
    service: S,
    secrets: Secrets,
    words: Arc<LastWords>,
}

impl<S: Service> Service for Overheard<S> {
    type Params<'a> = S::Params<'a>;

    fn request(&self, request: Incoming<'_, Self::Params<'_>>) {
        self.service.request(request);
    }

    fn notification(&self, method: &str, params: Option<Self::Params<'_>>) {
        self.service.notification(method, params);
    }

    fn oddity(&self, oddity: Oddity<'_>) {
        if let Oddity::Stray(line) = oddity {
            let start = &line[..line.len().min(1024)];
            let mut text = words::printable(&String::from_utf8_lossy(start));
            self.secrets.hide(&mut text);
            if !text.trim().is_empty() {
                self.words.push(text);
            }
        }
        self.service.oddity(oddity);
    }
}
