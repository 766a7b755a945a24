//! The composition root: reads configuration and plugins, puts the parts together, and stops them.
//!
//! One process has one [`Daemon`]; a command that finds none running embeds its own.

pub mod config;
mod identity;
mod listing;
mod observability;
pub mod paths;
mod python_sdk;
mod specs;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use astros_protocol::{Error, ErrorCode, manifest::Permission};
use futures_util::future::join_all;
use tokio::sync::broadcast;

use crate::{
    agent::{Agent, Thresholds},
    registry::{self, Enablement, Entry, Places, Registry, RegistryError, Status},
    router::{Known, Plugin, Router, Services, errors},
    services::{
        log::{self, Log, Record},
        storage::Store,
    },
    supervisor::{Admission, Spec, Supervisor},
};

use config::Config;
pub use listing::Listed;
use paths::Paths;
use specs::Maker;

/// A plugin that takes longer to say what it can do is left out of a request: nobody waits for one that hangs.
const LEARNING: Duration = Duration::from_secs(8);
/// How long the end waits for what is still to be logged.
const FLUSH: Duration = Duration::from_secs(2);

/// How a daemon is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folders of plugins that have to be there, absolute; the first rank.
    pub plugin_dirs: Vec<PathBuf>,
    /// The environment: homes, paths, settings; plugins get what is allowed of it.
    pub environment: Vec<(OsString, OsString)>,
}

impl Options {
    fn variable(&self, name: &str) -> Option<OsString> {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

/// Everything that runs.
pub struct Daemon {
    options: Options,
    paths: Paths,
    config: Config,
    python_sdk: PathBuf,
    user_id: String,
    registry: Registry,
    /// What each plugin is started with, by name.
    specs: BTreeMap<String, Spec>,
    store: Store,
    log: Log,
    router: Arc<Router>,
    agent: Agent,
}

impl Daemon {
    /// Reads configuration and plugins. No plugin is started but eager ones.
    ///
    /// # Errors
    /// The home cannot be used, `astros.yaml` cannot be read, or a folder of `plugin_dirs` is not there. What is
    /// wrong with one plugin blocks that one only.
    pub async fn start(options: Options) -> Result<Daemon, Error> {
        let paths = options.paths()?;
        let home = options.variable("HOME").map(PathBuf::from);
        let config = Config::read(&paths.config_file(), home.as_deref()).map_err(misconfigured)?;
        for folder in [&paths.data, &paths.cache, &paths.logs] {
            paths::create(folder).map_err(misconfigured)?;
        }
        let store = Store::open(&paths.database())?;
        let log = Log::open(paths.logs.clone()).map_err(internal)?;
        let registry = discover(&options, &paths, &config, &store).await?;
        let python_sdk = python_sdk::unpack(&paths.data).map_err(|error| {
            misconfigured(format!(
                "the Python SDK cannot be unpacked into `{}`: {error}",
                paths.data.display()
            ))
        })?;
        let maker = Maker { options: &options, paths: &paths, config: &config, python_sdk: &python_sdk };
        let (mut specs, overrides) = (maker.specs(&registry), maker.overrides(&registry));
        let router = Router::new(
            Services::new(store.clone(), log.clone()).with_traces(observability::traces(&config)),
        );
        for (name, spec) in &mut specs {
            let entry = &registry.entries[name];
            let known = store.description(&entry.folder, &fingerprint(entry, spec)).await?;
            let by_code = known.as_ref().and_then(|known| maker.settings_by_code(entry, &overrides, known));
            match by_code {
                Some(Ok(settings)) => spec.settings = settings,
                Some(Err(error)) if spec.admission == Admission::Enabled => {
                    spec.admission = specs::blocked(&error);
                }
                _ => {}
            }
            let manifest = entry.manifest.as_ref();
            let known = Known {
                serial: spec.supervision.max_in_flight.get() == 1,
                handles: manifest.map(|manifest| manifest.capabilities.handles.clone()).unwrap_or_default(),
                description: known.map(Arc::new),
            };
            router.add(name, known, |host| Supervisor::start(spec.clone(), host));
        }
        let recognition = &config.recognition;
        let thresholds =
            Thresholds { threshold: recognition.threshold / 100.0, margin: recognition.margin / 100.0 };
        let agent = Agent::new(router.clone(), store.clone(), thresholds);
        let user = options.variable("USER").and_then(|user| user.into_string().ok());
        let user_id = config
            .user_id
            .clone()
            .or(user.filter(|user| !user.is_empty()))
            .unwrap_or_else(|| "local".to_owned());
        Ok(Daemon { options, paths, config, python_sdk, user_id, registry, specs, store, log, router, agent })
    }

    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Who asks where nobody says otherwise.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// What a person should look at in what they set up, one sentence each.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.config.warnings.iter().chain(&self.registry.warnings).map(String::as_str)
    }

    pub fn thresholds(&self) -> Thresholds {
        self.agent.thresholds()
    }

    /// Learns what every plugin offers: those that are not known are started, all at once. Gives those that could
    /// not say it, and why.
    pub async fn learn(&self) -> Vec<(String, Error)> {
        let plugins = self.router.plugins();
        let wanted = |plugin: &Arc<Plugin>| {
            let spec = self.specs.get(&*plugin.name);
            !spec.is_some_and(|spec| matches!(spec.admission, Admission::Disabled { .. }))
        };
        let unknown = |plugin: &&Arc<Plugin>| plugin.description().is_none() && wanted(plugin);
        let unknown: Vec<_> = plugins.iter().filter(unknown).collect();
        if unknown.is_empty() {
            return Vec::new();
        }
        let asked = unknown.into_iter().map(|plugin| async {
            let asked = tokio::time::timeout(LEARNING, self.describe(&plugin.name)).await;
            let asked = asked.unwrap_or_else(|_| Err(says_nothing(&plugin.name)));
            asked.err().map(|error| (plugin.name.to_string(), error))
        });
        let mut unable: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        unable.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.agent.learn();
        unable
    }

    fn maker(&self) -> Maker<'_> {
        let Daemon { options, paths, config, python_sdk, .. } = self;
        Maker { options, paths, config, python_sdk }
    }

