//! The line before a plugin: those that wait for a slot of one of its processes, or for its start.
//!
//! First come, first served: only who stands at the head looks for a slot. Waiting counts against the deadline.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_protocol::{Error, ErrorCode};
use tokio::{
    sync::{Mutex, Notify},
    time::timeout,
};

use super::{Plugin, Router, tree::Link};
use crate::supervisor::{Slot, Supervisor};

/// So many wait for one plugin.
const MAX_WAITING: usize = 1_024;
/// Who stands at the head looks again at least so often: a reload may have brought another process.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// When a caller that finds the line full may try again, in milliseconds.
const RETRY_AFTER_MS: u64 = 100;

/// The line before one plugin.
#[derive(Default)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    // Tokio's mutex hands itself on in the order of arrival.
    head: Mutex<()>,
    freed: Arc<Notify>,
}

impl Queue {
    /// So many stand in line.
    pub(super) fn len(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place at the end; none where the line is full.
    fn join(&self) -> Option<Place<'_>> {
        let place = Place(self);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(place)
    }
}

/// A place in the line.
struct Place<'a>(&'a Queue);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Router {
    /// A slot of the least loaded process of a plugin, which is started where it does not run. Waits for its turn;
    /// refused at once where the line is full, or where the wait would never end.
    pub(super) async fn slot(&self, plugin: &Plugin, link: &Arc<Link>) -> Result<Slot, Error> {
        // Nobody overtakes those that wait.
        if plugin.queue.len() == 0
            && let Some(slot) = free_slot(&plugin.supervisor())
        {
            return Ok(slot);
        }
        let _place = plugin.queue.join().ok_or_else(|| overloaded(plugin))?;
        let _wait = match plugin.is_serial() && link.parent.is_some() {
            true => Some(self.wait_in_tree(plugin, link)?),
            false => None,
        };
        let _head = plugin.queue.head.lock().await;
        loop {
            // Looked up each time: a reload or a crash may have happened.
            let supervisor = plugin.supervisor();
            if let Some(slot) = free_slot(&supervisor) {
                return Ok(slot);
            }
            let sessions = supervisor.sessions();
            if sessions.is_empty() {
                plugin.ready().await?;
                continue;
            }
            for session in &sessions {
                session.tell_freed(&plugin.queue.freed);
            }
            // After it was asked to tell, so that no slot is missed.
            if let Some(slot) = free_slot(&supervisor) {
                return Ok(slot);
            }
            let _ = timeout(LOOK_AGAIN, plugin.queue.freed.notified()).await;
        }
    }

    fn wait_in_tree<'a>(&'a self, plugin: &Plugin, link: &'a Arc<Link>) -> Result<Waiting<'a>, Error> {
        // Where another process comes, the slots that are taken are not all that there are.
        self.tree().wait(plugin.number, link, plugin.supervisor().brings_more())?;
        Ok(Waiting { router: self, link })
    }
}

/// Keeps a wait in the tree, so that calls that would wait for it in a circle are refused.
struct Waiting<'a> {
    router: &'a Router,
    link: &'a Arc<Link>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.router.tree().stop_waiting(self.link);
    }
}

/// Of the process with the least to do, or of another one.
fn free_slot(supervisor: &Supervisor) -> Option<Slot> {
    let least_loaded = supervisor.session()?;
    least_loaded.try_begin().or_else(|| supervisor.sessions().iter().find_map(|session| session.try_begin()))
}

fn overloaded(plugin: &Plugin) -> Error {
    let message = format!("plugin `{}` is overloaded: {MAX_WAITING} calls wait for it already", plugin.name);
    let error = Error::new(ErrorCode::OVERLOADED, message).with_plugin(&*plugin.name);
    error.with("retry_after_ms", RETRY_AFTER_MS).retryable()
}
