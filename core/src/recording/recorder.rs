//! Writes a recording while a command runs.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use astros_protocol::manifest::Exit;
use serde_json::{Map, Value, json};

use super::{
    line::{Head, Source, Started, content},
    secrets::Secrets,
};

/// No more is held, in bytes: who says that much before it says what it is has no setting shown.
const HELD: usize = 8 << 20;

/// The file that a plugin's traffic is written to. Its clones write to the same one.
#[derive(Clone, Debug)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    plugin: String,
    path: PathBuf,
    began: Instant,
    // A std mutex: never held across an await.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    lines: u64,
    processes: u32,
    /// What waits until it is known which settings are secret: the plugin's code says so in its first answer.
    held: Option<Vec<Line>>,
    /// The bytes of it.
    held_bytes: usize,
    secrets: Secrets,
    failed: Option<io::Error>,
}

/// A line to be written.
#[derive(Debug)]
struct Line {
    members: Map<String, Value>,
    /// The last member: its name, and its value as JSON.
    content: Option<(&'static str, String)>,
}

impl Recorder {
    /// Makes the file, for nobody else to read, and begins it.
    ///
    /// # Errors
    /// It is there already, or cannot be made.
    pub fn create(path: &Path, head: &Head) -> io::Result<Recorder> {
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        let (held, secrets) = (Some(Vec::new()), Secrets::default());
        let state = State { file, lines: 0, processes: 0, held, held_bytes: 0, secrets, failed: None };
        let (plugin, path) = (head.plugin.clone(), path.to_owned());
        let shared = Shared { plugin, path, began: Instant::now(), state: Mutex::new(state) };
        shared.add(json!(head), None);
        Ok(Recorder(Arc::new(shared)))
    }

    /// The plugin whose traffic it is.
    pub fn plugin(&self) -> &str {
        &self.0.plugin
    }

    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// These texts are secret.
    pub fn hide(&self, texts: &[String]) {
        self.0.lock().secrets.add(texts);
    }

    /// The schema of the plugin's settings, where it is known without its code.
    pub fn set_schema(&self, schema: &Value) {
        let mut state = self.0.lock();
        state.secrets.set_schema(schema);
        state.release();
    }

    /// A process was started; what it and the host write goes to its tape.
    pub fn started(&self, started: &Started) -> Tape {
        let process = {
            let mut state = self.0.lock();
            state.processes += 1;
            state.processes
        };
        let tape = Tape { shared: self.0.clone(), process };
        tape.add(json!({ "started": started }), None);
        tape
    }

    /// Ends it, with the exit status of the command, and gives the number of processes that it has.
    ///
    /// # Errors
    /// It could not be written.
    pub fn finish(&self, status: u8) -> io::Result<u32> {
        let mut state = self.0.lock();
        if state.held.is_some() {
            state.secrets.hide_all();
            state.release();
        }
        let lines = state.lines;
        drop(state);
        self.0.add(json!({ "at_ms": self.0.at_ms(), "end": { "lines": lines, "status": status } }), None);
        let mut state = self.0.lock();
        state.failed.take().map_or(Ok(state.processes), Err)
    }
}

impl PartialEq for Recorder {
    fn eq(&self, other: &Recorder) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One process in a recording.
#[derive(Clone, Debug)]
pub struct Tape {
    shared: Arc<Shared>,
    process: u32,
}

impl Tape {
    /// A line of this length was written; `bytes` is what is kept of it.
    pub(super) fn wrote(&self, source: Source, bytes: &[u8], length: usize) {
        let (name, text) = content(source, bytes, length);
        self.add(json!({ "from": source }), Some((name, text)));
    }

    /// The host closed the plugin's input.
    pub(super) fn closed(&self) {
        self.add(json!({ "from": Source::Host, "closed": true }), None);
    }

    /// It has ended; `None` where the host killed it.
    pub fn ended(&self, exit: Option<&Exit>) {
        self.add(json!({ "exit": exit }), None);
    }

    fn add(&self, members: Value, content: Option<(&'static str, String)>) {
        let mut line = json!({ "at_ms": self.shared.at_ms(), "process": self.process });
        if let (Value::Object(line), Value::Object(members)) = (&mut line, members) {
            line.extend(members);
        }
        self.shared.add(line, content);
    }
}

impl Shared {
    /// Since the beginning, to the microsecond.
    fn at_ms(&self) -> f64 {
        (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e3
    }

    fn add(&self, members: Value, content: Option<(&'static str, String)>) {
        let Value::Object(members) = members else { return };
        let mut state = self.lock();
        let described = content.as_ref().is_some_and(|(_, text)| state.learns(text));
        state.held_bytes += content.as_ref().map_or(0, |(_, text)| text.len()) + size_of::<Line>();
        let line = Line { members, content };
        match &mut state.held {
            Some(held) => held.push(line),
            None => state.write(line),
        }
        if described {
            state.release();
        } else if state.held_bytes > HELD {
            state.secrets.hide_all();
            state.release();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether this is the plugin's description, which says which settings there are.
    fn learns(&mut self, text: &str) -> bool {
        if self.held.is_none() {
            return false;
        }
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let described = message["result"]["plugin"].is_object();
        if let Some(schema) = message["result"]["plugin"].get("settings_schema") {
            self.secrets.set_schema(schema);
        }
        described
    }

    /// Writes what was held.
    fn release(&mut self) {
        for line in self.held.take().unwrap_or_default() {
            self.write(line);
        }
    }

    fn write(&mut self, line: Line) {
        let Line { members, content } = line;
        let mut members = Value::Object(members);
        self.secrets.hide_texts(&mut members);
        let mut text = members.to_string();
        if let Some((name, mut value)) = content {
            if let Ok(mut message) = serde_json::from_str::<Value>(&value)
                && self.secrets.hide_in_message(&mut message)
            {
                value = message.to_string();
            }
            text.truncate(text.len() - 1);
            text.push_str(&format!(",\"{name}\":{value}}}"));
        }
        text.push('\n');
        self.lines += 1;
        // A line at a time: what was recorded stays, however the command ends.
        if let Err(error) = self.file.write_all(text.as_bytes())
            && self.failed.is_none()
        {
            self.failed = Some(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_no_more_than_it_may_and_then_shows_no_setting() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let words = |text: &str| text.to_owned();
        let head = Head {
            astros_recording: 1,
            protocol: words("1.0"),
            plugin: words("p"),
            astros: words("1"),
            command: Vec::new(),
            at: words("now"),
        };
        let recorder = Recorder::create(&path, &head).unwrap();
        let started = Started { program: words("p"), args: Vec::new(), folder: words("/") };
        let tape = recorder.started(&started);
        let initialize =
            br#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"settings":{"city":"Oslo"}}}"#;
        tape.wrote(Source::Host, initialize, initialize.len());
        let stray = vec![b'x'; 1 << 20];
        let size = || std::fs::metadata(&path).unwrap().len();
        assert_eq!(size(), 0);
        (0..9).for_each(|_| tape.wrote(Source::Plugin, &stray, stray.len()));
        assert!(size() > 8 << 20, "it is written, and not held");
        recorder.finish(0).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("Oslo"));
    }
}
