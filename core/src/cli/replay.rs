//! `astros replay`: drives a plugin with a recording, and shows what differs.

use std::{path::Path, process::ExitCode};

use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use super::{args::Replay, output::Output};
use crate::{
    daemon,
    recording::{Recording, What},
    replay::{Difference, Options, Varying, replay},
    services::printable::printable,
};

/// More of a value is not shown to people.
const SHOWN: usize = 200;

/// Exits with 0 where nothing differs, with 1 where something does.
pub(super) async fn run(
    wanted: Replay,
    options: &daemon::Options,
    output: &Output,
) -> Result<ExitCode, Error> {
    let recording = read(&wanted.file)?;
    let options = Options {
        command: if wanted.command.is_empty() {
            None
        } else {
            Some((wanted.command, super::cwd().map_err(|error| invalid(error.to_string()))?))
        },
        varying: Varying::with_masks(&wanted.mask).map_err(invalid)?,
        timeout: wanted.timeout,
        environment: options.environment.clone(),
        python_sdk: options.python_sdk()?,
        granted: wanted.grant,
        hidden: options.paths()?.hidden(std::env::var_os("HOME").as_deref().map(Path::new)),
    };
    let differences = replay(&recording, &options).await;
    let differences = differences.map_err(|error| match options.command {
        Some(_) if error.code == ErrorCode::PLUGIN_UNAVAILABLE => invalid(error.message)
            .with_hint("the command after `--` is looked for in the current folder and on PATH"),
        _ => error,
    })?;
    let messages = messages(&recording);
    if output.json {
        output.print_json(&json!({
            "recording": wanted.file,
            "plugin": recording.head.plugin,
            "processes": recording.processes.len(),
            "messages": messages,
            "differences": differences,
        }));
    } else {
        output.print(&text(&recording, messages, &differences));
    }
    Ok(ExitCode::from(u8::from(!differences.is_empty())))
}

fn read(file: &Path) -> Result<Recording, Error> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| invalid(format!("`{shown}` cannot be read: {error}")))?;
    let recording = Recording::read(&String::from_utf8_lossy(&bytes));
    let recording = recording.map_err(|error| invalid(format!("`{shown}` cannot be replayed: {error}")))?;
    match recording.processes.is_empty() {
        true => Err(invalid(format!("`{shown}` records no process: there is nothing to replay"))),
        false => Ok(recording),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, message)
}

/// How many messages of the plugin were compared.
fn messages(recording: &Recording) -> usize {
    let events = recording.processes.iter().flat_map(|process| &process.events);
    events.filter(|event| matches!(event.what, What::Plugin(_))).count()
}

fn text(recording: &Recording, messages: usize, differences: &[Difference]) -> String {
    let plugin = &recording.head.plugin;
    if differences.is_empty() {
        return format!("`{plugin}` does what the recording says ({messages} messages)");
    }
    let mut text = String::new();
    for difference in differences {
        let Difference { line, about, pointer, expected, got, .. } = difference;
        let place = line.map(|line| format!("line {line}, ")).unwrap_or_default();
        let pointer = if pointer.is_empty() { String::new() } else { format!(" at {pointer}") };
        text.push_str(&format!("{place}{about}{pointer}\n"));
        text.push_str(&format!("  expected {}\n  got      {}\n", shown(expected), shown(got)));
    }
    let number = differences.len();
    let word = if number == 1 { "difference" } else { "differences" };
    printable_lines(&format!("{text}`{plugin}` does not do what the recording says: {number} {word}"))
}

fn shown(value: &Option<Value>) -> String {
    let text = value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]),
        None => text,
    }
}

fn printable_lines(text: &str) -> String {
    text.lines().map(printable).collect::<Vec<_>>().join("\n")
}
