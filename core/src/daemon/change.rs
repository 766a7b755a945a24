//! Change while it runs: configuration and plugins are read from disk anew, and what is other takes the place of
//! what was. One change at a time; what fails leaves what serves in its place.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError},
};

use astros_protocol::{Error, ErrorCode};
use futures_util::future::join_all;

use super::{
    Daemon,
    setup::{Installed, Setup},
    thresholds,
};
use crate::{
    router::errors,
    supervisor::{Admission, Event, StateName, Supervisor},
};

/// A change that was not made.
pub(super) struct Failure {
    /// Why, for people.
    pub reason: String,
    /// What helps, where that is not to try again.
    hint: Option<String>,
    /// It is not tried again while nothing else is on disk.
    tried: Option<Arc<Installed>>,
}

impl Daemon {
    /// Reads `astros.yaml` and a plugin from disk anew, and brings the plugin's new version into service: the one
    /// before serves until that is ready. A plugin that is new is added, one that is gone is stopped and removed.
    ///
    /// # Errors
    /// `astros.yaml` cannot be read, or the new version does not start: what was before serves on. There is no
    /// plugin of this name, or not any more; or it was read and may not run.
    pub async fn reload(&self, name: &str) -> Result<(), Error> {
        let _alone = self.changing.lock().await;
        let fresh = Setup::read(&self.base, self.base.config()?, &self.store).await?;
        let before = self.setup();
        let folder = before.plugins.get(name).map(|one| one.entry.folder.display().to_string());
        let gone = !fresh.plugins.contains_key(name);
        let names = before.plugins.keys().chain(fresh.plugins.keys()).map(String::as_str);
        let unknown = errors::plugin_not_found(name, names);
        let Some(folder) = folder.or_else(|| (!gone).then(String::new)) else { return Err(unknown) };
        let failed = self.bring_up(fresh, vec![name.to_owned()], |_| true).await;
        match failed.into_iter().next() {
            Some((_, error)) => Err(error),
            None if gone => Err(removed(name, &folder)),
            None => self.may_run(name),
        }
    }

    /// Reads `astros.yaml` and all plugins from disk anew, and reloads those that are other than before.
    ///
    /// # Errors
    /// `astros.yaml` cannot be read, and everything stays as it was; or the first plugin whose new version does
    /// not start, with the others in its detail.
    pub async fn reload_all(&self) -> Result<(), Error> {
        self.reload_where(Installed::is_same).await
    }

    /// As [`Daemon::reload_all`], but for plugins of which nothing is other than their code: who saves
    /// `astros.yaml` does not ask for that.
    pub async fn reconfigure(&self) -> Result<(), Error> {
        self.reload_where(Installed::is_started_alike).await
    }

    async fn reload_where(&self, is_same: fn(&Installed, &Installed) -> bool) -> Result<(), Error> {
        let _alone = self.changing.lock().await;
        let fresh = Setup::read(&self.base, self.base.config()?, &self.store).await?;
        let before = self.setup();
        let names: BTreeSet<&String> = before.plugins.keys().chain(fresh.plugins.keys()).collect();
        let changed = names.into_iter().filter(|name| self.is_changed(name, &before, &fresh, is_same));
        let changed = changed.cloned().collect();
        // Nobody waits to see those start whose code is known.
        let is_new = |new: &Installed| new.description.is_none();
        let mut failed = self.bring_up(fresh, changed, is_new).await.into_iter();
        let Some((_, error)) = failed.next() else { return Ok(()) };
        let others: Vec<String> = failed.map(|(_, error)| error.message).collect();
        Err(if others.is_empty() { error } else { error.with_detail(others.join("\n")) })
    }

    /// Stops a plugin's process and starts a new one.
    pub async fn restart(&self, name: &str) -> Result<(), Error> {
        self.router.plugin(name)?.restart().await.map(drop)
    }

