//! One run of a workflow: phase after phase, to its report.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_protocol::{Error, ErrorCode};
use jiff::Timestamp;
use serde_json::json;
use tokio::time::Instant;

use super::{
    Engine, For, Given, Switches,
    file::Workflow,
    input,
    news::Teller,
    outcome::{Failure, PhaseOutcome, StepOutcome},
    phase::Done,
    place::Place,
    plan::{self, Next, Turn},
    report::Report,
    runs::{Began, Plan},
};
use crate::{
    router::{Router, tree::Root},
    services::storage::{Store, StoredStep},
};

/// One run on its way.
pub(super) struct Run {
    pub(super) id: String,
    pub(super) plan: Plan,
    pub(super) router: Arc<Router>,
    pub(super) root: Arc<Root>,
    pub(super) switches: Switches,
    pub(super) teller: Teller,
    pub(super) place: Place,
    /// Held by the step that a person is asked about.
    pub(super) stops: tokio::sync::Mutex<()>,
    /// So many bytes of outcomes are kept of its steps.
    pub(super) held: AtomicUsize,
    store: Store,
    /// What had ended before it was interrupted.
    kept: Kept,
    resumed: u32,
    started: Timestamp,
    /// The time that it may take from now on.
    limit: Option<Duration>,
    /// Its end was told.
    told: AtomicBool,
}

/// What had ended of a run before it was taken up again.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) phases: Vec<PhaseOutcome>,
    /// By [`Turn::key`] and the step's name; those of finished phases too.
    pub(super) steps: BTreeMap<(String, String), StepOutcome>,
}

impl Engine {
    /// Does a workflow from its begin; `source` is its file.
    ///
    /// # Errors
    /// It could not be begun, kept or brought to an end: it took longer than it may, or a person stopped it. Such a
    /// run can be resumed. That a part failed is said by the report.
    pub async fn run(
        &self,
        workflow: Workflow,
        source: Option<PathBuf>,
        given: Given,
        on: For,
    ) -> Result<Report, Error> {
        check_questions(&on)?;
        let plan = Plan { workflow, source, given };
        let began = self.begin(&plan).await?;
        self.made(plan, began, Kept::default(), on).ends().await
    }

    /// Takes a run up that was interrupted or has failed: the one of this id, or the newest one of the workflow.
    /// `named` is the workflow's name, or its file.
    ///
    /// # Errors
    /// As [`Engine::run`]; there is no such run, it is done, or another process has it.
    pub async fn resume(&self, named: &str, id: Option<&str>, on: For) -> Result<Report, Error> {
        check_questions(&on)?;
        let (plan, began, kept) = self.take_up(named, id).await?;
        self.made(plan, began, kept, on).ends().await
    }

    fn made(&self, plan: Plan, began: Began, kept: Kept, on: For) -> Run {
        let For { root, watcher, switches, timeout } = on;
        let Began { id, place, started, resumed } = began;
        if let Some(provider) = &plan.given.provider {
            let _ = root.provider.set(provider.clone());
        }
        // What a person names is what they may be asked about.
        let _ = root.named.set(input::paths(&plan.workflow, &plan.given.inputs));
        let teller = Teller::new(self.router.clone(), watcher, &id, &plan.workflow.name, &plan.given.task);
        let limit = plan.workflow.timeout.map(|limit| limit.0);
        Run {
            id,
            plan,
            router: self.router.clone(),
            root,
            switches,
            teller,
            place,
            stops: tokio::sync::Mutex::default(),
            held: AtomicUsize::new(kept.steps.values().map(StepOutcome::size).sum()),
            store: self.store.clone(),
            kept,
            resumed,
            started,
            limit: timeout.into_iter().chain(limit).min(),
            told: AtomicBool::new(false),
        }
    }
}

impl Run {
    async fn ends(self) -> Result<Report, Error> {
        let phases = self.plan.workflow.phases.len();
        self.teller.tell("started", json!({ "resumed": self.resumed, "phases": phases })).await;
        let clock = &self.root.clock;
        let work = self.report();
        let ended = match self.limit {
            Some(limit) => {
                let ended = clock.limit(clock.now() + limit, work).await;
                ended.unwrap_or_else(|| Err(self.took_too_long(limit)))
            }
            None => work.await,
        };
        self.told.store(true, Ordering::Relaxed);
        match &ended {
            Ok(report) if report.success => {
                let members =
                    json!({ "success": true, "elapsed_ms": report.elapsed_ms, "report": report.files });
                self.teller.tell("completed", members).await;
            }
            Ok(report) => {
                let members = json!({
                    "success": false, "elapsed_ms": report.elapsed_ms, "report": report.files, "error": report.error,
                });
                self.teller.tell("failed", members).await;
            }
            Err(error) => {
                let members = json!({ "success": false, "error": Failure::of(error, false) });
                self.teller.tell("failed", members).await;
            }
        }
        ended
    }

