//! The daemon's memory: plugins' own data, and what commands, sessions and listings have to remember.
//!
//! [`Store`] is a cloneable handle. One thread owns the SQLite connection and takes requests from a queue; the
//! writes that wait there together are committed together, and nothing is answered before its commit. Two
//! processes may share a database: a write transaction takes the lock at its begin, and waits for it.

mod grants;
mod memory;
mod open;
mod runs;
mod values;
mod worker;

#[cfg(test)]
mod tests;

pub use grants::{Decision, Decisions};
pub use memory::{Described, Descriptions, Followup, SetByCommand};
pub use runs::{Forget, StoredRun, StoredStep};
pub use values::{MAX_KEY_BYTES, MAX_PAGE, MAX_VALUE_BYTES, Page, QUOTA_BYTES, Stored};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use astros_protocol::{Error, PluginDescription, manifest::Permission};
use rusqlite::Connection;
use serde_json::{Value, value::RawValue};
use tokio::sync::oneshot;

use worker::Job;

/// Milliseconds since 1970.
pub type Millis = i64;

/// A handle on the open database. Every method fails with `storage_failed` where the database cannot do it.
#[derive(Clone)]
pub struct Store {
    /// Unbounded: the requests that a plugin may have open bound it.
    jobs: mpsc::Sender<Job>,
}

impl Store {
    /// Opens the database, and makes it where there is none; its folder has to exist.
    ///
    /// # Errors
    /// `storage_failed`, naming the file: it cannot be opened, is damaged, or comes from a newer version.
    pub fn open(path: &Path) -> Result<Store, Error> {
        Store::open_with_clock(path, now)
    }

    /// As [`Store::open`], with a clock of the caller's own.
    pub fn open_with_clock(
        path: &Path,
        clock: impl Fn() -> Millis + Send + Sync + 'static,
    ) -> Result<Store, Error> {
        let connection = open::open(path, clock())?;
        let (jobs, queue) = mpsc::channel();
        let path: Arc<Path> = path.into();
        std::thread::Builder::new()
            .name("storage".to_owned())
            .spawn(move || worker::work(connection, &path, &queue, &clock))
            .map_err(|error| open::failed(format!("cannot start the thread of the storage: {error}")))?;
        Ok(Store { jobs })
    }

    /// Reads a plugin's value; where the key is missing or has expired, the default with version 0.
    pub async fn get(
        &self,
        plugin: &str,
        key: &str,
        default: Option<Box<RawValue>>,
    ) -> Result<Stored, Error> {
        let (plugin, key) = (plugin.to_owned(), key.to_owned());
        let found = self.read(move |db, now| values::get(db, now, &plugin, &key)).await?;
        Ok(found.unwrap_or_else(|| Stored { value: default.unwrap_or_else(values::null), version: 0 }))
    }

    /// Keeps a plugin's value and returns its new version, which no key ever had before.
    ///
    /// `ttl_ms` is its time to live; with 0 or less it is gone at once, and the version is 0.
    /// `if_version` writes only where the key has that version; 0 where it is missing.
    ///
    /// # Errors
    /// `data.reason` is `conflict` (with `version`, the current one), `quota` (with `used` and `limit`),
    /// or `too_large`.
    pub async fn set(
        &self,
        plugin: &str,
        key: &str,
        value: Box<RawValue>,
        ttl_ms: Option<i64>,
        if_version: Option<u64>,
    ) -> Result<u64, Error> {
        let (plugin, key) = (plugin.to_owned(), key.to_owned());
        self.write(move |db, now| values::set(db, now, &plugin, &key, &value, ttl_ms, if_version)).await
    }

    /// Forgets a plugin's value; says whether there was one.
    ///
    /// # Errors
    /// `data.reason` is `conflict` where the key does not have `if_version`.
    pub async fn delete(&self, plugin: &str, key: &str, if_version: Option<u64>) -> Result<bool, Error> {
        let (plugin, key) = (plugin.to_owned(), key.to_owned());
        self.write(move |db, now| values::delete(db, now, &plugin, &key, if_version)).await
    }

