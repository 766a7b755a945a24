//! `astros chat`: one request a line, in a session of its own. Ctrl-C takes a request back, Ctrl-D leaves.

pub(super) mod input;
mod words;

use std::{
    path::Path,
    pin::pin,
    process::ExitCode,
    sync::{Arc, PoisonError, RwLock},
};

use astros_protocol::{Error, ErrorCode};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{args, ask, output::Output, plugins};
use crate::control::{Client, NO_DAEMON, api::ControlClient};
use input::{Input, Line};

const GREETING: &str = "Say what you want; /help shows more, Ctrl-D leaves.";
const HELP: &str = "\
Say what you want in plain words, one request a line; Tab completes.
  /plugins  list the plugins and how they are
  /help     show this
  /quit     leave, as Ctrl-D does
Ctrl-C takes a request back that takes too long.";

/// Serves lines until there are no more; the exit code is that of the last one.
pub(super) async fn run(daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let known = Arc::new(RwLock::new(words::commands()));
    let mut signals = Signals::new()?;
    let mut input = Input::open(Some(&daemon.hello().home), known.clone(), output.json)?;
    // Names of its own: the questions of another chat are not answered here.
    let session = format!("chat:{:016x}", fastrand::u64(..));
    let is_terminal = input.is_terminal;
    if is_terminal {
        output.note(GREETING);
    }
    let mut code = ExitCode::SUCCESS;
    let mut learned = false;
    let mut learning = pin!(words::learn(daemon));
    loop {
        input.want();
        let line = loop {
            tokio::select! {
                line = input.next() => break line,
                words = &mut learning, if !learned => {
                    learned = true;
                    known.write().unwrap_or_else(PoisonError::into_inner).extend(words);
                }
                told = signals.told() => match told {
                    // Where a line is typed, Ctrl-C is a key.
                    Told::Interrupt if is_terminal => {}
                    _ => return Err(interrupted("interrupted")),
                },
            }
        };
        let text = match line {
            Line::Text(text) if text.trim().is_empty() => continue,
            Line::Text(text) => text,
            Line::Interrupted => continue,
            Line::End => return Ok(code),
            Line::Unreadable(error) => {
                code = output.error(&error);
                continue;
            }
        };
        if text.trim() == "/quit" {
            return Ok(code);
        }
        let outcome = tokio::select! {
            outcome = serve(text.trim(), &session, daemon, &mut input, output) => outcome,
            told = signals.told() => match told {
                Told::Interrupt => Err(interrupted("taken back")),
                Told::End => return Err(interrupted("interrupted")),
            },
        };
        code = match outcome {
            Err(error) if error.code == NO_DAEMON => return Err(error),
            outcome => outcome.unwrap_or_else(|error| output.error(&error)),
        };
    }
}

/// A command of the chat's own, or a request. Other texts that begin with a slash may be paths.
async fn serve(
    text: &str,
    session: &str,
    daemon: &Client,
    input: &mut Input,
    output: &Output,
) -> Result<ExitCode, Error> {
    match text {
        // Standard output is for answers where programs read.
        "/help" if output.json => output.note(HELP),
        "/help" => output.print(HELP),
        "/plugins" => return plugins::run(args::Plugins::List, daemon, output).await,
        // A path that is there may begin a request.
        _ if text.starts_with('/') && !text.contains(char::is_whitespace) && !Path::new(text).exists() => {
            let error = Error::new(ErrorCode::INVALID_PARAMS, format!("there is no command `{text}`"));
            return Err(error.with_hint("`/help` shows what there is"));
        }
        _ => {
            let person = ask::person(Some(session.to_owned()), None)?;
            let begin = async |wanted| daemon.ask(text.to_owned(), Some(person), Some(wanted)).await;
            return ask::show(begin, false, daemon, Some(input), output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn interrupted(how: &str) -> Error {
    Error::new(ErrorCode::CANCELLED, how)
}

/// What somebody wants who sends a signal.
enum Told {
    /// The request to end: Ctrl-C.
    Interrupt,
    /// The chat to end.
    End,
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Error> {
        let listen = |kind| {
            signal(kind).map_err(|error| {
                Error::new(ErrorCode::INTERNAL_ERROR, format!("signals cannot be seen: {error}"))
            })
        };
        Ok(Signals {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn told(&mut self) -> Told {
        tokio::select! {
            _ = self.interrupt.recv() => Told::Interrupt,
            _ = self.terminate.recv() => Told::End,
            _ = self.hangup.recv() => Told::End,
        }
    }
}
