//! A change from end to end: journal first, then the steps; and its undo.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::journal::{self, Store};
use crate::plan::{Action, Plan};
use crate::run::{self, Outcome, Watch};
use crate::undo::{self, Undone};

/// One change at a time: an undo never meets an operation that still runs. It guards files, not memory, so a panic
/// of the one before spoils nothing.
static TURN: Mutex<()> = Mutex::new(());

/// Carries a plan out. The id is the operation's in the journal; `None` where nothing was changed.
pub fn perform(
    store: &impl Store,
    plan: &Plan,
    watch: impl Watch,
) -> Result<(Outcome, Option<String>), Error> {
    if plan.steps.is_empty() {
        return Ok((run::rehearse(plan), None));
    }
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let id = journal::begin(store, plan)?;
    let outcome = run::run(plan, &id, watch);
    if outcome.done == 0 && outcome.folders_created.is_empty() {
        journal::forget(store, &id)?;
        return Ok((outcome, None));
    }
    Ok((outcome, Some(id)))
}

/// What an undo took back.
#[derive(Debug)]
pub struct TakenBack {
    pub id: String,
    pub action: Action,
    pub base: PathBuf,
    pub undone: Undone,
}

/// Takes the last operation back that changed something, and strikes it out, so that the next undo takes the one
/// before. One that was stopped stays and can be continued.
pub fn undo(store: &impl Store, mut watch: impl Watch) -> Result<TakenBack, Error> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let (id, head, steps) = journal::last(store)?.ok_or(Error::NothingToUndo)?;
        let undone = undo::undo(head.action, &steps, &id, &mut watch);
        if !undone.cancelled {
            journal::forget(store, &id)?;
        }
        let nothing = undone.restored == 0 && undone.skipped.is_empty() && undone.folders_removed.is_empty();
        // Killed before its first step: the person means the one before.
        if !nothing || undone.cancelled {
            return Ok(TakenBack { id, action: head.action, base: head.base.0, undone });
        }
    }
}
