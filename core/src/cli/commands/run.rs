//! A command at work: its news, the person's signals on their way to it, and what comes of it.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode, command::Terminal as Drawn};
use serde_json::Value;
use tokio::{
    signal::unix::{Signal as Stream, SignalKind, signal},
    sync::mpsc,
};

use super::{
    terminal::{self, Terminal},
    values::Typed,
};
use crate::{
    cli::{ask::person, output::Output, question},
    control::{
        Client,
        api::{Command, ControlClient, News, Wanted},
        client::{Begun, answered, follow_command},
    },
    daemon::{Finished, Offered},
    supervisor::is_of_person,
};

/// A second Ctrl-C within this means that the first did not help.
const AGAIN: Duration = Duration::from_secs(2);
/// The exit code of what was interrupted.
pub(in crate::cli) const INTERRUPTED: u8 = 130;

/// What a plugin's process gets of this one.
pub(in crate::cli) struct Given {
    /// The token of the streams.
    pub(in crate::cli) streams: String,
    pub(in crate::cli) terminal: Drawn,
    pub(in crate::cli) environment: Vec<(String, String)>,
    pub(in crate::cli) wanted: Wanted,
}

/// What came of it.
pub(in crate::cli) struct Ran {
    pub(in crate::cli) code: ExitCode,
    /// What it found, for programs.
    pub(in crate::cli) data: Option<Value>,
    /// The person has pressed Ctrl-C.
    pub(in crate::cli) interrupted: bool,
}

/// Runs a command to its end, whose exit code is its own.
pub(super) async fn run(
    offered: &Offered,
    typed: Typed,
    argv: Vec<String>,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let person = person(None, None)?;
    let begin = async |Given { streams, terminal, environment, wanted }| {
        let (plugin, Typed { command, args, said }) = (offered.plugin.clone(), typed);
        let command = Command { streams, plugin, command, args, said, argv, terminal, environment };
        daemon.run(command, Some(person), Some(wanted)).await
    };
    Ok(in_foreground(begin, daemon, output).await?.code)
}

/// Has a process of a plugin's run on the streams of this one, and takes it the person's signals.
pub(in crate::cli) async fn in_foreground(
    begin: impl AsyncFnOnce(Given) -> Begun,
    daemon: &Client,
    output: &Output,
) -> Result<Ran, Error> {
    let mut signals = Signals::new()?;
    let mut terminal = Terminal::new();
    let lease = daemon.lend(terminal::streams()?).await?;
    let given = Given {
        streams: lease.token.clone(),
        terminal: terminal.drawn(output),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| is_of_person(name))
            .collect(),
        wanted: Wanted { questions: question::can_ask(output), ..Wanted::default() },
    };
    let begun = begin(given).await;
    terminal::let_go(output);
    let (asked, mut questions) = mpsc::unbounded_channel();
    let hear = |news| {
        if let News::Question(question) = news {
            let _ = asked.send(question);
        }
    };
    let mut killed = false;
    let finished = {
        let following = follow_command(begun, hear);
        tokio::pin!(following);
        loop {
            tokio::select! {
                biased;
                finished = &mut following => break finished,
                name = signals.next() => {
                    killed |= name == KILL;
                    if name == "SIGCONT" && !terminal.lets_go_on(output) {
                        continue;
                    }
                    let told = answered(daemon.signal(lease.token.clone(), name.to_owned()).await);
                    match name {
                        "SIGTSTP" => terminal.halt(),
                        // Meanwhile the window may have changed.
                        "SIGCONT" => _ = daemon.signal(lease.token.clone(), "SIGWINCH".to_owned()).await,
                        "SIGWINCH" => {}
                        // It has not begun, or is over: nobody waits for it any more.
                        _ if told.is_err() => break Err(interrupted()),
                        _ => terminal.let_end(),
                    }
                }
                Some(question) = questions.recv() => {
                    if let Err(error) = question::ask(&question, None, daemon, output).await {
                        break Err(error);
                    }
                }
            }
        }
    };
    let interrupted = signals.last.is_some();
    end(finished, killed, &terminal, output).map(|(code, data)| Ran { code, data, interrupted })
}

const KILL: &str = "SIGKILL";

fn end(
    finished: Result<Finished, Error>,
    killed: bool,
    terminal: &Terminal,
    output: &Output,
) -> Result<(ExitCode, Option<Value>), Error> {
    let finished = finished.inspect_err(|_| terminal.restore())?;
    if finished.exit_code >= 128 || finished.complaint.is_some() {
        terminal.restore();
    }
    if killed {
        return Ok((ExitCode::from(INTERRUPTED), None));
    }
    if let Some(complaint) = &finished.complaint {
        output.error(complaint);
    }
    finished.lost.iter().for_each(|lost| output.problem(lost));
    Ok((ExitCode::from(finished.exit_code), finished.data))
}

fn interrupted() -> Error {
    Error::new(ErrorCode::CANCELLED, "interrupted")
}

/// What this process is told that is meant for the command.
struct Signals {
    streams: [(Stream, &'static str); 7],
    /// The last Ctrl-C.
    last: Option<Instant>,
}

impl Signals {
    fn new() -> Result<Signals, Error> {
        let stop = SignalKind::from_raw(nix::libc::SIGTSTP);
        let go_on = SignalKind::from_raw(nix::libc::SIGCONT);
        let hear = |kind| {
            signal(kind).map_err(|error| {
                Error::new(ErrorCode::INTERNAL_ERROR, format!("signals cannot be seen: {error}"))
            })
        };
        let streams = [
            (hear(SignalKind::interrupt())?, "SIGINT"),
            (hear(SignalKind::terminate())?, "SIGTERM"),
            (hear(SignalKind::hangup())?, "SIGHUP"),
            (hear(SignalKind::quit())?, "SIGQUIT"),
            (hear(stop)?, "SIGTSTP"),
            (hear(go_on)?, "SIGCONT"),
            (hear(SignalKind::window_change())?, "SIGWINCH"),
        ];
        Ok(Signals { streams, last: None })
    }

    /// The next one; a Ctrl-C that comes soon after another kills.
    async fn next(&mut self) -> &'static str {
        let waiting = self.streams.iter_mut().map(|(stream, name)| {
            Box::pin(async move {
                if stream.recv().await.is_none() {
                    std::future::pending::<()>().await;
                }
                *name
            })
        });
        let (name, ..) = futures_util::future::select_all(waiting).await;
        if name != "SIGINT" {
            return name;
        }
        let again = self.last.replace(Instant::now()).is_some_and(|last| last.elapsed() < AGAIN);
        if again { KILL } else { name }
    }
}
