//! Storage in memory, with the versions and times to live of the real one.

use std::collections::BTreeMap;

use astros_protocol::{
    Error as WireError, ErrorCode,
    storage::{
        StorageDeleteParams, StorageDeleteResult, StorageGetParams, StorageGetResult, StorageListParams,
        StorageListResult, StorageSetParams, StorageSetResult,
    },
};
use serde_json::Value;
use tokio::time::{Duration, Instant};

/// A page of `storage/list`; small, so that tests turn pages.
const PAGE: usize = 100;

#[derive(Default)]
pub(crate) struct Store {
    entries: BTreeMap<String, Entry>,
    last_version: u64,
}

struct Entry {
    value: Value,
    version: u64,
    /// Tokio's clock: tests may pause and advance it.
    until: Option<Instant>,
}

impl Store {
    pub(crate) fn get(&mut self, asked: StorageGetParams) -> StorageGetResult {
        self.forget_old();
        match self.entries.get(&asked.key) {
            Some(entry) => StorageGetResult { value: entry.value.clone(), version: entry.version },
            None => StorageGetResult { value: asked.default, version: 0 },
        }
    }

    pub(crate) fn set(&mut self, asked: StorageSetParams) -> Result<StorageSetResult, WireError> {
        self.expect_version(&asked.key, asked.if_version)?;
        self.last_version += 1;
        let version = self.last_version;
        let ttl = asked.ttl_ms.map(|ttl| Duration::from_millis(u64::try_from(ttl).unwrap_or(0)));
        let until = ttl.and_then(|ttl| Instant::now().checked_add(ttl));
        self.entries.insert(asked.key, Entry { value: asked.value, version, until });
        Ok(StorageSetResult { version })
    }

    pub(crate) fn delete(&mut self, asked: StorageDeleteParams) -> Result<StorageDeleteResult, WireError> {
        self.expect_version(&asked.key, asked.if_version)?;
        Ok(StorageDeleteResult { deleted: self.entries.remove(&asked.key).is_some() })
    }

    pub(crate) fn list(&mut self, asked: &StorageListParams) -> StorageListResult {
        self.forget_old();
        let limit = asked.limit.map_or(PAGE, |limit| (limit as usize).clamp(1, PAGE));
        let after = |key: &&String| asked.cursor.as_ref().is_none_or(|cursor| *key > cursor);
        let fitting = self.entries.keys().filter(|key| key.starts_with(&asked.prefix));
        let mut keys: Vec<String> = fitting.filter(after).take(limit + 1).cloned().collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        StorageListResult { cursor: keys.last().filter(|_| more).cloned(), keys }
    }

    pub(crate) fn stored(&mut self, key: &str) -> Option<Value> {
        self.forget_old();
        self.entries.get(key).map(|entry| entry.value.clone())
    }

    pub(crate) fn put(&mut self, key: &str, value: Value) {
        let asked = StorageSetParams { key: key.to_owned(), value, ttl_ms: None, if_version: None };
        self.set(asked).expect("a write without a condition succeeds");
    }

    fn expect_version(&mut self, key: &str, expected: Option<u64>) -> Result<(), WireError> {
        self.forget_old();
        let version = self.entries.get(key).map_or(0, |entry| entry.version);
        match expected {
            Some(expected) if expected != version => {
                let message = format!("`{key}` has the version {version}, expected {expected}");
                Err(WireError::new(ErrorCode::STORAGE_FAILED, message).with("version", version).retryable())
            }
            _ => Ok(()),
        }
    }

    fn forget_old(&mut self) {
        let now = Instant::now();
        self.entries.retain(|_, entry| entry.until.is_none_or(|until| until > now));
    }
}