    /// A page of the keys that begin with `prefix`, in the order of their bytes; at most [`MAX_PAGE`].
    pub async fn list(
        &self,
        plugin: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page, Error> {
        let (plugin, prefix, cursor) = (plugin.to_owned(), prefix.to_owned(), cursor.map(str::to_owned));
        self.read(move |db, now| values::list(db, now, &plugin, &prefix, cursor.as_deref(), limit)).await
    }

    /// The plugin that a session's next text goes to, unless that has lapsed.
    pub async fn followup(&self, session: &str) -> Result<Option<Followup>, Error> {
        let session = session.to_owned();
        self.read(move |db, now| memory::followup(db, now, &session)).await
    }

    /// Sends a session's next text to a plugin, if it comes in time; `None`: to nobody in particular.
    pub async fn set_followup(
        &self,
        session: &str,
        followup: Option<Followup>,
        lapse: Duration,
    ) -> Result<(), Error> {
        let session = session.to_owned();
        let lapse = i64::try_from(lapse.as_millis()).unwrap_or(i64::MAX);
        self.write(move |db, now| {
            memory::set_followup(db, now, &session, followup.as_ref(), now.saturating_add(lapse))
        })
        .await
    }

    /// Which plugins commands enabled (true) or disabled (false).
    pub async fn enablement(&self) -> Result<BTreeMap<String, bool>, Error> {
        self.read(|db, _| memory::enablement(db)).await
    }

    /// Remembers that a command enabled or disabled a plugin; `None` forgets it.
    pub async fn set_enabled(&self, plugin: &str, enabled: Option<bool>) -> Result<(), Error> {
        let plugin = plugin.to_owned();
        self.write(move |db, _| memory::set_enabled(db, &plugin, enabled)).await
    }

    /// What commands set of the plugins' settings.
    pub async fn settings(&self) -> Result<SetByCommand, Error> {
        self.read(|db, _| memory::settings(db)).await
    }

    /// Remembers what a command set of a plugin's settings; `None` forgets it.
    pub async fn set_setting(&self, plugin: &str, name: &str, value: Option<&Value>) -> Result<(), Error> {
        let (plugin, name, value) = (plugin.to_owned(), name.to_owned(), value.map(Value::to_string));
        self.write(move |db, _| memory::set_setting(db, &plugin, &name, value.as_deref())).await
    }

    /// What a person decided of the plugins' permissions.
    pub async fn decisions(&self) -> Result<Decisions, Error> {
        self.read(|db, _| grants::all(db)).await
    }

    /// Remembers that a person granted or revoked permissions of a plugin, all of them or none.
    pub async fn decide(
        &self,
        plugin: &str,
        permissions: Vec<Permission>,
        granted: bool,
    ) -> Result<(), Error> {
        let plugin = plugin.to_owned();
        self.write(move |db, now| grants::decide(db, now, &plugin, &permissions, granted)).await
    }

    /// Where the plugins are that were enabled, or granted something, by their names.
    pub async fn places(&self) -> Result<BTreeMap<String, PathBuf>, Error> {
        self.read(|db, _| grants::places(db)).await
    }

    /// What is allowed from now on is allowed to the plugin in `folder`; what was allowed to one of the same name in
    /// another is forgotten.
    pub async fn settle(&self, plugin: &str, folder: &Path) -> Result<(), Error> {
        let (plugin, folder) = (plugin.to_owned(), folder.to_owned());
        self.write(move |db, _| grants::settle(db, &plugin, &folder)).await
    }

    /// Forgets what a person said of just these permissions of a plugin.
    pub async fn forget(&self, plugin: &str, permissions: Vec<Permission>) -> Result<(), Error> {
        let plugin = plugin.to_owned();
        self.write(move |db, _| grants::forget(db, &plugin, &permissions)).await
    }

    /// What the plugins said they offer, by their folders.
    pub async fn descriptions(&self) -> Result<Descriptions, Error> {
        self.read(|db, _| memory::descriptions(db)).await
    }

    /// Remembers what the plugin in `folder` offers, in place of what was known of it.
    pub async fn set_description(
        &self,
        folder: &Path,
        fingerprint: &str,
        description: &PluginDescription,
    ) -> Result<(), Error> {
        let (folder, fingerprint) = (folder.to_owned(), fingerprint.to_owned());
        let text = serde_json::to_string(description)
            .map_err(|error| open::failed(format!("a description is no JSON: {error}")))?;
        self.write(move |db, _| memory::set_description(db, &folder, &fingerprint, &text)).await
    }

    /// Keeps a new run of a workflow; gives the ids of old runs that are forgotten for it.
    ///
    /// # Errors
    /// Also where there is a run of this id.
    pub async fn begin_run(&self, id: &str, workflow: &str, plan: String) -> Result<Vec<String>, Error> {
        let (id, workflow) = (id.to_owned(), workflow.to_owned());
        self.write(move |db, now| runs::begin(db, now, &id, &workflow, &plan)).await
    }

    /// Keeps what became of a step of a run.
    pub async fn record_step(&self, run: &str, step: StoredStep) -> Result<(), Error> {
        let run = run.to_owned();
        self.write(move |db, _| runs::record(db, &run, &step)).await
    }

    /// Takes a run up again, without what is to be done again.
    pub async fn resume_run(&self, run: &str, again: Vec<Forget>) -> Result<(), Error> {
        let run = run.to_owned();
        self.write(move |db, _| runs::resume(db, &run, &again)).await
    }

    /// Remembers that a run has ended.
    pub async fn end_run(&self, run: &str, success: bool) -> Result<(), Error> {
        let run = run.to_owned();
        self.write(move |db, now| runs::end(db, now, &run, success)).await
    }

    /// The run of this id.
    pub async fn run(&self, id: &str) -> Result<Option<StoredRun>, Error> {
        let id = id.to_owned();
        self.read(move |db, _| runs::one(db, &id)).await
    }

    /// All runs of workflows that are remembered, the newest first.
    pub async fn runs(&self) -> Result<Vec<StoredRun>, Error> {
        self.read(|db, _| runs::all(db)).await
    }

    /// What became of the steps of a run, in the order in which they ended.
    pub async fn run_steps(&self, run: &str) -> Result<Vec<StoredStep>, Error> {
        let run = run.to_owned();
        self.read(move |db, _| runs::steps(db, &run)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection, Millis) -> worker::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Job::read(run, answer), answered).await
    }

    async fn write<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Connection, Millis) -> worker::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = oneshot::channel();
        self.ask(Job::write(run, answer), answered).await
    }

    async fn ask<T>(&self, job: Job, answered: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        let ended = || open::failed("the thread of the storage has ended; restart AstrOS".to_owned());
        self.jobs.send(job).map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
