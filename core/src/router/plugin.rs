//! One plugin as the router knows it: who supervises it, and what it offers.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use astros_protocol::PluginDescription;

use super::queue::Queue;
use crate::supervisor::Supervisor;

/// A plugin that calls can be brought to.
pub struct Plugin {
    pub name: Arc<str>,
    /// Stands for the plugin in the call tree.
    pub(super) number: usize,
    /// Works on one request at a time, as its manifest or its latest `initialize` says.
    serial: AtomicBool,
    /// Those that wait for one of its slots, or for its start.
    pub(super) queue: Queue,
    /// Of the version that serves now; a reload puts another one in its place.
    supervisor: RwLock<Supervisor>,
    /// The categories that its manifest names.
    handles: Vec<String>,
    /// What it offered last: from its latest `initialize`, or the cache.
    description: RwLock<Option<Arc<PluginDescription>>>,
}

impl Plugin {
    pub(super) fn new(name: Arc<str>, number: usize, known: Known, supervisor: Supervisor) -> Plugin {
        let plugin = Plugin {
            name,
            number,
            serial: AtomicBool::new(known.serial),
            queue: Queue::default(),
            supervisor: RwLock::new(supervisor),
            handles: known.handles,
            description: RwLock::default(),
        };
        if let Some(description) = known.description {
            plugin.set_description(description);
        }
        plugin
    }

    /// Supervises the version that serves now.
    pub fn supervisor(&self) -> Supervisor {
        self.supervisor.read().unwrap_or_else(PoisonError::into_inner).clone()
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

    pub fn description(&self) -> Option<Arc<PluginDescription>> {
        self.description.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what it offers now; the categories of its manifest count as well.
    pub fn set_description(&self, mut description: Arc<PluginDescription>) {
        for category in &self.handles {
            if !description.handles.contains(category) {
                Arc::make_mut(&mut description).handles.push(category.clone());
            }
        }
        *self.description.write().unwrap_or_else(PoisonError::into_inner) = Some(description);
    }

    /// The handler's own limit on its time.
    pub(super) fn handler_timeout(&self, handler: &str) -> Option<Duration> {
        let description = self.description()?;
        let handler = description.handlers.iter().find(|described| described.name == handler)?;
        handler.timeout_ms.map(Duration::from_millis)
    }
}

/// What is known of a plugin before it runs.
#[derive(Default)]
pub struct Known {
    /// It works on one request at a time.
    pub serial: bool,
    /// The categories that its manifest names.
    pub handles: Vec<String>,
    /// What it offered when it ran last.
    pub description: Option<Arc<PluginDescription>>,
}