    /// Forgets a plugin's crashes and failed starts, so that its next use starts it.
    ///
    /// # Errors
    /// It may not run, and no use starts it.
    pub fn reset(&self, name: &str) -> Result<(), Error> {
        self.router.plugin(name)?.supervisor().reset();
        self.may_run(name)
    }

    /// Why a plugin that is disabled or blocked does not start.
    pub(super) fn may_run(&self, name: &str) -> Result<(), Error> {
        let status = self.router.plugin(name)?.status();
        if !matches!(status.state, StateName::Disabled | StateName::Blocked) {
            return Ok(());
        }
        let reason = status.reason.unwrap_or_default();
        let message = format!("plugin `{name}` is {}: {reason}", status.state);
        let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(name);
        Err(error.with_hint(status.hint.unwrap_or_default()))
    }

    /// Why the last reload of a plugin failed, where it did.
    pub fn reload_error(&self, name: &str) -> Option<String> {
        self.reload_failure(name).map(|(reason, _)| reason)
    }

    /// The same, and what helps, where that is not to try again.
    pub fn reload_failure(&self, name: &str) -> Option<(String, Option<String>)> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.get(name).map(|failure| (failure.reason.clone(), failure.hint.clone()))
    }

    /// What failed before has come about otherwise.
    pub(super) fn forget_failure(&self, name: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    fn is_changed(
        &self,
        name: &str,
        before: &Setup,
        fresh: &Setup,
        is_same: fn(&Installed, &Installed) -> bool,
    ) -> bool {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = failures.get(name).and_then(|failure| failure.tried.as_ref());
        match (tried.or_else(|| before.plugins.get(name)), fresh.plugins.get(name)) {
            (Some(before), Some(fresh)) => !is_same(before, fresh),
            (before, fresh) => before.is_some() != fresh.is_some(),
        }
    }

    /// As [`Daemon::change`], and asks those that `starts` names what they offer. Tells of each plugin how it went.
    async fn bring_up(
        &self,
        fresh: Setup,
        names: Vec<String>,
        starts: impl Fn(&Installed) -> bool,
    ) -> Vec<(String, Error)> {
        let tried = fresh.plugins.clone();
        let mut failed = self.change(fresh, &names).await;
        let setup = self.setup();
        let taken = |name: &&String| {
            let enabled = |one: &Arc<Installed>| one.may_run() && starts(one);
            failed.iter().all(|(one, _)| one != *name) && setup.plugins.get(*name).is_some_and(enabled)
        };
        let asked = names.iter().filter(taken).map(async |name| (name, self.describe(name).await));
        let unable = join_all(asked).await.into_iter().filter_map(|(name, asked)| {
            let mut error = asked.err()?;
            error.message = format!("`{name}` was reloaded and does not start: {}", error.message);
            Some((name.clone(), error))
        });
        failed.extend(unable.collect::<Vec<_>>());
        self.agent.learn();
        for name in names {
            self.tell(&name, &failed, tried.get(&name));
        }
        failed
    }

    /// Remembers and publishes how the reload of a plugin went.
    fn tell(&self, name: &str, failed: &[(String, Error)], tried: Option<&Arc<Installed>>) {
        let error = failed.iter().find(|(one, _)| one == name).map(|(_, error)| error);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match error {
            Some(error) => {
                // Who may not run is not helped by trying: a person has to agree, or to mend it.
                let hint = error.hint().filter(|_| error.code == ErrorCode::PLUGIN_UNAVAILABLE);
                let (reason, hint) = (error.message.clone(), hint.map(str::to_owned));
                failures.insert(name.to_owned(), Failure { reason, hint, tried: tried.cloned() });
            }
            None => drop(failures.remove(name)),
        }
        drop(failures);
        if tried.is_some() {
            let error = error.map(|error| error.message.clone());
            self.router.publish(Event::Reloaded { plugin: name.into(), error });
        }
    }

    /// Brings the named plugins to what `fresh` has of them. Gives those that stay as they were, and why.
    ///
    /// Plugins that may run for want of these no more, or may again, are brought there too.
    pub(super) async fn change(&self, fresh: Setup, names: &[String]) -> Vec<(String, Error)> {
        let before = self.setup();
        let others = fresh.order.iter().filter(|name| !names.contains(name)).filter(|name| {
            let both = before.plugins.get(*name).zip(fresh.plugins.get(*name));
            both.is_some_and(|(old, new)| (old.lacks || new.lacks) && old.differs_in_admission(new))
        });
        let names: Vec<&String> = names.iter().chain(others).collect();
        let brought = names.iter().map(async |name| {
            let (old, new) = (before.plugins.get(*name), fresh.plugins.get(*name));
            self.bring(name, old.map(|old| &**old), new.map(|new| &**new)).await
        });
        let outcomes = join_all(brought).await;
        let mut plugins: BTreeMap<_, _> = before.plugins.clone();
        let mut failed = Vec::new();
        for (name, outcome) in names.into_iter().zip(outcomes) {
            match (outcome, fresh.plugins.get(name)) {
                (Err(error), _) => failed.push((name.clone(), error)),
                (Ok(()), Some(new)) => _ = plugins.insert(name.clone(), new.clone()),
                (Ok(()), None) => _ = plugins.remove(name),
            }
        }
        self.agent.set_thresholds(thresholds(&fresh.config));
        self.router.set_default_provider(fresh.config.providers.default.clone());
        self.set_setup(Setup { plugins, ..fresh });
        self.agent.learn();
        self.unknown.notify_one();
        failed
    }

    /// From one version to another; an error leaves the old one.
    async fn bring(&self, name: &str, old: Option<&Installed>, new: Option<&Installed>) -> Result<(), Error> {
        let Some(new) = new else {
            self.remove(name, old).await;
            return Ok(());
        };
        let Ok(plugin) = self.router.plugin(name) else {
            self.add(new);
            return Ok(());
        };
        match &new.spec.admission {
            Admission::Blocked { reason, hint }
                if new.misfit.is_some() && old.is_some_and(Installed::may_run) =>
            {
                let message = format!("`{name}` keeps the settings that it has: {reason}");
                let error = Error::new(ErrorCode::INVALID_SETTINGS, message);
                return Err(error.with_plugin(name).with_hint(hint));
            }
            Admission::Blocked { .. } if new.lacks => {
                plugin.supervisor().admit(new.spec.admission.clone()).await;
            }
            Admission::Blocked { reason, hint } if plugin.supervisor().session().is_some() => {
                let message = format!("`{name}` was not reloaded, the version before goes on: {reason}");
                let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message);
                return Err(error.with_plugin(name).with_hint(hint));
            }
            // What may not run any more is gone when this returns.
            Admission::Disabled { .. } => plugin.forbid(new.spec.admission.clone()).await,
            _ => {}
        }
        match old.is_some_and(|old| old.differs_in_settings(new)) {
            true => self.router.set_settings(name, new.known(), new.spec.clone()).await,
            false if old.is_some_and(|old| old.is_reconfigured(new)) => {
                self.router.reconfigure(name, new.known(), new.spec.clone()).await
            }
            false => self.router.reload(name, new.known(), new.spec.clone()).await,
        }
    }

    pub(super) fn add(&self, new: &Installed) {
        self.router.add(&new.entry.name, new.known(), |host| Supervisor::start(new.spec.clone(), host));
    }

    async fn remove(&self, name: &str, old: Option<&Installed>) {
        if let Some(plugin) = self.router.remove(name) {
            plugin.stop("its folder is gone").await;
            // Its end was counted, too.
            self.router.metrics().forget(name);
        }
        let folder = old.map(|old| old.entry.folder.display().to_string()).unwrap_or_default();
        let reason = removed(name, &folder).message;
        self.router.publish(Event::Removed { plugin: name.into(), reason });
    }
}

fn removed(name: &str, folder: &str) -> Error {
    let message = format!("there is no plugin `{name}` any more in `{folder}`; it was stopped and removed");
    Error::new(ErrorCode::PLUGIN_NOT_FOUND, message)
}
