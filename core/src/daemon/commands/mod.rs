//! The commands that plugins add to `astros`: which word is whose, and how one is run.

mod catalog;
mod run;
mod shape;

pub use catalog::{Catalog, Offered, Word};
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
    /// There is none, or it is not clear whose; its plugin may not run.
    pub async fn command(&self, name: &str) -> Result<Offered, Error> {
        if let Some(found) = self.commands().find(name) {
            return found;
        }
        let mut unable: Vec<_> = self.waiting_names().into_iter().map(waits).collect();
        let says_so = |entry: &Entry| entry.kinds.contains(&Kind::Command);
        unable.extend(self.learn_of(says_so).await);
        if let Some(found) = self.commands().find(name) {
            return found;
        }
        unable.extend(self.learn_of(|entry| entry.may_be(Kind::Command) && !says_so(entry)).await);
        let catalog = self.commands();
        let Some(found) = catalog.find(name) else { return Err(catalog.unknown(name, &unable)) };
        found
    }
}

/// Nobody knows whether it has the command.
fn waits(plugin: String) -> (String, Error) {
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
    Some(Source { plugin, origin, refusal, description })
}
