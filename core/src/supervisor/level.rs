//! Reads a line of a plugin's stderr: its level, where it says one, and its members, where it is JSON. Pure.

use astros_protocol::{Extra, person::Level};
use serde_json::Value;

use super::{event::LogLine, words};

/// Reads lines in order: what is indented below a line has that line's level, as in a Python traceback.
#[derive(Debug, Default)]
pub(crate) struct Levels {
    last: Level,
    /// Below the head of a traceback, until its last line.
    traceback: bool,
}

impl Levels {
    pub(crate) fn read(&mut self, line: &str) -> LogLine {
        if let Some(line) = json(line) {
            self.last = line.level.clone();
            return line;
        }
        let message = words::printable(line);
        let level = self.level(&message);
        self.last = level.clone();
        LogLine { level, message, fields: Extra::new() }
    }

    fn level(&mut self, line: &str) -> Level {
        if line.starts_with("Traceback (most recent call last)") {
            self.traceback = true;
            return Level::Error;
        }
        if line.starts_with([' ', '\t']) {
            return self.last.clone();
        }
        if std::mem::take(&mut self.traceback) || is_panic(line) {
            return Level::Error;
        }
        said(line).unwrap_or_default()
    }
}

fn is_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains("panicked at")
}

/// The level among the first words, after a date perhaps: `INFO: …`, `[error] …`, `12:00:01 WARNING …`.
fn said(line: &str) -> Option<Level> {
    let mut words = line.split([' ', '\t', ':', '|']).filter(|word| !word.is_empty()).take(8);
    words.find_map(|word| {
        let bracketed = word.strip_prefix(['[', '<']).and_then(|word| word.strip_suffix([']', '>']));
        let name = bracketed.unwrap_or(word);
        // "error" within a sentence is a word; in brackets, in capitals, or first and before a colon it is a level.
        let marked = bracketed.is_some()
            || name.chars().all(|char| char.is_ascii_uppercase())
            || line.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'));
        if marked { named(name) } else { None }
    })
}

fn named(name: &str) -> Option<Level> {
    Some(match name.to_ascii_lowercase().as_str() {
        "trace" => Level::Trace,
        "debug" => Level::Debug,
        "info" | "notice" => Level::Info,
        "warn" | "warning" => Level::Warn,
        "error" | "err" | "critical" | "fatal" => Level::Error,
        _ => return None,
    })
}

/// A JSON object with a message, as logging libraries write it.
fn json(line: &str) -> Option<LogLine> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(line.trim()) else { return None };
    let message = ["message", "msg", "event"].iter().find_map(|key| match fields.get(*key)? {
        Value::String(_) => fields.shift_remove(*key),
        _ => None,
    })?;
    let level = ["level", "levelname", "severity"].iter().find_map(|key| {
        let level = named(fields.get(*key)?.as_str()?)?;
        fields.shift_remove(*key);
        Some(level)
    });
    let message = words::printable(message.as_str().unwrap_or_default());
    Some(LogLine { level: level.unwrap_or_default(), message, fields })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(lines: &[&str]) -> Vec<Level> {
        let mut levels = Levels::default();
        lines.iter().map(|line| levels.read(line).level).collect()
    }

    #[test]
    fn reads_the_level_that_a_line_says() {
        let lines = [
            "INFO: started",
            "[error] no config",
            "2026-01-02 03:04:05,678 - WARNING - slow",
            "debug: x",
            "2026-01-02T03:04:05Z  WARN crate: y",
            "no error here",
            "FATAL out of memory",
        ];
        use Level::{Debug, Error, Info, Warn};
        assert_eq!(levels(&lines), [Info, Error, Warn, Debug, Warn, Info, Error]);
    }

    #[test]
    fn takes_a_traceback_and_a_panic_for_errors() {
        let lines = [
            "Traceback (most recent call last):",
            "  File \"a.py\", line 1, in <module>",
            "ModuleNotFoundError: No module named 'x'",
            "after it",
            "thread 'main' panicked at src/main.rs:1:1:",
        ];
        use Level::{Error, Info};
        assert_eq!(levels(&lines), [Error, Error, Error, Info, Error]);
    }

    #[test]
    fn reads_lines_that_are_json() {
        let line = Levels::default().read(r#"{"level":"WARNING","message":"\u001b[31mslow","took_ms":5}"#);
        assert_eq!((line.level, line.message.as_str()), (Level::Warn, "slow"));
        assert_eq!(serde_json::to_string(&line.fields).unwrap(), r#"{"took_ms":5}"#);
        assert_eq!(Levels::default().read("[1, 2]").message, "[1, 2]");
    }
}
