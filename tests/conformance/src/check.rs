//! A whole run: the command is found, a first session learns what the plugin is, then all rules are held side by side.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use astros_protocol::rules::{Group, Rule, find as find_rule};
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::{
    findings::Findings,
    options::{Level, Options},
    outcome::{Miss, Stop},
    process::Program,
    profile::Profile,
    report::{Outcome, Report, RuleReport},
    rules,
    session::Session,
    subject::Subject,
};

/// So many rules are held at once, and more on a larger machine: most of the time a check waits.
const AT_ONCE: usize = 8;
/// The rule that who does not begin breaks.
const BEGINS: &str = "R01";

/// How long one rule may take in all: who answers each request just in time would hold everybody up for hours.
pub(crate) fn budget(options: &Options) -> Duration {
    (options.timeout * 6).max(Duration::from_secs(60))
}

/// Why there is no report: the harness was used wrongly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No word.
    #[error("there is no command to run: expected the plugin's command and its arguments")]
    NoCommand,
    /// The program is nowhere.
    #[error("the command `{0}` does not exist: expected a program on PATH, or its path")]
    NoProgram(String),
    /// A file that is there.
    #[error("`{0}` is no executable file: `chmod +x` makes it one, or name what runs it before it")]
    NotExecutable(String),
    /// A rule that is not in the protocol.
    #[error("there is no rule `{0}` for plugins: expected one such as `R07`; the reference lists them")]
    NoRule(String),
    /// A handler to call that the plugin does not describe.
    #[error("there is no handler `{0}` to call: expected one that the plugin describes")]
    NoHandler(String),
}

/// Runs the command and holds the plugin that it is against the rules.
///
/// Each rule has processes of its own, in a throw-away home; when this is dropped, all that they started is ended.
/// Arguments that are paths of files are made absolute, since the plugin runs in another folder.
pub async fn check<S: Into<OsString>>(
    command: impl IntoIterator<Item = S>,
    options: Options,
) -> Result<Report, Error> {
    let begun = Instant::now();
    let mut chosen = options.chosen().map_err(Error::NoRule)?;
    let program = find(command.into_iter().map(Into::into).collect())?;
    let findings = Arc::new(Mutex::new(Findings::default()));
    let learned = learn(&program, &options, &findings).await;
    if let Some(name) = learned.as_ref().ok().and_then(|profile| profile.unknown_call(&options)) {
        return Err(Error::NoHandler(name));
    }
    if learned.is_err() && chosen.first().is_some_and(|first| first.id != BEGINS) {
        // Rules that nobody could hold must not look as if they were kept.
        chosen.splice(0..0, find_rule(BEGINS));
    }
    let outcomes = match &learned {
        Ok(profile) => hold(&chosen, &program, &options, profile, &findings).await,
        Err(stop) => chosen.iter().map(|rule| without_a_profile(rule, stop)).collect(),
    };
    let findings = findings.lock().unwrap_or_else(PoisonError::into_inner);
    let rules = chosen.into_iter().zip(outcomes);
    let rules =
        rules.map(|(rule, outcome)| RuleReport { rule, outcome: settle(rule, outcome, &findings) }).collect();
    let plugin = learned.ok().map(|profile| (profile.name, profile.version));
    Ok(Report::new(plugin, &options, rules, begun.elapsed()))
}

async fn learn(
    program: &Program,
    options: &Options,
    findings: &Arc<Mutex<Findings>>,
) -> Result<Profile, Stop> {
    let mut session = Session::start(program, "R00", options.timeout, findings)?;
    Profile::learn(&mut session, options).await.map_err(|stop| with_a_folder(stop, program))
}

/// Tells of a word that names a folder here, and nothing where the plugin runs.
fn with_a_folder(stop: Stop, program: &Program) -> Stop {
    let folder =
        program.arguments.iter().find(|word| Path::new(word).is_relative() && Path::new(word).is_dir());
    match (stop, folder.map(|word| word.to_string_lossy())) {
        (Stop::Missed(miss), Some(word)) => {
            let hint =
                format!("{}; it runs in a folder of its own, where `./{word}` would be found", miss.received);
            Stop::Missed(Miss { received: hint, ..miss })
        }
        (stop, _) => stop,
    }
}

