//! Which daemon a command is for: the one that runs, one that is started for it, or one of its own.

use astros_protocol::Error;

use super::{
    args::{self, Plugins, Workflow},
    on_demand,
    output::Output,
};
use crate::{
    control::{self, Client, Embedded, no_daemon},
    daemon::{Options, config::Start},
};

/// The product's version.
const OWN: &str = env!("CARGO_PKG_VERSION");

/// What a command wants of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Any: its own where none runs.
    Any,
    /// Any, and it shows or changes how the plugins of the one that runs are.
    Knows,
    /// The one that runs, with the plugins that the command names.
    Running,
    /// The one that runs, whatever it has.
    Whichever,
}

/// The daemon of a command.
pub(super) enum Connected {
    Running(Box<Client>),
    Embedded(Box<Embedded>),
}

impl Connected {
    pub(super) fn client(&self) -> &Client {
        match self {
            Connected::Running(client) => client,
            Connected::Embedded(embedded) => embedded.client(),
        }
    }
}

impl args::Command {
    pub(super) fn needs(&self) -> Needs {
        match self {
            args::Command::Status | args::Command::Daemon(_) => Needs::Whichever,
            args::Command::Bus(_)
            | args::Command::Plugins(
                Plugins::Restart { .. }
                | Plugins::Reload { .. }
                | Plugins::Reset { .. }
                | Plugins::Logs { follow: true, .. },
            ) => Needs::Running,
            args::Command::Workflow(Workflow::Runs)
            | args::Command::Audit { .. }
            | args::Command::Settings(_)
            | args::Command::Plugins(
                Plugins::List
                | Plugins::Show { .. }
                | Plugins::Enable { .. }
                | Plugins::Disable { .. }
                | Plugins::Grant { .. }
                | Plugins::Revoke { .. },
            ) => Needs::Knows,
            _ => Needs::Any,
        }
    }
}

/// Finds the daemon for a command.
pub(super) async fn connect(options: Options, needs: Needs, output: &Output) -> Result<Connected, Error> {
    match find(&options, needs, output).await? {
        Some(client) => Ok(Connected::Running(Box::new(client))),
        None => embed(options, output).await,
    }
}

/// The same, for who does without one where none runs.
pub(super) async fn find(options: &Options, needs: Needs, output: &Output) -> Result<Option<Client>, Error> {
    let paths = options.paths()?;
    let running = Client::connect(&paths.runtime).await?.filter(|client| client.hello().is_of(&paths));
    if let Some(version) = running.as_ref().map(|client| &client.hello().version).filter(|one| *one != OWN)
        && !output.json
    {
        output.note(&format!(
            "the running daemon is astros {version}, this command {OWN}: a restart of it helps"
        ));
    }
    if let Some(recorder) = &options.recorder {
        if let Some(client) = &running {
            output.note(&beside(recorder.plugin(), client.hello().pid));
        }
        return Ok(None);
    }
    let named = options.named_folders();
    match (running, needs) {
        (Some(client), Needs::Whichever) => Ok(Some(client)),
        (Some(client), _) if client.hello().has(&named) => Ok(Some(client)),
        (Some(client), Needs::Running) => Err(other_folders(&client)),
        (None, Needs::Running | Needs::Whichever) => Err(none_serves(control::is_claimed(&paths.runtime))),
        (None, _) if options.plugin_dirs.is_empty() && options.start()? == Start::OnDemand => {
            on_demand::start(options, &paths).await.map(Some)
        }
        (other, _) => {
            if needs == Needs::Knows && other.is_some() && !output.json {
                output.note("the running daemon has other plugin folders: this command does without it");
            }
            Ok(None)
        }
    }
}

async fn embed(options: Options, output: &Output) -> Result<Connected, Error> {
    let embedded = Embedded::start(options).await?;
    warn(&embedded.warnings(), output);
    Ok(Connected::Embedded(Box::new(embedded)))
}

/// Says what a person should look at in what they set up.
pub(super) fn warn(warnings: &[String], output: &Output) {
    if !output.json {
        warnings.iter().for_each(|warning| output.warning(warning));
    }
}

/// What a recording beside a running daemon means.
fn beside(plugin: &str, pid: u32) -> String {
    format!(
        "a daemon runs (pid {pid}); the recording has one of its own beside it: another process of `{plugin}`, with \
         the same storage and folders, that knows nothing of what the first has in memory; where there can be only \
         one, `astros daemon stop` first"
    )
}

fn none_serves(is_claimed: bool) -> Error {
    if is_claimed {
        return no_daemon("the daemon of this home is being started or stopped")
            .with_hint("once more in a moment: what is in flight ends first");
    }
    no_daemon("no daemon runs for this home")
        .with_hint("`astros daemon` starts one, in the foreground; `daemon: {start: on_demand}` in astros.yaml lets commands start it")
}

fn other_folders(client: &Client) -> Error {
    let pid = client.hello().pid;
    no_daemon(format!("the running daemon (pid {pid}) has other plugin folders than this command names"))
        .with_hint("leave out `--plugin-dir` and `ASTROS_PLUGIN_PATH`, or start the daemon with them")
}
