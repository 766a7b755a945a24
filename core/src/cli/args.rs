//! The command line as clap reads it.

mod settings;
mod workflow;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use astros_protocol::manifest::Permission;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::doctor::quoted;
use crate::recording::Recorder;

pub(super) use settings::{Secrets, Settings};
pub(super) use workflow::{RunWorkflow, Workflow};

pub(super) const EXIT_CODES: &str = "\
`astros help COMMAND` tells more of a command, of a plugin's too.

Exit codes:
  0    done
  1    the plugin answered that it could not (`success: false`)
  2    wrong use: arguments, parameters, configuration, a plugin or handler that does not exist
  3    no daemon runs and the command needs one, or it went away before it answered
  4    no plugin can do what the text asks
  5    the plugin failed: crashed, raised, or broke the protocol
  6    the plugin is not available, or does not have the permission
  7    it took longer than it may
  8    AstrOS itself failed: storage, or a fault of its own
  130  interrupted";

/// Say what you want; a plugin does it.
#[derive(Debug, Parser)]
#[command(name = "astros", version, max_term_width = 100, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The words that plugins' commands cannot be.
pub(super) fn own_commands() -> Vec<String> {
    let command = Cli::command();
    let names = command.get_subcommands().map(|one| one.get_name().to_owned());
    names.chain(["help".to_owned()]).collect()
}

/// What every command takes, and the words from the command on, of a line that may be unfinished; its first word is the
/// program.
pub(super) fn globals(words: &[OsString]) -> (Global, Vec<OsString>) {
    let command = Cli::command().ignore_errors(true).disable_help_flag(true).disable_version_flag(true);
    let matches = command.try_get_matches_from(words).unwrap_or_default();
    let global = Global::from_arg_matches(&matches).unwrap_or_default();
    let words = matches.subcommand().map(|(name, below)| {
        let rest = below.try_get_many::<OsString>("").ok().flatten().into_iter().flatten();
        [OsString::from(name)].into_iter().chain(rest.cloned()).collect()
    });
    (global, words.unwrap_or_default())
}

/// What every command takes.
#[derive(Debug, Default, Args)]
pub(super) struct Global {
    /// A folder of plugins, or a plugin's own folder; they are enabled, and shadow bundled ones. Repeatable
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) plugin_dir: Vec<PathBuf>,
    /// Print JSON: one line on stdout, failures too
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Development mode: plugins of `./dev-plugins` and `~/.localagent` too; a daemon reloads what is saved
    #[arg(long, global = true)]
    pub(super) dev: bool,
    /// What the command does is recorded.
    #[arg(skip)]
    pub(super) recorder: Option<Recorder>,
}

