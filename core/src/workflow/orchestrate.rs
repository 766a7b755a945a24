//! A phase that an orchestrator leads: it is asked what is next, that is run, and it is asked again.

use astros_protocol::{
    Error, Extra,
    workflow::{WorkflowKind, WorkflowStep},
};
use serde_json::{Value, json};

use super::{
    outcome::{Failure, StepOutcome},
    parts::Part,
    phase::{Done, Ground},
    run::Run,
    step::{CONTEXT, Job, Work},
};

/// So many steps a decision may want.
const AT_ONCE: usize = 1_000;

impl Run {
    /// Asks an orchestrator until it wants nothing more, and runs what it wants.
    pub(super) async fn orchestrate(&self, ground: &Ground<'_>, name: &str) -> Result<Done, Error> {
        let most = ground.phase.max_rounds.get();
        let mut steps: Vec<StepOutcome> = Vec::new();
        for round in 1..=most {
            let job = Job::of_phase(ground, format!("round-{round}"), WorkflowKind::Orchestrator, name);
            let decision = self.step(ground, job, Ok(Some(ground.work(seen(round, &steps))))).await?;
            let is_last = !decision.success || decision.next.is_empty();
            steps.push(decision.clone());
            if is_last {
                let StepOutcome { success, skipped, result, error, .. } = decision;
                return Ok(Done { success, skipped, result, error, steps });
            }
            if decision.next.len() > AT_ONCE {
                let failure = Failure::said(format!(
                    "the orchestrator `{name}` wants {} steps at once, expected at most {AT_ONCE}",
                    decision.next.len()
                ));
                return Ok(Done { steps, ..Done::failed(failure) });
            }
            steps.extend(self.decided(ground, round, &decision).await?);
        }
        let failure = Failure::said(format!(
            "the orchestrator `{name}` wanted more after {most} decisions; `max_rounds` allows more"
        ));
        Ok(Done { steps, ..Done::failed(failure) })
    }

    /// What was decided in a round, at the same time.
    async fn decided(
        &self,
        ground: &Ground<'_>,
        round: u32,
        decision: &StepOutcome,
    ) -> Result<Vec<StepOutcome>, Error> {
        let steps = decision.next.iter().enumerate().map(async |(at, wanted)| {
            let job = Job {
                step: format!("round-{round}.{}", at + 1),
                part: Part { kind: wanted.kind.clone(), name: &wanted.name, plugin: None },
                by: Some(decision),
                round: Some(round),
                retry: ground.phase.retry.as_ref(),
                timeout: ground.phase.timeout.map(|timeout| timeout.0),
            };
            self.step(ground, job, work(ground, wanted).map(Some)).await
        });
        self.together(ground.phase, steps).await
    }
}

/// What an orchestrator is told of what was run for it.
fn seen(round: u32, steps: &[StepOutcome]) -> Extra {
    let run = steps.iter().filter(|step| step.round.is_some());
    let told = |step: &StepOutcome| {
        json!({
            "round": step.round, "kind": step.kind, "name": step.part, "task": step.task, "success": step.success,
            "result": step.result, "evidence": step.evidence, "error": step.error,
        })
    };
    let told: Vec<Value> = run.map(told).collect();
    Extra::from_iter([("round".to_owned(), round.into()), ("steps".to_owned(), told.into())])
}

/// What a step is given that an orchestrator wants.
fn work(ground: &Ground<'_>, wanted: &WorkflowStep) -> Result<Work, String> {
    if !matches!(wanted.kind, WorkflowKind::Agent | WorkflowKind::Phase) {
        let WorkflowStep { kind, name, .. } = wanted;
        return Err(format!("an orchestrator wants the {kind} `{name}` run, expected an agent or a phase"));
    }
    let mut more = wanted.context.clone();
    let mut inputs = ground.inputs.clone();
    if let Some(Value::Object(own)) = more.remove("inputs") {
        inputs.extend(own);
    }
    more.retain(|name, _| !CONTEXT.contains(&&**name));
    let task = if wanted.task.is_null() { ground.task.clone() } else { wanted.task.clone() };
    Ok(Work { task, inputs, more })
}