    /// Starts a plugin and remembers what it says that it offers.
    async fn describe(&self, name: &str) -> Result<(), Error> {
        let plugin = self.router.plugin(name)?;
        let supervisor = plugin.supervisor();
        let session = supervisor.ready().await?;
        plugin.set_description(session.description.clone());
        let (Some(entry), Some(spec)) = (self.registry.get(name), self.specs.get(name)) else {
            return Ok(());
        };
        // Kept first: a plugin that its own schema blocks is not started again to find that out.
        self.store.set_description(&entry.folder, &fingerprint(entry, spec), &session.description).await?;
        let maker = self.maker();
        let overrides = maker.overrides(&self.registry);
        if let Some(Err(error)) = maker.settings_by_code(entry, &overrides, &session.description) {
            supervisor.admit(specs::blocked(&error)).await;
            return Err(error.into());
        }
        Ok(())
    }

    /// Refuses a name that nobody has, before anything is started.
    pub fn usable(&self, name: &str) -> Result<&Entry, Error> {
        let names = self.registry.entries.keys().map(String::as_str);
        self.registry.get(name).ok_or_else(|| errors::plugin_not_found(name, names))
    }

    /// What a plugin asks for.
    pub fn permissions(&self, name: &str) -> Result<Vec<Permission>, Error> {
        let entry = self.usable(name)?;
        if let Status::Blocked { reason, hint } = &entry.status {
            let message = format!("`{name}` cannot be enabled: {reason}");
            return Err(Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(name).with_hint(hint));
        }
        Ok(entry.manifest.as_ref().map(|manifest| manifest.permissions.clone()).unwrap_or_default())
    }

