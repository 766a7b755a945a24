//! What is on disk: configuration and plugins, and what each plugin is started with. Read whole, and swapped whole.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use astros_protocol::{Error, PluginDescription, manifest::Permission};

use super::{
    Options,
    config::{Config, Stamp},
    grants::{Grants, Wish},
    internal, misconfigured, needs,
    paths::Paths,
    settle::Given,
    specs::{Looks, Maker},
};
use crate::{
    registry::{self, Enablement, Entry, Places, Registry, RegistryError},
    router::Known,
    services::{
        secrets::Secrets,
        settings::SettingsError,
        storage::{Decision, Decisions, Descriptions, SetByCommand, Store},
    },
    supervisor::{Admission, Machine, Spec},
};

/// What stays the same while a daemon runs.
pub(super) struct Base {
    pub options: Options,
    pub paths: Paths,
    /// The folder of the Python SDK.
    pub python_sdk: PathBuf,
    /// What can be enforced here.
    pub machine: &'static Machine,
}

/// What was found on disk.
pub(super) struct Setup {
    pub config: Config,
    /// What a person should look at in what they set up, one sentence each.
    pub warnings: Vec<String>,
    /// By name.
    pub plugins: BTreeMap<String, Arc<Installed>>,
    /// Their names, each after those of the plugins that it needs.
    pub order: Vec<String>,
}

/// What the database knows.
pub(super) struct Remembered {
    /// Which plugins commands enabled or disabled.
    by_command: BTreeMap<String, bool>,
    /// Where those are that were enabled or granted something.
    places: BTreeMap<String, PathBuf>,
    /// What a person decided of permissions.
    decisions: Decisions,
    /// What commands set of plugins' settings.
    pub settings: SetByCommand,
    pub descriptions: Descriptions,
}

/// One plugin as it is on disk.
pub(super) struct Installed {
    pub entry: Entry,
    /// What it is started with.
    pub spec: Spec,
    /// What its code looked like; empty where nobody looked.
    pub fingerprint: String,
    /// What it may do.
    pub grants: Grants,
    /// It is blocked, and for nothing but what it needs.
    pub needs: bool,
    /// It may not run for want of something beside it.
    pub lacks: bool,
    /// What was said of its settings.
    pub given: Given,
    /// Where each of them comes from.
    pub places: BTreeMap<String, String>,
    /// Why they do not fit, where they do not: then it is blocked.
    pub misfit: Option<SettingsError>,
    /// What it said that it offers, when its code looked like that.
    pub description: Option<Arc<PluginDescription>>,
}

impl Base {
    /// Makes the folders that are written to, and unpacks the Python SDK where it is not yet.
    pub(super) fn new(options: Options, machine: &'static Machine) -> Result<Base, Error> {
        let paths = options.paths()?;
        for folder in [&paths.data, &paths.cache, &paths.logs] {
            super::paths::create(folder).map_err(misconfigured)?;
        }
        for folder in [&paths.config, &paths.own_configs(), &paths.runtime] {
            // A plugin could make those that are not there, where it may write above them. They may be where nobody
            // can write; then no plugin can either.
            let _ = super::paths::create(folder);
        }
        let python_sdk = options.python_sdk()?;
        Ok(Base { options, paths, python_sdk, machine })
    }

    /// What `~` stands for.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.options.variable("HOME").map(PathBuf::from)
    }

    /// Reads `astros.yaml`.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let stamp = self.stamp();
        let config = Config::read(&self.paths.config_file(), self.home().as_deref());
        Ok(Config { stamp, ..config.map_err(misconfigured)? })
    }

    /// Where the person's secrets are.
    pub(super) fn secrets(&self) -> Secrets {
        Secrets::at(&self.paths.config, &self.options.environment)
    }

    /// The folders of plugins that the environment and `astros.yaml` name.
    pub(super) fn configured(&self, config: &Config) -> Vec<PathBuf> {
        let variable = self.options.variable("ASTROS_PLUGIN_PATH");
        let mut folders = variable.as_deref().map(registry::plugin_path).unwrap_or_default();
        folders.extend(config.plugin_dirs.iter().cloned());
        folders
    }

    /// The folder of the plugins that come with AstrOS.
    pub(super) fn bundled() -> Option<PathBuf> {
        std::env::current_exe().ok().and_then(|exe| registry::bundled_folder(&exe))
    }

    /// What the files of configuration look like now.
    pub(super) fn stamp(&self) -> Stamp {
        [self.paths.config_file(), self.paths.secrets_file(), self.paths.own_configs()].map(|path| {
            let about = path.metadata().ok()?;
            Some((about.modified().ok()?, about.len()))
        })
    }

    fn discover(&self, config: &Config, remembered: &Remembered) -> Result<Registry, Error> {
        let (user, bundled, configured) = (self.paths.plugins(), Base::bundled(), self.configured(config));
        let named = self.options.variable("LOCALAGENT_PLUGINS_ENABLED").unwrap_or_default();
        let named = named.to_string_lossy();
        let named = named.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let places = Places {
            named: &self.options.plugin_dirs,
            configured: &configured,
            development: &self.options.development.folders,
            environments: &config.python_environments,
            user: &user,
            bundled: bundled.as_deref(),
        };
        let in_file =
            config.plugins.iter().filter_map(|(name, plugin)| Some((name.clone(), plugin.enabled?)));
        let in_file = in_file.collect();
        let enablement = Enablement {
            file: &in_file,
            path: &config.path,
            environment: &named,
            commands: &remembered.by_command,
            places: &remembered.places,
        };
        Registry::discover(&places, &enablement).map_err(|error| match error {
            RegistryError::Folder { .. } => misconfigured(error),
        })
    }
}

