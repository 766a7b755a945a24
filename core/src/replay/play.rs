//! One process of a recording: says what the host said, hears what the plugin says, and notes what differs.

use std::{collections::HashMap, io::Write, time::Duration};

use astros_peer::frame::{Frame, FrameReader};
use astros_protocol::{Error, MAX_FRAME_BYTES};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::mpsc,
    time::{Instant, timeout, timeout_at},
};

use super::{Difference, Options, compare};
use crate::{
    recording::{Event, Process, What},
    supervisor::{self, Spec, Started},
};

/// No more is read of one process, in bytes: who writes without end fills no memory.
const MOST: usize = 256 << 20;

/// What the plugin wrote.
enum Heard {
    Message(Value),
    NoMessage(&'static str),
}

/// A message that the plugin sent when it was recorded.
struct Expected {
    number: usize,
    message: Value,
    met: bool,
}

pub(super) struct Play<'a> {
    number: usize,
    recorded: &'a Process,
    options: &'a Options,
    process: supervisor::Process,
    input: Option<mpsc::UnboundedSender<String>>,
    heard: mpsc::UnboundedReceiver<Heard>,
    expected: Vec<Expected>,
    /// The plugin's own requests: the recorded id, as JSON, and that of now.
    ids: HashMap<String, Value>,
    /// The methods of the host's requests, by id.
    asked: HashMap<String, String>,
    /// Lines that are no messages, by kind: as many as came less those that were recorded.
    odd: HashMap<&'static str, i64>,
    differences: Vec<Difference>,
}

