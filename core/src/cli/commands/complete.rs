//! Completion in shells: the script that a shell reads once, and the answers to it, with what plugins add.

use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};

use astros_protocol::{Error, ErrorCode, command::CommandDescription};
use clap::{Command, CommandFactory};
use clap_complete::env::{Bash, EnvCompleter, Fish, Zsh};

use super::{known_words, parser, shown};
use crate::cli::{
    args::{Cli, Global, Shell, globals, own_commands},
    cwd,
    output::Output,
};
use crate::daemon::Word;

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
    Some(answer(shell, words).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS))
}

fn answer(shell: &dyn EnvCompleter, words: Vec<OsString>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut command = runtime.block_on(command(&words));
    let mut answer = Vec::new();
    shell.write_complete(&mut command, words, cwd().ok().as_deref(), &mut answer)?;
    io::stdout().write_all(&answer)
}

/// `astros` with the commands of plugins: all by their names, or the one that is typed with all that it takes.
async fn command(words: &[OsString]) -> Command {
    let (global, typed) = globals(words);
    let added = match &typed[..] {
        // What is typed stands behind its word.
        [word, _, ..] if own_commands().iter().any(|own| word == own.as_str()) => Ok(Vec::new()),
        [word, _, ..] => the_one(&global, &word.to_string_lossy()).await,
        _ => all(&global).await,
    };
    // Options of `astros` stand before the command of a plugin.
    let command = match &typed[..] {
        [word, _, ..] if own_commands().iter().all(|own| word != own.as_str()) => {
            Cli::command().mut_args(|option| option.global(false))
        }
        _ => Cli::command(),
    };
    // A line that somebody types is no place for errors.
    command.subcommands(added.unwrap_or_default())
}

async fn the_one(global: &Global, name: &str) -> Result<Vec<Command>, Error> {
    let command = super::known(name, global).await?.map(|mut offered| {
        leave_out_what_shells_read(&mut offered.command);
        parser::command(&offered.command, "astros")
    });
    Ok(command.into_iter().collect())
}

/// What is offered stands in the person's line as it is: a choice such as `$(…)` would be run with it.
fn leave_out_what_shells_read(command: &mut CommandDescription) {
    let is_plain = |c: char| c.is_alphanumeric() || "_-+./:@%=,".contains(c);
    for parameter in &mut command.parameters {
        parameter.choices.retain(|choice| choice.chars().all(is_plain));
    }
    command.commands.iter_mut().for_each(leave_out_what_shells_read);
}

async fn all(global: &Global) -> Result<Vec<Command>, Error> {
    let words = known_words(global).await?;
    let named = |word: Word| Command::new(word.name).about(shown(&word.about)).hide(word.hidden);
    Ok(words.into_iter().map(named).collect())
}
