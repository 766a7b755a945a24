//! What the host itself does for plugins: storage and log; a clear answer for what it does not do yet.

use std::sync::Arc;

use astros_peer::{Oddity, Responder};
use astros_protocol::{
    Error, ErrorCode, Request,
    person::{Level, LogParams},
    storage::{
        StorageDelete, StorageDeleteParams, StorageDeleteResult, StorageGet, StorageList, StorageListParams,
        StorageListResult, StorageSet, StorageSetResult,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tokio::sync::broadcast;

use super::{Router, errors::for_plugins, watch};
use crate::{
    bus::Bus,
    observe::{Metrics, Traces},
    services::{
        audit::{self, Audit},
        log::{Log, Record, Source},
        storage::Store,
    },
    supervisor::{Event, Secrets, StateName},
};

/// Events that a subscriber has not taken are dropped beyond so many, the oldest first.
const EVENTS: usize = 1_024;
/// So much of a line that went astray is logged, in bytes.
const STRAY: usize = 512;

/// The services, and the news of what happens to plugins.
pub struct Services {
    store: Store,
    log: Log,
    audit: Option<Audit>,
    events: broadcast::Sender<Event>,
    pub(super) bus: Arc<Bus>,
    metrics: Arc<Metrics>,
    traces: Option<Arc<Traces>>,
}

impl Services {
    pub fn new(store: Store, log: Log) -> Services {
        let events = broadcast::Sender::new(EVENTS);
        Services {
            store,
            log,
            audit: None,
            events,
            bus: Arc::default(),
            metrics: Arc::default(),
            traces: None,
        }
    }

    /// Sends the span of every call there.
    pub fn with_traces(self, traces: Option<Arc<Traces>>) -> Services {
        Services { traces, ..self }
    }

    /// Notes there what is granted, denied and done.
    pub fn with_audit(self, audit: Audit) -> Services {
        Services { audit: Some(audit), ..self }
    }

    /// Notes an event in the audit log, where there is one; never waits.
    pub fn audit(&self, event: audit::Event) {
        if let Some(audit) = &self.audit {
            audit.record(event);
        }
    }

    /// What is counted of every plugin.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(super) fn traces(&self) -> Option<&Arc<Traces>> {
        self.traces.as_ref()
    }

    /// What happens to plugins, from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Takes note of what happened to a plugin, and publishes it.
    pub(super) fn event(&self, router: &Router, event: Event) {
        watch::note(&self.metrics, &event);
        match &event {
            Event::Described { plugin, description } => {
                if let Ok(plugin) = router.plugin(plugin) {
                    plugin.set_description(description.clone());
                    let supervisor = plugin.supervisor();
                    let spec = supervisor.spec();
                    let given =
                        |name: &&String| spec.settings.get(*name).is_some_and(|value| !value.is_null());
                    for setting in spec.secrets.settings.iter().filter(given) {
                        self.audit(audit::Event::now(audit::Kind::Secret, &plugin.name, setting));
                    }
                    router.declare(&plugin.name, &description.subscriptions);
                }
            }
            Event::Line { plugin, line } => {
                let record = Record::now(plugin, line.level.clone(), &*line.message, Source::Stderr);
                self.write(Record { fields: line.fields.clone(), ..record });
            }
            Event::StateChanged { plugin, state, reason } => {
                // The reason of a failed start has words of the plugin's in it.
                let reason = reason.as_deref().filter(|_| *state != StateName::Error);
                tracing::info!(%plugin, %state, reason, "state changed");
            }
            Event::Ended { plugin, pid, exit, killed, .. } => {
                let killed = killed.map(tracing::field::debug);
                tracing::info!(%plugin, pid, exit, killed, "process ended");
            }
            Event::Restarted { plugin, instance, restarts } => {
                tracing::info!(%plugin, instance, restarts, "restarted after a crash");
            }
            Event::Refused { plugin, state, reason } => {
                tracing::debug!(%plugin, %state, reason, "turned away who needed it");
            }
            Event::Switched { plugin, generations } => {
                tracing::info!(%plugin, ?generations, "calls go to another version of it");
            }
            Event::Reloaded { plugin, error: None } => tracing::info!(%plugin, "reloaded"),
            Event::Reloaded { plugin, error: Some(error) } => {
                tracing::error!(%plugin, "{error}");
                self.log.write(Record::now(plugin, Level::Error, &**error, Source::Host));
            }
            Event::Removed { plugin, reason } => tracing::info!(%plugin, %reason, "removed"),
            Event::Oddity { plugin, text } => {
                tracing::warn!(%plugin, "{text}");
                self.warn(plugin, text);
            }
        }
        router.publish_event(&event);
        // Without a subscriber nobody wants to know.
        let _ = self.events.send(event);
    }

    /// A plugin's own record for its log.
    pub(super) fn log(&self, plugin: &str, params: &RawValue, secrets: &Secrets) {
        match serde_json::from_str::<LogParams>(params.get()) {
            Ok(LogParams { level, mut message, mut fields, logger }) => {
                secrets.hide(&mut message);
                secrets.hide_in_members(&mut fields);
                if let Some(logger) = logger {
                    fields.insert("logger".to_owned(), logger.into());
                }
                self.write(Record { fields, ..Record::now(plugin, level, message, Source::Log) });
            }
            Err(error) => tracing::debug!(plugin, %error, "passed over a `log` that does not fit"),
        }
    }

    /// What should not have come from a plugin: logged where its author looks, and counted there.
    pub(super) fn oddity(&self, plugin: &str, oddity: &Oddity<'_>, secrets: &Secrets) {
        watch::odd(&self.metrics.plugin(plugin), oddity);
        let shown = |line: &[u8]| {
            let mut text = String::from_utf8_lossy(&line[..STRAY.min(line.len())]).into_owned();
            secrets.hide(&mut text);
            text
        };
        let text = match oddity {
            Oddity::Stray(line) => {
                return self.write(Record::now(plugin, Level::Info, shown(line), Source::Stdout));
            }
            Oddity::Malformed { line, error } => {
                format!("a message cannot be read: {error}: {}", shown(line))
            }
            Oddity::TooLarge { size, .. } => {
                format!("a message of {size} bytes is too large and was not read")
            }
            Oddity::UnknownResponse(Some(id), _) => format!("an answer to `{id}`, which is not open"),
            Oddity::UnknownResponse(None, error) => {
                let error = error.as_ref().map_or("no error", |error| &*error.message);
                format!("it could not read a message of the host: {error}")
            }
            Oddity::DuplicateId(id) => {
                format!("a request came with the id `{id}`, which is open; it was dropped")
            }
        };
        self.warn(plugin, &text);
    }

    /// Tells the plugin's author of something that is not as it should be; not the person whose daemon it is, whose
    /// log a plugin could fill with it.
    pub(super) fn warn(&self, plugin: &str, text: &str) {
        tracing::debug!(plugin, "{text}");
        self.write(Record::now(plugin, Level::Warn, text, Source::Host));
    }

    fn write(&self, record: Record) {
        if let Some(plugin) = self.log.write(record) {
            self.metrics.plugin(&plugin).dropped_log_line();
        }
    }

    /// Serves a request of a plugin.
    pub(super) fn serve(&self, plugin: &Arc<str>, method: &str, params: &RawValue, responder: Responder) {
        let (store, plugin) = (self.store.clone(), plugin.clone());
        match method {
            StorageGet::METHOD => answer(method, params, responder, async move |Get { key, default }| {
                let stored = store.get(&plugin, &key, default).await?;
                Ok(Got { value: stored.value, version: stored.version })
            }),
            StorageSet::METHOD => answer(method, params, responder, async move |set: Set| {
                let version = store.set(&plugin, &set.key, set.value, set.ttl_ms, set.if_version).await?;
                Ok(StorageSetResult { version })
            }),
            StorageDelete::METHOD => {
                answer(method, params, responder, async move |delete: StorageDeleteParams| {
                    let deleted = store.delete(&plugin, &delete.key, delete.if_version).await?;
                    Ok(StorageDeleteResult { deleted })
                });
            }
            StorageList::METHOD => answer(method, params, responder, async move |list: StorageListParams| {
                let page = store.list(&plugin, &list.prefix, list.cursor.as_deref(), list.limit).await?;
                Ok(StorageListResult { keys: page.keys, cursor: page.cursor })
            }),
            _ => responder.error(&for_plugins(unsupported(method))),
        }
    }
}

/// `StorageGetParams` with its JSON unread.
#[derive(Deserialize)]
struct Get {
    key: String,
    #[serde(default)]
    default: Option<Box<RawValue>>,
}

/// `StorageSetParams` with its JSON unread.
#[derive(Deserialize)]
struct Set {
    key: String,
    value: Box<RawValue>,
    #[serde(default)]
    ttl_ms: Option<i64>,
    #[serde(default)]
    if_version: Option<u64>,
}

/// `StorageGetResult` with its JSON unread.
#[derive(Serialize)]
struct Got {
    value: Box<RawValue>,
    version: u64,
}

/// Reads the params and answers with what `work` makes of them, on a task of its own.
fn answer<P, R, F>(method: &str, params: &RawValue, responder: Responder, work: impl FnOnce(P) -> F)
where
    P: DeserializeOwned,
    R: Serialize,
    F: Future<Output = Result<R, Error>> + Send + 'static,
{
    let work = match serde_json::from_str(params.get()) {
        Ok(params) => work(params),
        Err(error) => {
            let message = format!("the params of `{method}` do not fit: {error}");
            return responder.error(&for_plugins(Error::new(ErrorCode::INVALID_PARAMS, message)));
        }
    };
    tokio::spawn(async move {
        match work.await {
            Ok(result) => responder.result(&result),
            Err(error) => responder.error(&for_plugins(error)),
        }
    });
}

fn unsupported(method: &str) -> Error {
    let message = format!("`{method}` is not served by this version of AstrOS");
    Error::new(ErrorCode::METHOD_NOT_FOUND, message)
}
