//! What the daemon itself remembers: follow-ups of sessions, enablement, settings and descriptions of plugins.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use astros_protocol::{Extra, PluginDescription};
use rusqlite::{Connection, OptionalExtension, params};

use super::Millis;
use super::worker::Result;

/// Who a session's next text goes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Followup {
    pub plugin: String,
    /// The handler that asked for it.
    pub handler: String,
    /// What it had been given when it asked.
    pub context: Extra,
}

/// What the plugins in these folders said they offer.
pub type Descriptions = BTreeMap<PathBuf, Described>;

/// What a plugin said it offers, when its code had a fingerprint.
#[derive(Debug, Clone)]
pub struct Described {
    fingerprint: String,
    text: String,
}

impl Described {
    /// It, where the code is still that of `fingerprint`. One that this version cannot read is as good as none: the
    /// plugin is asked again.
    pub fn valid(&self, fingerprint: &str) -> Option<PluginDescription> {
        let same = self.fingerprint == fingerprint;
        same.then(|| self.last()).flatten()
    }

    /// Whether it may name something so: where it does not, it does not. Costs less than to read it.
    pub fn may_name(&self, word: &str) -> bool {
        // A word has nothing in it that JSON writes in another way.
        self.text.contains(&format!("\"{word}\""))
    }

    /// It, whatever the code is now.
    pub fn last(&self) -> Option<PluginDescription> {
        serde_json::from_str(&self.text).ok()
    }
}

pub(super) fn followup(db: &Connection, now: Millis, session: &str) -> Result<Option<Followup>> {
    let sql = "SELECT plugin, handler, context FROM followups WHERE session = ?1 AND until > ?2";
    let row = |row: &rusqlite::Row<'_>| {
        let context: String = row.get(2)?;
        // Written by this program; what another one broke is as nothing.
        let context = serde_json::from_str(&context).unwrap_or_default();
        Ok(Followup { plugin: row.get(0)?, handler: row.get(1)?, context })
    };
    Ok(db.prepare_cached(sql)?.query_row(params![session, now], row).optional()?)
}

pub(super) fn set_followup(
    db: &Connection,
    now: Millis,
    session: &str,
    followup: Option<&Followup>,
    until: Millis,
) -> Result<()> {
    // Lapsed ones of other sessions go too, so that the table stays small.
    let sql = "DELETE FROM followups WHERE session = ?1 OR until <= ?2";
    db.prepare_cached(sql)?.execute(params![session, now])?;
    if let Some(Followup { plugin, handler, context }) = followup {
        let context = serde_json::Value::Object(context.clone()).to_string();
        let sql =
            "INSERT INTO followups (session, plugin, handler, context, until) VALUES (?1, ?2, ?3, ?4, ?5)";
        db.prepare_cached(sql)?.execute(params![session, plugin, handler, context, until])?;
    }
    Ok(())
}

pub(super) fn enablement(db: &Connection) -> Result<BTreeMap<String, bool>> {
    let mut statement = db.prepare_cached("SELECT plugin, enabled FROM enablement")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn set_enabled(db: &Connection, plugin: &str, enabled: Option<bool>) -> Result<()> {
    match enabled {
        Some(enabled) => db
            .prepare_cached("INSERT OR REPLACE INTO enablement (plugin, enabled) VALUES (?1, ?2)")?
            .execute(params![plugin, enabled])?,
        None => db.prepare_cached("DELETE FROM enablement WHERE plugin = ?1")?.execute([plugin])?,
    };
    Ok(())
}

/// What commands set, by plugin and name.
pub type SetByCommand = BTreeMap<String, BTreeMap<String, serde_json::Value>>;

pub(super) fn settings(db: &Connection) -> Result<SetByCommand> {
    let mut statement = db.prepare_cached("SELECT plugin, name, value FROM settings")?;
    let mut rows = statement.query([])?;
    let mut settings = SetByCommand::new();
    while let Some(row) = rows.next()? {
        // Written by this program; what another one broke is as nothing.
        if let Ok(value) = serde_json::from_str(&row.get::<_, String>(2)?) {
            settings.entry(row.get(0)?).or_default().insert(row.get(1)?, value);
        }
    }
    Ok(settings)
}

pub(super) fn set_setting(db: &Connection, plugin: &str, name: &str, value: Option<&str>) -> Result<()> {
    match value {
        Some(value) => db
            .prepare_cached("INSERT OR REPLACE INTO settings (plugin, name, value) VALUES (?1, ?2, ?3)")?
            .execute(params![plugin, name, value])?,
        None => db
            .prepare_cached("DELETE FROM settings WHERE plugin = ?1 AND name = ?2")?
            .execute(params![plugin, name])?,
    };
    Ok(())
}

pub(super) fn descriptions(db: &Connection) -> Result<Descriptions> {
    let mut statement = db.prepare_cached("SELECT folder, fingerprint, description FROM descriptions")?;
    let rows = statement.query_map([], |row| {
        let folder: Vec<u8> = row.get(0)?;
        Ok((
            PathBuf::from(OsString::from_vec(folder)),
            Described { fingerprint: row.get(1)?, text: row.get(2)? },
        ))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(super) fn set_description(
    db: &Connection,
    folder: &Path,
    fingerprint: &str,
    description: &str,
) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO descriptions (folder, fingerprint, description) VALUES (?1, ?2, ?3)";
    let folder = folder.as_os_str().as_encoded_bytes();
    db.prepare_cached(sql)?.execute(params![folder, fingerprint, description])?;
    Ok(())
}
