//! What the command prints: answers and errors, for people or as JSON, and the exit code of each.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

use astros_protocol::{Error, ErrorCode, ErrorData};
use console::Style;
use serde_json::{Value, json};

use crate::{
    control::NO_DAEMON,
    router::errors::UNASKED,
    services::printable::{indented, printable},
};

/// How a command prints.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) json: bool,
    /// Something could not be written.
    lost: AtomicBool,
    /// Who read went away.
    alone: AtomicBool,
    color: bool,
    color_errors: bool,
}

impl Output {
    /// Colour only on a terminal, and never where `NO_COLOR` says so.
    pub(super) fn new(json: bool, no_color: bool) -> Output {
        Output {
            json,
            lost: AtomicBool::new(false),
            alone: AtomicBool::new(false),
            color: !no_color && io::stdout().is_terminal(),
            color_errors: !no_color && io::stderr().is_terminal(),
        }
    }

    /// The same, for people or as JSON.
    pub(super) fn with_json(&self, json: bool) -> Output {
        let (lost, alone) = (AtomicBool::new(false), AtomicBool::new(false));
        Output { json, lost, alone, color: self.color, color_errors: self.color_errors }
    }

    /// A style on stdout.
    pub(super) fn style(&self) -> Style {
        Style::new().force_styling(self.color)
    }

    /// Whether stdout takes colour.
    pub(super) fn has_color(&self) -> bool {
        self.color
    }

    /// Prints lines on stdout. A reader that went away ends the output, not the program.
    pub(super) fn print(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.write_all(b"\n"));
        match written.and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.alone.store(true, Ordering::Relaxed);
            }
            Err(error) => {
                self.lost.store(true, Ordering::Relaxed);
                self.note(&format!("error: the answer cannot be written to standard output: {error}"));
            }
            Ok(()) => {}
        }
    }

    /// Whether nobody reads any more: what goes on for ever may end.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }

    /// Whether something could not be written to a reader who is still there.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn print_json(&self, value: &Value) {
        self.print(&value.to_string());
    }

    /// A word on stderr beside what is asked for.
    pub(super) fn note(&self, text: &str) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Something to look at, on stderr: it never mixes with what a script reads.
    pub(super) fn warning(&self, text: &str) {
        let style = Style::new().force_styling(self.color_errors);
        self.note(&format!("{} {}", style.yellow().apply_to("warning:"), indented(text)));
    }

    /// What is wrong with something that was looked at, on stderr.
    pub(super) fn problem(&self, text: &str) {
        let style = Style::new().force_styling(self.color_errors);
        self.note(&format!("{} {}", style.red().bold().apply_to("error:"), indented(text)));
    }

    /// Prints an error where it belongs, and gives the exit code.
    pub(super) fn error(&self, error: &Error) -> ExitCode {
        if self.json {
            self.print_json(&json!({ "error": error_json(error) }));
        } else {
            self.note(&self.error_text(error));
        }
        ExitCode::from(exit_code(error.code))
    }

    fn error_text(&self, error: &Error) -> String {
        let style = Style::new().force_styling(self.color_errors);
        let mut text =
            format!("{} {}", style.clone().red().bold().apply_to("error:"), indented(&error.message));
        let Some(data) = &error.data else { return text };
        let hint = data.hint.as_ref().map(|hint| format!("\n  {}", style.dim().apply_to(indented(hint))));
        let mut hint = hint.unwrap_or_default();
        if data.extra.contains_key(UNASKED) {
            text.push_str(&std::mem::take(&mut hint));
        }
        // The detail of a crash is its last words once more.
        if let Some(Value::Array(words)) = data.extra.get("last_words") {
            let shown = words.iter().filter_map(Value::as_str).rev().take(10).collect::<Vec<_>>();
            // The message of a failed start ends with the last of them.
            let shown =
                if shown.len() == 1 && error.message.ends_with(shown[0].trim()) { &[] } else { &shown[..] };
            if !shown.is_empty() {
                text.push_str("\n  its last words:");
            }
            shown.iter().rev().for_each(|line| text.push_str(&format!("\n    {}", printable(line))));
        } else if let Some(detail) = &data.detail {
            detail.lines().for_each(|line| text.push_str(&format!("\n  {}", printable(line))));
        }
        text + &hint
    }
}

/// The error as scripts get it.
pub(super) fn error_json(error: &Error) -> Value {
    let data = error.data.as_deref().cloned().unwrap_or_default();
    let mut members = json!({
        "code": error.code,
        "kind": kind(error, &data),
        "message": error.message,
        "plugin": data.plugin,
        "retryable": data.retryable,
        "hint": data.hint,
    });
    if let (Value::Object(members), Some(detail)) = (&mut members, data.detail) {
        members.insert("detail".to_owned(), detail.into());
    }
    if let Value::Object(members) = &mut members {
        for (name, value) in data.extra {
            members.entry(name).or_insert(value);
        }
    }
    members
}

/// The code's name; codes of the control API are none of the protocol's, and bring theirs with them.
fn kind<'a>(error: &Error, data: &'a ErrorData) -> &'a str {
    if error.kind() == "unknown" && !data.kind.is_empty() { &data.kind } else { error.kind() }
}

/// The exit code of an error; `astros --help` lists them.
pub(super) fn exit_code(code: ErrorCode) -> u8 {
    match code {
        ErrorCode::INVALID_PARAMS
        | ErrorCode::INVALID_REQUEST
        | ErrorCode::PLUGIN_NOT_FOUND
        | ErrorCode::HANDLER_NOT_FOUND
        | ErrorCode::METHOD_NOT_FOUND
        | ErrorCode::CALL_CYCLE
        | ErrorCode::INVALID_SETTINGS => 2,
        NO_DAEMON => 3,
        ErrorCode::NOT_UNDERSTOOD => 4,
        ErrorCode::PLUGIN_CRASHED
        | ErrorCode::HANDLER_FAILED
        | ErrorCode::BAD_RESPONSE
        | ErrorCode::FRAME_TOO_LARGE
        | ErrorCode::AI_FAILED
        | ErrorCode::NOT_INITIALIZED => 5,
        ErrorCode::PLUGIN_UNAVAILABLE
        | ErrorCode::PERMISSION_DENIED
        | ErrorCode::OVERLOADED
        | ErrorCode::SHUTTING_DOWN
        | ErrorCode::UNSUPPORTED_VERSION => 6,
        ErrorCode::DEADLINE_EXCEEDED => 7,
        ErrorCode::CANCELLED => 130,
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_scripts_every_member_of_an_error() {
        let error =
            Error::new(ErrorCode::PLUGIN_CRASHED, "m").with_plugin("p").with("last_words", vec!["bye"]);
        let expected = json!({
            "code": -32003, "kind": "plugin_crashed", "message": "m", "plugin": "p",
            "retryable": false, "hint": null, "last_words": ["bye"],
        });
        assert_eq!(error_json(&error), expected);
    }

    #[test]
    fn nothing_that_a_plugin_says_begins_a_line_of_an_error() {
        let error =
            Error::new(ErrorCode::HANDLER_NOT_FOUND, "none\nerror: x").with_hint("there is: a\nwarning: y");
        let text = Output::new(false, true).error_text(&error);
        assert_eq!(text, "error: none\n  error: x\n  there is: a\n  warning: y");
    }

    #[test]
    fn gives_every_error_an_exit_code_of_2_and_up() {
        for code in ErrorCode::ALL {
            assert!(exit_code(*code) >= 2, "{code:?}");
        }
    }
}
