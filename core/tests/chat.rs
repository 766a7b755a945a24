//! `astros chat`, by a pipe and on a terminal, and what else a person types.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    pty::openpty,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

const PIZZA: &str = r#"
import asyncio
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Pizza(BasePlugin):
    @plugin_handler("order_pizza", examples=["order a pizza for {guest}", "order a pizza"])
    async def order_pizza(self, intent):
        if intent.text.startswith("order"):
            return Response(message="Which one?", requires_followup=True)
        return f"{intent.text} for {intent.context.get('guest')}"

    @plugin_handler("bake_slowly", examples=["bake slowly"])
    async def bake_slowly(self, intent):
        await self.progress(1, 2, "the oven heats up")
        await asyncio.sleep(600)

    @plugin_handler("nag", examples=["nag me"])
    async def nag(self, intent):
        for number in range(12):
            await self.ask_user(f"Really {number}?")
        return "enough"
"#;

struct Home(TempDir);

impl Home {
    fn new() -> Home {
        let home = Home(TempDir::new().unwrap());
        fs::create_dir_all(home.0.path().join("plugins/pizza")).unwrap();
        fs::write(home.0.path().join("plugins/pizza/main.py"), PIZZA).unwrap();
        home
    }

    fn astros(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
        command.args(arguments).arg("--plugin-dir").arg(self.0.path().join("plugins"));
        command.env("ASTROS_HOME", self.0.path().join("home")).env("TERM", "xterm");
        command
    }

    fn piped(&self, arguments: &[&str], lines: &str) -> Output {
        let input = self.0.path().join("lines");
        fs::write(&input, lines).unwrap();
        self.astros(arguments).stdin(File::open(input).unwrap()).output().unwrap()
    }
}

#[test]
fn serves_the_lines_of_a_pipe_in_one_session_of_its_own() {
    let home = Home::new();
    let chat =
        home.piped(&["chat"], "order a pizza for Grace\n\nquattro stagioni\norder a pizza\n/quit\nnever\n");
    let said = String::from_utf8(chat.stdout).unwrap();
    assert_eq!(said, "Which one?\nquattro stagioni for Grace\nWhich one?\n");
    assert_eq!(chat.status.code(), Some(0), "{}", String::from_utf8_lossy(&chat.stderr));
    let other = home.piped(&["chat"], "margherita\n");
    assert_eq!(other.status.code(), Some(4), "the question was asked in another chat");
    let typo = home.piped(&["chat"], "/hlep\n");
    assert_eq!(typo.status.code(), Some(2), "{}", String::from_utf8_lossy(&typo.stderr));
    let json = home.piped(&["chat", "--json"], "order a pizza\nmargherita\n");
    let lines = String::from_utf8(json.stdout).unwrap();
    let messages: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["message"].to_string())
        .collect();
    assert_eq!(messages, [r#""Which one?""#, r#""margherita for None""#]);
}

/// Somebody at a terminal.
struct Terminal {
    child: Child,
    keys: File,
    shown: mpsc::UnboundedReceiver<Vec<u8>>,
    /// What was shown and not looked at yet.
    text: String,
}

impl Terminal {
    fn open(mut command: Command) -> Terminal {
        let pair = openpty(None, None).unwrap();
        let stream = || Stdio::from(pair.slave.try_clone().unwrap());
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        drop((command, pair.slave));
        let keys = File::from(pair.master);
        let (sender, shown) = mpsc::unbounded_channel();
        let mut screen = keys.try_clone().unwrap();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read) = screen.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { child, keys, shown, text: String::new() }
    }

    fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until it shows this, after what was waited for before.
    fn shows(&mut self, wanted: &str) {
        self.shows_one_of(&[wanted]);
    }

    /// Waits until it shows one of these, and tells which.
    fn shows_one_of<'a>(&mut self, wanted: &[&'a str]) -> &'a str {
        let deadline = Instant::now() + PATIENCE;
        loop {
            for one in wanted {
                if let Some(at) = self.text.find(one) {
                    self.text.drain(..at + one.len());
                    return one;
                }
            }
            match self.shown.try_recv() {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => {
                    assert!(Instant::now() < deadline, "{wanted:?} does not come: {:?}", self.text);
                    thread::sleep(Duration::from_millis(5));
                }
            }
        }
    }

    /// Waits until Tab makes this of what was typed: it rings the bell for as long as that is not known.
    fn completes(&mut self, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.type_in("\t");
            if self.shows_one_of(&[wanted, "\u{7}"]) == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "`{wanted}` is not learned");
        }
    }

    /// What the terminal does where Ctrl-C is typed and no line is being read.
    fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }
}

#[test]
fn talks_on_a_terminal_and_takes_a_request_back_at_ctrl_c() {
    let home = Home::new();
    let mut terminal = Terminal::open(home.astros(&["chat"]));
    terminal.shows("Ctrl-D leaves");
    terminal.shows("> ");
    terminal.type_in("bake slowly\r");
    terminal.shows("the oven heats up");
    terminal.interrupt();
    terminal.shows("taken back");
    terminal.shows("> ");
    terminal.type_in("half a line");
    terminal.shows("half a line");
    terminal.type_in("\u{3}");
    terminal.shows("> ");
    terminal.type_in("order a pizza f");
    terminal.completes("order a pizza for ");
    terminal.type_in("Ada\r");
    terminal.shows("Which one?");
    terminal.shows("> ");
    terminal.type_in("margherita\r");
    terminal.shows("margherita for Ada");
    terminal.shows("> ");
    terminal.type_in("/he\t\r");
    terminal.shows("Tab completes");
    terminal.shows("> ");
    terminal.type_in("\u{4}");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
    let history = home.0.path().join("home/data/chat_history");
    assert_eq!(history.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let remembered = fs::read_to_string(history).unwrap();
    assert!(remembered.contains("order a pizza for Ada") && !remembered.contains("half a line"));
    // The next chat has it.
    let mut terminal = Terminal::open(home.astros(&["chat"]));
    terminal.shows("> ");
    terminal.type_in("\u{1b}[A");
    terminal.shows("/help");
    terminal.type_in("\u{3}");
    terminal.shows("> ");
    terminal.type_in("\u{4}");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(0));
}

#[test]
fn takes_a_request_back_at_ctrl_c_that_asks_on_and_on() {
    let home = Home::new();
    let mut terminal = Terminal::open(home.astros(&["ask", "nag me"]));
    terminal.shows("Really 0? ");
    // To say nothing declines one question, and no more.
    terminal.type_in("\r");
    terminal.shows("Really 1? ");
    terminal.type_in("\u{3}");
    terminal.shows("taken back");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(130));
    let mut terminal = Terminal::open(home.astros(&["chat"]));
    terminal.shows("> ");
    terminal.type_in("nag me\r");
    terminal.shows("Really 0? ");
    terminal.type_in("\u{3}");
    terminal.shows("taken back");
    terminal.shows("> ");
    terminal.type_in("\u{4}");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(130), "that of its last request");
}

#[test]
fn hears_ctrl_c_where_it_asks_for_a_yes() {
    let home = Home::new();
    // One of the person's own waits to be enabled.
    let own = home.0.path().join("home/data/plugins/own");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("main.py"), PIZZA).unwrap();
    let mut terminal = Terminal::open(home.astros(&["plugins", "enable", "own"]));
    terminal.shows("[y/N] ");
    terminal.interrupt();
    terminal.shows("interrupted");
    assert_eq!(terminal.child.wait().unwrap().code(), Some(130));
}
