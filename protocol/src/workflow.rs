//! Parts of workflows that plugins bring: `workflow/run`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Extra, Meta, method::request};

request! {
    /// Host to plugin: run a phase, an agent, or the next decision of an orchestrator.
    WorkflowRun: "workflow/run", WorkflowRunParams => WorkflowResult, [HANDLER_NOT_FOUND, HANDLER_FAILED, AI_FAILED];
}

/// A part of workflows that a plugin brings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PartDescription {
    /// What it is.
    pub kind: WorkflowKind,
    /// The name by which workflows use it.
    pub name: String,
    /// What it does, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(flatten)]
    pub extra: Extra,
}

/// Params of `workflow/run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowRunParams {
    /// The part and its work.
    #[serde(flatten)]
    pub step: WorkflowStep,
    /// What travels beside it.
    #[serde(default)]
    pub meta: Meta,
}

/// A part of a workflow and its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowStep {
    /// What the part is.
    pub kind: WorkflowKind,
    /// The part, as the plugin's description names it.
    pub name: String,
    /// What is to be done.
    #[serde(default)]
    pub task: Value,
    /// What is known so far: `workflow_id`, `workflow`, `phase`, `task`, `inputs`, `results` of the phases before by
    /// name (`success`, `result`, `evidence`, `agents`), and `provider` where the person wishes one; for an
    /// orchestrator `round`, from 1, and `steps`, what became of those that it wanted before. Of a step that is
    /// wanted: members beside these, and `inputs` on top of the phase's.
    #[serde(default)]
    pub context: Extra,
}

impl WorkflowStep {
    /// The step of an agent.
    pub fn agent(name: impl Into<String>, task: impl Into<Value>) -> WorkflowStep {
        WorkflowStep::of(WorkflowKind::Agent, name, task)
    }

    /// The step of a phase.
    pub fn phase(name: impl Into<String>, task: impl Into<Value>) -> WorkflowStep {
        WorkflowStep::of(WorkflowKind::Phase, name, task)
    }

    /// The step of an orchestrator.
    pub fn orchestrator(name: impl Into<String>, task: impl Into<Value>) -> WorkflowStep {
        WorkflowStep::of(WorkflowKind::Orchestrator, name, task)
    }

    fn of(kind: WorkflowKind, name: impl Into<String>, task: impl Into<Value>) -> WorkflowStep {
        WorkflowStep { kind, name: name.into(), task: task.into(), context: Extra::new() }
    }

    /// With a member of its context.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> WorkflowStep {
        self.context.insert(name.into(), value.into());
        self
    }
}

/// What a part of a workflow is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowKind {
    Phase,
    #[default]
    Agent,
    Orchestrator,
    /// A word of a later version.
    #[serde(untagged)]
    Other(String),
}

impl fmt::Display for WorkflowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WorkflowKind::Phase => "phase",
            WorkflowKind::Agent => "agent",
            WorkflowKind::Orchestrator => "orchestrator",
            WorkflowKind::Other(word) => word,
        })
    }
}

/// Result of `workflow/run`; `success: false` is a result, not an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkflowResult {
    /// Whether the work was done; where not, a member `message` may say why.
    pub success: bool,
    /// What came out of it.
    #[serde(default)]
    pub result: Value,
    /// What shows that it was done.
    #[serde(default)]
    pub evidence: Vec<Value>,
    /// What an orchestrator wants run next, all at the same time; empty: it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<WorkflowStep>,
    #[serde(flatten)]
    pub extra: Extra,
}

impl WorkflowResult {
    /// The work was done, and this came out of it.
    pub fn done(result: impl Into<Value>) -> WorkflowResult {
        WorkflowResult {
            success: true,
            result: result.into(),
            evidence: Vec::new(),
            next: Vec::new(),
            extra: Extra::new(),
        }
    }

    /// The work was not done, and why; no error.
    pub fn failed(message: impl Into<String>) -> WorkflowResult {
        let extra = Extra::from_iter([("message".to_owned(), message.into().into())]);
        WorkflowResult { success: false, extra, ..WorkflowResult::done(Value::Null) }
    }

    /// With something that shows that it was done.
    pub fn with_evidence(mut self, evidence: impl Into<Value>) -> WorkflowResult {
        self.evidence.push(evidence.into());
        self
    }

    /// With what an orchestrator wants run next.
    pub fn with_next(mut self, steps: impl IntoIterator<Item = WorkflowStep>) -> WorkflowResult {
        self.next.extend(steps);
        self
    }
}
