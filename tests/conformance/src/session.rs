//! One process of the plugin, and what is said to it: requests and raw bytes, answers, and the ends of both.
//!
//! Nothing is read but while something is waited for: so a check decides when nobody reads.

use std::{
    collections::HashMap,
    process::ExitStatus,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use astros_protocol::MAX_FRAME_BYTES;
use serde_json::{Value, json};
use tokio::{
    process::ChildStdout,
    time::{Instant, timeout_at},
};

use crate::{
    findings::Findings,
    host::{Asked, Host, Policy},
    ledger::Ledger,
    line::{self, Line, Reply},
    outcome::{Checked, Miss, Stop, shown},
    patience::Patience,
    process::{Process, Program},
    reader::{Piece, Reader},
    writer::Writer,
};

/// What one process may write, in bytes; who writes more floods.
const MOST: usize = 128 << 20;
/// The same, in lines.
const MOST_LINES: usize = 200_000;
/// So many errors whose id is null are looked at.
const MOST_NAMELESS: usize = 64;

pub(crate) struct Session {
    process: Process,
    /// None once the plugin's input was closed.
    writer: Option<Writer>,
    reader: Reader<ChildStdout>,
    pub(crate) host: Host,
    pub(crate) ledger: Ledger,
    replies: HashMap<String, Reply>,
    /// Errors whose id is null: answers to what could not be read.
    pub(crate) nameless: Vec<Reply>,
    /// Progress that came, by the request's id.
    pub(crate) progress: HashMap<String, usize>,
    /// Whether progress is acknowledged as it comes.
    pub(crate) acknowledges: bool,
    last_id: i64,
    timeout: Duration,
    taken: usize,
    lines: usize,
    ended: bool,
    findings: Arc<Mutex<Findings>>,
    rule: &'static str,
}

/// Why nothing more came.
enum Quiet {
    Late(Duration),
    Ended,
    Floods,
    TooLong(String),
}

impl Session {
    pub(crate) fn start(
        program: &Program,
        rule: &'static str,
        timeout: Duration,
        findings: &Arc<Mutex<Findings>>,
    ) -> Checked<Session> {
        let (process, pipes) = Process::start(program).map_err(|error| {
            Stop::Missed(Miss {
                sent: String::new(),
                expected: "a process".to_owned(),
                received: format!("`{}` cannot be started: {error}", program.path.display()),
            })
        })?;
        Ok(Session {
            process,
            writer: Some(Writer::new(pipes.stdin)),
            reader: Reader::new(pipes.stdout, MAX_FRAME_BYTES),
            host: Host::default(),
            ledger: Ledger::default(),
            replies: HashMap::new(),
            nameless: Vec::new(),
            progress: HashMap::new(),
            acknowledges: true,
            last_id: 0,
            timeout,
            taken: 0,
            lines: 0,
            ended: false,
            findings: findings.clone(),
            rule,
        })
    }

    // --- saying -------------------------------------------------------------------------------------

    /// Sends a request, and gives its id.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let (id, line) = self.write_request(method, params);
        self.send(line);
        id
    }

    /// The line of a request with a new id, not sent yet.
    pub(crate) fn write_request(&mut self, method: &str, params: Value) -> (Value, String) {
        self.last_id += 1;
        let id = Value::from(self.last_id);
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string();
        (id, line)
    }

    pub(crate) fn notify(&mut self, method: &str, params: Value) {
        self.send(json!({ "jsonrpc": "2.0", "method": method, "params": params }).to_string());
    }

    /// Sends one line; its end is added.
    pub(crate) fn send(&mut self, line: impl Into<Vec<u8>>) {
        let mut line = line.into();
        line.push(b'\n');
        self.write(line);
    }

    /// Writes bytes as they are; lines among them that are requests are entered as such.
    pub(crate) fn write(&mut self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        bytes.split(|byte| *byte == b'\n').for_each(|line| {
            if !line.is_empty() {
                self.ledger.sends(line);
            }
        });
        self.put(bytes);
    }

    /// Writes bytes that the ledger knows already.
    pub(crate) fn put(&self, bytes: impl Into<Vec<u8>>) {
        if let Some(writer) = &self.writer {
            writer.write(bytes);
        }
    }

    /// Closes the plugin's input, after all that was sent.
    pub(crate) fn close(&mut self) {
        self.writer = None;
    }

    /// Answers what was held back.
    pub(crate) fn release(&mut self) {
        for answer in self.host.release() {
            self.send(answer.to_string());
        }
    }

    /// Answers one that was held back.
    pub(crate) fn answer_held(&mut self, asked: Asked) {
        let answer = self.host.answer(&asked);
        self.send(answer.to_string());
    }

    // --- hearing ------------------------------------------------------------------------------------

    /// The answer to a request, while the plugin's own are served.
    pub(crate) async fn answer(&mut self, id: &Value, expected: &str) -> Checked<Reply> {
        let within = self.timeout;
        self.answer_within(id, within, expected).await
    }

    pub(crate) async fn answer_within(
        &mut self,
        id: &Value,
        within: Duration,
        expected: &str,
    ) -> Checked<Reply> {
        let (key, mut patience) = (id.to_string(), Patience::new(within));
        loop {
            if let Some(reply) = self.replies.remove(&key) {
                return Ok(reply);
            }
            if let Err(quiet) = self.take(&mut patience).await {
                return Err(self.quiet(quiet, expected).await);
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) async fn call(&mut self, method: &str, params: Value, expected: &str) -> Checked<Reply> {
        let id = self.ask(method, params);
        self.answer(&id, expected).await
    }

    /// Takes lines until something is so.
    pub(crate) async fn until(&mut self, expected: &str, mut is_so: impl FnMut(&Session) -> bool) -> Checked {
        let mut patience = Patience::new(self.timeout);
        while !is_so(self) {
            if let Err(quiet) = self.take(&mut patience).await {
                return Err(self.quiet(quiet, expected).await);
            }
        }
        Ok(())
    }

    /// Whether the plugin has read all that was written; nothing is read meanwhile.
    pub(crate) async fn is_read(&self) -> bool {
        let Some(writer) = &self.writer else { return false };
        let (mut patience, mut read) = (Patience::new(self.timeout), Box::pin(writer.is_read()));
        loop {
            match timeout_at(patience.until, &mut read).await {
                Ok(is_read) => return is_read,
                Err(_) if patience.is_longer(&self.process, self.writer.as_ref()).await => {}
                Err(_) => return false,
            }
        }
    }

    /// Whether an answer to this request came and was not taken.
    pub(crate) fn has_answer(&self, id: &Value) -> bool {
        self.replies.contains_key(&id.to_string())
    }

    /// Reads to the end of the output, then waits for the end of the process: its status, where it ends in time.
    pub(crate) async fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let mut patience = Patience::new(within);
        while matches!(self.take(&mut patience).await, Ok(()) | Err(Quiet::TooLong(_))) {}
        self.gone_by(patience).await
    }

    /// Waits for the end of the process only; what it started may hold its output open.
    pub(crate) async fn gone(&mut self, within: Duration) -> Option<ExitStatus> {
        self.gone_by(Patience::new(within)).await
    }

    async fn gone_by(&mut self, mut patience: Patience) -> Option<ExitStatus> {
        loop {
            let left = patience.until.saturating_duration_since(Instant::now());
            match self.process.ended(left).await {
                None if patience.is_longer(&self.process, self.writer.as_ref()).await => {}
                status => return status,
            }
        }
    }

    /// Waits for the next line and deals with it.
    async fn take(&mut self, patience: &mut Patience) -> Result<(), Quiet> {
        if self.ended {
            return Err(Quiet::Ended);
        }
        // Who floods is always ready to be read; a look at the clock now and then is enough.
        patience.lines += 1;
        let over = patience.lines.is_multiple_of(1_024) && Instant::now() >= patience.until;
        if over && !patience.is_longer(&self.process, self.writer.as_ref()).await {
            return Err(Quiet::Floods);
        }
        let piece = loop {
            match timeout_at(patience.until, self.reader.next()).await {
                Ok(piece) => break piece,
                Err(_) if patience.is_longer(&self.process, self.writer.as_ref()).await => {}
                Err(_) => return Err(Quiet::Late(patience.within)),
            }
        };
        match piece {
            Piece::Line(bytes) => {
                self.taken += bytes.len() + 1;
                self.line(&bytes);
            }
            Piece::TooLong { size, begin } => {
                let shown_first = |bytes: &[u8]| shown(&bytes[..bytes.len().min(200)]) + "…";
                self.taken += size;
                self.ledger.reads_too_much(size, self.reader.limit, &begin);
                let text = format!("a line of {size} bytes, which no host reads: {}", shown_first(&begin));
                return Err(Quiet::TooLong(text));
            }
            Piece::End(rest) => {
                self.ended = true;
                if !rest.is_empty() {
                    self.ledger.ends_within(&rest);
                }
                return Err(Quiet::Ended);
            }
        }
        self.lines += 1;
        if self.taken > MOST || self.lines > MOST_LINES { Err(Quiet::Floods) } else { Ok(()) }
    }

    fn line(&mut self, bytes: &[u8]) {
        let (line, faults) = line::read(bytes);
        self.ledger.reads(bytes, &line, faults);
        match line {
            Line::Response(reply) if reply.id.is_null() => {
                // Who sends them without end fills no memory.
                if self.nameless.len() < MOST_NAMELESS {
                    self.nameless.push(reply);
                }
            }
            Line::Response(reply) if self.ledger.knows(&reply.id) => {
                self.replies.entry(reply.id.to_string()).or_insert(reply);
            }
            Line::Response(_) => {}
            Line::Request { id, method, params } => {
                // A usual answer is of less use in a report than what the plugin works on.
                let sent = (self.host.policy == Policy::Answer).then(|| self.ledger.sent.clone());
                if let Some(answer) = self.host.takes(Asked { id, method, params }) {
                    self.send(answer.to_string());
                }
                self.ledger.sent = sent.unwrap_or(std::mem::take(&mut self.ledger.sent));
            }
            Line::Notification { method, params } => self.notified(&method, &params),
            Line::Stray => {}
        }
    }

    fn notified(&mut self, method: &str, params: &Value) {
        let id = &params["id"];
        match method {
            "$/progress" => {
                *self.progress.entry(id.to_string()).or_default() += 1;
                if self.acknowledges && self.ledger.is_open(id) {
                    self.acknowledge(id, 1);
                }
            }
            "$/cancel" => {
                if let Some(answer) = self.host.cancelled(id) {
                    self.send(answer.to_string());
                }
            }
            _ => {}
        }
    }

    pub(crate) fn acknowledge(&mut self, id: &Value, count: usize) {
        self.ledger.acknowledges(id, count);
        let sent = std::mem::take(&mut self.ledger.sent);
        self.notify("$/ack", json!({ "id": id, "count": count }));
        // What the plugin works on is of more use in a report than that its news was read.
        self.ledger.sent = sent;
    }

    // --- what is missed -----------------------------------------------------------------------------

    /// A miss after what was sent last.
    pub(crate) fn miss(&self, expected: impl Into<String>, received: impl Into<String>) -> Stop {
        let sent = self.ledger.sent.clone();
        Stop::Missed(Miss { sent, expected: expected.into(), received: received.into() })
    }

    pub(crate) fn missed<T>(&self, expected: impl Into<String>, reply: &Reply) -> Checked<T> {
        Err(self.miss(expected, reply.text.clone()))
    }

    async fn quiet(&mut self, quiet: Quiet, expected: &str) -> Stop {
        let story = self.process.story(self.ended).await;
        let received = match quiet {
            Quiet::Late(within) => {
                let what = match self.reader.unfinished() {
                    0 => "nothing".to_owned(),
                    bytes => format!("{bytes} bytes without a line feed"),
                };
                format!("{what} within {within:?}; {story}")
            }
            Quiet::Ended => format!("the end of its output; {story}"),
            Quiet::Floods => format!("a flood of {} lines; {story}", self.lines),
            Quiet::TooLong(line) => line,
        };
        self.miss(expected, received)
    }

    // --- the process --------------------------------------------------------------------------------

    pub(crate) fn folder(&self, name: &str) -> String {
        self.process.folder(name)
    }

    pub(crate) async fn story(&mut self) -> String {
        self.process.story(false).await
    }

    pub(crate) fn left(&self) -> Vec<String> {
        self.process.left()
    }

    /// Announces another limit of the host's; for `initialize`.
    pub(crate) fn limit(&mut self, bytes: usize) {
        self.reader.limit = bytes;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        findings.add(self.rule, &mut self.ledger);
    }
}
