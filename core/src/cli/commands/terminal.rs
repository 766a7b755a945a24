//! The terminal that a command runs on, as the person left it: what the command gets of it, and how it is put back.

use std::{
    fs::File,
    io::{self, IsTerminal, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use astros_protocol::{Error, ErrorCode, command::Terminal as Drawn};
use nix::{
    fcntl::{FcntlArg, OFlag, fcntl, open},
    sys::{
        signal::{Signal, raise},
        stat::Mode,
        termios::{SetArg, Termios, tcgetattr, tcsetattr},
    },
    unistd::{dup2_stdin, dup2_stdout, getpgrp, tcgetpgrp},
};

use crate::{cli::output::Output, supervisor::Streams};

/// What takes back what programs that draw leave behind: the alternative screen, a hidden cursor, colours and line
/// drawing, reports of mouse and focus, bracketed paste, keys of applications. The cursor is kept before the screen is
/// left: it stays where it is if there was none to leave.
const PLAIN: &str = "\x1b7\x1b[?1049l\x1b[0m\x1b(B\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\
                     \x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>";

/// What this process was started on.
pub(super) struct Terminal {
    /// The terminal, where there is one, and how it was.
    shared: Option<(OwnedFd, Termios)>,
    /// Whether the command has halted.
    halted: bool,
    /// How it left the terminal then.
    stopped: Option<Termios>,
}

impl Terminal {
    pub(super) fn new() -> Terminal {
        let streams = [own(&io::stdin()), own(&io::stdout()), own(&io::stderr())];
        let shared = streams.into_iter().flatten().find_map(|one| {
            let state = tcgetattr(&one).ok()?;
            Some((one, state))
        });
        Terminal { shared, halted: false, stopped: None }
    }

    /// Puts it back as it was: whoever changed it is gone, and may have left it drawn on.
    pub(super) fn restore(&self) {
        self.set_as_before();
        let is_plain = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        if is_plain || self.shared.as_ref().is_none_or(|(terminal, _)| is_behind(terminal)) {
            return;
        }
        let (mut stdout, mut stderr) = (io::stdout(), io::stderr());
        let shown: &mut dyn Write = match (stderr.is_terminal(), stdout.is_terminal()) {
            (true, _) => &mut stderr,
            (false, true) => &mut stdout,
            (false, false) => return,
        };
        let _ = shown.write_all(PLAIN.as_bytes()).and_then(|()| shown.flush());
    }

    fn set_as_before(&self) {
        if let Some((terminal, state)) = &self.shared {
            self.set(terminal, state);
        }
    }

    /// Halts this process, as the terminal's Ctrl-Z means; the command has halted before. Comes back when somebody lets
    /// this process go on, which the command does when it [may](Terminal::lets_go_on).
    pub(super) fn halt(&mut self) {
        self.halted = true;
        if let Some((terminal, _)) = &self.shared {
            self.stopped = tcgetattr(terminal).ok();
        }
        self.set_as_before();
        // In its group the shell sees that all of a job has stopped.
        let _ = raise(Signal::SIGSTOP);
    }

    /// Whether the command may go on, now that this process does. One that has halted keeps the terminal that it was
    /// started on: in the background it would take what is typed for others, so this process halts anew, until `fg`.
    pub(super) fn lets_go_on(&mut self, output: &Output) -> bool {
        let is_behind = self.shared.as_ref().is_some_and(|(terminal, _)| is_behind(terminal));
        if self.halted && is_behind {
            output.note("it stays stopped: it could read what you type; `fg` lets it go on");
            let _ = raise(Signal::SIGSTOP);
            return false;
        }
        self.halted = false;
        if let (Some((terminal, _)), Some(state)) = (&self.shared, self.stopped.take()) {
            self.set(terminal, &state);
        }
        true
    }

    /// The command is to end, and has to go on for that wherever it is.
    pub(super) fn let_end(&mut self) {
        self.halted = false;
    }

    /// Who is in the background would be stopped for that.
    fn set(&self, terminal: &OwnedFd, state: &Termios) {
        if !is_behind(terminal) {
            let _ = tcsetattr(terminal, SetArg::TCSADRAIN, state);
        }
    }

    /// How it is drawn on.
    pub(super) fn drawn(&self, output: &Output) -> Drawn {
        let (_, width) = console::Term::stdout().size();
        let interactive = io::stdin().is_terminal() && io::stdout().is_terminal();
        Drawn { width: width.into(), color: output.has_color(), interactive }
    }
}

/// The streams of this process, for a command to run on; in the background it reads no terminal.
pub(super) fn streams() -> Result<Streams, Error> {
    let unusable = |error: io::Error| {
        Error::new(ErrorCode::INTERNAL_ERROR, format!("the standard streams cannot be given on: {error}"))
    };
    let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
    let stdin = io::stdin();
    let input = if is_behind(&stdin) { None } else { own(&stdin) };
    let given = |stream: Option<OwnedFd>| stream.map_or_else(null, anew).map_err(unusable);
    Ok([given(input)?, given(own(&io::stdout()))?, given(own(&io::stderr()))?])
}

/// A terminal, opened anew for a command: what it sets of it (`O_NONBLOCK`), others who have it open have not; in the
/// background it only writes there. Any other stream is as it is.
fn anew(stream: OwnedFd) -> io::Result<OwnedFd> {
    if !stream.is_terminal() {
        return Ok(stream);
    }
    let is_behind = is_behind(&stream);
    let access = match is_behind {
        true => OFlag::O_WRONLY,
        false => OFlag::from_bits_truncate(fcntl(&stream, FcntlArg::F_GETFL)?) & OFlag::O_ACCMODE,
    };
    let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
    match open(&*path, access | OFlag::O_NOCTTY | OFlag::O_CLOEXEC, Mode::empty()) {
        Err(error) if is_behind => Err(error.into()),
        // Another user's, after `su`: that is of no harm here.
        opened => Ok(opened.unwrap_or(stream)),
    }
}

/// Lets go of what the command alone is to hold: others see by its end that nobody reads or writes any more.
pub(super) fn let_go(output: &Output) {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else { return };
    if !io::stdin().is_terminal() {
        let _ = dup2_stdin(&null);
    }
    // Where JSON is wanted, an error goes there.
    if !io::stdout().is_terminal() && !output.json {
        let _ = dup2_stdout(&null);
    }
}

/// Whether others have this terminal's foreground.
fn is_behind(terminal: &impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group != getpgrp())
}

/// A copy, where the stream is open.
fn own(stream: &impl AsFd) -> Option<OwnedFd> {
    stream.as_fd().try_clone_to_owned().ok()
}
