//! One step: a part of a plugin is run, again where it fails and may be, and what came of it is kept.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use astros_protocol::{
    Error, ErrorCode, Extra,
    lifecycle::Effects,
    workflow::{WorkflowKind, WorkflowResult},
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio::{sync::mpsc, time::Instant};

use super::{
    file::Retry,
    input,
    outcome::{Failure, StepOutcome},
    parts::{self, Part},
    phase::Ground,
    run::{Run, millis},
};
use crate::router::{
    Above, Call, Listener, Named,
    tree::Link,
    wire::{StepRef, Work as Asked},
};

/// Progress that waits to be shown; beyond it the part's stream waits.
const WINDOW: usize = 8;

/// A step of a phase.
pub(super) struct Job<'a> {
    /// Its name, which no other one of its phase has.
    pub(super) step: String,
    pub(super) part: Part<'a>,
    /// The decision of an orchestrator that wants it; the plugin of that goes before others that bring the part.
    pub(super) by: Option<&'a StepOutcome>,
    /// The decision that it is run for.
    pub(super) round: Option<u32>,
    pub(super) retry: Option<&'a Retry>,
    pub(super) timeout: Option<Duration>,
}

/// What it is given.
pub(super) struct Work {
    pub(super) task: Value,
    pub(super) inputs: Extra,
    /// More members of its context.
    pub(super) more: Extra,
}

/// The members of every context; nobody puts others in their place.
pub(super) const CONTEXT: [&str; 7] =
    ["workflow_id", "workflow", "phase", "task", "inputs", "results", "provider"];

/// The context of a part, borrowed.
#[derive(Serialize)]
struct ContextRef<'a> {
    workflow_id: &'a str,
    workflow: &'a str,
    phase: &'a str,
    task: &'a Value,
    inputs: &'a Extra,
    results: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<&'a str>,
    #[serde(flatten)]
    more: &'a Extra,
}

impl<'a> Job<'a> {
    /// The step that a phase is.
    pub(super) fn of_phase(ground: &Ground<'a>, step: String, kind: WorkflowKind, name: &'a str) -> Job<'a> {
        let phase = ground.phase;
        Job {
            step,
            part: Part { kind, name, plugin: phase.plugin.as_deref() },
            by: None,
            round: None,
            retry: phase.retry.as_ref(),
            timeout: phase.timeout.map(|timeout| timeout.0),
        }
    }
}

impl Run {
    /// Runs a step, unless it had ended before the run was taken up again. `work` is none where its condition does
    /// not hold, and an error where what it is given cannot be worked out.
    pub(super) async fn step(
        &self,
        ground: &Ground<'_>,
        job: Job<'_>,
        work: Result<Option<Work>, String>,
    ) -> Result<StepOutcome, Error> {
        let phase = &*ground.phase.name;
        if let Some(kept) = self.kept(&ground.key, &job.step) {
            self.teller.show_only("step_completed", news(phase, kept, true)).await;
            return Ok(kept.clone());
        }
        let (begun, started) = (Instant::now(), Timestamp::now());
        let mut outcome = job.outcome(started);
        match work {
            Ok(None) => outcome.skipped = true,
            Err(why) => outcome.error = Some(Failure::said(why)),
            Ok(Some(work)) => {
                outcome.task = work.task.clone();
                if self.goes_on(phase, &job, &work).await? {
                    self.tries(ground, &job, work, &mut outcome).await?;
                } else {
                    outcome.skipped = true;
                }
            }
        }
        outcome.elapsed_ms = millis(begun.elapsed());
        outcome.bound(self.held.load(Ordering::Relaxed));
        self.held.fetch_add(outcome.size(), Ordering::Relaxed);
        self.keep(ground.key.clone(), job.step, &outcome).await?;
        self.teller.tell("step_completed", news(phase, &outcome, false)).await;
        Ok(outcome)
    }

