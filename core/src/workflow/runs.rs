//! The runs that are kept: begun, taken up again, listed.

use std::path::{Path, PathBuf};

use astros_protocol::{Error, ErrorCode};
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use super::{
    Engine, Given,
    file::Workflow,
    outcome::{PhaseOutcome, StepOutcome},
    place::{self, Place},
    plan,
    run::Kept,
};
use crate::services::storage::{Millis, StoredRun, StoredStep};

/// What a run does: kept as it was at its begin, whatever becomes of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) workflow: Workflow,
    /// The workflow's file.
    pub(super) source: Option<PathBuf>,
    pub(super) given: Given,
}

/// A run that this process has.
pub(super) struct Began {
    pub(super) id: String,
    pub(super) place: Place,
    pub(super) started: Timestamp,
    /// So many times.
    pub(super) resumed: u32,
}

/// One run, as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    pub id: String,
    pub workflow: String,
    pub state: RunState,
    pub task: serde_json::Value,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    /// So many times.
    pub resumed: u32,
    /// Where its report is.
    pub folder: PathBuf,
}

/// How a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A process has it.
    Running,
    /// It did not end, and nobody runs it.
    Interrupted,
    Completed,
    Failed,
}

impl RunState {
    pub fn as_str(self) -> &'static str {
        match self {
            RunState::Running => "running",
            RunState::Interrupted => "interrupted",
            RunState::Completed => "completed",
            RunState::Failed => "failed",
        }
    }
}

impl Engine {
    /// All runs that are kept, the newest first.
    pub async fn runs(&self) -> Result<Vec<RunSummary>, Error> {
        let runs = self.store.runs().await?;
        Ok(runs.into_iter().map(|run| self.summary(run)).collect())
    }

    fn summary(&self, run: StoredRun) -> RunSummary {
        let folder = self.folder.join(&run.id);
        let state = match run.success {
            Some(true) => RunState::Completed,
            Some(false) => RunState::Failed,
            None if place::is_taken(&folder) => RunState::Running,
            None => RunState::Interrupted,
        };
        let plan: Option<Plan> = serde_json::from_str(&run.plan).ok();
        RunSummary {
            id: run.id,
            workflow: run.workflow,
            state,
            task: plan.map(|plan| plan.given.task).unwrap_or_default(),
            started: moment(run.started),
            ended: run.ended.map(moment),
            resumed: run.resumed,
            folder,
        }
    }

    /// Keeps a new run, and takes it.
    pub(super) async fn begin(&self, plan: &Plan) -> Result<Began, Error> {
        let id = new_id();
        let place = Place::take(self.folder.join(&id))?;
        let text = serde_json::to_string(plan).map_err(|error| {
            Error::new(ErrorCode::INTERNAL_ERROR, format!("a workflow is no JSON: {error}"))
        })?;
        let forgotten = self.store.begin_run(&id, &plan.workflow.name, text).await?;
        let folders: Vec<PathBuf> = forgotten.iter().map(|id| self.folder.join(id)).collect();
        // What stays is found by nobody.
        tokio::task::spawn_blocking(move || {
            folders.iter().for_each(|one| drop(std::fs::remove_dir_all(one)))
        });
        Ok(Began { id, place, started: Timestamp::now(), resumed: 0 })
    }

    /// Takes a run that has not been done, and gives what had ended of it.
    pub(super) async fn take_up(&self, named: &str, id: Option<&str>) -> Result<(Plan, Began, Kept), Error> {
        let found = self.find(named, id).await?;
        let place = Place::take(self.folder.join(&found.id))?;
        // Once more, now that it is ours: another process may have ended it meanwhile.
        let stored = self.store.run(&found.id).await?.unwrap_or(found);
        if stored.success == Some(true) {
            let message = format!("the run `{}` is done, nothing is left to resume", stored.id);
            let hint = format!("`astros workflow run {named}` begins a new one");
            return Err(Error::new(ErrorCode::INVALID_PARAMS, message).with_hint(hint));
        }
        let plan: Plan =
            serde_json::from_str(&stored.plan).map_err(|error| unreadable(&stored.id, &error))?;
        if stored.success == Some(false) {
            let kept = self.kept(&stored.id).await?;
            self.store.resume_run(&stored.id, plan::again(&plan.workflow, &kept.phases)).await?;
        } else {
            self.store.resume_run(&stored.id, Vec::new()).await?;
        }
        let kept = self.kept(&stored.id).await?;
        let began =
            Began { id: stored.id, place, started: moment(stored.started), resumed: stored.resumed + 1 };
        Ok((plan, began, kept))
    }

    async fn find(&self, named: &str, id: Option<&str>) -> Result<StoredRun, Error> {
        let is_of = |run: &StoredRun| {
            let source = || Some(serde_json::from_str::<Plan>(&run.plan).ok()?.source? == Path::new(named));
            run.workflow == named || source().unwrap_or(false)
        };
        let runs = self.store.runs().await?;
        let found = match id {
            Some(id) => runs.into_iter().find(|run| run.id == id),
            None => runs.into_iter().find(|run| run.success != Some(true) && is_of(run)),
        };
        let missing = || {
            let message = match id {
                Some(id) => format!("there is no run `{id}`"),
                None => format!("no run of `{named}` was interrupted or has failed"),
            };
            Error::new(ErrorCode::INVALID_PARAMS, message).with_hint("`astros workflow runs` lists them")
        };
        let found = found.ok_or_else(missing)?;
        if !is_of(&found) {
            let message = format!("the run `{}` is of `{}`, not of `{named}`", found.id, found.workflow);
            return Err(Error::new(ErrorCode::INVALID_PARAMS, message));
        }
        Ok(found)
    }

    /// What had ended of a run. What this version cannot read is as if it had not.
    async fn kept(&self, id: &str) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let mut order: Vec<(String, StepOutcome)> = Vec::new();
        for StoredStep { phase, step, outcome } in self.store.run_steps(id).await? {
            if step.is_empty() {
                kept.phases.extend(serde_json::from_str::<PhaseOutcome>(&outcome).ok());
            } else if let Ok(outcome) = serde_json::from_str::<StepOutcome>(&outcome) {
                order.push((phase.clone(), outcome.clone()));
                kept.steps.insert((phase, step), outcome);
            }
        }
        for phase in &mut kept.phases {
            let key = phase.key();
            phase.steps = order.iter().filter(|(of, _)| *of == key).map(|(_, step)| step.clone()).collect();
        }
        Ok(kept)
    }
}

/// Sorts by time, and is short enough to be typed.
fn new_id() -> String {
    let now = Timestamp::now().to_zoned(TimeZone::system());
    format!("{}-{:06x}", now.strftime("%Y%m%d-%H%M%S"), fastrand::u32(..1 << 24))
}

fn moment(millis: Millis) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or_default()
}

fn unreadable(id: &str, error: &serde_json::Error) -> Error {
    let message = format!("the run `{id}` cannot be read: {error}");
    Error::new(ErrorCode::INTERNAL_ERROR, message).with_hint("another version of AstrOS may have begun it")
}
