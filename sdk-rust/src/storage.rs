//! The plugin's own data, kept by the host: keys to JSON values, with versions.

use std::time::Duration;

use astros_peer::Peer;
use astros_protocol::storage::{
    StorageDelete, StorageDeleteParams, StorageGet, StorageGetParams, StorageList, StorageListParams,
    StorageSet, StorageSetParams,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Error, Result};

/// The plugin's own data. An answered write survives the death of any process.
/// A missing key has version 0, and versions never repeat, so that compare-and-set is safe.
#[derive(Clone, Copy)]
pub struct Storage<'a> {
    pub(crate) peer: &'a Peer,
}

impl Storage<'_> {
    /// The value of a key; `None` where it is missing.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.get_versioned(key).await?.0)
    }

    /// The value of a key, or the default where it is missing.
    pub async fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key).await?.unwrap_or(default))
    }

    /// The value of a key and its version, for [`Storage::set_if_version`].
    pub async fn get_versioned<T: DeserializeOwned>(&self, key: &str) -> Result<(Option<T>, u64)> {
        let asked = StorageGetParams { key: key.to_owned(), default: Value::Null };
        let found = self.peer.request::<StorageGet>(&asked).await?;
        if found.version == 0 {
            return Ok((None, 0));
        }
        let value = serde_json::from_value(found.value)
            .map_err(|error| Error::msg(format!("what is stored as `{key}` is something else: {error}")))?;
        Ok((Some(value), found.version))
    }

    /// Keeps a value; gives its version.
    pub async fn set(&self, key: &str, value: impl Serialize) -> Result<u64> {
        self.write(key, value, None, None).await
    }

    /// Keeps a value for some time.
    pub async fn set_with_ttl(&self, key: &str, value: impl Serialize, ttl: Duration) -> Result<u64> {
        self.write(key, value, Some(ttl), None).await
    }

    /// Keeps a value where the key still has this version, 0 where it is missing; otherwise `storage_failed`.
    pub async fn set_if_version(&self, key: &str, value: impl Serialize, version: u64) -> Result<u64> {
        self.write(key, value, None, Some(version)).await
    }

    async fn write(
        &self,
        key: &str,
        value: impl Serialize,
        ttl: Option<Duration>,
        if_version: Option<u64>,
    ) -> Result<u64> {
        let value = serde_json::to_value(value)?;
        let ttl_ms = ttl.map(|ttl| i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
        let asked = StorageSetParams { key: key.to_owned(), value, ttl_ms, if_version };
        Ok(self.peer.request::<StorageSet>(&asked).await?.version)
    }

    /// Forgets a key; false where it was missing.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        self.remove(key, None).await
    }

    /// Forgets a key where it still has this version; otherwise `storage_failed`.
    pub async fn delete_if_version(&self, key: &str, version: u64) -> Result<bool> {
        self.remove(key, Some(version)).await
    }

    async fn remove(&self, key: &str, if_version: Option<u64>) -> Result<bool> {
        let asked = StorageDeleteParams { key: key.to_owned(), if_version };
        Ok(self.peer.request::<StorageDelete>(&asked).await?.deleted)
    }

    /// All keys that begin with `prefix`, in the order of their bytes.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let mut asked = StorageListParams { prefix: prefix.to_owned(), ..StorageListParams::default() };
        let mut keys = Vec::new();
        loop {
            let page = self.peer.request::<StorageList>(&asked).await?;
            keys.extend(page.keys);
            if page.cursor.is_none() {
                return Ok(keys);
            }
            asked.cursor = page.cursor;
        }
    }
}