    /// Runs a part until it succeeds, or may not be tried again.
    async fn tries(
        &self,
        ground: &Ground<'_>,
        job: &Job<'_>,
        work: Work,
        outcome: &mut StepOutcome,
    ) -> Result<(), Error> {
        let phase = &*ground.phase.name;
        let members =
            json!({ "phase": phase, "step": outcome.step, "kind": outcome.kind, "part": outcome.part });
        self.teller.tell("step_started", members).await;
        let (task, context) = (raw(&work.task)?, self.context(ground, &work)?);
        let most = job.retry.map_or(1, |retry| retry.attempts.get());
        loop {
            outcome.attempts += 1;
            let (ended, may_repeat) = match job.part.plugin(&self.router, job.by.map(|by| &*by.plugin)) {
                Ok(plugin) => {
                    plugin.as_ref().clone_into(&mut outcome.plugin);
                    let ended = self.once(phase, job, &plugin, &work.inputs, &task, &context).await;
                    let may = ended.as_ref().err().is_none_or(|error| may_help(error.code));
                    (ended, may)
                }
                Err(error) => (Err(error), false),
            };
            self.take(outcome, ended);
            if outcome.success || outcome.attempts >= most || !may_repeat {
                break;
            }
            let wait = job.retry.map(|retry| retry.wait(outcome.attempts)).unwrap_or_default();
            let members = json!({
                "phase": phase, "step": outcome.step, "attempt": outcome.attempts, "of": most,
                "wait_ms": millis(wait), "error": outcome.error,
            });
            self.teller.show_only("step_retrying", members).await;
            tokio::time::sleep(wait).await;
        }
        if self.switches.save_intermediate {
            let name = format!("steps/{}.{}.json", ground.key, outcome.step);
            let input = json!({ "kind": outcome.kind, "name": outcome.part, "plugin": outcome.plugin, "task": task, "context": context });
            self.place.write(&name, format!("{:#}", json!({ "input": input, "output": outcome }))).await?;
        }
        Ok(())
    }

    /// One try.
    async fn once(
        &self,
        phase: &str,
        job: &Job<'_>,
        plugin: &Arc<str>,
        inputs: &Extra,
        task: &RawValue,
        context: &RawValue,
    ) -> Result<WorkflowResult, Error> {
        let paths = input::paths(&self.plan.workflow, inputs).into_iter();
        let named: Vec<Named> = paths.map(|path| Named { path, surely: true }).collect();
        let above = self.above(job, plugin)?;
        if above.caller.is_none() {
            self.router.reaches(plugin, named.clone(), Effects::Read, &self.root).await?;
        }
        let label = label(&job.part.kind, job.part.name);
        let (sender, mut values) = mpsc::channel(WINDOW);
        let listener = Some(sender).filter(|_| self.teller.watcher.is_some());
        let call = Call {
            plugin,
            handler: &label,
            work: Asked::Part(StepRef {
                kind: &job.part.kind,
                name: job.part.name,
                task,
                context,
                paths: &named,
            }),
            root: self.root.clone(),
            above,
            timeout: job.timeout,
            progress: listener.map_or(Listener::Nobody, Listener::Channel),
            followup: false,
        };
        let relay = async {
            while let Some(progress) = values.recv().await {
                let members = json!({ "phase": phase, "step": job.step, "progress": progress });
                self.teller.show_only("step_progress", members).await;
            }
        };
        let (answer, ()) = tokio::join!(self.router.call(call), relay);
        let answer = answer.map_err(|error| match error.code {
            // Nothing on the command line gives a step more.
            ErrorCode::DEADLINE_EXCEEDED => error.with_hint("`timeout` in the workflow's file gives it more"),
            _ => error,
        })?;
        serde_json::from_str(answer.get()).map_err(|error| {
            let message = format!("plugin `{plugin}` answered `{label}` with what is no result: {error}");
            Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(&**plugin)
        })
    }

