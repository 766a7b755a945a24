//! A command on a terminal that a test sits at: it types, reads, resizes, and looks how the terminal was left.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::OwnedFd,
    process::Child,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use nix::{
    pty::{OpenptyResult, Winsize, openpty},
    sys::{
        signal::{Signal, kill},
        termios::{LocalFlags, tcgetattr},
    },
    unistd::Pid,
};

/// What has to be shown is shown within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command that runs on a terminal.
pub struct OnTerminal {
    pub(crate) child: Child,
    keyboard: File,
    /// The command's own side.
    screen: OwnedFd,
    shown: Receiver<Vec<u8>>,
    seen: String,
}

/// A new terminal: the side to sit at, and the one for a command.
pub(crate) fn terminal() -> (File, OwnedFd) {
    let size = Winsize { ws_row: 25, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a terminal");
    (File::from(master), slave)
}

impl OnTerminal {
    pub(crate) fn new(child: Child, keyboard: File, screen: OwnedFd) -> OnTerminal {
        let (sender, shown) = channel();
        let mut reader = keyboard.try_clone().expect("the terminal");
        thread::spawn(move || {
            let mut buffer = vec![0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        OnTerminal { child, keyboard, screen, shown, seen: String::new() }
    }

    /// Somebody types.
    pub fn types(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("somebody types");
    }

    /// Waits until this is shown; gives all that was shown since the last look.
    pub fn shows(&mut self, text: &str) -> String {
        // Also where it never stops to show something else.
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            match self.shown.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("`{text}` is never shown; shown was: {:?}", self.seen)
                }
            }
        }
    }

    /// Its window is made this large; a terminal that is the command's own would say so, here the test has to.
    pub fn resize(&self, columns: u16) {
        let columns = columns.to_string();
        let told = std::process::Command::new("stty").args(["cols", &columns]).stdin(self.screen()).status();
        assert!(told.expect("stty runs").success());
        self.signal(Signal::SIGWINCH);
    }

    /// Sends the command a signal, as a terminal of its own would.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("a signal to astros");
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether lines are edited and shown as they are typed.
    pub fn is_cooked(&self) -> bool {
        let state = tcgetattr(&self.screen).expect("the state of the terminal");
        state.local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// Waits for its end; gives its exit code.
    pub fn finish(mut self) -> Option<i32> {
        self.child.wait().expect("astros ends").code()
    }

    /// Waits for its end; gives its exit code, and what was shown since the last look.
    pub fn finish_showing(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("astros ends").code();
        // With the last one that could draw on it, the terminal hangs up.
        drop(self.screen);
        while let Ok(bytes) = self.shown.recv_timeout(PATIENCE) {
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
        (code, self.seen)
    }

    fn screen(&self) -> OwnedFd {
        self.screen.try_clone().expect("the terminal")
    }
}
