//! A person runs a command of a plugin's.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use astros_protocol::{
    Error, ErrorCode, Extra, Request as _,
    command::{
        CommandDescription, CommandResult, CommandRun as Request, CommandRunParams, CommandValue, Terminal,
    },
    manifest::Exit,
    ui::{UiRender, UiRenderParams},
};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::{Daemon, misconfigured};
use crate::{
    agent::{Person, draw::Wanted},
    router::{Named, Offer, Outcome, Run, errors},
    supervisor::{Absent, Ending, Signalled, Streams},
};

/// What ends a program because a person or a pipe wants it: nothing to complain of.
const WANTED: [Signal; 5] =
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGPIPE];
/// The exit code of a plugin that did not keep to the protocol.
const FAILED: u8 = 5;

/// What is run, and where.
pub struct CommandRun {
    pub plugin: String,
    /// The words of the command.
    pub command: String,
    pub args: Extra,
    /// The names of `args` whose value the person typed.
    pub said: BTreeSet<String>,
    pub argv: Vec<String>,
    pub terminal: Terminal,
    pub stage: Stage,
}

/// Where a person has something run.
pub struct Stage {
    /// The person's, of which the plugin gets how their terminal and language are.
    pub environment: Vec<(String, String)>,
    pub streams: Streams,
    pub signals: mpsc::Receiver<Signalled>,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub exit_code: u8,
    /// What the command found, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Its process ended without an answer, by itself; or it failed, and this is what it was denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint: Option<Error>,
    /// What it made that did not get to its place, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}

impl Daemon {
    /// Runs a command in a process of its own, until it has ended. Dropped, it is killed.
    ///
    /// # Errors
    /// Its plugin may not run or does not start, does not see what the person names, or answers with an error.
    pub async fn run_command(&self, run: CommandRun, person: &Person) -> Result<Finished, Error> {
        self.may_run(&run.plugin)?;
        let CommandRun { plugin, command, args, said, argv, terminal, stage } = run;
        let cwd = folder(person)?;
        let described = self.router.plugin(&plugin)?.described().await?;
        let described = find(&described.commands, &command);
        let typed = args.iter().filter(|(name, _)| said.contains(*name));
        let (named, absent) = named(&cwd, &described, typed, &argv);
        let root = person.root();
        let asked = root.clone();
        let (plugin_name, name) = (plugin.clone(), command.clone());
        let Stage { environment, streams, signals } = stage;
        let settings = self.settings_by(&plugin, &environment).await?;
        let run = Run {
            plugin: &plugin,
            name: &name,
            cwd,
            named,
            absent,
            environment,
            settings,
            streams,
            root,
            signals,
        };
        let cwd = run.cwd.to_string_lossy().into_owned();
        let params = |meta| CommandRunParams { command, args, argv, cwd, terminal, meta };
        let outcome = self.router.run::<Request>(run, params).await;
        let outcome = outcome.map_err(|error| errors::blame(error, asked.denied.get()))?;
        let (mut finished, lost) = match outcome {
            Outcome::Answered(CommandResult { exit_code, data, .. }, lost) => {
                // Nobody was asked, for the terminal was the plugin's.
                let complaint = asked.denied.get().filter(|_| exit_code != 0).cloned();
                (Finished { exit_code, data, complaint, ..Finished::default() }, lost)
            }
            Outcome::Ended(ending, lost) => (ended(&plugin_name, &name, ending), lost),
        };
        finished.exit_code = finished.exit_code.max(u8::from(!lost.is_empty()));
        Ok(Finished { lost, ..finished })
    }
}

impl Daemon {
    /// Has a component draw itself in a process of its own, until it has ended. Dropped, it is killed. The tree that is
    /// left to draw is the `data`.
    ///
    /// # Errors
    /// Nobody has it or several have; its plugin may not run or does not start, or answers with an error.
    pub async fn draw_in_foreground(
        &self,
        wanted: Wanted,
        stage: Stage,
        person: &Person,
    ) -> Result<Finished, Error> {
        let Wanted { component, plugin, props, terminal } = wanted;
        let plugin = self.router.offering(Offer::Component, &component, plugin.as_deref()).await?;
        self.may_run(&plugin.name)?;
        let Stage { environment, streams, signals } = stage;
        let name = format!("{} {component}", UiRender::METHOD);
        let (cwd, root) = (folder(person)?, person.root());
        let asked = root.clone();
        let (named, absent) = (Vec::new(), Vec::new());
        let (settings, plugin) = (self.settings_by(&plugin.name, &environment).await?, &plugin.name);
        let run =
            Run { plugin, name: &name, cwd, named, absent, environment, settings, streams, root, signals };
        let params = |meta| UiRenderParams { component, props, terminal, meta };
        let outcome = self.router.run::<UiRender>(run, params).await;
        Ok(match outcome.map_err(|error| errors::blame(error, asked.denied.get()))? {
            Outcome::Answered(tree, _) => Finished { data: Some(json!(tree)), ..Finished::default() },
            Outcome::Ended(ending, _) => ended(plugin, &name, ending),
        })
    }
}

/// The person's folder, absolute and without links.
fn folder(person: &Person) -> Result<PathBuf, Error> {
    person.cwd.canonicalize().map_err(|error| {
        misconfigured(format!("the current folder `{}` cannot be used: {error}", person.cwd.display()))
    })
}

fn ended(plugin: &str, command: &str, Ending { exit, story }: Ending) -> Finished {
    let signal = match &exit {
        Some(Exit::Signal(name)) => name.parse::<Signal>().ok(),
        _ => None,
    };
    let exit_code = match (&exit, signal) {
        (_, Some(signal)) => 128 + signal as u8,
        (Some(Exit::Status(code @ 1..)), _) => *code,
        _ => FAILED,
    };
    if signal.is_some_and(|signal| WANTED.contains(&signal)) {
        return Finished { exit_code, ..Finished::default() };
    }
    let message = format!("plugin `{plugin}` ended while it ran `{command}`: {story}");
    let complaint = Error::new(ErrorCode::PLUGIN_CRASHED, message).with_plugin(plugin);
    Finished { exit_code, complaint: Some(complaint), ..Finished::default() }
}

/// The command that these words lead to.
fn find<'a>(commands: &'a [CommandDescription], words: &str) -> Vec<&'a CommandDescription> {
    let (mut commands, mut way) = (commands, Vec::new());
    for word in words.split(' ') {
        let Some(next) = commands.iter().find(|one| one.name == word) else { break };
        way.push(next);
        commands = &next.commands;
    }
    way
}

