//! The commands that plugins add: `astros analyze-project . --detailed`.
//!
//! What they take is known from what their plugins said of them, so that help and completion start nothing. One that is
//! run has a process of its own, on the terminal of this one.

mod complete;
mod help;
mod parser;
mod run;
mod terminal;
mod values;

use std::{convert::Infallible, ffi::OsString, process::ExitCode, time::Duration};

use astros_protocol::{Error, ErrorCode, stream::ProgressValue};
use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};
use serde_json::{Value, value::to_raw_value};

pub(super) use complete::{complete_if_asked, completion};
pub(super) use help::print_help;
pub(super) use run::{Given, INTERRUPTED, Ran, in_foreground};

use super::{
    args::{Cli, Global},
    connect::Needs,
    connect::connect,
    end, interrupted, options,
    output::Output,
    permissions::first_use,
    progress::Display,
    question::can_ask,
};
use crate::{
    agent::Progress,
    control::{Client, api::ControlClient, client::answered},
    daemon::{Catalog, Learning, Offered, Options, WAITING, Word},
    services::printable::printable,
};

/// How often somebody who waits is told how far it is.
const LOOKS: Duration = Duration::from_millis(250);

/// Runs a command that is not one of `astros` itself.
pub(super) async fn run(words: Vec<OsString>, global: &Global, output: &Output) -> Result<ExitCode, Error> {
    let words = words.into_iter().map(text).collect::<Result<Vec<String>, Error>>()?;
    let [name, rest @ ..] = &words[..] else { return Ok(ExitCode::SUCCESS) };
    if name == "help" {
        return help::of(rest, global, output).await;
    }
    let asks_for_help = rest.iter().any(|word| word == "--help" || word == "-h");
    if asks_for_help
        && let Some(offered) = known(name, global).await?
        && let Err(usage) = values::read(&offered, &words)
    {
        return Ok(say(&usage));
    }
    let connected = connect(options(global)?, Needs::Any, output).await?;
    let client = connected.client();
    let offered = tokio::select! {
        offered = offered(name, client, output) => offered,
        error = interrupted() => Err(error),
    };
    let outcome = match offered.map(|offered| (values::read(&offered, &words), offered)) {
        Ok((Ok(typed), offered)) => run::run(&offered, typed, words, client, output).await,
        Ok((Err(usage), _)) => Ok(refuse(&usage, output)),
        Err(error) => Err(error),
    };
    end(connected, outcome, output).await
}

/// The command of this name. Where a plugin that waits to be enabled may have it, a person at the terminal is asked.
async fn offered(name: &str, daemon: &Client, output: &Output) -> Result<Offered, Error> {
    let found = ask(name, daemon, output).await;
    let Err(error) = found else { return found };
    let Some(plugin) = waiting(&error, name).filter(|_| can_ask(output)) else { return Err(error) };
    let is = if error.code == ErrorCode::PLUGIN_UNAVAILABLE { "is" } else { "may be" };
    output.note(&format!("`{name}` {is} a command of `{plugin}`, which waits to be enabled"));
    match first_use(&plugin, daemon, output).await? {
        true => ask(name, daemon, output).await,
        false => Err(error),
    }
}

/// The one plugin that is to be asked about: that of the command's name, where several wait.
fn waiting(error: &Error, name: &str) -> Option<String> {
    let waiting = error.data.as_ref()?.extra.get(WAITING)?.as_array()?;
    let mut waiting = waiting.iter().filter_map(Value::as_str);
    let named = waiting.clone().find(|plugin| *plugin == name);
    let only = match (waiting.next(), waiting.next()) {
        (only, None) => only,
        _ => None,
    };
    named.or(only).map(str::to_owned)
}

/// Asks the daemon for it, and shows what takes long: plugins are asked what they offer, where nobody is known to have it.
async fn ask(name: &str, daemon: &Client, output: &Output) -> Result<Offered, Error> {
    let (_display, progress) = Display::start(output);
    tokio::select! {
        offered = daemon.command(name.to_owned()) => answered(offered),
        never = show_learning(daemon, progress) => match never {},
    }
}

/// Never ends.
async fn show_learning(client: &Client, progress: Progress) -> Infallible {
    let Some(progress) = progress else { return std::future::pending().await };
    loop {
        tokio::time::sleep(LOOKS).await;
        let learning = answered(client.status().await).ok().and_then(|status| status.learning);
        let value = learning.map(|Learning { told, of }| ProgressValue {
            message: Some("asking plugins what they offer".to_owned()),
            done: Some(told as f64),
            total: Some(of as f64),
            data: None,
        });
        if let Some(value) = value.and_then(|value| to_raw_value(&value).ok()) {
            let _ = progress.send(value).await;
        }
    }
}

/// What clap has to say: help on standard output, what is wrong on standard error.
fn say(usage: &clap::Error) -> ExitCode {
    // Nobody is left to be told of a stream that is closed.
    let _ = usage.print();
    ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
}

/// As [`say`]; of an option that is one of `astros`, where it belongs.
fn refuse(usage: &clap::Error, output: &Output) -> ExitCode {
    let unknown = match usage.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(name)) if usage.kind() == ErrorKind::UnknownArgument => name,
        _ => return say(usage),
    };
    let own = Cli::command();
    let own =
        own.get_arguments().filter(|option| option.is_global_set()).filter_map(|option| option.get_long());
    let Some(option) = own.map(|long| format!("--{long}")).find(|own| own == unknown) else {
        return say(usage);
    };
    let text = "is no option of the command\n  options of `astros` stand before the command";
    output.note(&format!("error: `{option}` {text}"));
    ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
}

fn text(word: OsString) -> Result<String, Error> {
    word.into_string().map_err(|word| {
        let message = format!("`{}` is no UTF-8, expected text: plugins take nothing else", word.display());
        Error::new(ErrorCode::INVALID_PARAMS, message)
    })
}

/// Every command of a plugin that can be typed, as far as that is known: no process is started for it.
async fn known_words(global: &Global) -> Result<Vec<Word>, Error> {
    let options = options(global)?;
    match running(&options).await? {
        Some(client) => answered(client.commands().await),
        None => Ok(Catalog::read(options, None).await?.words()),
    }
}

/// A command that can be run; none where it is not known whether there is one, without a process started for it.
async fn known(name: &str, global: &Global) -> Result<Option<Offered>, Error> {
    let options = options(global)?;
    Ok(match running(&options).await? {
        Some(client) => answered(client.command(name.to_owned()).await).ok(),
        None => Catalog::read(options, Some(name)).await?.find(name).and_then(Result::ok),
    })
}

/// The daemon that runs, where it has the plugins that are meant.
async fn running(options: &Options) -> Result<Option<Client>, Error> {
    let paths = options.paths()?;
    let fits = |client: &Client| client.hello().is_of(&paths) && client.hello().has(&options.named_folders());
    Ok(Client::connect(&paths.runtime).await?.filter(fits))
}

/// A plugin's words in a help text: nothing in them moves the terminal, and they come to an end.
fn shown(text: &str) -> String {
    /// As long as a manual.
    const LONGEST: usize = 20_000;
    shown_in(text, LONGEST)
}

/// The same in so many characters at most.
fn shown_in(text: &str, longest: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", printable(&text[..end])),
        None => printable(text).into_owned(),
    }
}
