//! A phase at work: agents at the same time, or one part of a plugin.

use astros_protocol::{Error, Extra, workflow::WorkflowKind};
use futures_util::{StreamExt as _, stream};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    expression::Scope,
    file::{Agent, Phase},
    jinja::MOST,
    outcome::{Failure, PhaseOutcome, StepOutcome, results},
    parts::Part,
    plan::Turn,
    run::Run,
    step::{Job, Work, raw},
};

/// What came of a phase.
pub(super) struct Done {
    pub(super) success: bool,
    pub(super) skipped: bool,
    pub(super) result: Value,
    pub(super) error: Option<Failure>,
    pub(super) steps: Vec<StepOutcome>,
}

/// What all steps of a phase are given.
pub(super) struct Ground<'a> {
    pub(super) phase: &'a Phase,
    /// [`Turn::key`].
    pub(super) key: String,
    pub(super) scope: Scope,
    pub(super) task: Value,
    pub(super) inputs: Extra,
    /// Of the phases before, as JSON.
    pub(super) results: Box<RawValue>,
}

impl Run {
    pub(super) async fn done(&self, turn: &Turn<'_>, finished: &[PhaseOutcome]) -> Result<Done, Error> {
        let phase = turn.phase;
        let results = results(finished);
        let given = &self.plan.given;
        let known = json!({
            "task": given.task, "inputs": given.inputs, "results": results,
            "provider": given.provider, "workflow_id": self.id,
        });
        let scope = Scope::new(&known);
        let own = Own { when: phase.when.clone(), task: phase.task.clone(), inputs: phase.inputs.clone() };
        let (task, inputs) = match own.filled(&scope, &given.task, &given.inputs).await {
            Ok(Some(filled)) => filled,
            Ok(None) => return Ok(Done::skipped()),
            Err(why) => return Ok(Done::failed(Failure::said(why))),
        };
        let mut known = known;
        known["inputs"] = json!(inputs);
        let scope = Scope::new(&known);
        let results = raw(&Value::Object(results))?;
        let ground = Ground { phase, key: turn.key(), scope, task, inputs, results };
        match phase.part() {
            None => self.agents(&ground).await,
            Some((WorkflowKind::Orchestrator, name)) => self.orchestrate(&ground, name).await,
            Some((kind, name)) => self.part(&ground, kind, name).await,
        }
    }

    /// All agents of a phase, at most so many at once.
    async fn agents(&self, ground: &Ground<'_>) -> Result<Done, Error> {
        let agents = &ground.phase.agents;
        let steps = self.together(ground.phase, agents.iter().map(|agent| self.agent(ground, agent))).await?;
        let result: Map<String, Value> =
            steps.iter().map(|step| (step.step.clone(), step.result.clone())).collect();
        Ok(Done {
            success: steps.iter().all(StepOutcome::is_fine),
            skipped: false,
            result: result.into(),
            error: failures(&steps),
            steps,
        })
    }

    async fn agent(&self, ground: &Ground<'_>, agent: &Agent) -> Result<StepOutcome, Error> {
        let Ground { phase, scope, .. } = ground;
        let own = Own { when: agent.when.clone(), task: agent.task.clone(), inputs: agent.inputs.clone() };
        let filled = own.filled(scope, &ground.task, &ground.inputs).await;
        let work = filled.map(|filled| {
            let (task, inputs) = filled?;
            Some(Work { task, inputs, more: Extra::new() })
        });
        let job = Job {
            step: agent.name.clone(),
            part: Part { kind: WorkflowKind::Agent, name: &agent.agent, plugin: agent.plugin.as_deref() },
            by: None,
            round: None,
            retry: agent.retry.as_ref().or(phase.retry.as_ref()),
            timeout: agent.timeout.or(phase.timeout).map(|timeout| timeout.0),
        };
        self.step(ground, job, work).await
    }

    /// A phase that a plugin brings.
    async fn part(&self, ground: &Ground<'_>, kind: WorkflowKind, name: &str) -> Result<Done, Error> {
        let job = Job::of_phase(ground, "phase".to_owned(), kind, name);
        let step = self.step(ground, job, Ok(Some(ground.work(Extra::new())))).await?;
        Ok(Done {
            success: step.success,
            skipped: step.skipped,
            result: step.result.clone(),
            error: step.error.clone(),
            steps: vec![step],
        })
    }

    /// Runs steps of a phase, so many at once as it may; gives what came of them in their own order.
    pub(super) async fn together(
        &self,
        phase: &Phase,
        steps: impl Iterator<Item = impl Future<Output = Result<StepOutcome, Error>>>,
    ) -> Result<Vec<StepOutcome>, Error> {
        let said = phase.max_parallel.unwrap_or(self.plan.workflow.max_parallel).get();
        // Who looks at each step looks at one at a time.
        let at_once = if self.switches.step { 1 } else { usize::try_from(said).unwrap_or(usize::MAX) };
        let numbered: Vec<_> = steps.enumerate().map(|(at, step)| async move { (at, step.await) }).collect();
        let mut at_work = stream::iter(numbered).buffer_unordered(at_once);
        let mut ended = Vec::new();
        while let Some((at, outcome)) = at_work.next().await {
            // Where it cannot be kept, the others are taken back.
            ended.push((at, outcome?));
        }
        ended.sort_by_key(|(at, _)| *at);
        Ok(ended.into_iter().map(|(_, step)| step).collect())
    }
}

impl Done {
    pub(super) fn failed(failure: Failure) -> Done {
        Done { success: false, skipped: false, result: Value::Null, error: Some(failure), steps: Vec::new() }
    }

    fn skipped() -> Done {
        Done { success: false, skipped: true, result: Value::Null, error: None, steps: Vec::new() }
    }
}

impl Ground<'_> {
    /// The work of a part that is the phase.
    pub(super) fn work(&self, more: Extra) -> Work {
        Work { task: self.task.clone(), inputs: self.inputs.clone(), more }
    }
}

/// What a phase or an agent says itself of what it does.
struct Own {
    when: Option<String>,
    task: Option<Value>,
    inputs: Extra,
}

impl Own {
    /// Its task and inputs, filled in, on those of what it belongs to; none where its condition does not hold. Beside
    /// the runtime's threads: expressions may take their time.
    async fn filled(
        self,
        scope: &Scope,
        task: &Value,
        inputs: &Extra,
    ) -> Result<Option<(Value, Extra)>, String> {
        let (scope, task, mut inputs) = (scope.clone(), task.clone(), inputs.clone());
        aside(move || {
            if let Some(when) = self.when
                && !scope.holds(&when)?
            {
                return Ok(None);
            }
            let mut left = MOST;
            let task = self.task.map_or(Ok(task), |own| scope.fill(&own, &mut left))?;
            for (name, value) in self.inputs {
                inputs.insert(name, scope.fill(&value, &mut left)?);
            }
            Ok(Some((task, inputs)))
        })
        .await
    }
}

/// Works out beside the runtime's threads what may take a second.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.to_string()))
}

/// What of the steps failed, in one sentence.
fn failures(steps: &[StepOutcome]) -> Option<Failure> {
    let failed: Vec<&StepOutcome> = steps.iter().filter(|step| !step.is_fine()).collect();
    let (first, more) = failed.split_first()?;
    let why = first.error.clone().unwrap_or_else(|| Failure::said("it did not do it"));
    let others = match more.len() {
        0 => String::new(),
        more => format!("; {more} more failed, of {}", steps.len()),
    };
    Some(Failure { message: format!("`{}`: {}{others}", first.step, why.message), ..why })
}
