//! The report of a run: what came of it, and what shows that. As JSON, and as Markdown for people.

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use astros_protocol::{Error, Extra};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    expression::Scope,
    jinja::MOST,
    outcome::{Failure, PhaseOutcome, StepOutcome, results},
    phase::aside,
    place::Place,
    run::{Run, millis},
};

/// Indentation makes JSON so many times as large at most.
const MOSTLY: usize = 8;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub workflow_id: String,
    /// The workflow's name.
    pub workflow: String,
    pub task: Value,
    pub inputs: Extra,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    pub success: bool,
    /// What stopped it.
    pub error: Option<Failure>,
    pub started: Timestamp,
    /// From its begin on, pauses included.
    pub elapsed_ms: u64,
    /// So many times it was taken up again.
    pub resumed: u32,
    /// What the workflow gives.
    pub outputs: Extra,
    /// In the order in which they were run; those that were not reached are not there.
    pub phases: Vec<PhaseOutcome>,
    /// What shows that it was done.
    pub evidence: Vec<Evidence>,
    /// Where it is kept.
    pub files: Files,
}

/// Something that shows what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub phase: String,
    pub step: String,
    pub evidence: Value,
}

/// Where a report is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Files {
    pub json: PathBuf,
    pub markdown: PathBuf,
}

impl Report {
    pub(super) async fn of(run: &Run, mut phases: Vec<PhaseOutcome>, error: Option<Failure>) -> Report {
        let given = &run.plan.given;
        let (outputs, error) = match error {
            Some(error) => (Extra::new(), Some(error)),
            None => match outputs(run, &phases).await {
                Ok(outputs) => (outputs, None),
                Err(error) => (Extra::new(), Some(error)),
            },
        };
        let elapsed = Timestamp::now().duration_since(run.started()).max(SignedDuration::ZERO);
        let file = |name: &str| run.place.folder.join(name);
        Report {
            workflow_id: run.id.clone(),
            workflow: run.plan.workflow.name.clone(),
            task: given.task.clone(),
            inputs: given.inputs.clone(),
            provider: given.provider.clone(),
            success: error.is_none(),
            error,
            started: run.started(),
            elapsed_ms: millis(elapsed.unsigned_abs()),
            resumed: run.resumed(),
            outputs,
            evidence: phases.iter_mut().flat_map(gathered).collect(),
            phases,
            files: Files { json: file("report.json"), markdown: file("report.md") },
        }
    }

    /// Keeps it in the folder of its run.
    pub(super) async fn kept(self, place: &Place) -> Result<Report, Error> {
        place.write("report.json", self.to_json()).await?;
        place.write("report.md", self.to_markdown()).await?;
        Ok(self)
    }

    /// It as indented JSON.
    pub fn to_json(&self) -> String {
        indented(&json!(self)) + "\n"
    }

