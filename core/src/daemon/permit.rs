//! What a person lets plugins do: enabled and disabled, permissions granted and revoked; at once, and remembered.

use std::sync::Arc;

use astros_protocol::{Error, ErrorCode, manifest::Permission};

use super::{
    Daemon,
    grants::Wish,
    setup::{Installed, Setup},
};
use crate::{
    registry::{DISABLED, Status},
    router::errors,
    services::audit::{Event, Kind},
    supervisor::Admission,
};

impl Daemon {
    /// What a plugin may do and what it asks for, as it is on disk now.
    ///
    /// # Errors
    /// There is no such plugin, or something is wrong with it so that it cannot be enabled.
    pub async fn permissions(&self, name: &str) -> Result<Vec<Wish>, Error> {
        let installed = self.on_disk(name).await?;
        if let Status::Blocked { reason, hint } = &installed.entry.status {
            let message = format!("`{name}` cannot be enabled: {reason}");
            return Err(Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(name).with_hint(hint));
        }
        Ok(installed.grants.wishes())
    }

    /// Lets a plugin run with what it asks for; of that only what is in `agreed`, where that is given.
    ///
    /// # Errors
    /// It asks for more than was agreed to, and does not run.
    pub async fn enable(&self, name: &str, agreed: Option<Vec<Permission>>) -> Result<(), Error> {
        self.settle(name, Some(name)).await?;
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
            self.router.plugin(name)?.supervisor().admit(Admission::Disabled { reason }).await;
        }
        self.decided(name).await
    }

    /// Grants permissions, also such that the plugin does not ask for; its process is replaced.
    ///
    /// # Errors
    /// One cannot be granted, `astros.yaml` decides, or the plugin does not start with them: then what was goes on.
    pub async fn grant(&self, name: &str, permissions: Vec<Permission>) -> Result<Vec<Wish>, Error> {
        self.check_decidable(name).await?;
        for permission in &permissions {
            permission.grantable().map_err(|error| refused(name, error.to_string()))?;
        }
        self.settle(name, None).await?;
        self.store.decide(name, permissions.clone(), true).await?;
        self.note(Kind::Granted, name, &permissions);
        self.decided(name).await?;
        Ok(self.installed(name)?.grants.wishes())
    }

    /// Takes permissions from a plugin, all where none is named; its process is replaced.
    ///
    /// # Errors
    /// It does not have one of them, `astros.yaml` decides, or it does not start without them: then it is stopped.
    pub async fn revoke(&self, name: &str, mut permissions: Vec<Permission>) -> Result<Vec<Wish>, Error> {
        let installed = self.check_decidable(name).await?;
        let grants = installed.grants.clone();
        if permissions.is_empty() {
            permissions = [grants.granted.clone(), grants.missing.clone()].concat();
            permissions.retain(|one| *one != Permission::Storage);
        } else {
            for permission in &permissions {
                let checked = grants.check_revocable(name, permission);
                checked.map_err(|words| {
                    let has: Vec<String> = grants.granted.iter().map(ToString::to_string).collect();
                    let near = errors::nearest(&permission.to_string(), has.iter().map(String::as_str))
                        .map(|near| format!("did you mean `{near}`? "))
                        .unwrap_or_default();
                    refused(name, words)
                        .with_hint(format!("{near}`astros plugins show {name}` lists what it has"))
                })?;
            }
        }
        // What was granted beyond what the plugin asks for is taken back, and nothing that it asks for with it.
        let declared = installed.entry.manifest.as_ref().map(|manifest| manifest.permissions.clone());
        let declared: Vec<_> = declared.iter().flatten().flat_map(Permission::atoms).collect();
        let (asked, more) = permissions.iter().flat_map(Permission::atoms).partition::<Vec<_>, _>(|one| {
            declared.contains(one) || !grants.granted.contains(&self.at_home(one))
        });
        self.store.forget(name, more).await?;
        self.store.decide(name, asked, false).await?;
        // What is at work ends: it would go on with what it no longer may.
        let reason = "its permissions were revoked".to_owned();
        let before = self.router.plugin(name)?.supervisor();
        let ran = before.session().is_some();
        before.admit(Admission::Disabled { reason }).await;
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
        Ok(self.installed(name)?.grants.wishes())
    }

    /// What is allowed next is allowed to the plugin as it is on disk now, or would be if it were enabled; what was to
    /// another of its name is forgotten.
    async fn settle(&self, name: &str, enabled: Option<&str>) -> Result<(), Error> {
        let config = self.setup().config.clone();
        let fresh = Setup::read_as(&self.base, config, &self.store, enabled).await?;
        match fresh.plugins.get(name) {
            Some(installed) => self.store.settle(name, &installed.entry.place()).await,
            None => Err(errors::plugin_not_found(name, fresh.plugins.keys().map(String::as_str))),
        }
    }

    /// Brings a plugin to what was decided.
    async fn decided(&self, name: &str) -> Result<(), Error> {
        let _alone = self.changing.lock().await;
        // With the configuration as it is: who stops a plugin need not mend `astros.yaml` first.
        let config = self.setup().config.clone();
        let fresh = Setup::read(&self.base, config, &self.store).await?;
        let failed = self.change(fresh, &[name.to_owned()]).await;
        failed.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// A plugin as it is on disk now: a version that wants more is not taken over before it may.
    async fn on_disk(&self, name: &str) -> Result<Arc<Installed>, Error> {
        let config = self.setup().config.clone();
        let fresh = Setup::read(&self.base, config, &self.store).await?;
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

    fn at_home(&self, permission: &Permission) -> Permission {
        self.base.home().map_or_else(|| permission.clone(), |home| permission.at_home(&home))
    }

    fn note(&self, kind: Kind, name: &str, permissions: &[Permission]) {
        for atom in permissions.iter().flat_map(Permission::atoms) {
            self.audit.record(Event::now(kind, name, atom.to_string()).by(self.user_id()));
        }
    }
}

fn refused(name: &str, words: String) -> Error {
    Error::new(ErrorCode::INVALID_PARAMS, words).with_plugin(name)
}
