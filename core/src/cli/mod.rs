//! The `astros` command: parses, runs, prints, and gives the exit code.

mod args;
mod ask;
mod audit;
mod bus;
mod chat;
mod commands;
mod conformance;
mod connect;
mod daemon;
mod doctor;
mod draw;
mod explain;
mod input;
mod logs;
mod on_demand;
mod output;
mod own_log;
mod permissions;
mod plugins;
mod progress;
mod providers;
mod question;
mod record;
mod replay;
mod schema;
mod secrets;
mod settings;
mod setup;
mod status;
mod story;
mod ui;
mod workflow;

use std::{ffi::OsString, path::PathBuf, process::ExitCode};

use astros_protocol::{Error, ErrorCode};
use clap::{Parser, error::ErrorKind};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use crate::{
    control::Client,
    daemon::{Development, Options},
};
use args::{Action, Cli, Command, Global};
use connect::{Connected, Needs, connect};
use output::Output;

/// Runs the command with the process's own arguments and environment.
pub fn main() -> ExitCode {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let wants_json = std::env::args_os().any(|argument| argument == "--json");
    if let Some(answered) = commands::complete_if_asked() {
        return answered;
    }
    let words: Vec<OsString> = std::env::args_os().collect();
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelp && commands::print_help(&words) => {
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage(&error, &Output::new(wants_json, no_color)),
    };
    let output = Output::new(cli.global.json, no_color);
    let filter = EnvFilter::builder().with_default_directive(level(&cli).into()).with_env_var("ASTROS_LOG");
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter.from_env_lossy()).init();
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

/// What is logged unless `ASTROS_LOG` says it: who leaves a daemon running wants to read what it does.
fn level(cli: &Cli) -> LevelFilter {
    if !matches!(cli.command, Command::Daemon(args::Daemon { action: None, .. })) {
        return LevelFilter::ERROR;
    }
    let named = std::env::var("LOCALAGENT_LOG_LEVEL").unwrap_or_default().to_lowercase();
    // Python's names for what is called `warn` and `error` here.
    let named = match &*named {
        "warning" => "warn",
        "critical" => "error",
        other => other,
    };
    let is_verbose = || options(&cli.global).is_ok_and(|options| options.development.is_verbose);
    match named.parse() {
        Ok(level) if !named.is_empty() => level,
        _ if is_verbose() => LevelFilter::DEBUG,
        _ => LevelFilter::INFO,
    }
}

