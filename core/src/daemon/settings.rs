//! `astros settings`: what each plugin is set to and why, and what a person sets by command.

use astros_protocol::{Error, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Daemon,
    settle::schema,
    setup::{Installed, Setup},
};
use crate::{
    registry::{Entry, Status},
    router::errors,
    services::settings,
};

/// A plugin's settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginSettings {
    pub plugin: String,
    /// In the order of the schema, then of the defaults; empty where they cannot be told.
    pub settings: Vec<ShownSetting>,
    /// Why they do not fit, were not taken, or are not known.
    pub problem: Option<String>,
    /// What helps.
    pub hint: Option<String>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShownSetting {
    pub name: String,
    /// `***` where it is secret; null where it is not set.
    pub value: Value,
    /// Where it comes from, for people; none where it is not set.
    pub source: Option<String>,
    /// Whether a person may set it.
    pub configurable: bool,
    pub secret: bool,
    /// What the schema says about it.
    pub description: Option<String>,
}

impl Daemon {
    /// What plugins are set to, by name: of this one, or of all that have settings. One whose schema is in its code alone
    /// and was never asked is started.
    ///
    /// # Errors
    /// There is no such plugin.
    pub async fn settings(&self, name: Option<&str>) -> Result<Vec<PluginSettings>, Error> {
        let Some(name) = name else {
            let setup = self.setup();
            let all = setup.plugins.values().map(|installed| self.shown_settings(installed));
            return Ok(all.filter(|one| !one.settings.is_empty() || one.problem.is_some()).collect());
        };
        let unasked = self.learn_schema(name).await.err();
        let mut shown = self.shown_settings(self.installed(name)?.as_ref());
        if let Some(error) = unasked.filter(|_| shown.settings.is_empty() && shown.problem.is_none()) {
            shown.hint = error.hint().map(str::to_owned);
            shown.problem = Some(format!("its settings are known once it was asked: {}", error.message));
        }
        Ok(vec![shown])
    }

    /// Sets one of a plugin's settings, typed as its schema says; kept in the database, and given to the plugin at once.
    ///
    /// What did not fit before, and is another setting, is told as its problem.
    ///
    /// # Errors
    /// It does not fit, or may not be changed; or the plugin refuses it. Then it stays as it was.
    pub async fn set_setting(&self, name: &str, key: &str, text: &str) -> Result<PluginSettings, Error> {
        // Where it does not start, its manifest has to do.
        let _ = self.learn_schema(name).await;
        let installed = self.installed(name)?;
        if let Some((reason, hint)) = unread(&installed.entry) {
            return Err(Error::new(ErrorCode::INVALID_SETTINGS, reason).with_plugin(name).with_hint(hint));
        }
        let value = self.typed(&installed, key, text)?;
        let _alone = self.changing.lock().await;
        self.store.set_setting(name, key, Some(&value)).await?;
        let fresh = self.fresh().await?;
        let misfit = fresh.plugins.get(name).and_then(|one| one.misfit.clone());
        let changed = match misfit.and_then(|misfit| misfit.caused_by(key, installed.misfit.as_ref())) {
            Some(misfit) => {
                let error = Error::from(misfit);
                let is_refused = fresh.plugins.get(name).is_some_and(|one| comes_by_command(one, key));
                // Nothing is set that could be forgotten.
                Err(if is_refused { error.with_hint(what_it_is(name)) } else { error })
            }
            None => self.bring_settings(fresh, name).await,
        };
        if let Err(error) = changed {
            // As it was.
            self.store.set_setting(name, key, installed.given.commands.get(key)).await?;
            return Err(error);
        }
        Ok(shown(self.installed(name)?.as_ref(), None))
    }

    /// Forgets what a command set. Where the plugin cannot do without it, that is told as its problem.
    ///
    /// # Errors
    /// No command set it.
    pub async fn unset_setting(&self, name: &str, key: &str) -> Result<PluginSettings, Error> {
        let installed = self.installed(name)?;
        if !installed.given.commands.contains_key(key) {
            let place = installed.places.get(key).map(|place| format!("; it comes from {place}"));
            let message = format!("no command set `{key}` of `{name}`{}", place.unwrap_or_default());
            let error = Error::new(ErrorCode::INVALID_PARAMS, message).with_plugin(name);
            return Err(error.with_hint(format!("`astros settings show {name}` says where each comes from")));
        }
        let _alone = self.changing.lock().await;
        self.store.set_setting(name, key, None).await?;
        let fresh = self.fresh().await?;
        let Some(without) = fresh.plugins.get(name).cloned() else { return Ok(shown(&installed, None)) };
        let refused = self.bring_settings(fresh, name).await.err();
        Ok(shown(&without, refused.map(|error| error.message)))
    }

    /// Holds all that is on disk now against the schemas; gives those whose settings do not fit.
    ///
    /// # Errors
    /// `astros.yaml` cannot be read; there is no such plugin.
    pub async fn check_settings(&self, name: Option<&str>) -> Result<Vec<PluginSettings>, Error> {
        let fresh = Setup::read(&self.base, self.base.config()?, &self.store).await?;
        if let Some(name) = name {
            let names = fresh.plugins.keys().map(String::as_str);
            fresh.plugins.get(name).ok_or_else(|| errors::plugin_not_found(name, names))?;
        }
        let wanted = fresh.plugins.values().filter(|one| name.is_none_or(|name| one.entry.name == name));
        Ok(wanted.map(|one| shown(one, None)).filter(|one| one.problem.is_some()).collect())
    }

