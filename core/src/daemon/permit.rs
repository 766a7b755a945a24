//! What a person lets plugins do: enabled and disabled, permissions granted and revoked; at once, and remembered.

use std::{path::PathBuf, sync::Arc};

use astros_protocol::{
    Error, ErrorCode, PluginDescription,
    manifest::{FilePaths, Permission},
};

use super::{
    Daemon,
    grants::{Asks, Wish},
    listing::version,
    setup::{Installed, Setup},
    specs::Looks,
};
use crate::{
    registry::{DISABLED, Status, WAITS},
    router::errors,
    services::audit::{Event, Kind},
    supervisor::{Admission, expand},
};

impl Daemon {
    /// What a plugin may do and what it asks for, as it is on disk now.
    ///
    /// # Errors
    /// There is no such plugin, or something is wrong with it so that it cannot be enabled.
    pub async fn permissions(&self, name: &str) -> Result<Asks, Error> {
        let installed = self.on_disk(name).await?;
        if let Status::Blocked { reason, hint } = &installed.entry.status {
            let message = format!("`{name}` cannot be enabled: {reason}");
            return Err(Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(name).with_hint(hint));
        }
        let before = self.before(&installed).await;
        Ok(Asks { before, ..asks(&installed) })
    }

    /// Where a plugin of this name was enabled before, where that was in another folder.
    async fn before(&self, installed: &Installed) -> Option<PathBuf> {
        let known = self.store.places().await.ok()?.remove(&installed.entry.name)?;
        (known != installed.entry.place()).then_some(known)
    }

    /// What a plugin asks for that waits for a person to agree: to be enabled at all, or to more than before.
    pub async fn waiting(&self, name: &str) -> Option<Asks> {
        let installed = self.on_disk(name).await.ok()?;
        if !installed.waits() {
            return None;
        }
        let before = self.before(&installed).await;
        Some(Asks { before, ..asks(&installed) })
    }

    /// The plugins that nobody enabled yet.
    pub fn waiting_names(&self) -> Vec<String> {
        let waits = |reason: &str| reason == WAITS;
        let setup = self.setup();
        let waiting = setup
            .plugins
            .values()
            .filter(|one| matches!(&one.entry.status, Status::Disabled { reason } if waits(reason)));
        waiting.map(|one| one.entry.name.clone()).collect()
    }

    /// Lets a plugin run with what it asks for; of that only what is in `agreed`, where that is given. One that runs
    /// so already is left alone.
    ///
    /// # Errors
    /// It asks for more than was agreed to, and does not run.
    pub async fn enable(&self, name: &str, agreed: Option<Vec<Permission>>) -> Result<(), Error> {
        // One that waits behind a bundled plugin of its name is meant, too.
        let installed = self.as_on_disk(name, Some(name)).await?;
        let serves = self.installed(name).is_ok_and(|serving| serving.is_same(&installed));
        if serves && asks(&installed).enabled {
            return self.may_run(name);
        }
        self.store.settle(name, &installed.entry.place()).await?;
        let mut missing = self.on_disk(name).await?.grants.missing.clone();
        if let Some(agreed) = agreed {
            missing.retain(|wanted| wanted.is_covered(&agreed));
        }
        self.store.decide(name, missing.clone(), true).await?;
        self.note(Kind::Granted, name, &missing);
        self.set_enabled(name, true).await?;
        match self.installed(name)?.grants.missing.is_empty() {
            true => Ok(()),
            false => self.may_run(name),
        }
    }