    /// Remembers whether a plugin may run; from the next start on.
    pub async fn set_enabled(&self, name: &str, enabled: bool) -> Result<(), Error> {
        self.usable(name)?;
        self.store.set_enabled(name, Some(enabled)).await
    }

    /// The newest records of a plugin's log, oldest first.
    pub async fn logs(&self, name: &str, count: usize) -> Result<Vec<Record>, Error> {
        self.usable(name)?;
        self.log.flush().await;
        log::read_last(&self.paths.logs, name, count, &astros_protocol::person::Level::Trace).map_err(
            |error| {
                let message =
                    format!("the log of `{name}` in `{}` cannot be read: {error}", self.paths.logs.display());
                Error::new(ErrorCode::INTERNAL_ERROR, message)
            },
        )
    }

    /// What any plugin writes to its log from now on.
    pub fn follow_logs(&self) -> broadcast::Receiver<Record> {
        self.log.follow()
    }

    /// Stops every plugin, all at once, and writes what is still to be written.
    pub async fn stop(&self) {
        let plugins = self.router.plugins();
        join_all(plugins.iter().map(async |plugin| plugin.stop("AstrOS stops").await)).await;
        // Another process that was halted may hold the logs.
        let _ = tokio::time::timeout(FLUSH, self.log.flush()).await;
        observability::flush(&self.router).await;
    }
}

async fn discover(
    options: &Options,
    paths: &Paths,
    config: &Config,
    store: &Store,
) -> Result<Registry, Error> {
    let variable = options.variable("ASTROS_PLUGIN_PATH");
    let mut configured = variable.as_deref().map(registry::plugin_path).unwrap_or_default();
    configured.extend(config.plugin_dirs.iter().cloned());
    let bundled = std::env::current_exe().ok().and_then(|exe| registry::bundled_folder(&exe));
    let places = Places {
        named: &options.plugin_dirs,
        configured: &configured,
        user: &paths.plugins(),
        bundled: bundled.as_deref(),
    };
    let in_file = config.plugins.iter().filter_map(|(name, plugin)| Some((name.clone(), plugin.enabled?)));
    let (in_file, by_command) = (in_file.collect(), store.enablement().await?);
    let enablement = Enablement { file: &in_file, path: &config.path, commands: &by_command };
    Registry::discover(&places, &enablement).map_err(|error| match error {
        RegistryError::Folder { .. } => misconfigured(error),
    })
}

fn says_nothing(plugin: &str) -> Error {
    let message = format!(
        "it did not say within {} s what it can do; `astros plugins show {plugin}` waits for it",
        LEARNING.as_secs()
    );
    Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(plugin)
}

fn fingerprint(entry: &Entry, spec: &Spec) -> String {
    let program = spec.program_file();
    entry.fingerprint(&program.iter().map(PathBuf::as_path).collect::<Vec<_>>(), python_sdk::fingerprint())
}

/// What a person can mend in what they set up.
fn misconfigured(why: impl std::fmt::Display) -> Error {
    let text = why.to_string();
    let mut lines = text.lines();
    let error = Error::new(ErrorCode::INVALID_PARAMS, lines.next().unwrap_or_default());
    let rest: Vec<_> = lines.collect();
    if rest.is_empty() { error } else { error.with_detail(rest.join("\n")) }
}

fn internal(why: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::INTERNAL_ERROR, why.to_string())
}

/// Variables whose names or values are no UTF-8 are nobody's setting.
fn text_variables(environment: &[(OsString, OsString)]) -> impl Iterator<Item = (String, String)> {
    let text = |text: &OsStr| text.to_str().map(str::to_owned);
    environment.iter().filter_map(move |(name, value)| Some((text(name)?, text(value)?)))
}

/// The default time of a request, as plugins are told.
fn default_deadline_ms() -> u64 {
    const DEADLINE: Duration = crate::router::DEFAULT_DEADLINE;
    DEADLINE.as_secs() * 1_000
}
