//! What undo knows: each operation is written down before its first step.
//!
//! `journal/<id>` is the head of an operation, `journal/<id>/<n>` are its steps in pieces that a storage takes.
//! The head is written last, so an operation that has one is whole. Ids sort by time.

use std::collections::HashSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::paths::WirePath;
use crate::plan::{Action, Identity, Plan, Step};

/// Where the journal lives: the plugin's storage, or memory in tests.
pub trait Store {
    fn get(&self, key: &str) -> Result<Option<Value>, Error>;
    fn set(&self, key: &str, value: Value) -> Result<(), Error>;
    fn delete(&self, key: &str) -> Result<(), Error>;
    /// All keys that begin with `prefix`.
    fn keys(&self, prefix: &str) -> Result<Vec<String>, Error>;
}

/// An operation as the journal keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Head {
    pub action: Action,
    pub base: WirePath,
    pieces: usize,
    bytes: usize,
}

/// How many operations are kept.
const KEPT: usize = 20;
/// How many bytes of steps are kept together, half of what a plugin may store.
const KEPT_BYTES: usize = 32 << 20;
/// How many bytes of steps go into one value.
const PIECE_BYTES: usize = 192 << 10;
const PREFIX: &str = "journal/";

/// A step as it is written; paths below the base lose it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Item(WirePath, WirePath, Identity),
    Folder(WirePath),
}

/// Writes the plan down; only then may its first step be done. Returns the operation's id.
pub fn begin(store: &impl Store, plan: &Plan) -> Result<String, Error> {
    let (pieces, bytes) = pieces(plan)?;
    let last = make_room(store, bytes)?;
    let id = next_id(last.as_deref());
    let head = Head { action: plan.action, base: plan.base.as_path().into(), pieces: pieces.len(), bytes };
    let written = write(store, &id, &head, pieces);
    if written.is_err() {
        // Half a journal is of no use; the storage may be full of it. What could not be written says more.
        let _ = forget(store, &id);
    }
    written.map(|()| id)
}

fn write(store: &impl Store, id: &str, head: &Head, pieces: Vec<Value>) -> Result<(), Error> {
    for (n, piece) in pieces.into_iter().enumerate() {
        store.set(&format!("{PREFIX}{id}/{n}"), piece)?;
    }
    store.set(&format!("{PREFIX}{id}"), serde_json::to_value(head).map_err(broken)?)
}

/// The last operation that is whole, with its steps.
pub fn last(store: &impl Store) -> Result<Option<(String, Head, Vec<Step>)>, Error> {
    let Some(id) = ids(store)?.pop() else { return Ok(None) };
    let Some(head) = head(store, &id)? else { return Ok(None) };
    let base = &head.base.0;
    let mut steps = vec![];
    for n in 0..head.pieces {
        let Some(piece) = store.get(&format!("{PREFIX}{id}/{n}"))? else {
            return Err(Error::Journal(format!("piece {n} of operation `{id}` is missing")));
        };
        for line in serde_json::from_value::<Vec<Line>>(piece).map_err(broken)? {
            steps.push(match line {
                Line::Item(from, to, was) => Step::Item { from: base.join(from.0), to: base.join(to.0), was },
                Line::Folder(path) => Step::Folder(base.join(path.0)),
            });
        }
    }
    Ok(Some((id, head, steps)))
}

/// Strikes an operation out: it was undone, or had changed nothing.
pub fn forget(store: &impl Store, id: &str) -> Result<(), Error> {
    // The head first: without it the pieces are nobody's, and the next operation sweeps them.
    store.delete(&format!("{PREFIX}{id}"))?;
    for key in store.keys(&format!("{PREFIX}{id}/"))? {
        store.delete(&key)?;
    }
    Ok(())
}

/// The steps as values that a storage takes, and their size together.
fn pieces(plan: &Plan) -> Result<(Vec<Value>, usize), Error> {
    let (mut pieces, mut piece) = (vec![], vec![]);
    let (mut total, mut size) = (0, 0);
    for step in &plan.steps {
        let line = match step {
            Step::Item { from, to, was } => Line::Item(short(plan, from), short(plan, to), *was),
            Step::Folder(path) => Line::Folder(short(plan, path)),
        };
        let bytes = serde_json::to_string(&line).map_err(broken)?.len();
        if size + bytes > PIECE_BYTES {
            pieces.push(Value::Array(std::mem::take(&mut piece)));
            size = 0;
        }
        piece.push(serde_json::to_value(line).map_err(broken)?);
        size += bytes;
        total += bytes;
    }
    pieces.push(Value::Array(piece));
    Ok((pieces, total))
}

/// Drops the oldest operations until one of `bytes` fits, and pieces that have no head. Returns the newest id.
fn make_room(store: &impl Store, bytes: usize) -> Result<Option<String>, Error> {
    let ids = ids(store)?;
    let Some(newest) = ids.last() else { return Ok(None) };
    let mut kept: HashSet<&str> = HashSet::new();
    let mut kept_bytes = bytes;
    for id in ids.iter().rev().take(KEPT - 1) {
        kept_bytes += head(store, id)?.map_or(0, |head| head.bytes);
        if kept_bytes > KEPT_BYTES {
            break;
        }
        kept.insert(id);
    }
    for key in store.keys(PREFIX)? {
        let id = key[PREFIX.len()..].split('/').next().unwrap_or_default();
        // What is newer than any head may be pieces that another process writes just now.
        if !kept.contains(id) && id <= newest.as_str() {
            store.delete(&key)?;
        }
    }
    Ok(Some(newest.clone()))
}

fn head(store: &impl Store, id: &str) -> Result<Option<Head>, Error> {
    let value = store.get(&format!("{PREFIX}{id}"))?;
    value.map(|value| serde_json::from_value(value).map_err(broken)).transpose()
}

/// Ids of the operations that are whole, the oldest first.
fn ids(store: &impl Store) -> Result<Vec<String>, Error> {
    let keys = store.keys(PREFIX)?;
    let mut ids: Vec<_> =
        keys.iter().map(|key| &key[PREFIX.len()..]).filter(|id| !id.contains('/')).collect();
    ids.sort_unstable();
    Ok(ids.into_iter().map(str::to_owned).collect())
}

/// Milliseconds since 1970 and a little chance; always after `last`, whatever the clock did.
fn next_id(last: Option<&str>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let after = last.and_then(|id| id.get(..13)?.parse::<u64>().ok()).map_or(0, |ms| ms + 1);
    format!("{:013}-{:04x}", now.max(after), fastrand::u16(..))
}

fn short(plan: &Plan, path: &Path) -> WirePath {
    path.strip_prefix(&plan.base).unwrap_or(path).into()
}

fn broken(error: serde_json::Error) -> Error {
    Error::Journal(error.to_string())
}