    /// Lets a plugin run, or stops it, at once, and remembers it.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<(), Error> {
        self.usable(name)?;
        self.store.set_enabled(name, Some(enabled)).await?;
        let kind = if enabled { Kind::Enabled } else { Kind::Disabled };
        self.audit.record(Event::now(kind, name, "").by(self.user_id()));
        if !enabled {
            // Another change may take its time: who stops a plugin does not wait for that.
            let reason = DISABLED.to_owned();
            self.router.plugin(name)?.forbid(Admission::Disabled { reason }).await;
        }
        self.decided(name).await
    }

    /// Grants permissions, also such that the plugin does not ask for; its process is replaced.
    ///
    /// # Errors
    /// One cannot be granted, `astros.yaml` decides, or the plugin does not start with them: then what was goes on.
    pub async fn grant(&self, name: &str, permissions: Vec<Permission>) -> Result<Vec<Wish>, Error> {
        let installed = self.check_decidable(name).await?;
        for permission in &permissions {
            permission.grantable().map_err(|error| refused(name, error.to_string()))?;
            self.check_not_own(name, permission)?;
        }
        self.store.settle(name, &installed.entry.place()).await?;
        let permissions: Vec<_> = permissions.iter().map(|one| self.at_home(one)).collect();
        self.store.decide(name, permissions.clone(), true).await?;
        self.note(Kind::Granted, name, &permissions);
        self.decided(name).await?;
        Ok(self.installed(name)?.wishes())
    }

    /// Takes permissions from a plugin, all where none is named; its process is replaced.
    ///
    /// # Errors
    /// It does not have one of them, `astros.yaml` decides, or it does not start without them: then it is stopped.
    pub async fn revoke(&self, name: &str, mut permissions: Vec<Permission>) -> Result<Vec<Wish>, Error> {
        let installed = self.check_decidable(name).await?;
        let grants = installed.grants.clone();
        permissions.iter_mut().for_each(|one| *one = self.at_home(one));
        if permissions.is_empty() {
            permissions = [grants.granted.clone(), grants.missing.clone()].concat();
            permissions.retain(|one| *one != Permission::Storage);
        } else {
            for permission in &permissions {
                let checked = grants.check_revocable(name, permission);
                checked.map_err(|words| not_revocable(name, permission, words, &grants.granted))?;
            }
        }
        // What was granted beyond what the plugin asks for is taken back, and nothing that it asks for with it.
        let declared = installed.entry.manifest.as_ref().map(|manifest| manifest.permissions.clone());
        let atoms = |all: &[Permission]| {
            all.iter().flat_map(Permission::atoms).map(|one| self.at_home(&one)).collect::<Vec<_>>()
        };
        let declared = atoms(&declared.unwrap_or_default());
        let (asked, more) = atoms(&permissions)
            .into_iter()
            .partition::<Vec<_>, _>(|one| declared.contains(one) || !grants.granted.contains(one));
        // As it was written when it was granted: a home may stand there by its path.
        let decided = self.store.decisions().await?.remove(name).unwrap_or_default();
        let more =
            decided.into_iter().map(|one| one.permission).filter(|one| more.contains(&self.at_home(one)));
        self.store.forget(name, more.collect()).await?;
        self.store.decide(name, asked, false).await?;
        // What is at work ends: it would go on with what it no longer may.
        let reason = "its permissions were revoked".to_owned();
        let plugin = self.router.plugin(name)?;
        let ran = plugin.supervisor().session().is_some();
        plugin.forbid(Admission::Disabled { reason }).await;
        self.note(Kind::Revoked, name, &permissions);
        let mut begun = self.decided(name).await;
        if begun.is_ok() && ran {
            begun = self.router.plugin(name)?.supervisor().ready().await.map(drop);
        }
        if let Err(error) = begun {
            let (reason, hint) =
                (error.message.clone(), format!("`astros plugins reload {name}` tries again"));
            self.router.plugin(name)?.supervisor().admit(Admission::Blocked { reason, hint }).await;
            return Err(error);
        }
        Ok(self.installed(name)?.wishes())
    }

    /// Brings a plugin to what was decided.
    async fn decided(&self, name: &str) -> Result<(), Error> {
        let _alone = self.changing.lock().await;
        // With the configuration as it is: who stops a plugin need not mend `astros.yaml` first.
        let config = self.setup().config.clone();
        let fresh = Setup::read(&self.base, config, &self.store).await?;
        let failed = self.change(fresh, &[name.to_owned()]).await;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(error);
        }
        self.forget_failure(name);
        Ok(())
    }

    /// A plugin as it is on disk now: a version that wants more is not taken over before it may.
    pub(super) async fn on_disk(&self, name: &str) -> Result<Arc<Installed>, Error> {
        self.as_on_disk(name, None).await
    }

    /// The same as if a command had enabled a plugin.
    async fn as_on_disk(&self, name: &str, enabled: Option<&str>) -> Result<Arc<Installed>, Error> {
        let config = self.setup().config.clone();
        let fresh = Setup::read_as(&self.base, config, &self.store, enabled, Looks::All).await?;
        let names = fresh.plugins.keys().map(String::as_str);
        fresh.plugins.get(name).cloned().ok_or_else(|| errors::plugin_not_found(name, names))
    }

    /// A plugin whose permissions a command may change.
    async fn check_decidable(&self, name: &str) -> Result<Arc<Installed>, Error> {
        let installed = self.on_disk(name).await?;
        let config = &self.setup().config;
        if config.plugin(name).is_some_and(|own| own.permissions.is_some()) {
            let file = config.path.display();
            let words = format!("`plugins.{name}.permissions` in `{file}` says all that `{name}` may do");
            return Err(refused(name, words).with_hint("change or remove it there, then reload the plugin"));
        }
        Ok(installed)
    }

    /// No grant reaches AstrOS's own folders: who names one of them is not to think that it does.
    fn check_not_own(&self, name: &str, permission: &Permission) -> Result<(), Error> {
        let Permission::FileSystem(Some(FilePaths { read, write })) = permission else { return Ok(()) };
        let home = self.base.home();
        let real = |path: PathBuf| path.canonicalize().unwrap_or(path);
        let own: Vec<PathBuf> = self.base.paths.hidden(home.as_deref()).into_iter().map(real).collect();
        let is_own = |path: &&String| {
            let path = expand(path, home.as_deref()).map(real);
            path.is_some_and(|path| own.iter().any(|own| path.starts_with(own)))
        };
        match read.iter().chain(write).find(is_own) {
            Some(path) => Err(refused(name, format!("`{path}` is AstrOS's own: no plugin may be let in"))),
            None => Ok(()),
        }
    }

    fn at_home(&self, permission: &Permission) -> Permission {
        self.base.home().map_or_else(|| permission.clone(), |home| permission.at_home(&home))
    }

    fn note(&self, kind: Kind, name: &str, permissions: &[Permission]) {
        for atom in permissions.iter().flat_map(Permission::atoms) {
            self.audit.record(Event::now(kind, name, atom.to_string()).by(self.user_id()));
        }
    }
}