impl<'a> Play<'a> {
    /// Starts the process.
    pub(super) async fn start(
        number: usize,
        spec: &Spec,
        recorded: &'a Process,
        options: &'a Options,
    ) -> Result<Play<'a>, Error> {
        let Started { process, pipes } = supervisor::start(spec).await?;
        let (input, lines) = mpsc::unbounded_channel();
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(write(pipes.input, lines));
        tokio::spawn(read(pipes.output, tell));
        tokio::spawn(pass_on(pipes.errors));
        let expected = recorded.events.iter().filter_map(|event| match &event.what {
            // How often a window is opened again is of one moment.
            What::Plugin(message) if message["method"] != "$/ack" => {
                Some(Expected { number: event.number, message: message.clone(), met: false })
            }
            _ => None,
        });
        Ok(Play {
            number,
            recorded,
            options,
            process,
            input: Some(input),
            heard,
            expected: expected.collect(),
            ids: HashMap::new(),
            asked: HashMap::new(),
            odd: HashMap::new(),
            differences: Vec::new(),
        })
    }

    /// To the end of the process.
    pub(super) async fn run(mut self) -> Vec<Difference> {
        for event in &self.recorded.events {
            match &event.what {
                What::Host(line) => {
                    self.wait_before(event).await;
                    self.say(line);
                }
                What::Closed => {
                    self.wait_before(event).await;
                    self.input = None;
                }
                What::NoMessage(kind) => *self.odd.entry(*kind).or_default() -= 1,
                What::Plugin(_) => {}
            }
        }
        self.wait_for(usize::MAX).await;
        self.end().await
    }

    async fn wait_before(&mut self, event: &Event) {
        self.wait_for(event.number).await;
    }

    /// Hears until all has come that stands before this line; what does not come is a difference.
    async fn wait_for(&mut self, number: usize) {
        let (mut missing, mut since) = (self.missing(number), Instant::now());
        while missing > 0 {
            match timeout_at(since + self.options.timeout, self.heard.recv()).await {
                Ok(Some(heard)) => self.hear(heard),
                late => return self.miss(number, late.is_err()),
            }
            // Who says ever more of something else is not waited for.
            let left = self.missing(number);
            if left < missing {
                (missing, since) = (left, Instant::now());
            }
        }
    }

    fn missing(&self, number: usize) -> usize {
        self.expected.iter().filter(|one| !one.met && one.number < number).count()
    }

    fn miss(&mut self, number: usize, late: bool) {
        let seconds = self.options.timeout.as_secs_f64();
        let why = if late {
            format!("did not come within {seconds} s")
        } else {
            "did not come before its end".to_owned()
        };
        let mut missed = Vec::new();
        for one in self.expected.iter_mut().filter(|one| !one.met && one.number < number) {
            one.met = true;
            missed.push((one.number, one.message.clone()));
        }
        for (number, message) in missed {
            let about = format!("{} {why}", self.name(&message));
            self.differ(Some(number), about, String::new(), Some(message), None);
        }
    }

    fn say(&mut self, line: &str) {
        let mut message: Value = serde_json::from_str(line).unwrap_or_default();
        let mut line = line.to_owned();
        let is_request = message.get("method").is_some();
        if is_request && message.get("id").is_some() {
            self.asked
                .insert(message["id"].to_string(), message["method"].as_str().unwrap_or_default().to_owned());
        }
        // Ids of the plugin's own requests are its to choose.
        let place = match message["method"].as_str() {
            Some("$/progress") => message.pointer_mut("/params/id"),
            Some(_) => None,
            None => message.get_mut("id"),
        };
        if let Some(id) = place {
            match self.ids.get(&id.to_string()) {
                Some(own) => *id = own.clone(),
                // It never asked this time.
                None => return,
            }
            line = message.to_string();
        }
        if let Some(input) = &self.input {
            let _ = input.send(line);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::NoMessage(kind) => *self.odd.entry(kind).or_default() += 1,
            Heard::Message(message) if message["method"] == "$/ack" => {}
            Heard::Message(message) => self.meet(message),
        }
    }

    /// Finds the recorded message that this one is.
    fn meet(&mut self, mut message: Value) {
        if message["method"] == "$/cancel" {
            let own = self.ids.iter().find(|(_, own)| **own == message["params"]["id"]);
            if let Some(recorded) = own.and_then(|(recorded, _)| serde_json::from_str(recorded).ok()) {
                message["params"]["id"] = recorded;
            }
        }
        let places = |one: &Expected| compare::places(&one.message, &message, &self.options.varying);
        let candidates =
            self.expected.iter().enumerate().filter(|(_, one)| !one.met && is_same(&one.message, &message));
        // Independent ones may come in another order; progress of a request may not.
        let ordered = message["method"] == "$/progress";
        let best = candidates.min_by_key(|(index, one)| if ordered { *index } else { places(one).len() });
        let Some((index, one)) = best else { return self.surprise(message) };
        let (number, places) = (one.number, places(one));
        if message.get("method").is_some() && message.get("id").is_some() {
            self.ids.insert(one.message["id"].to_string(), message["id"].clone());
        }
        self.expected[index].met = true;
        let name = self.name(&message);
        for compare::Place { pointer, expected, got } in places {
            self.differ(Some(number), name.clone(), pointer, expected, got);
        }
    }

    /// Nothing of the kind was recorded.
    fn surprise(&mut self, message: Value) {
        if let (Some(method), Some(id)) = (message["method"].as_str(), message.get("id")) {
            let error = json!({ "code": -32603, "message": format!("`{method}` was not asked for in the recording") });
            if let Some(input) = &self.input {
                let _ = input.send(json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string());
            }
        }
        let about = format!("{} does not stand in the recording", self.name(&message));
        self.differ(None, about, String::new(), None, Some(message));
    }

    /// What a message of the plugin's is, in words.
    fn name(&self, message: &Value) -> String {
        match message["method"].as_str() {
            Some(method) if message.get("id").is_some() => format!("its request `{method}`"),
            Some(method) => format!("its notification `{method}`"),
            None => match self.asked.get(&message["id"].to_string()) {
                Some(method) => format!("the answer to `{method}`"),
                None => "an answer to nothing".to_owned(),
            },
        }
    }

    fn differ(
        &mut self,
        line: Option<usize>,
        about: String,
        pointer: String,
        expected: Option<Value>,
        got: Option<Value>,
    ) {
        self.differences.push(Difference { process: self.number, line, about, pointer, expected, got });
    }

    /// Waits for the end as it was recorded.
    async fn end(mut self) -> Vec<Difference> {
        let limit = if self.recorded.exit.is_null() { Duration::ZERO } else { self.options.timeout };
        let went = self.process.exits_within(limit).await;
        self.input = None;
        let status = self.process.end().await.filter(|_| went);
        // With the process its output has ended; a stranger may hold it open.
        while let Ok(Some(heard)) = timeout(Duration::from_millis(250), self.heard.recv()).await {
            match heard {
                Heard::NoMessage(kind) => *self.odd.entry(kind).or_default() += 1,
                Heard::Message(message) if message["method"] == "$/ack" => {}
                Heard::Message(message) => {
                    self.differences.push(Difference {
                        process: self.number,
                        line: None,
                        about: "a message at its end does not stand in the recording".to_owned(),
                        pointer: String::new(),
                        expected: None,
                        got: Some(message),
                    });
                }
            }
        }
        let mut found = self.differences;
        let mut differ = |about: String, expected: Value, got: Value| {
            let (pointer, process) = (String::new(), self.number);
            let (expected, got) = (Some(expected), Some(got));
            found.push(Difference { process, line: None, about, pointer, expected, got });
        };
        for (kind, count) in self.odd.into_iter().filter(|(_, count)| *count != 0) {
            differ(format!("its {kind} lines on standard output"), json!(0), json!(count));
        }
        let exit = json!(status.map(supervisor::exit));
        if !self.recorded.exit.is_null() && exit != self.recorded.exit {
            differ("how its process ended".to_owned(), self.recorded.exit.clone(), exit);
        }
        found
    }
}

