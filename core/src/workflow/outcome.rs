//! What became of steps and phases, as it is kept and reported.

use astros_protocol::{
    Error,
    workflow::{WorkflowKind, WorkflowStep},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The outcome of a step has so many bytes of JSON at most, its task included.
const OF_STEP: usize = 1 << 20;
/// Those of all steps of a run together.
const OF_RUN: usize = 8 << 20;

/// What became of a step: of an agent, of a plugin's phase, of a decision of an orchestrator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Its name in its phase.
    pub step: String,
    /// What it is.
    pub kind: WorkflowKind,
    /// The plugin's name of it.
    pub part: String,
    /// The decision of an orchestrator that it was run for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// Who brought it; empty where it was not found, or not run.
    pub plugin: String,
    pub task: Value,
    pub success: bool,
    /// It was not run: its condition did not hold, or a person left it out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    #[serde(default)]
    pub result: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Value>,
    /// What an orchestrator wants run next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<WorkflowStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// So many tries.
    pub attempts: u32,
    pub started: Timestamp,
    pub elapsed_ms: u64,
}

/// What became of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseOutcome {
    pub phase: String,
    /// It was run because this one had failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    pub success: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// That of its part; of agents at work, by their names.
    #[serde(default)]
    pub result: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    pub started: Timestamp,
    pub elapsed_ms: u64,
    /// Kept one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepOutcome>,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// The error's name, such as `handler_failed`.
    pub kind: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Stacks and last words, where they are wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

impl Failure {
    /// An error, with what else it says where `traces` are wanted.
    pub(super) fn of(error: &Error, traces: bool) -> Failure {
        let data = error.data.as_deref();
        let said = data.filter(|_| traces).and_then(|data| {
            let words = data.extra.get("last_words").and_then(Value::as_array);
            let words =
                words.map(|words| words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"));
            data.detail.clone().or(words)
        });
        Failure {
            kind: error.kind().to_owned(),
            message: error.message.clone(),
            hint: error.hint().map(str::to_owned),
            trace: said,
        }
    }

    /// A part that says itself that it did not do it.
    pub(super) fn said(message: impl Into<String>) -> Failure {
        Failure { kind: "not_done".to_owned(), message: message.into(), hint: None, trace: None }
    }

    fn hinted(self, hint: &str) -> Failure {
        Failure { hint: Some(hint.to_owned()), ..self }
    }
}

impl StepOutcome {
    /// It is not what makes its phase fail.
    pub(super) fn is_fine(&self) -> bool {
        self.success || self.skipped
    }

    /// Its size as JSON, in bytes.
    pub(super) fn size(&self) -> usize {
        serde_json::to_string(self).map_or(0, |text| text.len())
    }

    /// Fails, and gives nothing, where it is larger than it may be beside the `held` bytes of the others of its run.
    pub(super) fn bound(&mut self, held: usize) {
        let mib = |bytes: usize| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let size = self.size();
        let why = if size > OF_STEP {
            format!("what it was given and gave has {}, expected at most {}", mib(size), mib(OF_STEP))
        } else if held + size > OF_RUN {
            format!("with it the steps of this run gave more than {}, which is the most", mib(OF_RUN))
        } else {
            return;
        };
        self.success = false;
        (self.task, self.result) = (Value::Null, Value::Null);
        (self.evidence, self.next) = (Vec::new(), Vec::new());
        self.error = Some(Failure::said(why).hinted("write it to a file, and give the path"));
    }

    /// How it went; its result stands in that of its phase, but where an orchestrator had it run.
    fn known(&self) -> Value {
        let mut known = json!({ "success": self.success, "skipped": self.skipped });
        if let Some(error) = &self.error {
            known["error"] = json!(error);
        }
        if self.round.is_some() {
            known["result"] = self.result.clone();
        }
        known
    }

    /// The name by which results have it: of what an orchestrator had run, the part's.
    pub(super) fn known_as(&self) -> &str {
        if self.round.is_some() { &self.part } else { &self.step }
    }
}

impl PhaseOutcome {
    /// Which run of the phase it is; see [`super::plan::Turn::key`].
    pub(super) fn key(&self) -> String {
        key(&self.phase, self.after.as_deref())
    }

    pub(super) fn is_fine(&self) -> bool {
        self.success || self.skipped
    }

    /// It as parts and expressions see it. All parts after it are given this: nothing stands there twice.
    fn known(&self) -> Value {
        let steps = self.steps.iter().filter(|step| step.kind == WorkflowKind::Agent);
        let agents: Map<String, Value> =
            steps.map(|step| (step.known_as().to_owned(), step.known())).collect();
        json!({
            "success": self.success, "skipped": self.skipped, "result": self.result, "error": self.error,
            "evidence": self.steps.iter().flat_map(|step| &step.evidence).collect::<Vec<_>>(), "agents": agents,
        })
    }
}

pub(super) fn key(phase: &str, after: Option<&str>) -> String {
    after.map_or_else(|| phase.to_owned(), |after| format!("{phase}@{after}"))
}

/// The results of phases by their names, as parts and expressions see them.
pub(super) fn results(finished: &[PhaseOutcome]) -> Map<String, Value> {
    finished.iter().map(|phase| (phase.phase.clone(), phase.known())).collect()
}