impl Installed {
    /// Whether it waits for a person to agree: to be enabled at all, or to more than before.
    pub(super) fn waits(&self) -> bool {
        match &self.entry.status {
            Status::Ok => self.grants.refusal(&self.entry.name).is_some(),
            Status::Disabled { reason } => reason == WAITS,
            Status::Blocked { .. } => false,
        }
    }
}

fn asks(installed: &Installed) -> Asks {
    let (entry, grants) = (&installed.entry, &installed.grants);
    let manifest = entry.manifest.as_ref();
    let has = |described: &PluginDescription| !described.commands.is_empty();
    Asks {
        name: entry.name.clone(),
        version: version(manifest, installed.description.as_deref()),
        author: manifest.and_then(|manifest| manifest.metadata.author.clone()),
        enabled: entry.status == Status::Ok && grants.refusal(&entry.name).is_none(),
        wishes: installed.wishes(),
        commands: installed.description.as_deref().is_none_or(has),
        before: None,
    }
}

fn not_revocable(name: &str, wanted: &Permission, words: String, granted: &[Permission]) -> Error {
    let error = refused(name, words);
    if *wanted == Permission::Storage {
        return error;
    }
    let has: Vec<String> = granted.iter().map(ToString::to_string).collect();
    let near = errors::nearest(&wanted.to_string(), has.iter().map(String::as_str))
        .map(|near| format!("did you mean `{near}`? "))
        .unwrap_or_default();
    error.with_hint(format!("{near}`astros plugins show {name}` lists what it has"))
}

fn refused(name: &str, words: String) -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, words).with_plugin(name)
}
