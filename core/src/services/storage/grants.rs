//! What a person decided of plugins' permissions.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use astros_protocol::manifest::Permission;
use rusqlite::{Connection, OptionalExtension, params};

use super::Millis;
use super::worker::Result;

/// A person's word on one permission of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub permission: Permission,
    /// Granted, or revoked.
    pub granted: bool,
    /// When it was said, in milliseconds since 1970.
    pub since: Millis,
}

/// The decisions on each plugin, the newest last.
pub type Decisions = BTreeMap<String, Vec<Decision>>;

pub(super) fn all(db: &Connection) -> Result<Decisions> {
    let sql = "SELECT plugin, permission, granted, since FROM grants ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut decisions = Decisions::new();
    while let Some(row) = rows.next()? {
        // One that this version cannot read grants nothing.
        if let Ok(permission) = row.get::<_, String>(1)?.parse() {
            let decision = Decision { permission, granted: row.get(2)?, since: row.get(3)? };
            decisions.entry(row.get(0)?).or_default().push(decision);
        }
    }
    Ok(decisions)
}

pub(super) fn decide(
    db: &Connection,
    now: Millis,
    plugin: &str,
    permissions: &[Permission],
    granted: bool,
) -> Result<()> {
    // A row that is replaced gets a new id: it is the newest.
    let sql = "INSERT OR REPLACE INTO grants (plugin, permission, granted, since) VALUES (?1, ?2, ?3, ?4)";
    let mut statement = db.prepare_cached(sql)?;
    for atom in permissions.iter().flat_map(Permission::atoms) {
        statement.execute(params![plugin, atom.to_string(), granted, now])?;
    }
    Ok(())
}

pub(super) fn forget(db: &Connection, plugin: &str, permissions: &[Permission]) -> Result<()> {
    let mut statement = db.prepare_cached("DELETE FROM grants WHERE plugin = ?1 AND permission = ?2")?;
    for atom in permissions.iter().flat_map(Permission::atoms) {
        statement.execute(params![plugin, atom.to_string()])?;
    }
    Ok(())
}

pub(super) fn places(db: &Connection) -> Result<BTreeMap<String, PathBuf>> {
    let mut statement = db.prepare_cached("SELECT plugin, folder FROM places")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, folder(row.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What was allowed to another plugin of this name goes; what was forbidden stays.
pub(super) fn settle(db: &Connection, plugin: &str, at: &Path) -> Result<()> {
    let sql = "SELECT folder FROM places WHERE plugin = ?1";
    let before = db.prepare_cached(sql)?.query_row([plugin], |row| Ok(folder(row.get(0)?))).optional()?;
    if before.is_some_and(|before| before != at) {
        db.prepare_cached("DELETE FROM grants WHERE plugin = ?1 AND granted")?.execute([plugin])?;
        db.prepare_cached("DELETE FROM enablement WHERE plugin = ?1 AND enabled")?.execute([plugin])?;
    }
    let sql = "INSERT OR REPLACE INTO places (plugin, folder) VALUES (?1, ?2)";
    db.prepare_cached(sql)?.execute(params![plugin, at.as_os_str().as_encoded_bytes()])?;
    Ok(())
}

fn folder(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}