    /// It for people to read.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n", self.workflow);
        let outcome = if self.success { "Done" } else { "Failed" };
        let took = shown(self.elapsed_ms);
        let resumed = match self.resumed {
            0 => String::new(),
            times => format!(", taken up again {times} times"),
        };
        let _ = writeln!(text, "{outcome} in {took}{resumed}.\n");
        let mut fact = |name: &str, value: &str| {
            let _ = writeln!(text, "- {name}: {value}");
        };
        fact("run", &format!("`{}`", self.workflow_id));
        fact("begun", &self.started.to_string());
        if !is_nothing(&self.task) {
            fact("task", &inline(&self.task));
        }
        for (name, value) in &self.inputs {
            fact(&format!("input `{name}`"), &inline(value));
        }
        if let Some(provider) = &self.provider {
            fact("provider", &format!("`{provider}`"));
        }
        if let Some(error) = &self.error {
            fact("error", &words(error));
        }
        self.phases_in(&mut text);
        if !self.outputs.is_empty() {
            text.push_str("\n## Outputs\n");
            self.outputs.iter().for_each(|(name, value)| block(&mut text, name, value));
        }
        if !self.evidence.is_empty() {
            text.push_str("\n## Evidence\n");
            for one in &self.evidence {
                block(&mut text, &format!("{} › {}", one.phase, one.step), &one.evidence);
            }
        }
        text
    }

    fn phases_in(&self, text: &mut String) {
        text.push_str(
            "\n## Phases\n\n| phase | step | outcome | time | tries |\n| --- | --- | --- | --- | --- |\n",
        );
        for phase in &self.phases {
            let after = phase.after.as_ref().map(|after| format!(" (after `{after}`)")).unwrap_or_default();
            let outcome = state(phase.success, phase.skipped, phase.error.as_ref());
            let _ =
                writeln!(text, "| {}{after} | | {outcome} | {} | |", phase.phase, shown(phase.elapsed_ms));
            for step in &phase.steps {
                let outcome = state(step.success, step.skipped, step.error.as_ref());
                let StepOutcome { kind, part, plugin, attempts, elapsed_ms, .. } = step;
                let what = format!("`{}`: {kind} `{part}` of {plugin}", step.step);
                let _ = writeln!(text, "| | {what} | {outcome} | {} | {attempts} |", shown(*elapsed_ms));
            }
        }
        for step in self.phases.iter().flat_map(|phase| &phase.steps) {
            if let Some(trace) = step.error.as_ref().and_then(|error| error.trace.as_ref()) {
                let _ = write!(text, "\n### Trace of `{}`\n\n```text\n{trace}\n```\n", step.step);
            }
        }
        let results = self.phases.iter().filter(|phase| !is_nothing(&phase.result));
        for (at, phase) in results.enumerate() {
            if at == 0 {
                text.push_str("\n## Results\n");
            }
            block(text, &phase.phase, &phase.result);
        }
    }
}

/// What the steps of a phase show, which stands in one place then.
fn gathered(phase: &mut PhaseOutcome) -> Vec<Evidence> {
    let name = &phase.phase;
    let of = |step: &mut StepOutcome| {
        let shown = step.known_as().to_owned();
        let each = std::mem::take(&mut step.evidence).into_iter();
        each.map(|evidence| Evidence { phase: name.clone(), step: shown.clone(), evidence })
            .collect::<Vec<_>>()
    };
    phase.steps.iter_mut().flat_map(of).collect()
}

async fn outputs(run: &Run, phases: &[PhaseOutcome]) -> Result<Extra, Failure> {
    let given = &run.plan.given;
    let scope = Scope::new(&json!({
        "task": given.task, "inputs": given.inputs, "results": results(phases),
        "provider": given.provider, "workflow_id": run.id,
    }));
    let outputs = run.plan.workflow.outputs.clone();
    let filled = aside(move || {
        let mut left = MOST;
        let filled = outputs.into_iter().map(|(name, value)| {
            let value = scope.fill(&value, &mut left);
            let value = value.map_err(|why| format!("the output `{name}` cannot be given: {why}"))?;
            Ok((name, value))
        });
        filled.collect()
    });
    filled.await.map_err(Failure::said)
}

fn state(success: bool, skipped: bool, error: Option<&Failure>) -> String {
    match (success, skipped, error) {
        (_, true, _) => "left out".to_owned(),
        (true, ..) => "done".to_owned(),
        (false, _, Some(error)) => format!("failed: {}", cell(&words(error))),
        (false, _, None) => "failed".to_owned(),
    }
}

fn words(error: &Failure) -> String {
    let hint = error.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", error.message)
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.values().all(Value::is_null),
        _ => false,
    }
}

fn inline(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| text.replace('\n', " "))
}

/// JSON with indentation, where that is not most of it.
fn indented(value: &Value) -> String {
    let (line, lines) = (value.to_string(), format!("{value:#}"));
    if lines.len() > line.len() * MOSTLY { line } else { lines }
}

/// A value under its name: texts as they are, all else as JSON.
fn block(text: &mut String, name: &str, value: &Value) {
    let _ = match value {
        Value::String(words) => write!(text, "\n### {name}\n\n{}\n", words.trim_end()),
        other => write!(text, "\n### {name}\n\n```json\n{}\n```\n", indented(other)),
    };
}

fn shown(elapsed_ms: u64) -> String {
    humantime::format_duration(Duration::from_millis(elapsed_ms)).to_string()
}
