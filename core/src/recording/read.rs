//! Reads a recording, and says what is wrong with a file that is none.

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{FORMAT, Head, Source, Started};

/// A recording that is whole.
#[derive(Clone, Debug)]
pub struct Recording {
    pub head: Head,
    /// In the order of their starts.
    pub processes: Vec<Process>,
}

/// One process of the plugin.
#[derive(Clone, Debug)]
pub struct Process {
    pub started: Started,
    pub events: Vec<Event>,
    /// How it ended, as a manifest names it: a status, a signal's name, null where the host killed it.
    pub exit: Value,
}

/// Something that passed between the two.
#[derive(Clone, Debug)]
pub struct Event {
    /// The line of the file, from 1.
    pub number: usize,
    pub what: What,
}

#[derive(Clone, Debug)]
pub enum What {
    /// The host wrote this line.
    Host(String),
    /// The host closed the plugin's input.
    Closed,
    /// The plugin wrote this message.
    Plugin(Value),
    /// The plugin wrote something on standard output that is none: `stray` or `malformed`.
    NoMessage(&'static str),
}

/// A line after the first.
#[derive(Deserialize)]
struct Line {
    process: Option<usize>,
    from: Option<Source>,
    started: Option<Started>,
    line: Option<Box<RawValue>>,
    malformed: Option<Value>,
    closed: Option<bool>,
    #[serde(default, deserialize_with = "some")]
    exit: Option<Value>,
    end: Option<End>,
}

#[derive(Deserialize)]
struct End {
    lines: usize,
}

/// `null` is a value, too.
fn some<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Recording {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// What the file is instead, or where it breaks off.
    pub fn read(text: &str) -> Result<Recording, String> {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
        let head = head(lines.next().map_or("", |(_, line)| line))?;
        let mut recording = Recording { head, processes: Vec::new() };
        for (number, text) in lines {
            let line: Line = serde_json::from_str(text).map_err(|error| {
                format!("line {number} cannot be read ({error}): the recording broke off there, or was changed")
            })?;
            if let Some(End { lines }) = line.end {
                return match number - 1 {
                    read if read == lines => Ok(recording),
                    read => Err(format!("it has {read} lines before its end, expected {lines}: some are missing")),
                };
            }
            recording.add(number, line)?;
        }
        Err("it breaks off: its last line is not the end of a recording; the command that was recorded was killed, or the file was cut".to_owned())
    }

    fn add(&mut self, number: usize, line: Line) -> Result<(), String> {
        if let Some(started) = line.started {
            self.processes.push(Process { started, events: Vec::new(), exit: Value::Null });
            return Ok(());
        }
        let process = line.process.and_then(|process| self.processes.get_mut(process.wrapping_sub(1)));
        let process = process.ok_or_else(|| format!("line {number} is of a process that was not started"))?;
        if let Some(exit) = line.exit {
            process.exit = exit;
        }
        let what = match (line.from, line.line) {
            (Some(Source::Host), Some(line)) => What::Host(line.get().to_owned()),
            (Some(Source::Host), None) if line.closed == Some(true) => What::Closed,
            (Some(Source::Plugin), Some(line)) => {
                What::Plugin(serde_json::from_str(line.get()).map_err(|error| error.to_string())?)
            }
            (Some(Source::Plugin), None) if line.malformed.is_some() => What::NoMessage("malformed"),
            (Some(Source::Plugin), None) => What::NoMessage("stray"),
            // What a plugin logs is for people.
            _ => return Ok(()),
        };
        process.events.push(Event { number, what });
        Ok(())
    }
}

fn head(line: &str) -> Result<Head, String> {
    let head: Value = serde_json::from_str(line).unwrap_or_default();
    match head["astros_recording"].as_u64() {
        Some(FORMAT) => serde_json::from_value(head).map_err(|error| format!("its first line: {error}")),
        Some(other) => Err(format!("it has the format {other}, expected {FORMAT}: another version of astros made it")),
        None => Err("it is no recording, whose first line begins with `{\"astros_recording\":`; `astros record` makes one".to_owned()),
    }
}
