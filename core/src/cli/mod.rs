//! The `astros` command: parses, runs, prints, and gives the exit code.

mod args;
mod ask;
mod explain;
mod input;
mod output;
mod plugins;
mod progress;
mod schema;
mod story;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use astros_protocol::{Error, ErrorCode};
use clap::{Parser, error::ErrorKind};
use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::{Daemon, Options};
use args::{Cli, Command, Global};
use output::Output;

/// Runs the command with the process's own arguments and environment.
pub fn main() -> ExitCode {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &Output::new(wants_json, no_color)),
    };
    let output = Output::new(cli.global.json, no_color);
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("ASTROS_LOG"))
        .init();
    // One thread owns plugins, pipes and timers: hand-overs between threads cost more than they give.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(cli, &output)),
        Err(error) => {
            Err(Error::new(ErrorCode::INTERNAL_ERROR, format!("the runtime does not start: {error}")))
        }
    };
    let code = outcome.unwrap_or_else(|error| output.error(&error));
    if output.is_lost() { ExitCode::from(output::exit_code(ErrorCode::INTERNAL_ERROR)) } else { code }
}

async fn run(cli: Cli, output: &Output) -> Result<ExitCode, Error> {
    match cli.command {
        Command::Schema { name, list } => schema::run(name.as_deref(), list, output),
        Command::Ask(ask) => {
            with_daemon(&cli.global, output, async |daemon| ask::run(ask, daemon, output).await).await
        }
        Command::Plugins(command) => {
            with_daemon(&cli.global, output, async |daemon| plugins::run(command, daemon, output).await).await
        }
    }
}

/// Embeds a daemon for one command, and stops it however the command ended.
async fn with_daemon(
    global: &Global,
    output: &Output,
    command: impl AsyncFnOnce(&Daemon) -> Result<ExitCode, Error>,
) -> Result<ExitCode, Error> {
    let options = Options {
        plugin_dirs: absolute(&global.plugin_dir)?,
        environment: std::env::vars_os().collect::<Vec<(OsString, OsString)>>(),
    };
    let daemon = Daemon::start(options).await?;
    if !output.json {
        daemon.warnings().for_each(|warning| output.warning(warning));
    }
    let outcome = tokio::select! {
        outcome = command(&daemon) => outcome,
        // What was asked is taken back down the tree, and what runs is stopped.
        error = interrupted() => Err(error),
    };
    // Said at once: a plugin that hangs takes its time to be stopped.
    let outcome = outcome.unwrap_or_else(|error| output.error(&error));
    tokio::select! {
        () = daemon.stop() => {}
        // Enough is enough: what still runs is killed as the daemon is dropped.
        _ = interrupted() => {}
    }
    Ok(outcome)
}

/// Resolves when somebody wants the command to end.
async fn interrupted() -> Error {
    // Ctrl-C, `kill`, a terminal that was closed.
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = signals else {
        return Error::new(ErrorCode::INTERNAL_ERROR, "signals cannot be seen");
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Error::new(ErrorCode::CANCELLED, "interrupted")
}

fn absolute(folders: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let absolute = |folder: &PathBuf| {
        std::path::absolute(folder).map_err(|error| {
            let message = format!("the folder `{}` of --plugin-dir: {error}", folder.display());
            Error::new(ErrorCode::INVALID_PARAMS, message)
        })
    };
    folders.iter().map(absolute).collect()
}

/// The person's folder. Only the command asks for it: what it starts gets it with the request.
#[allow(clippy::disallowed_methods)]
fn cwd() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// Help and version are answers; what clap refuses is an error, for programs in JSON.
fn usage(error: &clap::Error, output: &Output) -> ExitCode {
    if !output.json || matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    output.error(
        &Error::new(ErrorCode::INVALID_PARAMS, message).with_hint("`astros --help` shows what there is"),
    )
}
