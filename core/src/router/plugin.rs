//! One plugin as the router knows it: who supervises it, and what it offers.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use astros_protocol::{Error, PluginDescription, lifecycle::Effects, manifest::Permission};

use super::{Call, Host, queue::Queue, versions::Versions, wire::Work};
use crate::{observe::PluginMetrics, supervisor::Supervisor};

/// A plugin that calls can be brought to.
pub struct Plugin {
    pub name: Arc<str>,
    /// Counts what happens to it.
    pub(super) metrics: Arc<PluginMetrics>,
    /// Stands for the plugin in the call tree.
    pub(super) number: usize,
    /// Works on one request at a time, as its manifest or its latest `initialize` says.
    serial: AtomicBool,
    /// Those that wait for one of its slots, or for its start.
    pub(super) queue: Queue,
    pub(super) host: Arc<Host>,
    /// The one that serves now; a reload puts another one in its place.
    pub(super) versions: Versions,
    /// It has no use for a path but to hand it on, as its manifest says.
    hands_on: AtomicBool,
    /// The categories that its manifest names.
    handles: RwLock<Vec<String>>,
    /// What it offered last: from its latest `initialize`, or the cache.
    description: RwLock<Option<Arc<PluginDescription>>>,
}

impl Plugin {
    pub(super) fn new(
        name: Arc<str>,
        number: usize,
        known: Known,
        host: Arc<Host>,
        supervisor: Supervisor,
        metrics: Arc<PluginMetrics>,
    ) -> Plugin {
        let plugin = Plugin {
            name,
            metrics,
            number,
            serial: AtomicBool::default(),
            queue: Queue::default(),
            host,
            versions: Versions::new(supervisor),
            hands_on: AtomicBool::default(),
            handles: RwLock::default(),
            description: RwLock::default(),
        };
        plugin.know(known);
        plugin
    }

    /// Takes what is known of a version that is to serve.
    pub(super) fn know(&self, known: Known) {
        self.set_serial(known.serial);
        self.hands_on.store(known.hands_on, Ordering::Relaxed);
        *self.handles.write().unwrap_or_else(PoisonError::into_inner) = known.handles;
        if let Some(description) = known.description {
            self.set_description(description);
        }
    }

    /// So many calls wait for one of its slots, or for its start.
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// It works on one request at a time.
    pub(super) fn is_serial(&self) -> bool {
        self.serial.load(Ordering::Relaxed)
    }

    pub(super) fn set_serial(&self, serial: bool) {
        // Said with every call, and hardly ever new.
        if self.is_serial() != serial {
            self.serial.store(serial, Ordering::Relaxed);
        }
    }

    /// What it offers; it is started where it was never asked.
    pub async fn described(&self) -> Result<Arc<PluginDescription>, Error> {
        match self.description() {
            Some(description) => Ok(description),
            None => Ok(self.ready().await?.description.clone()),
        }
    }

    pub fn description(&self) -> Option<Arc<PluginDescription>> {
        self.description.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was counted of it.
    pub fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    /// Takes what it offers now; the categories of its manifest count as well.
    pub fn set_description(&self, mut description: Arc<PluginDescription>) {
        self.metrics.offers(description.handlers.iter().map(|handler| &*handler.name));
        for category in &*self.handles.read().unwrap_or_else(PoisonError::into_inner) {
            if !description.handles.contains(category) {
                Arc::make_mut(&mut description).handles.push(category.clone());
            }
        }
        *self.description.write().unwrap_or_else(PoisonError::into_inner) = Some(description);
    }

    /// What it said last of what a call asks; none where it was never asked what it offers.
    pub(super) fn declared(&self, call: &Call<'_>) -> Option<Declared> {
        let description = self.description.read().unwrap_or_else(PoisonError::into_inner);
        Some(Declared::of(description.as_deref()?, call))
    }

    /// It has no use for a path but to hand it on: it asks for other plugins and for no files.
    pub(super) fn hands_on(&self) -> bool {
        self.hands_on.load(Ordering::Relaxed)
    }

    /// Whether what it was granted is enough for something.
    pub(super) fn is_granted(&self, enough: impl FnOnce(&[Permission]) -> bool) -> bool {
        self.versions.is_granted(enough)
    }
}

/// What a plugin says of what a call asks of it, as far as it matters before the call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared {
    /// Its own limit on its time.
    pub(super) timeout: Option<Duration>,
    /// What it does to the world; also where there is no such thing.
    pub(super) effects: Effects,
    /// Doing it twice is as doing it once.
    pub(super) idempotent: bool,
}

impl Declared {
    pub(super) fn of(description: &PluginDescription, call: &Call<'_>) -> Declared {
        let effects = match call.work {
            Work::Handler(_) | Work::Part(_) => Effects::default(),
            // It costs, and tells others what it is asked: more than nothing.
            Work::Provider(_) => Effects::Read,
            Work::Component(drawn) => {
                let component = description.ui_components.iter().find(|one| one.name == drawn.component);
                component.and_then(|component| component.effects).unwrap_or(Effects::Read)
            }
        };
        let handler = description.handlers.iter().find(|described| described.name == call.handler);
        let Some(handler) = handler.filter(|_| matches!(call.work, Work::Handler(_))) else {
            return Declared { timeout: None, effects, idempotent: false };
        };
        Declared {
            timeout: handler.timeout_ms.map(Duration::from_millis),
            effects: handler.effects,
            idempotent: handler.idempotent,
        }
    }
}

/// What is known of a plugin before it runs.
#[derive(Clone, Default)]
pub struct Known {
    /// It works on one request at a time.
    pub serial: bool,
    /// It asks for other plugins and for no files: what it does with a path is to hand it on.
    pub hands_on: bool,
    /// The categories that its manifest names.
    pub handles: Vec<String>,
    /// What it offered when it ran last.
    pub description: Option<Arc<PluginDescription>>,
}