impl Global {
    /// `astros` as a person types it to have the same plugins.
    pub(super) fn astros(&self) -> String {
        let folders = self.plugin_dir.iter().map(|folder| format!(" --plugin-dir {}", quoted(folder)));
        ["astros".to_owned()].into_iter().chain(folders).collect()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what you want in plain words
    #[command(after_help = "Examples:
  astros ask \"organize the files in ~/Downloads by type\"
  astros ask \"undo that\"
  astros ask --explain --dry-run \"sort the stuff in ./inbox\"
  echo \"list the files in /tmp\" | astros ask -")]
    Ask(Ask),
    /// Talk: one request a line, with history and completion
    #[command(after_help = "Examples:
  astros chat
  printf 'list the files in /tmp\\nundo that\\n' | astros chat --json")]
    Chat,
    /// Look at plugins, and call them
    #[command(subcommand)]
    Plugins(Plugins),
    /// Run workflows: phases that parts of plugins do
    #[command(subcommand)]
    Workflow(Workflow),
    /// Run the daemon that stays, in the foreground, or stop it
    #[command(after_help = "Examples:
  astros daemon
  astros daemon --listen 127.0.0.1:7777
  astros daemon --dev --plugin-dir ./my-plugin
  astros daemon install
  astros daemon stop")]
    Daemon(Daemon),
    /// Show how the running daemon and its plugins are
    Status,
    /// Look at this machine: what it can enforce, what is missing or open to others, and what to type to mend it
    Doctor,
    /// Show what was granted to plugins, revoked and denied, and what they did that cannot be undone
    Audit {
        /// How many events, the newest last
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
    },
    /// Watch what plugins tell each other, and tell them something
    #[command(subcommand)]
    Bus(Bus),
    /// Look at the providers of AI models that plugins bring
    #[command(subcommand)]
    Providers(Providers),
    /// Draw components of plugins
    #[command(subcommand)]
    Ui(Ui),
    /// Keep keys and passwords for plugins
    #[command(subcommand)]
    Secrets(Secrets),
    /// Show what plugins are set to and why, and set it
    #[command(subcommand)]
    Settings(Settings),
    /// Run a command, and record what AstrOS and a plugin say to each other
    #[command(after_help = "Examples:
  astros record hello-world -- ask \"say hello\"
  astros record my-plugin --output bug.jsonl -- plugins call my-plugin do_it --params '{}'")]
    Record(Record),
    /// Drive a plugin with a recording, and show what it does otherwise
    #[command(after_help = "Examples:
  astros replay bug.jsonl
  astros replay bug.jsonl --mask /result/data/when -- ./target/debug/my-plugin")]
    Replay(Replay),
    /// Hold a plugin, in any language, against the rules of the protocol
    #[command(after_help = "Examples:
  astros conformance -- python3 my_plugin.py
  astros conformance --rule R07 --rule R24 -- ./my-plugin
  astros conformance --level core --junit report.xml -- node my-plugin.js
  astros conformance --call 'greet={\"name\": \"Ada\"}' -- ./my-plugin")]
    Conformance(Conformance),
    /// Print the JSON Schema of a message, of the manifest, or of all of them; or the protocol as an OpenRPC document
    #[command(after_help = "Examples:
  astros schema --list
  astros schema initialize
  astros schema plugin.yaml > plugin-schema.json
  astros schema openrpc > astros.openrpc.json")]
    Schema {
        /// Which one; all of them where none is named
        name: Option<String>,
        /// Print the names only
        #[arg(long)]
        list: bool,
    },
    /// Print the script that lets a shell complete what is typed
    #[command(after_help = "Examples:
  source <(astros completion bash)       in ~/.bashrc
  source <(astros completion zsh)        in ~/.zshrc, after compinit
  astros completion fish > ~/.config/fish/completions/astros.fish")]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// A command of a plugin's
    #[command(external_subcommand)]
    Plugin(Vec<OsString>),
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct Record {
    #[arg(help = NAME)]
    pub(super) plugin: String,
    /// The file to write, which must not be there yet; else one is named by the plugin and the time
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// What to run: `ask`, `chat` or `plugins`, with arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// What `astros record` wrote
    pub(super) file: PathBuf,
    /// A place in messages that may be another each time, such as `/result/data/when`; `*` stands for any name. Repeatable
    #[arg(long, value_name = "POINTER")]
    pub(super) mask: Vec<String>,
    /// What the plugin may beside its own folders, as for `plugins grant`, such as 'file_system: read ~/Pictures'. Repeatable
    #[arg(long, value_name = "PERMISSION")]
    pub(super) grant: Vec<Permission>,
    /// How long to wait for what stands in the recording, such as `30s`
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "10s")]
    pub(super) timeout: Duration,
    /// What to start instead of the recorded command, in this folder
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Daemon {
    #[command(subcommand)]
    pub(super) action: Option<Action>,
    /// Serve HTTP and WebSocket on this loopback address, too; port 0 takes any
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<SocketAddr>,
    /// Leave the terminal; how a command starts it on demand
    #[arg(long, hide = true)]
    pub(super) detached: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Stop the running daemon; what is in flight ends first
    Stop,
    /// Write a unit for systemd, so that the daemon runs while you are logged in
    Install {
        /// Print the unit, write nothing
        #[arg(long)]
        print: bool,
        /// Overwrite one that is other
        #[arg(long)]
        force: bool,
    },
}

#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// The rules that count
    #[arg(long, value_enum, default_value = "full")]
    pub(super) level: Level,
    /// Hold only this rule; repeatable
    #[arg(long = "rule", value_name = "ID")]
    pub(super) rules: Vec<String>,
    /// Write the report as JUnit's XML, too
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// The longest wait for one answer, such as `10s`
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "10s")]
    pub(super) timeout: Duration,
    /// Call this handler with this context, whatever its effects; repeatable
    #[arg(long = "call", value_name = "HANDLER=JSON")]
    pub(super) calls: Vec<String>,
    /// The plugin's command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Level {
    /// What every plugin keeps
    Core,
    /// All rules
    Full,
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// What you want; `-` reads standard input
    pub(super) text: String,
    /// Show how it was decided
    #[arg(long)]
    pub(super) explain: bool,
    /// Recognise and match, run nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The conversation that this belongs to; a plugin that asked back gets the next text of its session
    #[arg(long, value_name = "ID")]
    pub(super) session: Option<String>,
    /// The time that all of it may take, such as `10s` or `2m`
    #[arg(long, value_parser = duration, value_name = "TIME")]
    pub(super) timeout: Option<Duration>,
}

/// What is said of every plugin's name.
const NAME: &str = "The plugin's name; `astros plugins list` has them";

const GRANT: &str = "\
Examples:
  astros plugins grant weather 'network: api.example.org:443'
  astros plugins grant organizer 'file_system: write ~/Pictures' 'file_system: read /srv/photos'
  astros plugins grant notifier 'system_control: session org.freedesktop.Notifications'
  astros plugins grant helper 'call_plugin: web.get' 'bus: topic.>' ai storage";

