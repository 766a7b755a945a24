//! `astros record`: runs another command with a daemon of its own that records what a plugin says and hears.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use astros_protocol::{Error, ErrorCode, version::SUPPORTED};
use clap::Parser;
use jiff::Timestamp;

use super::{
    args::{Cli, Command, Global, Record},
    connect::Needs,
    output::{Output, exit_code},
};
use crate::{
    control::no_daemon,
    recording::{FORMAT, Head, Recorder},
};

/// Runs the command, and ends its recording however it went.
pub(super) async fn run(record: Record, global: Global, output: &Output) -> Result<ExitCode, Error> {
    let mut inner = match Cli::try_parse_from([&"astros".to_owned()].into_iter().chain(&record.command)) {
        Ok(inner) => inner,
        Err(error) => return Ok(super::usage(&error, output)),
    };
    check(&inner.command, &record.command)?;
    inner.global.json |= global.json;
    inner.global.plugin_dir.splice(0..0, global.plugin_dir);
    let recorder = create(&record)?;
    inner.global.recorder = Some(recorder.clone());
    let inner_output = output.with_json(inner.global.json);
    let outcome = super::run(inner, &inner_output).await;
    let begun = outcome.is_ok();
    let code = outcome.unwrap_or_else(|error| inner_output.error(&error));
    let code = if inner_output.is_lost() { ExitCode::from(exit_code(ErrorCode::INTERNAL_ERROR)) } else { code };
    let status = (0..=u8::MAX).find(|status| ExitCode::from(*status) == code).unwrap_or_default();
    let file = recorder.path();
    match recorder.finish(status) {
        Err(error) => return Err(unwritten(file, &error)),
        Ok(0) => {
            // A file that records nothing would only be taken for one that does.
            let _ = std::fs::remove_file(file);
            if begun {
                output.note(&format!("`{}` was not started by this command: nothing was recorded", record.plugin));
            }
        }
        Ok(_) => output.note(&format!("recorded in {}", file.display())),
    }
    Ok(code)
}

/// Only what can have a daemon of its own, and brings plugins to work.
fn check(command: &Command, words: &[String]) -> Result<(), Error> {
    match command {
        Command::Ask(_) | Command::Chat => Ok(()),
        Command::Plugins(_) if command.needs() != Needs::Running => Ok(()),
        Command::Plugins(_) | Command::Status | Command::Bus(_) | Command::Daemon(_) => {
            let message = format!("`{}` is for the daemon that stays, and a recording has its own", words.join(" "));
            Err(no_daemon(message).with_hint("`ask`, `chat` and `plugins call` can be recorded"))
        }
        _ => {
            let message = format!("`{}` cannot be recorded, expected `ask`, `chat` or `plugins`", words.join(" "));
            Err(Error::new(ErrorCode::INVALID_PARAMS, message))
        }
    }
}

fn create(record: &Record) -> Result<Recorder, Error> {
    let now = Timestamp::now();
    let newest = SUPPORTED.iter().max().expect("the protocol crate speaks a version");
    let head = Head {
        astros_recording: FORMAT,
        protocol: newest.to_string(),
        plugin: record.plugin.clone(),
        astros: env!("CARGO_PKG_VERSION").to_owned(),
        command: record.command.clone(),
        at: now.to_string(),
    };
    let time = now.strftime("%Y%m%d-%H%M%S");
    let named = |number: u32| match number {
        1 => PathBuf::from(format!("{}-{time}.jsonl", record.plugin.replace('/', "_"))),
        _ => PathBuf::from(format!("{}-{time}-{number}.jsonl", record.plugin.replace('/', "_"))),
    };
    if let Some(path) = &record.output {
        return Recorder::create(path, &head).map_err(|error| unwritten(path, &error));
    }
    let mut number = 1;
    loop {
        match Recorder::create(&named(number), &head) {
            // Two in one second.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
            created => return created.map_err(|error| unwritten(&named(number), &error)),
        }
    }
}

fn unwritten(file: &Path, error: &io::Error) -> Error {
    let file = file.display();
    let message = match error.kind() {
        io::ErrorKind::AlreadyExists => format!("`{file}` is there already, expected a new file: no recording is overwritten"),
        _ => format!("the recording `{file}` cannot be written: {error}"),
    };
    Error::new(ErrorCode::INVALID_PARAMS, message).with_hint("`--output FILE` names another one")
}
