//! Completion in shells: the script that a shell reads once, and the answers to it, with what plugins add.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use astros_protocol::{Error, ErrorCode};
use clap::{Command, CommandFactory};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::{Known, parser, shown};
use crate::cli::{
    args::{Cli, Global, Shell, globals},
    cwd, options,
    output::Output,
};

/// Set by the script, to the name of the shell.
const ASKED: &str = "ASTROS_COMPLETE";

impl Shell {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Shell::Bash => &Bash,
            Shell::Zsh => &Zsh,
            Shell::Fish => &Fish,
        }
    }
}

/// Prints the script of a shell.
pub(in crate::cli) fn completion(shell: Shell, output: &Output) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    let written = shell.completer().write_registration(ASKED, "astros", "astros", "astros", &mut script);
    written.map_err(|error| Error::new(ErrorCode::INTERNAL_ERROR, error.to_string()))?;
    output.print(String::from_utf8_lossy(&script).trim_end());
    Ok(ExitCode::SUCCESS)
}

/// Answers a shell that asks what may stand there; none where none asks.
pub(in crate::cli) fn complete_if_asked() -> Option<ExitCode> {
    let asked = std::env::var(ASKED).ok()?;
    let shells: [&dyn EnvCompleter; 3] = [&Bash, &Zsh, &Fish];
    let shell = shells.into_iter().find(|shell| shell.is(&asked))?;
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    // A line that somebody types is no place for errors.
    Some(answer(shell, words).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn answer(shell: &dyn EnvCompleter, words: Vec<OsString>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut command = runtime.block_on(command(&words));
    let mut answer = Vec::new();
    shell.write_complete(&mut command, words, cwd().ok().as_deref(), &mut answer)?;
    io::stdout().write_all(&answer)
}

/// `astros` with the commands of plugins: the one that is typed with all that it takes, others by their names.
async fn command(words: &[OsString]) -> Command {
    let (global, typed) = globals(words);
    let typed = typed.first().and_then(|word| word.to_str()).map(str::to_owned);
    added(&global, typed).await.unwrap_or_else(|_| Cli::command())
}

async fn added(global: &Global, typed: Option<String>) -> Result<Command, Error> {
    let known = Known::find(options(global)?).await?;
    let words = known.words().await?;
    let is_typed = |name: &str| typed.as_deref() == Some(name);
    let typed = match words.iter().find(|word| is_typed(&word.name)) {
        Some(word) => known.command(&word.name).await?,
        None => None,
    };
    let others = words.iter().filter(|word| !is_typed(&word.name));
    let others =
        others.map(|word| Command::new(word.name.clone()).about(shown(&word.about)).hide(word.hidden));
    let typed = typed.map(|offered| parser::command(&offered.command, "astros"));
    Ok(Cli::command().subcommands(others).subcommands(typed))
}