#[derive(Debug, Subcommand)]
pub(super) enum Plugins {
    /// List the plugins and how they are
    List,
    /// Show what a plugin is, offers and wants
    Show {
        #[arg(help = NAME)]
        name: String,
    },
    /// Call a handler by its name
    #[command(after_help = "Example:
  astros plugins call file-manager list_files --params '{\"path\": \"/tmp\"}' --json")]
    Call {
        #[arg(help = NAME)]
        plugin: String,
        /// The name of one of its handlers
        handler: String,
        /// A JSON object; `-` reads standard input
        #[arg(long, value_name = "JSON", default_value = "{}")]
        params: String,
        /// The time that it may take, such as `10s`
        #[arg(long, value_parser = duration, value_name = "TIME")]
        timeout: Option<Duration>,
    },
    /// Show what a plugin wrote to its log
    Logs {
        #[arg(help = NAME)]
        name: String,
        /// How many records, the newest last
        #[arg(short = 'n', long, default_value_t = 50)]
        lines: usize,
        /// Go on with what it writes while the daemon runs
        #[arg(short, long)]
        follow: bool,
    },
    /// Enable a plugin, after showing what it asks for
    Enable {
        #[arg(help = NAME)]
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Install the packages that a plugin in Python needs, into an environment of its own, after showing them
    Setup {
        #[arg(help = NAME)]
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Grant a plugin permissions, also such that it does not ask for
    #[command(after_help = GRANT)]
    Grant {
        #[arg(help = NAME)]
        name: String,
        /// As `astros plugins show` has them, each one argument
        #[arg(required = true, value_name = "PERMISSION")]
        permissions: Vec<String>,
    },
    /// Take permissions from a plugin; all of them where none is named
    #[command(after_help = "Examples:
  astros plugins revoke weather
  astros plugins revoke weather 'network: api.example.org'")]
    Revoke {
        #[arg(help = NAME)]
        name: String,
        /// As `astros plugins show` has them, each one argument
        #[arg(value_name = "PERMISSION")]
        permissions: Vec<String>,
    },
    /// Disable a plugin
    Disable {
        #[arg(help = NAME)]
        name: String,
    },
    /// End a plugin's process when it finished what it does, and start a new one
    Restart {
        #[arg(help = NAME)]
        name: String,
    },
    /// Start a plugin's new code, and let the old process go when the new one is ready
    Reload {
        #[arg(help = NAME)]
        name: String,
    },
    /// Forget a plugin's crashes, so that it starts at its next use
    Reset {
        #[arg(help = NAME)]
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Providers {
    /// List the providers, and the plugins that bring them
    List,
    /// Ask providers how they are; all of them where none is named. Fails where one is not well
    Health {
        /// The provider's name; `astros providers list` has them
        names: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Ui {
    /// List the components, and the plugins that draw them
    List,
    /// Draw a component; a live one until Ctrl-C
    #[command(after_help = "Examples:
  astros ui render data_table --props '{\"data\": [{\"name\": \"Ada\"}]}'
  astros ui render data_table --props - < props.json")]
    Render(Render),
}

#[derive(Debug, Args)]
pub(super) struct Render {
    /// The component's name; `astros ui list` has them
    pub(super) component: String,
    /// What it shows, a JSON object; `-` reads standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(super) props: String,
    /// The plugin that draws it, where several have one of this name
    #[arg(long, value_name = "NAME")]
    pub(super) plugin: Option<String>,
    /// How wide it is drawn, in columns; the terminal's width where it is not said
    #[arg(long, value_name = "COLUMNS")]
    pub(super) width: Option<u16>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Bus {
    /// Show what is published on a subject, from now on
    #[command(after_help = "Examples:
  astros bus tail 'topic.>'
  astros bus tail 'astros.>'    what happens to plugins")]
    Tail {
        /// `*` stands for one token, `>` for all that follow
        #[arg(default_value = ">")]
        subject: String,
    },
    /// Publish a message
    #[command(after_help = "Example:
  astros bus publish topic.lights '{\"on\": true}'")]
    Publish {
        /// Tokens with dots between them
        subject: String,
        /// Any JSON; `-` reads standard input
        #[arg(default_value = "null", value_name = "JSON")]
        data: String,
    },
}

fn duration(text: &str) -> Result<Duration, String> {
    // A bare number of seconds is what people type.
    let parsed = text.parse().map(Duration::from_secs).or_else(|_| humantime::parse_duration(text));
    match parsed {
        Ok(duration) if duration.is_zero() => Err("expected more than no time at all".to_owned()),
        Ok(duration) => Ok(duration),
        Err(error) => Err(format!("expected a time such as `10s` or `2m`: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn takes_times_as_people_write_them() {
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert!(duration("soon").unwrap_err().contains("`10s`"));
        assert!(duration("0s").is_err());
    }
}
