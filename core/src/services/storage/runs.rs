//! What is known of the runs of workflows: what each was given, and what became of its steps.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Millis;
use super::worker::Result;

/// So many runs that have ended are remembered.
const KEPT: u32 = 200;

/// One run of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    pub id: String,
    /// The workflow's name.
    pub workflow: String,
    /// JSON: the workflow as it was when the run began, and what it was given.
    pub plan: String,
    pub started: Millis,
    /// So many times.
    pub resumed: u32,
    /// None until it ended.
    pub success: Option<bool>,
    pub ended: Option<Millis>,
}

/// What became of a step, or of a phase where `step` is empty.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStep {
    pub phase: String,
    pub step: String,
    /// JSON.
    pub outcome: String,
}

/// Which steps of a phase are forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    pub phase: String,
    /// These steps of it; the empty one is the phase itself.
    pub steps: Vec<String>,
}

/// Keeps a new run; gives those that are forgotten for it.
pub(super) fn begin(
    db: &Connection,
    now: Millis,
    id: &str,
    workflow: &str,
    plan: &str,
) -> Result<Vec<String>> {
    let sql = "INSERT INTO workflow_runs (id, workflow, plan, started) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![id, workflow, plan, now])?;
    let sql = "SELECT id FROM workflow_runs WHERE success IS NOT NULL ORDER BY started DESC, id DESC \
               LIMIT -1 OFFSET ?1";
    let mut old = db.prepare_cached(sql)?;
    let old: Vec<String> = old.query_map([KEPT], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for id in &old {
        db.prepare_cached("DELETE FROM workflow_steps WHERE run = ?1")?.execute([id])?;
        db.prepare_cached("DELETE FROM workflow_runs WHERE id = ?1")?.execute([id])?;
    }
    Ok(old)
}

/// Keeps what became of a step or a phase.
pub(super) fn record(
    db: &Connection,
    run: &str,
    StoredStep { phase, step, outcome }: &StoredStep,
) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO workflow_steps (run, phase, step, outcome) VALUES (?1, ?2, ?3, ?4)";
    db.prepare_cached(sql)?.execute(params![run, phase, step, outcome])?;
    Ok(())
}

/// What became of the steps of a run, in the order in which they ended.
pub(super) fn steps(db: &Connection, run: &str) -> Result<Vec<StoredStep>> {
    let sql = "SELECT phase, step, outcome FROM workflow_steps WHERE run = ?1 ORDER BY id";
    let mut statement = db.prepare_cached(sql)?;
    let row = |row: &Row<'_>| Ok(StoredStep { phase: row.get(0)?, step: row.get(1)?, outcome: row.get(2)? });
    let rows = statement.query_map([run], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A run goes on, without what is to be done again.
pub(super) fn resume(db: &Connection, run: &str, again: &[Forget]) -> Result<()> {
    let sql = "UPDATE workflow_runs SET resumed = resumed + 1, success = NULL, ended = NULL WHERE id = ?1";
    db.prepare_cached(sql)?.execute([run])?;
    let sql = "DELETE FROM workflow_steps WHERE run = ?1 AND phase = ?2 AND step = ?3";
    let mut forget = db.prepare_cached(sql)?;
    for Forget { phase, steps } in again {
        for step in steps {
            forget.execute([run, phase, step])?;
        }
    }
    Ok(())
}

/// A run has ended.
pub(super) fn end(db: &Connection, now: Millis, run: &str, success: bool) -> Result<()> {
    let sql = "UPDATE workflow_runs SET success = ?2, ended = ?3 WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![run, success, now])?;
    Ok(())
}

/// The run of this id.
pub(super) fn one(db: &Connection, id: &str) -> Result<Option<StoredRun>> {
    let sql = "SELECT id, workflow, plan, started, resumed, success, ended FROM workflow_runs WHERE id = ?1";
    Ok(db.prepare_cached(sql)?.query_row([id], stored).optional()?)
}

/// All runs, the newest first.
pub(super) fn all(db: &Connection) -> Result<Vec<StoredRun>> {
    let sql = "SELECT id, workflow, plan, started, resumed, success, ended FROM workflow_runs \
               ORDER BY started DESC, id DESC";
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map([], stored)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredRun> {
    Ok(StoredRun {
        id: row.get(0)?,
        workflow: row.get(1)?,
        plan: row.get(2)?,
        started: row.get(3)?,
        resumed: row.get(4)?,
        success: row.get(5)?,
        ended: row.get(6)?,
    })
}