/// Whether two messages could be the same one.
fn is_same(recorded: &Value, message: &Value) -> bool {
    let kind = |message: &Value| (message["method"].clone(), message.get("id").is_some());
    match message["method"].as_str() {
        None => recorded.get("method").is_none() && recorded["id"] == message["id"],
        Some("$/progress") => {
            kind(recorded) == kind(message) && recorded["params"]["id"] == message["params"]["id"]
        }
        Some(_) => kind(recorded) == kind(message),
    }
}

async fn write(mut input: tokio::net::unix::pipe::Sender, mut lines: mpsc::UnboundedReceiver<String>) {
    while let Some(mut line) = lines.recv().await {
        line.push('\n');
        if input.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(output: impl AsyncRead + Unpin, tell: mpsc::UnboundedSender<Heard>) {
    let mut frames = FrameReader::new(output, MAX_FRAME_BYTES);
    let mut left = MOST;
    loop {
        while let Some(frame) = frames.buffered() {
            let size = if let Frame::Line(line) = &frame { line.len() } else { 0 };
            left = left.saturating_sub(size + size_of::<Heard>());
            if left == 0 {
                return;
            }
            let heard = match frame {
                Frame::Line(line) => kind(line),
                Frame::TooLarge { prefix, .. } => match kind(prefix) {
                    Heard::NoMessage(kind) => Heard::NoMessage(kind),
                    Heard::Message(_) => Heard::NoMessage("malformed"),
                },
            };
            let _ = tell.send(heard);
        }
        if !frames.fill().await.unwrap_or(false) {
            return;
        }
    }
}

/// What it logs is for who replays it.
async fn pass_on(mut errors: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 8 << 10];
    while let Ok(read @ 1..) = errors.read(&mut buffer).await {
        let _ = std::io::stderr().write_all(&buffer[..read]);
    }
}

fn kind(line: &[u8]) -> Heard {
    match crate::recording::kind(line) {
        "line" => Heard::Message(serde_json::from_slice(line).unwrap_or_default()),
        kind => Heard::NoMessage(kind),
    }
}
