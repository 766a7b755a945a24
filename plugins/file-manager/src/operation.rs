//! A change from end to end: journal first, then the steps; and its undo.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::Error;
use crate::journal::{self, Store};
use crate::plan::{Action, Plan};
use crate::run::{self, Outcome};
use crate::undo::{self, Undone};

/// One change at a time: an undo never meets an operation that still runs.
static TURN: LazyLock<Arc<Mutex<()>>> = LazyLock::new(Arc::default);

/// Carries a plan out. The id is the operation's in the journal; `None` where nothing was changed.
///
/// `watch` is called on a thread of its own, which goes on until it breaks, even if this future is dropped.
pub async fn perform(
    store: &impl Store,
    plan: Plan,
    mut watch: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
) -> Result<(Outcome, Option<String>), Error> {
    if plan.steps.is_empty() {
        return Ok((run::rehearse(&plan), None));
    }
    let turn = TURN.clone().lock_owned().await;
    let id = journal::begin(store, &plan).await?;
    let operation = id.clone();
    let (outcome, _turn) = on_thread(turn, move || run::run(&plan, &operation, &mut watch)).await?;
    if outcome.done == 0 && outcome.folders_created.is_empty() {
        journal::forget(store, &id).await?;
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
/// before. One that was cancelled stays and can be continued.
pub async fn undo(
    store: &impl Store,
    watch: impl FnMut(u64, u64) -> ControlFlow<()> + Clone + Send + 'static,
) -> Result<TakenBack, Error> {
    loop {
        let turn = TURN.clone().lock_owned().await;
        let Some((id, head, steps)) = journal::last(store).await? else { return Err(Error::NothingToUndo) };
        let (operation, mut watch) = (id.clone(), watch.clone());
        let (undone, _turn) =
            on_thread(turn, move || undo::undo(head.action, &steps, &operation, &mut watch)).await?;
        if !undone.cancelled {
            journal::forget(store, &id).await?;
        }
        let nothing = undone.restored == 0 && undone.skipped.is_empty() && undone.folders_removed.is_empty();
        // Killed before its first step: the person means the one before.
        if !nothing || undone.cancelled {
            return Ok(TakenBack { id, action: head.action, base: head.base.0, undone });
        }
    }
}

/// The turn travels with the work: it ends no earlier, even if the caller is cancelled meanwhile.
async fn on_thread<T: Send + 'static>(
    turn: OwnedMutexGuard<()>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<(T, OwnedMutexGuard<()>), Error> {
    let work = move || (work(), turn);
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Thread(error.to_string()))
}