    /// All that is still to be done, and what came of it.
    async fn report(&self) -> Result<Report, Error> {
        let workflow = &self.plan.workflow;
        let mut finished = self.kept.phases.clone();
        let failed = loop {
            match plan::next(workflow, &finished) {
                Next::Phase(turn) => {
                    let outcome = self.phase(&turn, &finished).await?;
                    finished.push(outcome);
                }
                Next::Completed => break None,
                Next::Failed(phase) => break Some(phase),
            }
        };
        let failure = failed.map(|phase| {
            let ended =
                finished.iter().find(|outcome| outcome.phase == phase.name && outcome.after.is_none());
            let why = ended.and_then(|outcome| outcome.error.clone());
            let why = why.unwrap_or_else(|| Failure::said("it failed"));
            Failure { message: format!("the phase `{}` failed: {}", phase.name, why.message), ..why }
        });
        let report = Report::of(self, finished, failure).await.kept(&self.place).await?;
        // After the files: who finds it ended finds them too.
        self.store.end_run(&self.id, report.success).await?;
        Ok(report)
    }

    /// One phase, from its condition to what is kept of it.
    async fn phase(&self, turn: &Turn<'_>, finished: &[PhaseOutcome]) -> Result<PhaseOutcome, Error> {
        let (begun, started) = (Instant::now(), Timestamp::now());
        let (phase, after) = (&turn.phase.name, &turn.after);
        let names: Vec<&str> = turn.phase.agents.iter().map(|agent| &*agent.name).collect();
        self.teller.tell("phase_started", json!({ "phase": phase, "after": after, "agents": names })).await;
        let Done { success, skipped, result, error, steps } = self.done(turn, finished).await?;
        let outcome = PhaseOutcome {
            phase: phase.clone(),
            after: after.clone(),
            success,
            skipped,
            result,
            error,
            started,
            elapsed_ms: millis(begun.elapsed()),
            steps: Vec::new(),
        };
        self.keep(turn.key(), String::new(), &outcome).await?;
        let members = json!({
            "phase": phase, "after": after, "success": success, "skipped": skipped,
            "elapsed_ms": outcome.elapsed_ms, "error": outcome.error,
        });
        self.teller.tell("phase_completed", members).await;
        Ok(PhaseOutcome { steps, ..outcome })
    }

    /// Keeps what became of a step, or of a phase where `step` is empty, before anything rests on it.
    pub(super) async fn keep(
        &self,
        phase: String,
        step: String,
        outcome: &impl serde::Serialize,
    ) -> Result<(), Error> {
        let outcome = serde_json::to_string(outcome).map_err(|error| {
            Error::new(ErrorCode::INTERNAL_ERROR, format!("an outcome is no JSON: {error}"))
        })?;
        self.store.record_step(&self.id, StoredStep { phase, step, outcome }).await
    }

    /// What became of a step before the run was taken up again.
    pub(super) fn kept(&self, phase: &str, step: &str) -> Option<&StepOutcome> {
        self.kept.steps.get(&(phase.to_owned(), step.to_owned()))
    }

    pub(super) fn started(&self) -> Timestamp {
        self.started
    }

    pub(super) fn resumed(&self) -> u32 {
        self.resumed
    }

    fn took_too_long(&self, limit: Duration) -> Error {
        let name = &self.plan.workflow.name;
        let message = format!("the workflow `{name}` took longer than {}", humantime::format_duration(limit));
        Error::new(ErrorCode::DEADLINE_EXCEEDED, message).with_hint(self.how_to_resume())
    }

    pub(super) fn how_to_resume(&self) -> String {
        format!("`astros workflow run {} --resume={}` goes on from here", self.plan.workflow.name, self.id)
    }
}

/// Who gives a run up is told of by the bus.
impl Drop for Run {
    fn drop(&mut self) {
        if !self.told.load(Ordering::Relaxed) {
            self.teller.publish_only("cancelled");
        }
    }
}

fn check_questions(on: &For) -> Result<(), Error> {
    if !on.switches.step || on.root.questions.is_some() {
        return Ok(());
    }
    let message = "nobody is there who could be asked before each step";
    Err(Error::new(ErrorCode::INVALID_PARAMS, message)
        .with_hint("step by step takes a terminal, without `--json`"))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
