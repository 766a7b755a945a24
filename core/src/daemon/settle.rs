//! A plugin's settings: what the person said in all places, held against the schema of the manifest or the code.

use std::{collections::BTreeMap, path::PathBuf};

use astros_protocol::{Error, Extra, PluginDescription, manifest::Manifest};
use serde_json::Value;

use super::{
    Daemon,
    config::own_settings,
    internal,
    setup::Installed,
    specs::{Looks, Maker},
    text_variables,
};
use crate::{
    registry::{Entry, Status},
    services::{
        settings::{self, Claims, Override, Setting, SettingsError, Settled, Sources},
        storage::SetByCommand,
    },
    supervisor::{Secrets, Spec},
};

/// What was said of one plugin's settings outside of `astros.yaml`.
#[derive(Clone)]
pub(super) struct Given {
    /// By the environment.
    pub overrides: Vec<Override>,
    /// By `astros settings set`.
    pub commands: BTreeMap<String, Value>,
    /// In the plugin's own file; or why that cannot be read.
    own: Result<BTreeMap<String, Setting>, String>,
}

impl Maker<'_> {
    /// What is said of one plugin.
    pub(super) fn given(&self, name: &str, overrides: Vec<Override>, commands: &SetByCommand) -> Given {
        let own = own_settings(&self.own_file(name)).map_err(|error| error.to_string());
        Given { overrides, commands: commands.get(name).cloned().unwrap_or_default(), own }
    }

    fn own_file(&self, name: &str) -> PathBuf {
        self.base.paths.own_config(name)
    }

    /// A plugin's settings, held against the schema that there is, and why they do not fit where that is so. What only its
    /// code says (a schema, that it needs to be configured) is known where it was asked already.
    pub(super) fn settings(
        &self,
        entry: &Entry,
        given: &Given,
        description: Option<&PluginDescription>,
    ) -> (Settled, Option<SettingsError>) {
        self.try_settings(entry, given, description).unwrap_or_else(|error| (Settled::default(), Some(error)))
    }

    /// Errors where nobody can tell what is set.
    fn try_settings(
        &self,
        entry: &Entry,
        given: &Given,
        description: Option<&PluginDescription>,
    ) -> Result<(Settled, Option<SettingsError>), SettingsError> {
        let schema = schema(entry, description);
        let Some(Manifest { configuration, .. }) = &entry.manifest else { return Ok(Default::default()) };
        let plugin = || entry.name.clone();
        let own = given.own.as_ref();
        let own = own.map_err(|reason| SettingsError::File { plugin: plugin(), reason: reason.clone() })?;
        let names = settings::secret_names(schema.map(|(schema, _)| schema));
        let secrets = self.secrets.of(&entry.name, &names).map_err(|error| SettingsError::Secrets {
            plugin: plugin(),
            reason: error.to_string(),
            hint: error.hint(),
        })?;
        let nothing = BTreeMap::new();
        let own_file = self.own_file(&entry.name);
        let sources = Sources {
            plugin: &entry.name,
            configuration,
            schema,
            defaults: &entry.defaults,
            requires_config: description.is_some_and(|described| described.requires_config),
            own_file: (&own_file, own),
            configured: self.config.plugin(&entry.name).map_or(&nothing, |own| &own.settings),
            file: &self.config.path,
            commands: &given.commands,
            secrets: &secrets,
            environment: &given.overrides,
        };
        Ok(match settings::resolve(&sources) {
            Ok(settled) => (settled, None),
            Err(misfit) => (settings::merged(&sources), Some(misfit)),
        })
    }
}

impl Daemon {
    /// A plugin's settings for one run by a person, and what of them is secret, where their environment sets others than
    /// the daemon's.
    ///
    /// # Errors
    /// What it sets does not fit.
    pub(super) async fn settings_by(
        &self,
        name: &str,
        environment: &[(String, String)],
    ) -> Result<Option<(Extra, Secrets)>, Error> {
        let mut variables: BTreeMap<_, _> = text_variables(&self.base.options.environment).collect();
        let is_other = |(name, text): &&(String, String)| {
            settings::may_set(name) && variables.get(name).is_none_or(|own| own != text)
        };
        let others: Vec<_> = environment.iter().filter(is_other).cloned().collect();
        if others.is_empty() {
            return Ok(None);
        }
        variables.extend(others);
        let setup = self.setup();
        let Some(installed) = setup.plugins.get(name).cloned() else { return Ok(None) };
        let entries = || takers(setup.plugins.values().map(|one| &one.entry));
        let names = entries().map(|entry| &*entry.name);
        let claims = claims(entries());
        let overrides = settings::overrides(names, &claims, variables);
        let overrides = overrides.of.get(name).cloned().unwrap_or_default();
        if overrides == installed.given.overrides {
            return Ok(None);
        }
        let (base, setup) = (self.base.clone(), setup.clone());
        let settled = tokio::task::spawn_blocking(move || {
            let secrets = base.secrets();
            let maker =
                Maker { base: &base, config: &setup.config, secrets: &secrets.read(), looks: &Looks::All };
            let Installed { entry, given, description, spec, .. } = &*installed;
            let (given, described) = (Given { overrides, ..given.clone() }, description.as_deref());
            let (settled, misfit) = maker.settings(entry, &given, described);
            misfit.map_or(Ok(()), Err)?;
            let spec = Spec { settings: settled.settings, ..spec.clone() };
            let secrets = maker.hidden(entry, described, &given.overrides, &claims, &spec);
            Ok::<_, Error>((spec.settings, secrets))
        });
        settled.await.map_err(internal)?.map(Some)
    }
}

/// The schema that holds and where it comes from: the manifest's, else the one that the code declares.
pub(super) fn schema<'a>(
    entry: &'a Entry,
    description: Option<&'a PluginDescription>,
) -> Option<(&'a Value, &'a str)> {
    let own = entry.settings_schema.as_ref().map(|schema| (&schema.value, &*schema.origin));
    own.or_else(|| Some((description?.settings_schema.as_ref()?, "its code")))
}

/// The plugins that the environment may speak of: one that waits to be enabled takes nothing from others.
pub(super) fn takers<'a>(entries: impl Iterator<Item = &'a Entry>) -> impl Iterator<Item = &'a Entry> {
    entries.filter(|entry| !matches!(entry.status, Status::Disabled { .. }))
}

/// The variables that hold what their schemas call secret.
pub(super) fn claims<'a>(takers: impl Iterator<Item = &'a Entry>) -> Claims {
    let secrets =
        |entry: &Entry| settings::secret_names(entry.settings_schema.as_ref().map(|schema| &schema.value));
    let mut claims = Claims::new();
    for entry in takers {
        for key in secrets(entry) {
            claims.entry(settings::variable(&entry.name, &key)).or_default().push(entry.name.clone());
        }
    }
    claims
}
