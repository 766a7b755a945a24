//! What a run does next. Pure: what is done is passed in, so that a run that was interrupted goes on where it was.

use super::{
    check::rescues,
    file::{OnFailure, Phase, Then, Workflow},
    outcome::{PhaseOutcome, key},
};
use crate::services::storage::Forget;

/// What is next.
#[derive(Debug, PartialEq)]
pub(super) enum Next<'a> {
    Phase(Turn<'a>),
    /// All is done.
    Completed,
    /// The failure of this phase has stopped the workflow.
    Failed(&'a Phase),
}

/// One run of a phase.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn<'a> {
    pub(super) phase: &'a Phase,
    /// Which one had failed before, where it is run for that.
    pub(super) after: Option<String>,
}

impl Turn<'_> {
    /// A name that no other one of the run has.
    pub(super) fn key(&self) -> String {
        key(&self.phase.name, self.after.as_deref())
    }
}

/// What is next after what is finished.
pub(super) fn next<'a>(workflow: &'a Workflow, finished: &[PhaseOutcome]) -> Next<'a> {
    let rescues = rescues(workflow);
    for phase in workflow.phases.iter().filter(|phase| !rescues.contains(&*phase.name)) {
        match follow(workflow, finished, Turn { phase, after: None }) {
            Step::Run(turn) => return Next::Phase(turn),
            Step::Stop => return Next::Failed(phase),
            Step::GoOn => {}
        }
    }
    Next::Completed
}

enum Step<'a> {
    Run(Turn<'a>),
    GoOn,
    Stop,
}

/// From a phase to what its outcome leads to.
fn follow<'a>(workflow: &'a Workflow, finished: &[PhaseOutcome], turn: Turn<'a>) -> Step<'a> {
    let key = turn.key();
    let Some(outcome) = finished.iter().find(|outcome| outcome.key() == key) else { return Step::Run(turn) };
    if outcome.is_fine() {
        return Step::GoOn;
    }
    let rescue = match &turn.phase.on_failure {
        OnFailure::Then(Then::Stop) => return Step::Stop,
        OnFailure::Then(Then::Continue) => return Step::GoOn,
        OnFailure::Run(rescue) => rescue,
    };
    let Some(phase) = workflow.phase(&rescue.run) else { return Step::Stop };
    match follow(workflow, finished, Turn { phase, after: Some(key) }) {
        Step::GoOn if rescue.then == Then::Stop => Step::Stop,
        other => other,
    }
}

/// What is done again where a run is resumed that has failed: what made it fail, and what was run for that.
pub(super) fn again(workflow: &Workflow, finished: &[PhaseOutcome]) -> Vec<Forget> {
    let Next::Failed(failed) = next(workflow, finished) else { return Vec::new() };
    let ours = |outcome: &&PhaseOutcome| {
        let key = outcome.key();
        key == failed.name || key.ends_with(&format!("@{}", failed.name))
    };
    let forget = |outcome: &PhaseOutcome| {
        // What an orchestrator decided rests on all that came before: it begins anew, as those do that are run for
        // the failure.
        let anew = outcome.after.is_some() || failed.orchestrator.is_some();
        let steps = outcome.steps.iter().filter(|step| anew || !step.is_fine());
        let steps = steps.map(|step| step.step.clone()).chain([String::new()]);
        Forget { phase: outcome.key(), steps: steps.collect() }
    };
    finished.iter().filter(ours).map(forget).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;

    use super::*;

    const FILE: &str = "
phases:
  - {name: a, phase: p, on_failure: {run: mend, then: continue}}
  - {name: b, phase: p, on_failure: continue}
  - {name: c, phase: p, on_failure: {run: clean}}
  - {name: d, phase: p}
  - {name: mend, phase: p, on_failure: {run: clean, then: continue}}
  - {name: clean, phase: p}
";

    /// The phases that are run where these fail, in order, and whether it ends well.
    fn runs(failing: &[&str]) -> (Vec<String>, bool) {
        let workflow = Workflow::parse(FILE, Path::new("f.yaml")).unwrap();
        let mut finished: Vec<PhaseOutcome> = Vec::new();
        loop {
            match next(&workflow, &finished) {
                Next::Phase(turn) => finished.push(outcome(&turn, !failing.contains(&&*turn.key()))),
                ended => return (finished.iter().map(PhaseOutcome::key).collect(), ended == Next::Completed),
            }
        }
    }

    fn outcome(turn: &Turn<'_>, success: bool) -> PhaseOutcome {
        PhaseOutcome {
            phase: turn.phase.name.clone(),
            after: turn.after.clone(),
            success,
            skipped: false,
            result: Default::default(),
            error: None,
            started: Timestamp::UNIX_EPOCH,
            elapsed_ms: 0,
            steps: Vec::new(),
        }
    }

    #[test]
    fn goes_on_stops_or_runs_another_phase_where_one_fails() {
        for (failing, phases, well) in [
            (&[][..], &["a", "b", "c", "d"][..], true),
            (&["a"], &["a", "mend@a", "b", "c", "d"], true),
            (&["a", "mend@a"], &["a", "mend@a", "clean@mend@a", "b", "c", "d"], true),
            (&["a", "mend@a", "clean@mend@a"], &["a", "mend@a", "clean@mend@a"], false),
            (&["b"], &["a", "b", "c", "d"], true),
            (&["c"], &["a", "b", "c", "clean@c"], false),
            (&["d"], &["a", "b", "c", "d"], false),
        ] {
            assert_eq!(
                runs(failing),
                (phases.iter().map(ToString::to_string).collect(), well),
                "{failing:?}"
            );
        }
    }

    #[test]
    fn does_again_what_made_it_fail_and_nothing_else() {
        let workflow = Workflow::parse(FILE, Path::new("f.yaml")).unwrap();
        let mut finished = Vec::new();
        while let Next::Phase(turn) = next(&workflow, &finished) {
            finished.push(outcome(&turn, !["b", "c"].contains(&&*turn.key())));
        }
        let again: Vec<String> = again(&workflow, &finished).into_iter().map(|one| one.phase).collect();
        assert_eq!(again, ["c", "clean@c"]);
    }
}
