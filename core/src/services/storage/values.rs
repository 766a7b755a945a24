//! Plugins' own data: get, set, delete, list in a namespace each, with expiry, versions and a quota.

use astros_protocol::{Error, MAX_FRAME_BYTES};
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::value::RawValue;

use super::worker::Result;
use super::{Millis, open};

/// A plugin's keys and values may take so many bytes.
pub const QUOTA_BYTES: u64 = 64 << 20;
/// A key may have so many bytes.
pub const MAX_KEY_BYTES: usize = 1024;
/// A value may have so many bytes as JSON: it has to fit into one frame, with room for the envelope.
pub const MAX_VALUE_BYTES: usize = MAX_FRAME_BYTES - 4096;
/// The most keys of one page.
pub const MAX_PAGE: u32 = 1000;

/// A value that was read.
#[derive(Debug)]
pub struct Stored {
    /// JSON.
    pub value: Box<RawValue>,
    /// 0 where the key is missing.
    pub version: u64,
}

/// Keys, in the order of their bytes.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub keys: Vec<String>,
    /// Where the next page begins; none on the last one.
    pub cursor: Option<String>,
}

pub(super) fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

pub(super) fn get(db: &Connection, now: Millis, plugin: &str, key: &str) -> Result<Option<Stored>> {
    let sql = "SELECT version, value FROM entries
               WHERE plugin = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Option<(u64, String)> =
        db.prepare_cached(sql)?.query_row(params![plugin, key, now], row).optional()?;
    let Some((version, text)) = found else { return Ok(None) };
    let value = RawValue::from_string(text).map_err(|error| {
        let message = format!("the value of `{key}` is unreadable: {error}");
        open::failed(message).with_hint("set or delete it").with("reason", "unreadable")
    })?;
    Ok(Some(Stored { value, version }))
}

pub(super) fn set(
    db: &Connection,
    now: Millis,
    plugin: &str,
    key: &str,
    value: &RawValue,
    ttl_ms: Option<i64>,
    if_version: Option<u64>,
) -> Result<u64> {
    within("key", key.len(), MAX_KEY_BYTES)?;
    within("value", value.get().len(), MAX_VALUE_BYTES)?;
    check_version(db, now, plugin, key, if_version)?;
    remove(db, plugin, key)?;
    if ttl_ms.is_some_and(|ttl| ttl <= 0) {
        return Ok(0);
    }
    make_room(db, now, plugin, (key.len() + value.get().len()) as u64)?;
    let expires_at = ttl_ms.map(|ttl| now.saturating_add(ttl));
    let sql = "INSERT INTO entries (plugin, key, value, expires_at) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![plugin, key, value.get(), expires_at])?;
    Ok(db.last_insert_rowid().unsigned_abs())
}

pub(super) fn delete(
    db: &Connection,
    now: Millis,
    plugin: &str,
    key: &str,
    if_version: Option<u64>,
) -> Result<bool> {
    let version = check_version(db, now, plugin, key, if_version)?;
    remove(db, plugin, key)?;
    Ok(version > 0)
}

pub(super) fn list(
    db: &Connection,
    now: Millis,
    plugin: &str,
    prefix: &str,
    cursor: Option<&str>,
    limit: Option<u32>,
) -> Result<Page> {
    let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE) as usize;
    let sql = "SELECT key FROM entries
               WHERE plugin = ?1 AND key >= max(?2, ?3) AND (expires_at IS NULL OR expires_at > ?4) ORDER BY key";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![plugin, prefix, cursor.unwrap_or_default(), now])?;
    let mut keys: Vec<String> = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(0)?;
        if !key.starts_with(prefix) {
            break;
        }
        if keys.len() == limit {
            return Ok(Page { keys, cursor: Some(key) });
        }
        keys.push(key);
    }
    Ok(Page { keys, cursor: None })
}

/// Removes every value whose time is over.
pub(super) fn drop_expired(db: &Connection, now: Millis) -> rusqlite::Result<()> {
    // Looked for first: a deletion takes the lock for writing also where there is nothing to delete.
    if db.prepare_cached("SELECT 1 FROM entries WHERE expires_at <= ?1")?.exists([now])? {
        db.prepare_cached("DELETE FROM entries WHERE expires_at <= ?1")?.execute([now])?;
    }
    Ok(())
}

fn remove(db: &Connection, plugin: &str, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM entries WHERE plugin = ?1 AND key = ?2")?.execute([plugin, key])?;
    Ok(())
}

/// The key's version, which has to be the expected one.
fn check_version(
    db: &Connection,
    now: Millis,
    plugin: &str,
    key: &str,
    expected: Option<u64>,
) -> Result<u64> {
    let sql = "SELECT version FROM entries
               WHERE plugin = ?1 AND key = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
    let found = db.prepare_cached(sql)?.query_row(params![plugin, key, now], |row| row.get(0)).optional()?;
    let version = found.unwrap_or(0);
    match expected {
        Some(expected) if expected != version => {
            Err(open::failed(format!("`{key}` has version {version}, expected {expected}"))
                .with_hint("another write came first; read the value again")
                .with("reason", "conflict")
                .with("version", version)
                .into())
        }
        _ => Ok(version),
    }
}

/// Checks that so many more bytes fit into the plugin's quota.
fn make_room(db: &Connection, now: Millis, plugin: &str, more: u64) -> Result<()> {
    if used(db, plugin)? + more <= QUOTA_BYTES {
        return Ok(());
    }
    // Only now it pays to look for what has expired.
    drop_expired(db, now)?;
    let used = used(db, plugin)?;
    if used + more <= QUOTA_BYTES {
        return Ok(());
    }
    let message = format!(
        "the storage of `{plugin}` is full: {used} bytes are used and {more} more were to come, the limit is \
         {QUOTA_BYTES}"
    );
    Err(open::failed(message)
        .with_hint("delete values, or keep large ones in files")
        .with("reason", "quota")
        .with("used", used)
        .with("limit", QUOTA_BYTES)
        .into())
}

fn used(db: &Connection, plugin: &str) -> rusqlite::Result<u64> {
    let mut statement = db.prepare_cached("SELECT bytes FROM usage WHERE plugin = ?1")?;
    Ok(statement.query_row([plugin], |row| row.get(0)).optional()?.unwrap_or(0))
}

fn within(what: &str, size: usize, limit: usize) -> Result<(), Error> {
    if size <= limit {
        return Ok(());
    }
    Err(open::failed(format!("the {what} has {size} bytes, expected at most {limit}"))
        .with("reason", "too_large")
        .with("size", size)
        .with("limit", limit))
}
