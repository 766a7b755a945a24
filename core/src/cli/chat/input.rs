//! Where lines come from: a person at a terminal, with history and completion, or a pipe. Reading blocks, so it has a
//! thread of its own, which nobody waits for at the end.

use std::{
    fs::OpenOptions,
    io::{BufRead, IsTerminal, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, RwLock, mpsc},
    thread,
};

use astros_protocol::{Error, ErrorCode};
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use rustyline::{CompletionType, Config, Editor, error::ReadlineError, history::FileHistory};
use tokio::sync::mpsc as lines;

use super::words::{Known, Words};
use crate::cli::input::forget_typed;

/// So many lines are remembered.
const HISTORY: usize = 1_000;
/// A longer line of a pipe is refused, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// What was read.
pub(in crate::cli) enum Line {
    Text(String),
    /// Ctrl-C where a line is typed.
    Interrupted,
    /// No line comes any more.
    End,
    /// It cannot be taken for a request.
    Unreadable(Error),
}

/// The lines of standard input.
pub(in crate::cli) struct Input {
    pub(super) is_terminal: bool,
    wanted: mpsc::Sender<Wanted>,
    lines: lines::Receiver<Line>,
    /// How the terminal was: who is ended while a line is typed leaves it so.
    before: Option<Termios>,
}

/// What is to be read.
enum Wanted {
    Line,
    /// The answer to a question, after this prompt; not remembered.
    Answer(String),
}

impl Input {
    /// `data` is the folder where what was typed is remembered.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub(in crate::cli) fn open(
        data: Option<&Path>,
        known: Arc<RwLock<Vec<Words>>>,
        json: bool,
    ) -> Result<Input, Error> {
        let is_terminal = !json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let (wanted, asked) = mpsc::channel();
        let (sender, lines) = lines::channel(1);
        let mut read: Box<dyn FnMut(Wanted) -> Line + Send> = match is_terminal {
            true => typed(data.map(|data| data.join("chat_history")), known)?,
            false => Box::new(|_| piped()),
        };
        let serve = move || {
            while let Ok(wanted) = asked.recv() {
                if sender.blocking_send(read(wanted)).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("input".to_owned()).spawn(serve);
        thread.map_err(|error| internal(format!("standard input cannot be read: {error}")))?;
        let before = is_terminal.then(|| tcgetattr(std::io::stdin()).ok()).flatten();
        Ok(Input { is_terminal, wanted, lines, before })
    }

    /// Asks for a line.
    pub(super) fn want(&self) {
        // Where the thread is gone, the next line is the end.
        let _ = self.wanted.send(Wanted::Line);
    }

    /// Asks for the answer to a question.
    pub(in crate::cli) fn ask(&self, prompt: String) {
        let _ = self.wanted.send(Wanted::Answer(prompt));
    }

    /// The line that was asked for.
    pub(in crate::cli) async fn next(&mut self) -> Line {
        self.lines.recv().await.unwrap_or(Line::End)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

/// Reads what a person types.
fn typed(
    history: Option<PathBuf>,
    known: Arc<RwLock<Vec<Words>>>,
) -> Result<Box<dyn FnMut(Wanted) -> Line + Send>, Error> {
    let unusable = |error: ReadlineError| internal(format!("the terminal cannot be used: {error}"));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY)
        .map_err(unusable)?
        .history_ignore_space(true)
        .build();
    let mut editor: Editor<Known, FileHistory> = Editor::with_config(config).map_err(unusable)?;
    editor.set_helper(Some(Known(known)));
    if let Some(history) = &history {
        // Made first, so that nobody else ever reads what was typed. Without it there is a chat all the same.
        let _ = OpenOptions::new().create(true).append(true).mode(0o600).open(history);
        let _ = editor.load_history(history);
    }
    Ok(Box::new(move |wanted| {
        let (prompt, remembered) = match &wanted {
            Wanted::Line => ("> ", history.as_ref()),
            Wanted::Answer(prompt) => {
                forget_typed();
                (&**prompt, None)
            }
        };
        match editor.readline(prompt) {
            Ok(line) => {
                if let Some(history) = remembered
                    && editor.add_history_entry(&line).unwrap_or(false)
                {
                    let _ = editor.append_history(history);
                }
                Line::Text(line)
            }
            Err(ReadlineError::Interrupted) => Line::Interrupted,
            Err(ReadlineError::Eof) => Line::End,
            Err(error) => Line::Unreadable(internal(format!("the terminal cannot be read: {error}"))),
        }
    }))
}

/// Reads a line of a pipe.
fn piped() -> Line {
    let mut bytes = Vec::new();
    let mut stdin = std::io::stdin().lock();
    match stdin.by_ref().take(MAX_LINE + 1).read_until(b'\n', &mut bytes) {
        Ok(0) => return Line::End,
        Ok(read) if read as u64 > MAX_LINE => {
            let _ = stdin.skip_until(b'\n');
            return Line::Unreadable(refused(format!("has more than {} MiB", MAX_LINE >> 20)));
        }
        Ok(_) => {}
        Err(error) => {
            tracing::error!(%error, "standard input cannot be read");
            return Line::End;
        }
    }
    String::from_utf8(bytes).map_or_else(|_| Line::Unreadable(refused("is no UTF-8".to_owned())), Line::Text)
}

fn refused(why: String) -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, format!("a line of standard input {why}"))
}

fn internal(why: String) -> Error {
    Error::new(ErrorCode::INTERNAL_ERROR, why)
}
