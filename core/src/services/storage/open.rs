//! Opening the database: settings of the connection, migrations, and words for what can be wrong with the file.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use astros_protocol::{Error, ErrorCode};
use rusqlite::{Connection, ErrorCode as Sqlite, TransactionBehavior};

use super::{Millis, values};

/// How long a write waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: Duration = Duration::from_millis(10);

/// Each one brings a database from its index to the next version (`PRAGMA user_version`); none ever changes.
const MIGRATIONS: [&str; 5] = [
    include_str!("schema-1.sql"),
    include_str!("schema-2.sql"),
    include_str!("schema-3.sql"),
    include_str!("schema-4.sql"),
    include_str!("schema-5.sql"),
];

/// Opens or makes the database at `path`, migrates it, and drops what has expired.
pub(super) fn open(path: &Path, now: Millis) -> Result<Connection, Error> {
    if path.is_dir() {
        return Err(failed(format!(
            "`{}` is a folder, expected the database's file; move the folder away",
            path.display()
        )));
    }
    let prepare = || {
        let mut db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        db.set_prepared_statement_cache_capacity(64);
        // The journal survives the death of any process; only that of the machine may take the last writes.
        db.pragma_update(None, "journal_mode", "wal")?;
        db.pragma_update(None, "synchronous", "normal")?;
        db.pragma_update(None, "journal_size_limit", 16 << 20)?;
        let found = migrate(&mut db)?;
        Ok((db, found))
    };
    let (db, found) = patiently(prepare).map_err(|error| words(path, &error))?;
    if found > MIGRATIONS.len() {
        return Err(failed(format!(
            "`{}` has version {found}, this AstrOS knows versions up to {}; update AstrOS, or name another \
             folder in ASTROS_HOME",
            path.display(),
            MIGRATIONS.len()
        ))
        .with("reason", "newer_version"));
    }
    values::drop_expired(&db, now).map_err(|error| words(path, &error))?;
    Ok(db)
}

/// The switch to WAL in a fresh file fails at once where another process is at it too: SQLite's own timeout does not
/// cover it, so who comes second tries again.
fn patiently<T>(prepare: impl Fn() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let begun = Instant::now();
    loop {
        match prepare() {
            Err(error) if is_busy(&error) && begun.elapsed() < BUSY_TIMEOUT => thread::sleep(RETRY),
            outcome => return outcome,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked))
}

/// Brings the database to this version, and returns the one that it has now.
fn migrate(db: &mut Connection) -> rusqlite::Result<usize> {
    let version = |db: &Connection| db.query_row("PRAGMA user_version", [], |row| row.get::<_, usize>(0));
    if version(db)? >= MIGRATIONS.len() {
        return version(db);
    }
    // Another process may migrate at the same time: who comes second finds it done.
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (from, migration) in MIGRATIONS.iter().enumerate().skip(version(&transaction)?) {
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", from + 1)?;
    }
    transaction.commit()?;
    version(db)
}

/// A `storage_failed` of these words.
pub(super) fn failed(message: String) -> Error {
    Error::new(ErrorCode::STORAGE_FAILED, message)
}

/// What SQLite says, with the file and what to do.
pub(super) fn words(path: &Path, error: &rusqlite::Error) -> Error {
    let file = path.display();
    match error.sqlite_error_code() {
        Some(Sqlite::DatabaseCorrupt | Sqlite::NotADatabase) => {
            failed(format!("the storage `{file}` is damaged: {error}"))
                .with_hint(format!(
                    "nothing was deleted; `sqlite3 '{file}' .recover` reads what is left of it; \
                     move it away, and AstrOS begins with an empty one"
                ))
                .with("reason", "damaged")
        }
        Some(Sqlite::DatabaseBusy | Sqlite::DatabaseLocked) => {
            let waited = BUSY_TIMEOUT.as_secs();
            failed(format!("the storage `{file}` was in use by another process for {waited} s"))
                .with("reason", "busy")
                .retryable()
        }
        Some(Sqlite::DiskFull) => {
            failed(format!("the disk of the storage `{file}` is full")).with_hint("make room, then try again")
        }
        Some(Sqlite::CannotOpen) => failed(format!("cannot open the storage `{file}`: {error}"))
            .with_hint("its folder has to exist and to be writable for the user of AstrOS"),
        _ => failed(format!("the storage `{file}` failed: {error}")),
    }
}