impl Setup {
    /// Reads what is on disk, plugins with this configuration; without running anything.
    ///
    /// # Errors
    /// A folder of `plugin_dirs` is not there, or the database does not answer.
    pub(super) async fn read(base: &Arc<Base>, config: Config, store: &Store) -> Result<Setup, Error> {
        Setup::read_as(base, config, store, None, Looks::All).await
    }

    /// The same as if a command had enabled this plugin; with a look at the code of these only.
    pub(super) async fn read_as(
        base: &Arc<Base>,
        config: Config,
        store: &Store,
        enabled: Option<&str>,
        looks: Looks,
    ) -> Result<Setup, Error> {
        let (by_command, places, decisions, settings, descriptions) = tokio::try_join!(
            store.enablement(),
            store.places(),
            store.decisions(),
            store.settings(),
            store.descriptions(),
        )?;
        let mut remembered = Remembered { by_command, places, decisions, settings, descriptions };
        if let Some(enabled) = enabled {
            remembered.by_command.insert(enabled.to_owned(), true);
            remembered.places.remove(enabled);
        }
        let base = base.clone();
        // A thousand plugins take a while, and calls go on meanwhile.
        let read = move || Setup::found(&base, config, &remembered, &looks);
        tokio::task::spawn_blocking(read).await.map_err(internal)?
    }

    fn found(base: &Base, config: Config, remembered: &Remembered, looks: &Looks) -> Result<Setup, Error> {
        let mut registry = base.discover(&config, remembered)?;
        let mut warnings: Vec<String> =
            config.warnings.iter().cloned().chain(registry.warnings.drain(..)).collect();
        warnings.extend(base.options.development.warnings.iter().cloned());
        let secrets = base.secrets();
        let secrets = secrets.read();
        let maker = Maker { base, config: &config, secrets: &secrets, looks };
        let mut plugins = maker.installed(registry, remembered, &mut warnings);
        let order = needs::check(&mut plugins);
        let plugins: BTreeMap<_, _> =
            plugins.into_iter().map(|(name, plugin)| (name, Arc::new(plugin))).collect();
        warnings.extend(secrets.unused().map(|error| format!("{error}; {}", error.hint())));
        let open =
            |(name, one): (&String, &Arc<Installed>)| config.open_secrets(name, &one.spec.secrets.settings);
        warnings.extend(plugins.iter().flat_map(open));
        Ok(Setup { config, warnings, plugins, order })
    }
}

impl Remembered {
    /// What a person decided of a plugin's permissions: what was granted to one of its name elsewhere is not its own.
    pub(super) fn decided(&self, entry: &Entry) -> Vec<Decision> {
        let known = self.places.get(&entry.name);
        let is_it = known.is_none_or(|known| *known == entry.place());
        let decisions = self.decisions.get(&entry.name).into_iter().flatten();
        decisions.filter(|decision| is_it || !decision.granted).cloned().collect()
    }
}

impl Installed {
    /// What it may do and asks for, for people.
    pub(super) fn wishes(&self) -> Vec<Wish> {
        self.grants.wishes(&self.entry.name, self.spec.granted_in.as_deref())
    }

    /// What the router is told of it.
    pub(super) fn known(&self) -> Known {
        let manifest = self.entry.manifest.as_ref();
        Known {
            hands_on: manifest.is_some_and(|manifest| hands_on(&manifest.permissions)),
            serial: self.spec.supervision.max_in_flight.get() == 1,
            handles: manifest.map(|manifest| manifest.capabilities.handles.clone()).unwrap_or_default(),
            description: self.description.clone(),
        }
    }

    pub(super) fn may_run(&self) -> bool {
        self.spec.admission == Admission::Enabled
    }

    /// Whether what would be started is the same, whoever else is installed.
    pub(super) fn is_same(&self, other: &Installed) -> bool {
        let is_same_code = self.fingerprint == other.fingerprint && self.entry == other.entry;
        is_same_code && self.is_started_alike(other)
    }

    /// Whether it would be started in the same way, whatever its code is.
    pub(super) fn is_started_alike(&self, other: &Installed) -> bool {
        self.is_but(other, |_| {})
    }

    /// Whether its settings are other, those apart that are secret, and nothing else.
    pub(super) fn differs_in_settings(&self, other: &Installed) -> bool {
        let is_but = || self.is_but(other, |spec| spec.settings = other.spec.settings.clone());
        self.spec.settings != other.spec.settings && self.fingerprint == other.fingerprint && is_but()
    }

    /// Whether its code, what that offers, and what it may do are the same.
    pub(super) fn is_reconfigured(&self, other: &Installed) -> bool {
        let is_same_code = self.fingerprint == other.fingerprint && other.description.is_some();
        is_same_code && self.may_run() && other.may_run() && self.spec.granted == other.spec.granted
    }

    /// Whether nothing is other but that it may run, or may not.
    pub(super) fn differs_in_admission(&self, other: &Installed) -> bool {
        let is_but = || self.is_but(other, |spec| spec.admission = other.spec.admission.clone());
        self.spec.admission != other.spec.admission && self.fingerprint == other.fingerprint && is_but()
    }

    /// Whether with this change it would be started as the other.
    fn is_but(&self, other: &Installed, change: impl FnOnce(&mut Spec)) -> bool {
        let mut spec = Spec {
            plugins: other.spec.plugins.clone(),
            protected: other.spec.protected.clone(),
            ..self.spec.clone()
        };
        change(&mut spec);
        self.entry.identity() == other.entry.identity() && spec == other.spec
    }
}

fn hands_on(declared: &[Permission]) -> bool {
    let files = |one: &Permission| matches!(one, Permission::FileSystem(_));
    let calls = |one: &Permission| matches!(one, Permission::CallPlugin(_));
    declared.iter().any(calls) && !declared.iter().any(files)
}
