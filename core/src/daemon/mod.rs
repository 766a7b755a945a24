//! The composition root: reads configuration and plugins, puts the parts together, and stops them.
//!
//! One process has one [`Daemon`]; a command that finds none running embeds its own.

mod change;
mod commands;
pub mod config;
mod development;
mod environments;
mod grants;
mod identity;
mod learn;
mod limits;
mod listing;
mod needs;
mod observability;
mod offered;
pub mod paths;
mod permit;
mod python_sdk;
pub mod service;
mod settings;
mod settle;
mod setup;
mod specs;
mod watch;
mod workflows;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use astros_protocol::{Error, ErrorCode, Response};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::sync::{Notify, broadcast};

use crate::{
    agent::{Agent, Person, Thresholds},
    recording::Recorder,
    router::{Router, Services, errors},
    services::{
        audit::{self, Audit},
        log::{self, Log, Record},
        storage::Store,
    },
    supervisor::{self, Event},
    workflow::Engine,
};

use change::Failure;
pub use commands::{Catalog, CommandRun, Finished, Offered, Stage, WAITING, Word};
use config::Config;
pub use development::Development;
pub use environments::SetupPlan;
pub use grants::{Asks, Wish, WishState};
pub use learn::Learning;
pub use listing::{Listed, list_on_disk};
pub use offered::{Health, OfferedComponent, OfferedProvider};
use paths::HOME_VARIABLE;
pub use settings::{PluginSettings, ShownSetting};
use setup::{Base, Installed, Setup};
pub use workflows::{ListedWorkflow, Order, ShownPart, ShownWorkflow};

/// How long the end waits for what is still to be logged.
const FLUSH: Duration = Duration::from_secs(2);

/// How a daemon is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Folders of plugins that have to be there, absolute; the first rank.
    pub plugin_dirs: Vec<PathBuf>,
    /// The environment: homes, paths, settings; plugins get what is allowed of it.
    pub environment: Vec<(OsString, OsString)>,
    /// What holds for who writes plugins.
    pub development: Development,
    /// Where a plugin's traffic is recorded.
    pub recorder: Option<Recorder>,
    /// The words that are commands of the program itself: no plugin adds one of these.
    pub own_commands: Vec<String>,
}

impl Options {
    /// A host that keeps its files below `home`, with the process's own environment.
    pub fn at(home: impl Into<PathBuf>) -> Options {
        let mut environment: Vec<_> = std::env::vars_os().filter(|(name, _)| name != HOME_VARIABLE).collect();
        environment.push((HOME_VARIABLE.into(), home.into().into()));
        Options { environment, ..Options::default() }
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}

/// Everything that runs.
pub struct Daemon {
    base: Arc<Base>,
    /// What was found on disk last. A std lock: held for the swap only.
    setup: RwLock<Arc<Setup>>,
    store: Store,
    log: Log,
    audit: Audit,
    router: Arc<Router>,
    agent: Agent,
    engine: Engine,
    /// Held while something changes: two changes at once would each undo the other.
    changing: tokio::sync::Mutex<()>,
    /// Reloads that failed, by plugin. A std mutex: never held across an await.
    failures: Mutex<BTreeMap<String, Failure>>,
    /// Plugins came that nobody asked yet what they offer.
    unknown: Notify,
    /// How far they are asked that. A std mutex: never held across an await.
    learning: Mutex<Option<Learning>>,
}

impl Daemon {
    /// Reads configuration and plugins. No plugin is started but eager ones.
    ///
    /// # Errors
    /// The home cannot be used, `astros.yaml` cannot be read, or a folder of `plugin_dirs` is not there. What is
    /// wrong with one plugin blocks that one only.
    pub async fn start(options: Options) -> Result<Daemon, Error> {
        let base = Arc::new(Base::new(options, supervisor::machine(None).await)?);
        let config = base.config()?;
        let store = Store::open(&base.paths.database())?;
        let log = Log::open(base.paths.logs.clone()).map_err(internal)?;
        let audit = Audit::open(base.paths.logs.clone()).map_err(internal)?;
        let setup = Setup::read(&base, config, &store).await?;
        let traces = observability::traces(&setup.config);
        let services = Services::new(store.clone(), log.clone()).with_traces(traces);
        let router = Router::new(services.with_audit(audit.clone()));
        let agent = Agent::new(router.clone(), store.clone(), thresholds(&setup.config));
        let engine = Engine::new(router.clone(), store.clone(), base.paths.runs());
        let daemon = Daemon {
            base,
            setup: RwLock::new(Arc::new(setup)),
            store,
            log,
            audit,
            router,
            agent,
            engine,
            changing: tokio::sync::Mutex::default(),
            failures: Mutex::default(),
            unknown: Notify::new(),
            learning: Mutex::default(),
        };
        if let Some(recorder) = &daemon.base.options.recorder {
            daemon.usable(recorder.plugin())?;
        }
        let setup = daemon.setup();
        setup.order.iter().filter_map(|name| setup.plugins.get(name)).for_each(|one| daemon.add(one));
        daemon.router.set_default_provider(setup.config.providers.default.clone());
        daemon.agent.learn();
        Ok(daemon)
    }

