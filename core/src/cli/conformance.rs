//! `astros conformance`: holds a plugin's command against the rules of the protocol, and reports.

use std::{fs, path::Path, process::ExitCode};

use astros_conformance::{Call, Level, Options, Report};
use astros_protocol::{Error, ErrorCode};
use serde_json::Value;

use super::{
    args::{self, Conformance},
    output::Output,
};

pub(super) async fn run(command: Conformance, output: &Output) -> Result<ExitCode, Error> {
    let Conformance { level, rules, junit, timeout, calls, command } = command;
    let level = match level {
        args::Level::Core => Level::Core,
        args::Level::Full => Level::Full,
    };
    let calls = calls.iter().map(|call| parse(call)).collect::<Result<_, _>>()?;
    let options = Options { level, rules, timeout, calls };
    // What cannot be written is better told before the run than after it.
    junit.as_deref().map_or(Ok(()), |file| write(file, ""))?;
    let report = astros_conformance::check(command, options).await;
    let report = report.map_err(|error| wrong_use(error.to_string()))?;
    print(&report, output);
    if let Some(file) = junit {
        write(&file, &report.junit())?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(report: &Report, output: &Output) {
    match (output.json, output.has_color()) {
        (true, _) => output.print_json(&report.json()),
        (false, true) => output.print(&report.colored_text()),
        (false, false) => output.print(&report.text()),
    }
}

/// `HANDLER=JSON`, a JSON object.
fn parse(call: &str) -> Result<Call, Error> {
    let expected = "expected HANDLER=JSON with a JSON object, such as `greet={\"name\": \"Ada\"}`";
    let wrong = |found: &str| wrong_use(format!("`--call {call}`: {found}; {expected}"));
    let (handler, context) = call.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
    match serde_json::from_str(context) {
        Ok(Value::Object(context)) => Ok(Call { handler: handler.to_owned(), context }),
        Ok(_) => Err(wrong("this is no JSON object")),
        Err(error) => Err(wrong(&error.to_string())),
    }
}

fn write(file: &Path, xml: &str) -> Result<(), Error> {
    fs::write(file, xml)
        .map_err(|error| wrong_use(format!("the report cannot be written to `{}`: {error}", file.display())))
}

fn wrong_use(message: String) -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, message)
}
