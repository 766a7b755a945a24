//! What the plugins offer: those that never said it are started and asked, and the answer is remembered.

use std::{
    sync::{
        Arc, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_protocol::{Error, ErrorCode, manifest::Kind};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::{
    Daemon, internal,
    setup::Installed,
    specs::{self, Looks, Maker},
};
use crate::{registry::Entry, router::Plugin, supervisor::Admission};

/// A plugin that takes longer to say what it can do is left out of a request: nobody waits for one that hangs.
const LEARNING: Duration = Duration::from_secs(8);
/// So many plugins are started at once: a thousand would take each other's time.
const AT_ONCE: usize = 32;

/// How far plugins are asked what they offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// Those that have answered, or could not.
    pub told: usize,
    pub of: usize,
}

impl Daemon {
    /// Learns what every plugin offers: those that are not known are started, many at once. Gives those that could
    /// not say it, and why.
    pub async fn learn(&self) -> Vec<(String, Error)> {
        self.learn_of(|_| true).await
    }

    /// The same of some plugins.
    pub(super) async fn learn_of(&self, which: impl Fn(&Entry) -> bool) -> Vec<(String, Error)> {
        let (plugins, setup) = (self.router.plugins(), self.setup());
        let wanted = |plugin: &Arc<Plugin>| {
            let installed = setup.plugins.get(&*plugin.name);
            let is_disabled = |one: &Installed| matches!(one.spec.admission, Admission::Disabled { .. });
            installed.is_none_or(|one| !is_disabled(one) && which(&one.entry))
        };
        let unknown = |plugin: &&Arc<Plugin>| plugin.description().is_none() && wanted(plugin);
        let unknown: Vec<_> = plugins.iter().filter(unknown).collect();
        if unknown.is_empty() {
            // Others may have been asked meanwhile, or have said it as they were started.
            self.agent.learn();
            return Vec::new();
        }
        let (turns, of) = (Semaphore::new(AT_ONCE), unknown.len());
        let told = AtomicUsize::new(0);
        self.tell_learning(Some(Learning { told: 0, of }));
        let asked = unknown.into_iter().map(|plugin| async {
            let _turn = turns.acquire().await;
            let asked = tokio::time::timeout(LEARNING, self.describe(&plugin.name)).await;
            let asked = asked.unwrap_or_else(|_| Err(says_nothing(&plugin.name)));
            let told = told.fetch_add(1, Ordering::Relaxed) + 1;
            self.tell_learning(Some(Learning { told, of }));
            asked.err().map(|error| (plugin.name.to_string(), error))
        });
        let mut unable: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        unable.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.tell_learning(None);
        self.agent.learn();
        unable
    }

    /// How far plugins are asked what they offer; none where none are.
    pub fn learning(&self) -> Option<Learning> {
        *self.learning.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who asks at the same time asks the same plugins: the last word is as good as any.
    fn tell_learning(&self, learning: Option<Learning>) {
        *self.learning.lock().unwrap_or_else(PoisonError::into_inner) = learning;
    }

    /// Whether a plugin, as far as it is known, is one that texts are understood for.
    pub fn is_for_texts(&self, name: &str) -> bool {
        let kinds = self.installed(name).map(|one| one.entry.kinds.clone()).unwrap_or_default();
        kinds.is_empty() || kinds.contains(&Kind::Intent)
    }

    /// Remembers what plugins said that were started for something else, such as to draw a component.
    pub(super) async fn remember(&self) {
        let setup = self.setup();
        for plugin in self.router.plugins() {
            let installed = setup.plugins.get(&*plugin.name).filter(|one| one.description.is_none());
            if let (Some(description), Some(installed)) = (plugin.description(), installed) {
                let (place, code) = (installed.entry.identity(), &installed.fingerprint);
                // Where that fails it is asked anew.
                let _ = self.store.set_description(&place, code, &description).await;
            }
        }
    }

    /// Asks a plugin what it offers, started where it does not run, and remembers the answer.
    pub(super) async fn describe(&self, name: &str) -> Result<(), Error> {
        let plugin = self.router.plugin(name)?;
        let supervisor = plugin.supervisor();
        let session = supervisor.ready().await?;
        plugin.set_description(session.description.clone());
        let setup = self.setup();
        let Some(installed) = setup.plugins.get(name) else { return Ok(()) };
        let (entry, spec) = (&installed.entry, &installed.spec);
        // Kept first: a plugin that its own schema blocks is not started again to find that out.
        let fingerprint = specs::fingerprint(entry, spec);
        self.store.set_description(&entry.identity(), &fingerprint, &session.description).await?;
        let (base, setup, installed) = (self.base.clone(), setup.clone(), installed.clone());
        let description = session.description.clone();
        // The keyring may take its time.
        let settled = tokio::task::spawn_blocking(move || {
            let secrets = base.secrets();
            let maker =
                Maker { base: &base, config: &setup.config, secrets: &secrets.read(), looks: &Looks::All };
            maker.settings(&installed.entry, &installed.given, Some(&description)).1
        });
        if let Some(error) = settled.await.map_err(internal)? {
            supervisor.admit(specs::blocked(&error)).await;
            return Err(error.into());
        }
        Ok(())
    }
}

fn says_nothing(plugin: &str) -> Error {
    let message = format!(
        "it did not say within {} s what it can do; `astros plugins show {plugin}` waits for it",
        LEARNING.as_secs()
    );
    Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(plugin)
}