    pub fn agent(&self) -> &Agent {
        &self.agent
    }

    pub fn router(&self) -> &Arc<Router> {
        &self.router
    }

    /// Who asks where nobody says otherwise.
    pub fn user_id(&self) -> String {
        let configured = self.setup().config.user_id.clone();
        let user = || self.base.options.variable("USER")?.into_string().ok().filter(|user| !user.is_empty());
        configured.or_else(user).unwrap_or_else(|| "local".to_owned())
    }

    /// What a person should look at in what they set up, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.setup().warnings.clone()
    }

    /// Why `astros.yaml`, as it is on disk now, could not be read anew, if that is so.
    pub fn unread(&self) -> Option<String> {
        let error = self.base.config().err()?;
        Some(format!("{}; what was read before holds", error.message))
    }

    pub fn thresholds(&self) -> Thresholds {
        self.agent.thresholds()
    }

    /// Calls a handler by its name, with a JSON object, on behalf of the host's own user.
    ///
    /// # Errors
    /// What the router says: there is no such plugin or handler, it failed, it took too long.
    pub async fn call(&self, plugin: &str, handler: &str, params: Value) -> Result<Response, Error> {
        let Value::Object(context) = params else {
            let message = format!("the params of `{plugin}.{handler}` are `{params}`, expected an object");
            return Err(Error::new(ErrorCode::INVALID_PARAMS, message));
        };
        let (user_id, home) = (self.user_id(), self.home().unwrap_or_else(|| PathBuf::from("/")));
        let person = Person {
            session_id: format!("{user_id}:default"),
            user_id,
            cwd: home.clone(),
            home,
            locale: None,
            timeout: None,
            questions: None,
        };
        Ok(self.agent.invoke(plugin, handler, context, &person, None).await?.response)
    }

    /// What happens to plugins, from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.router.subscribe()
    }

    fn setup(&self) -> Arc<Setup> {
        self.setup.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_setup(&self, setup: Setup) {
        *self.setup.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setup);
    }

    fn installed(&self, name: &str) -> Result<Arc<Installed>, Error> {
        let setup = self.setup();
        let names = setup.plugins.keys().map(String::as_str);
        setup.plugins.get(name).cloned().ok_or_else(|| errors::plugin_not_found(name, names))
    }

    /// Refuses a name that nobody has, before anything is started.
    pub fn usable(&self, name: &str) -> Result<(), Error> {
        self.installed(name).map(drop)
    }

    /// The newest records of a plugin's log, oldest first.
    pub async fn logs(&self, name: &str, count: usize) -> Result<Vec<Record>, Error> {
        self.usable(name)?;
        self.log.flush().await;
        let logs = &self.base.paths.logs;
        log::read_last(logs, name, count, &astros_protocol::person::Level::Trace).map_err(|error| {
            internal(format!("the log of `{name}` in `{}` cannot be read: {error}", logs.display()))
        })
    }

    /// The newest events of the audit log, oldest first.
    pub async fn audited(&self, count: usize) -> Result<Vec<audit::Event>, Error> {
        self.audit.flush().await;
        audit::read_last(&self.base.paths.logs, count).map_err(internal)
    }

    /// Every record of every plugin's log, from now on.
    pub fn follow_logs(&self) -> broadcast::Receiver<Record> {
        self.log.follow()
    }

    /// What a daemon that stays does beside serving: learns what plugins offer that were never asked, so that the
    /// first request need not wait for that, and takes what is saved of settings, in development mode of code
    /// too. Never ends.
    pub async fn stay(&self) {
        let learn = async {
            let mut told = BTreeMap::new();
            loop {
                for (plugin, error) in self.learn().await {
                    // Each change asks anew; what is wrong with others was said already.
                    if told.insert(plugin.clone(), error.message.clone()).as_ref() != Some(&error.message) {
                        tracing::warn!(plugin, %error, "it is not known what this plugin offers");
                    }
                }
                self.unknown.notified().await;
            }
        };
        tokio::join!(learn, self.watch());
    }

    /// Stops every plugin, all at once, and writes what is still to be written.
    pub async fn stop(&self) {
        self.remember().await;
        let plugins = self.router.plugins();
        join_all(plugins.iter().map(async |plugin| plugin.stop("AstrOS stops").await)).await;
        // Another process that was halted may hold the logs.
        let written = async { tokio::join!(self.log.flush(), self.audit.flush()) };
        let _ = tokio::time::timeout(FLUSH, written).await;
        observability::flush(&self.router).await;
    }
}

fn thresholds(config: &Config) -> Thresholds {
    let recognition = &config.recognition;
    Thresholds { threshold: recognition.threshold / 100.0, margin: recognition.margin / 100.0 }
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