/// Nothing can be held against who does not begin; that is a miss of one rule.
fn without_a_profile(rule: &Rule, stop: &Stop) -> Outcome {
    match stop {
        Stop::Missed(miss) if rule.id == BEGINS => Outcome::Failed(miss.clone()),
        _ => Outcome::Skipped("it does not answer `initialize` and then `ping` (R01)".to_owned()),
    }
}

async fn hold(
    chosen: &[&'static Rule],
    program: &Program,
    options: &Options,
    profile: &Profile,
    findings: &Arc<Mutex<Findings>>,
) -> Vec<Outcome> {
    let at_once =
        std::thread::available_parallelism().map_or(AT_ONCE, |cores| cores.get().clamp(AT_ONCE, 16));
    let one = |rule: &&'static Rule| {
        let subject = Subject { program, options, profile, findings, rule: rule.id };
        async move {
            match timeout(budget(options), rules::check(&subject)).await {
                Ok(Ok(())) => Outcome::Passed,
                Ok(Err(Stop::Missed(miss))) => Outcome::Failed(miss),
                Ok(Err(Stop::Skipped(why))) => Outcome::Skipped(why),
                Err(_) => Outcome::Failed(too_slow(options)),
            }
        }
    };
    let indexed = chosen.iter().enumerate().map(|(at, rule)| {
        let held = one(rule);
        async move { (at, held.await) }
    });
    let mut outcomes: Vec<_> = stream::iter(indexed).buffer_unordered(at_once).collect().await;
    // In the order of the rules, whatever ended first.
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn too_slow(options: &Options) -> Miss {
    Miss {
        sent: "all that the rule takes".to_owned(),
        expected: format!("all answers within {} s; `--timeout` gives more", budget(options).as_secs()),
        received: "each in time, and all of them together too late".to_owned(),
    }
}

/// What the traffic of all sessions says of a rule counts as well.
fn settle(rule: &Rule, outcome: Outcome, findings: &Findings) -> Outcome {
    if let (Some(miss), false) = (findings.miss(rule.id), matches!(outcome, Outcome::Failed(_))) {
        return Outcome::Failed(miss);
    }
    match (rule.group, &outcome) {
        (Group::Services, Outcome::Passed) if findings.asked.is_empty() => {
            Outcome::Skipped("it asked the host for nothing".to_owned())
        }
        (Group::Streams, Outcome::Passed) if !findings.streamed => {
            Outcome::Skipped("it sent no progress".to_owned())
        }
        _ => outcome,
    }
}

/// The program, looked up as a shell does; paths are made absolute.
fn find(command: Vec<OsString>) -> Result<Program, Error> {
    let mut words = command.into_iter();
    let name = words.next().filter(|name| !name.is_empty()).ok_or(Error::NoCommand)?;
    let missing = || match (name.to_string_lossy().into_owned(), Path::new(&name).is_file()) {
        (name, true) => Error::NotExecutable(name),
        (name, false) => Error::NoProgram(name),
    };
    let path = which::which(&name).map_err(|_| missing())?;
    let path = std::path::absolute(path).map_err(|_| missing())?;
    Ok(Program { path, arguments: words.map(absolute).collect() })
}

fn absolute(argument: OsString) -> OsString {
    let path = Path::new(&argument);
    // A word such as `run` may be the name of a folder by chance: only what looks like a path, or is a file.
    let looks_so = argument.to_string_lossy().contains('/') || argument == "." || argument == "..";
    let is_path = looks_so && path.exists() || path.is_file();
    match std::path::absolute(path) {
        Ok(absolute) if is_path => PathBuf::into_os_string(absolute),
        _ => argument,
    }
}

impl Options {
    /// Whether a run with these can give a grade: only all rules of a level can.
    pub(crate) fn grades(&self) -> bool {
        self.rules.is_empty()
    }

    pub(crate) fn is_core(&self) -> bool {
        self.level == Level::Core
    }
}