/// What of a command line names files: what is declared as a path, and whatever word or value is one; those that are
/// there, and those that may come to be. A default is the plugin's word, not the person's: `typed` has none.
fn named<'a>(
    cwd: &Path,
    way: &[&CommandDescription],
    typed: impl Iterator<Item = (&'a String, &'a Value)>,
    argv: &[String],
) -> (Vec<Named>, Vec<Absent>) {
    let (mut named, mut absent) = (Vec::new(), Vec::new());
    let mut take = |text: &str, is_declared: bool, is_new: bool| {
        let path = cwd.join(text);
        // Of these the plugin has its own.
        if ["/proc", "/dev"].iter().any(|machine| path.starts_with(machine)) && !path.starts_with("/dev/shm")
        {
            return;
        }
        if is_declared || is_meant(&path, cwd) {
            named.push(Named { path: path.clone(), surely: is_declared });
        }
        absent.extend(Absent::of(&path, is_declared).filter(|_| is_new));
    };
    for (name, value) in typed {
        let one = way.iter().flat_map(|command| &command.parameters).find(|one| one.name == *name);
        let is_declared = one.is_some_and(|one| one.r#type == CommandValue::Path);
        let is_option = one.is_some_and(|one| !one.flags.is_empty());
        let is_new = |text: &str| is_declared || looks_new(text) || is_option && text.contains('.');
        texts(value, &mut |text| take(text, is_declared, is_new(text)));
    }
    for word in argv.iter().skip(1) {
        take(word, false, looks_new(word));
        let value = word.split_once('=').filter(|_| word.starts_with('-'));
        value.into_iter().for_each(|(_, value)| take(value, false, looks_new(value)));
    }
    (named, absent)
}

/// Whether a word that may be anything is a file's name: `/` and what it leads to by chance are not. One below `/tmp`
/// would be taken for the plugin's own.
fn is_meant(path: &Path, cwd: &Path) -> bool {
    let real = path.canonicalize();
    let is_by_chance = |real: &Path| real.parent().is_none_or(is_root) && real != Path::new("/tmp");
    real.is_ok_and(|real| !cwd.starts_with(&real) && !is_by_chance(&real))
}

/// Whether a word that may be anything could be a new file's.
fn looks_new(word: &str) -> bool {
    word.contains('/') && !word.starts_with('-') && !word.contains("://")
}

fn is_root(path: &Path) -> bool {
    path == Path::new("/")
}

fn texts(value: &Value, take: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) if !text.is_empty() => take(text),
        Value::Array(all) => all.iter().for_each(|one| texts(one, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_for_files_what_is_declared_and_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().join("here");
        std::fs::create_dir(&cwd).unwrap();
        for name in ["in.txt", "here/x", "log"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let command: CommandDescription = serde_json::from_value(json!({ "name": "c", "parameters": [
            { "name": "out", "type": "path", "flags": ["-o"] }, { "name": "word" },
        ]}))
        .unwrap();
        let args = json!({ "out": "new.txt", "word": ["/", "../in.txt", "", ".."] });
        let argv = ["c", "--log=../log", "-x=/", "-onew.txt", "nothing"].map(str::to_owned);
        let typed = args.as_object().unwrap();
        let (found, absent) = named(&cwd, &[&command], typed.iter(), &argv);
        let found: Vec<_> = found.into_iter().map(|one| (one.path, one.surely)).collect();
        let at = |name: &str| cwd.join(name);
        assert_eq!(found, [(at("new.txt"), true), (at("../in.txt"), false), (at("../log"), false)]);
        assert_eq!(absent, [Absent { path: at("new.txt"), surely: true }]);
    }

    #[test]
    fn takes_for_new_files_what_is_declared_and_what_looks_like_one() {
        let folder = tempfile::tempdir().unwrap();
        let cwd = folder.path().join("here");
        std::fs::create_dir(&cwd).unwrap();
        let command: CommandDescription = serde_json::from_value(json!({ "name": "c", "parameters": [
            { "name": "out", "type": "path" }, { "name": "save", "flags": ["--save"] }, { "name": "word" },
        ]}))
        .unwrap();
        let args =
            json!({ "out": "deep/new.txt", "save": "report.md", "word": ["and", "../new", "/dev/fd/9"] });
        let argv = ["c", "new", "--log=../log", "-o../x", "/dev/null"].map(str::to_owned);
        let (found, absent) = named(&cwd, &[&command], args.as_object().unwrap().iter(), &argv);
        assert_eq!(found.len(), 1, "{found:?}");
        let absent: Vec<_> = absent.into_iter().map(|one| (one.path, one.surely)).collect();
        let at = |name: &str| cwd.join(name);
        let expected =
            [(at("deep"), true), (at("report.md"), false), (at("../new"), false), (at("../log"), false)];
        assert_eq!(absent, expected);
    }

    #[test]
    fn tells_a_crash_from_a_wish_by_its_exit_code() {
        let end = |exit| ended("p", "c", Ending { exit, story: "ended".to_owned() });
        let signal = |name: &str| Some(Exit::Signal(name.to_owned()));
        for (exit, code, complains) in [
            (signal("SIGINT"), 130, false),
            (signal("SIGPIPE"), 141, false),
            (signal("SIGSEGV"), 139, true),
            (Some(Exit::Status(3)), 3, true),
            (Some(Exit::Status(0)), FAILED, true),
            (None, FAILED, true),
        ] {
            let finished = end(exit.clone());
            assert_eq!((finished.exit_code, finished.complaint.is_some()), (code, complains), "{exit:?}");
        }
    }
}
