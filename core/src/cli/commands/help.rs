//! `astros --help`, with what plugins add.

use std::{ffi::OsString, process::ExitCode};

use astros_protocol::Error;
use clap::{Command, CommandFactory, Parser};

use super::{known_words, shown};
use crate::{
    cli::{
        args::{self, Cli, Global, globals},
        output::Output,
    },
    daemon::Word,
};

/// The longest line, in columns, however wide the terminal is.
const LONGEST: usize = 100;

/// Prints the help of `astros` itself; false where these words ask for that of one of its commands.
pub(in crate::cli) fn print_help(words: &[OsString]) -> bool {
    let (global, typed) = globals(words);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (true, Ok(runtime)) = (typed.is_empty(), runtime) else { return false };
    let mut command = runtime.block_on(with_plugins(&global));
    let long = words.iter().any(|word| word == "--help");
    let printed = if long { command.print_long_help() } else { command.print_help() };
    printed.is_ok()
}

/// The help of the command that these words name, as its `--help` gives it.
pub(super) async fn of(words: &[String], global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let name = ["astros"].map(str::to_owned);
    let whole = name.iter().chain(words).map(OsString::from).chain(["--help".into()]).collect::<Vec<_>>();
    match Cli::try_parse_from(&whole) {
        Ok(Cli { command: args::Command::Plugin(words), .. }) => {
            Box::pin(super::run(words, global, output)).await
        }
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(_) if words.is_empty() => {
            let _ = with_plugins(global).await.print_long_help();
            Ok(ExitCode::SUCCESS)
        }
        Err(help) => Ok(super::say(&help)),
    }
}

/// With the plugins' commands, where they can be told without starting anything.
async fn with_plugins(global: &Global) -> Command {
    // Whatever is wrong with plugins, there is help for `astros` itself.
    let words = known_words(global).await.unwrap_or_default();
    let listed = listed(&words);
    let command = Cli::command();
    if listed.is_empty() { command } else { command.after_help(format!("{listed}\n\n{}", args::EXIT_CODES)) }
}

fn listed(words: &[Word]) -> String {
    let words: Vec<&Word> = words.iter().filter(|word| !word.hidden).collect();
    let width = words.iter().map(|word| word.name.chars().count()).max().unwrap_or_default();
    // One line each: what is wrapped stands in no column.
    let columns = usize::from(console::Term::stdout().size().1).min(LONGEST);
    let line = |word: &&Word| {
        let about = format!("{} ({})", shown(&word.about), word.plugin);
        let room = columns.saturating_sub(width + 4);
        format!("  {:<width$}  {}", word.name, console::truncate_str(&about, room, "…"))
    };
    let lines: Vec<String> = words.iter().map(line).collect();
    if lines.is_empty() { String::new() } else { format!("Commands of plugins:\n{}", lines.join("\n")) }
}