    /// On whose behalf a part is run: the person's, whose file names it, or that of the plugin whose orchestrator
    /// wants it, unless it is its own. For another's part that plugin needs to be allowed to call it.
    fn above(&self, job: &Job<'_>, plugin: &Arc<str>) -> Result<Above, Error> {
        let is_named = || {
            let is_this = |part: &Part<'_>| part.kind == job.part.kind && part.name == job.part.name;
            parts::named(&self.plan.workflow).iter().any(|(_, part)| {
                is_this(part) && part.plugin(&self.router, None).is_ok_and(|found| found == *plugin)
            })
        };
        let Some(by) = job.by.filter(|by| *by.plugin != **plugin && !is_named()) else {
            return Ok(Above::default());
        };
        let caller: Arc<str> = Arc::from(&*by.plugin);
        let link = Link::extend(None, &caller, &label(&by.kind, &by.part))?;
        Ok(Above { link: Some(link), caller: Some(caller), ..Above::default() })
    }

    /// Takes down what came of a try.
    fn take(&self, outcome: &mut StepOutcome, ended: Result<WorkflowResult, Error>) {
        match ended {
            Ok(WorkflowResult { success, result, evidence, next, extra }) => {
                outcome.success = success;
                outcome.error = (!success).then(|| {
                    let said = ["message", "error"].iter().find_map(|name| extra.get(*name)?.as_str());
                    let said = said.or(result.as_str()).unwrap_or("it says that it was not done");
                    Failure::said(said)
                });
                (outcome.result, outcome.evidence, outcome.next) = (result, evidence, next);
            }
            Err(error) => {
                outcome.success = false;
                outcome.error = Some(Failure::of(&error, self.switches.traces));
            }
        }
    }

    fn context(&self, ground: &Ground<'_>, work: &Work) -> Result<Box<RawValue>, Error> {
        let context = ContextRef {
            workflow_id: &self.id,
            workflow: &self.plan.workflow.name,
            phase: &ground.phase.name,
            task: &work.task,
            inputs: &work.inputs,
            results: &ground.results,
            provider: self.plan.given.provider.as_deref(),
            more: &work.more,
        };
        raw(&context)
    }
}

impl Job<'_> {
    fn outcome(&self, started: Timestamp) -> StepOutcome {
        StepOutcome {
            step: self.step.clone(),
            kind: self.part.kind.clone(),
            part: self.part.name.to_owned(),
            round: self.round,
            plugin: String::new(),
            task: Value::Null,
            success: false,
            skipped: false,
            result: Value::Null,
            evidence: Vec::new(),
            next: Vec::new(),
            error: None,
            attempts: 0,
            started,
            elapsed_ms: 0,
        }
    }
}

/// What stands for a part in the chain of calls and in errors.
fn label(kind: &WorkflowKind, name: &str) -> String {
    format!("{kind} {name}")
}

/// Whether another try can end otherwise.
fn may_help(code: ErrorCode) -> bool {
    ![
        ErrorCode::INVALID_PARAMS,
        ErrorCode::PERMISSION_DENIED,
        ErrorCode::PLUGIN_NOT_FOUND,
        ErrorCode::HANDLER_NOT_FOUND,
        ErrorCode::METHOD_NOT_FOUND,
    ]
    .contains(&code)
}

fn news(phase: &str, outcome: &StepOutcome, kept: bool) -> Value {
    json!({
        "phase": phase, "step": outcome.step, "kind": outcome.kind, "part": outcome.part, "plugin": outcome.plugin,
        "success": outcome.success, "skipped": outcome.skipped, "attempts": outcome.attempts,
        "elapsed_ms": outcome.elapsed_ms, "error": outcome.error, "kept": kept,
    })
}

/// A value as JSON on one line.
pub(super) fn raw(value: &impl Serialize) -> Result<Box<RawValue>, Error> {
    serde_json::value::to_raw_value(value).map_err(|error| {
        Error::new(ErrorCode::INTERNAL_ERROR, format!("what a part is given is no JSON: {error}"))
    })
}