async fn run(cli: Cli, output: &Output) -> Result<ExitCode, Error> {
    let Cli { global, command } = cli;
    let needs = command.needs();
    match command {
        Command::Secrets(command) => secrets::run(command, &options(&global)?, output).await,
        Command::Schema { name, list } => schema::run(name.as_deref(), list, output),
        Command::Conformance(command) => {
            tokio::select! {
                outcome = conformance::run(command, output) => outcome,
                // What it started is ended as it is dropped.
                error = interrupted() => Err(error),
            }
        }
        Command::Daemon(args::Daemon { action: None, listen, detached }) => {
            daemon::run(options(&global)?, listen, detached).await
        }
        Command::Daemon(args::Daemon { action: Some(Action::Install { print, force }), .. }) => {
            daemon::install(print, force, output)
        }
        Command::Daemon(args::Daemon { action: Some(Action::Stop), .. }) => {
            with_daemon(&global, needs, output, async |daemon| daemon::stop(daemon, output).await).await
        }
        Command::Status => {
            with_daemon(&global, needs, output, async |daemon| status::run(daemon, output).await).await
        }
        Command::Doctor => Box::pin(doctor::run(options(&global)?, output)).await,
        Command::Audit { lines } => {
            with_daemon(&global, needs, output, async |daemon| audit::run(lines, daemon, output).await).await
        }
        Command::Bus(command) => {
            let run = async |daemon: &Client| bus::run(command, daemon, output).await;
            with_daemon(&global, needs, output, run).await
        }
        Command::Providers(command) => {
            let run = async |daemon: &Client| providers::run(command, daemon, output).await;
            with_daemon(&global, needs, output, run).await
        }
        Command::Ui(command) => {
            // One that draws itself is told of Ctrl-C, and has time to end.
            let connected = connect(options(&global)?, needs, output).await?;
            let outcome = ui::run(command, connected.client(), output).await;
            end(connected, outcome, output).await
        }
        Command::Settings(command) => {
            let run = async |daemon: &Client| settings::run(command, daemon, output).await;
            with_daemon(&global, needs, output, run).await
        }
        Command::Ask(ask) => {
            with_daemon(&global, needs, output, async |daemon| ask::run(ask, daemon, output).await).await
        }
        Command::Chat => {
            // It knows what Ctrl-C means.
            let connected = connect(options(&global)?, needs, output).await?;
            let outcome = chat::run(connected.client(), output).await;
            end(connected, outcome, output).await
        }
        Command::Record(record) => Box::pin(record::run(record, global, output)).await,
        Command::Replay(replay) => {
            let options = options(&global)?;
            tokio::select! {
                biased;
                outcome = replay::run(replay, &options, output) => outcome,
                error = interrupted() => Err(error),
            }
        }
        Command::Workflow(command) => {
            let astros = global.astros();
            let run = async |daemon: &Client| workflow::run(command, &astros, daemon, output).await;
            with_daemon(&global, needs, output, run).await
        }
        Command::Completion { shell } => commands::completion(shell, output),
        Command::Plugin(words) => Box::pin(commands::run(words, &global, output)).await,
        Command::Plugins(args::Plugins::List) if global.recorder.is_none() => {
            plugins::list(options(&global)?, needs, output).await
        }
        Command::Plugins(command) => {
            let run = async |daemon: &Client| plugins::run(command, daemon, output).await;
            with_daemon(&global, needs, output, run).await
        }
    }
}

/// Runs a command on the daemon that it is for, and stops one that was embedded however the command ended.
async fn with_daemon(
    global: &Global,
    needs: Needs,
    output: &Output,
    command: impl AsyncFnOnce(&Client) -> Result<ExitCode, Error>,
) -> Result<ExitCode, Error> {
    let connected = connect(options(global)?, needs, output).await?;
    let outcome = unless_interrupted(command(connected.client())).await;
    end(connected, outcome, output).await
}

/// What comes of it, unless somebody wants the command to end before: what was asked is taken back down the tree.
async fn unless_interrupted<T>(asked: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        biased;
        outcome = asked => outcome,
        error = interrupted() => Err(error),
    }
}

/// Stops a daemon that was embedded.
async fn end(
    connected: Connected,
    outcome: Result<ExitCode, Error>,
    output: &Output,
) -> Result<ExitCode, Error> {
    // Said at once: a plugin that hangs takes its time to be stopped.
    let outcome = outcome.unwrap_or_else(|error| output.error(&error));
    if let Connected::Embedded(embedded) = connected {
        tokio::select! {
            () = embedded.stop() => {}
            // Enough is enough: what still runs is killed as the daemon is dropped.
            _ = interrupted() => {}
        }
    }
    Ok(outcome)
}

fn options(global: &Global) -> Result<Options, Error> {
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    Ok(Options {
        plugin_dirs: absolute(&global.plugin_dir)?,
        development: Development::read(&environment, global.dev, cwd().ok().as_deref())?,
        environment,
        recorder: global.recorder.clone(),
        own_commands: args::own_commands(),
    })
}

/// Resolves when somebody wants the command to end, from this call on. Who looks at it again and again keeps it: with
/// each that is dropped, a signal may be lost that was on its way to it.
fn interrupted() -> impl Future<Output = Error> {
    // Ctrl-C, `kill`, a terminal that was closed.
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    async move {
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
    // What is missing stands in lines of its own.
    let lines: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    let message = lines.join(" ");
    let error = Error::new(ErrorCode::INVALID_PARAMS, message.trim_start_matches("error: "));
    output.error(&error.with_hint("`astros --help` shows what there is"))
}
