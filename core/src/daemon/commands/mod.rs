//! The commands that plugins add to `astros`: which word is whose, and how one is run.

mod catalog;
mod run;
mod shape;

pub use catalog::{Catalog, Offered, WAITING, Word};
pub use run::{CommandRun, Finished, Stage};

use std::sync::Arc;

use astros_protocol::{Error, ErrorCode, manifest::Kind};

use super::{
    Daemon, Options,
    setup::{Base, Installed, Setup},
    specs::Looks,
};
use crate::{
    registry::{Entry, WAITS},
    services::storage::Store,
    supervisor::{Admission, Machine},
};
use catalog::Source;

/// What plugins could run on; whether they can is seen when one does.
static ANY: Machine = Machine {
    namespaces: true,
    landlock: Some(u32::MAX),
    seccomp: true,
    why_no_namespaces: None,
    why_no_seccomp: None,
};

impl Catalog {
    /// What is known without a daemon, and without any process: of plugins that never said what they offer, nothing is.
    /// Of `word` alone, where nothing else is wanted: that costs less.
    ///
    /// # Errors
    /// As [`Daemon::start`].
    pub async fn read(options: Options, word: Option<&str>) -> Result<Catalog, Error> {
        let looks = word.map_or(Looks::Described, |word| Looks::Having(word.to_owned()));
        on_disk(options, &ANY, looks).await.map(|(_, catalog)| catalog)
    }
}

/// Reads what is on disk, for who needs no daemon.
pub(super) async fn on_disk(
    options: Options,
    machine: &'static Machine,
    looks: Looks,
) -> Result<(Setup, Catalog), Error> {
    let own = options.own_commands.clone();
    let base = Arc::new(Base::new(options, machine)?);
    let store = Store::open(&base.paths.database())?;
    let setup = Setup::read_as(&base, base.config()?, &store, None, looks).await?;
    let catalog = Catalog::new(own, setup.plugins.values().filter_map(|installed| source(installed, None)));
    Ok((setup, catalog))
}

impl Daemon {
    /// The commands of all plugins, as far as they said what they offer; none is started.
    pub fn commands(&self) -> Catalog {
        let setup = self.setup();
        let sources = setup.plugins.values().filter_map(|installed| {
            let described = self.router.plugin(&installed.entry.name).ok()?.description();
            source(installed, described)
        });
        Catalog::new(self.base.options.own_commands.clone(), sources)
    }

    /// The command that a word names. Where nobody has it, those that never said what they offer are asked: first those
    /// that say that they have commands, then those that do not say of what kind they are.
    ///
    /// # Errors
    /// There is none, or it is not clear whose; its plugin may not run. The plugins that may have it and wait to be
    /// enabled are its member [`WAITING`].
    pub async fn command(&self, name: &str) -> Result<Offered, Error> {
        if let Some(found) = self.commands().find(name) {
            return found;
        }
        let says_so = |entry: &Entry| entry.kinds.contains(&Kind::Command);
        let mut learned = self.learn_of(says_so).await;
        if let Some(found) = self.commands().find(name) {
            return found;
        }
        learned.extend(self.learn_of(|entry| entry.may_be(Kind::Command) && !says_so(entry)).await);
        let catalog = self.commands();
        catalog.find(name).unwrap_or_else(|| {
            let unable: Vec<_> = self.waiting_names().into_iter().map(unasked).chain(learned).collect();
            let setup = self.setup();
            let waiting = setup.plugins.values().filter(|one| one.waits() && may_have_commands(one));
            Err(catalog.unknown(name, &unable, waiting.map(|one| one.entry.name.clone()).collect()))
        })
    }
}

/// What it offers is not known, and nothing says that these are none of it.
fn may_have_commands(installed: &Installed) -> bool {
    let kinds = &installed.entry.kinds;
    installed.description.is_none() && (kinds.is_empty() || kinds.contains(&Kind::Command))
}

/// Nobody knows whether it has the command.
fn unasked(plugin: String) -> (String, Error) {
    let hint = format!("`astros plugins enable {plugin}` shows what it asks for");
    (plugin, Error::new(ErrorCode::PLUGIN_UNAVAILABLE, WAITS).with_hint(hint))
}

fn source(
    installed: &Installed,
    described: Option<Arc<astros_protocol::PluginDescription>>,
) -> Option<Source> {
    let description = described.or_else(|| installed.description.clone())?;
    let refusal = match &installed.spec.admission {
        Admission::Enabled => None,
        Admission::Disabled { reason } => Some((format!("is disabled: {reason}"), None)),
        Admission::Blocked { reason, hint } => Some((format!("is blocked: {reason}"), Some(hint.clone()))),
    };
    let (plugin, origin) = (installed.entry.name.clone(), installed.entry.origin);
    Some(Source { plugin, origin, refusal, waits: installed.waits(), description })
}