    fn shown_settings(&self, installed: &Installed) -> PluginSettings {
        let failed = self.reload_error(&installed.entry.name);
        shown(installed, failed)
    }

    /// What only the code says is known after it was asked once.
    ///
    /// # Errors
    /// It could not be asked.
    async fn learn_schema(&self, name: &str) -> Result<(), Error> {
        let is_known = self.installed(name)?.entry.settings_schema.is_some();
        if is_known || self.router.plugin(name)?.description().is_some() {
            return Ok(());
        }
        self.describe(name).await?;
        // With what it said its defaults are known as well.
        let _alone = self.changing.lock().await;
        if let Ok(fresh) = Setup::read(&self.base, self.setup().config.clone(), &self.store).await {
            self.change(fresh, &[name.to_owned()]).await;
        }
        Ok(())
    }

    fn typed(&self, installed: &Installed, key: &str, text: &str) -> Result<Value, Error> {
        let name = &installed.entry.name;
        let refuse = |words: String, hint: String| {
            Err(Error::new(ErrorCode::INVALID_SETTINGS, words).with_plugin(name).with_hint(hint))
        };
        if installed.spec.secrets.settings.iter().any(|secret| secret == key) {
            return refuse(
                format!("`{key}` of `{name}` is a secret"),
                format!("`astros secrets set {name} {key}` keeps it where nobody else reads it"),
            );
        }
        let configuration = installed.entry.manifest.as_ref().map(|manifest| &manifest.configuration);
        if let Some(configuration) = configuration
            && !settings::is_configurable(configuration, key)
        {
            let free = configuration.user_configurable.join("`, `");
            let what = format!("`{key}` of `{name}` may not be changed, expected one of `{free}`");
            return refuse(what, format!("`astros settings show {name}` lists them"));
        }
        let known = shown(installed, None).settings;
        let names = || known.iter().map(|one| &*one.name);
        if !known.is_empty() && !names().any(|one| one == key) {
            let near = errors::nearest(key, names()).map(|near| format!("did you mean `{near}`? "));
            let what = format!("`{name}` has no setting `{key}`");
            return refuse(
                what,
                format!("{}`astros settings show {name}` lists them", near.unwrap_or_default()),
            );
        }
        let schema = schema(&installed.entry, installed.description.as_deref());
        let property = schema.and_then(|(schema, _)| schema.get("properties")?.get(key));
        settings::typed(text, property, installed.spec.settings.get(key)).or_else(|expected| {
            refuse(format!("`{key}` of `{name}` is `{}`, {expected}", text.escape_debug()), what_it_is(name))
        })
    }

    /// With the configuration as it is: who sets something by command need not mend `astros.yaml` first.
    async fn fresh(&self) -> Result<Setup, Error> {
        Setup::read(&self.base, self.setup().config.clone(), &self.store).await
    }

    async fn bring_settings(&self, fresh: Setup, name: &str) -> Result<(), Error> {
        match self.change(fresh, &[name.to_owned()]).await.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

fn comes_by_command(installed: &Installed, key: &str) -> bool {
    installed.places.get(key).is_some_and(|place| place == settings::BY_COMMAND)
}

fn what_it_is(name: &str) -> String {
    format!("`astros settings show {name}` says what it is now")
}

/// Why nobody knows what settings there are, and what helps: the manifest cannot be read.
fn unread(entry: &Entry) -> Option<(String, String)> {
    match &entry.status {
        _ if entry.manifest.is_some() => None,
        Status::Blocked { reason, hint } => Some((reason.clone(), hint.clone())),
        _ => Some(("its manifest cannot be read".to_owned(), "correct the manifest".to_owned())),
    }
}

fn shown(installed: &Installed, failed: Option<String>) -> PluginSettings {
    let Installed { entry, spec, places, description, .. } = installed;
    let masked = spec.secrets.masked(&spec.settings);
    let schema = schema(entry, description.as_deref()).map(|(schema, _)| schema);
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    let mut names: Vec<&String> = properties.into_iter().flat_map(serde_json::Map::keys).collect();
    names.extend(masked.keys().filter(|name| properties.is_none_or(|all| !all.contains_key(*name))));
    let one = |name: &String| {
        let about = properties.and_then(|all| all.get(name)?.get("description")?.as_str());
        let configuration = entry.manifest.as_ref().map(|manifest| &manifest.configuration);
        ShownSetting {
            name: name.clone(),
            value: masked.get(name).cloned().unwrap_or_default(),
            source: places.get(name).filter(|_| masked.contains_key(name)).cloned(),
            configurable: configuration.is_none_or(|all| settings::is_configurable(all, name)),
            secret: spec.secrets.settings.contains(name),
            description: about.map(str::to_owned),
        }
    };
    let misfit = installed.misfit.as_ref().map(|misfit| (misfit.to_string(), misfit.hint()));
    let (problem, hint) = misfit.or_else(|| unread(entry)).unzip();
    PluginSettings {
        plugin: entry.name.clone(),
        settings: names.into_iter().map(one).collect(),
        problem: problem.or(failed),
        hint,
    }
}
