//! A plugin's own data, kept by the host: `storage/get`, `set`, `delete`, `list`.
//!
//! Every plugin has a namespace of its own. A missing key has version 0; versions never repeat, also not after a
//! deletion. An answered write survives the death of any process.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::method::request;

request! {
    /// Plugin to host: read a value.
    StorageGet: "storage/get", StorageGetParams => StorageGetResult, [STORAGE_FAILED];
    /// Plugin to host: keep a value.
    /// Where `if_version` is not the key's version, `storage_failed` says which one it is (`data.version`).
    StorageSet: "storage/set", StorageSetParams => StorageSetResult, [STORAGE_FAILED];
    /// Plugin to host: forget a value; a key that is missing is no error.
    StorageDelete: "storage/delete", StorageDeleteParams => StorageDeleteResult, [STORAGE_FAILED];
    /// Plugin to host: list the keys, in the order of their bytes, a page at a time.
    StorageList: "storage/list", StorageListParams => StorageListResult, [STORAGE_FAILED];
}

/// Params of `storage/get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageGetParams {
    /// The key, in the plugin's own namespace.
    pub key: String,
    /// The value where the key is missing; null where this is absent.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub default: Value,
}

/// Result of `storage/get`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageGetResult {
    /// The value, or the default.
    pub value: Value,
    /// The key's version; 0 where it is missing.
    pub version: u64,
}

/// Params of `storage/set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageSetParams {
    /// The key, in the plugin's own namespace.
    pub key: String,
    /// Any JSON.
    pub value: Value,
    /// The time until it is forgotten, in milliseconds; 0 or less: at once; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<i64>,
    /// Write only where the key has this version; 0: only where it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
}

/// Result of `storage/set`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageSetResult {
    /// The key's new version.
    pub version: u64,
}

/// Params of `storage/delete`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageDeleteParams {
    /// The key, in the plugin's own namespace.
    pub key: String,
    /// Delete only where the key has this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_version: Option<u64>,
}

/// Result of `storage/delete`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageDeleteResult {
    /// Whether the key was there.
    pub deleted: bool,
}

/// Params of `storage/list`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageListParams {
    /// Only keys that begin with this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
    /// The `cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The most keys of a page; the host may take fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Result of `storage/list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StorageListResult {
    /// The keys of this page.
    pub keys: Vec<String>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
