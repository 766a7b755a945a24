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
    /// What is known so far: results of earlier parts by name.
    #[serde(default)]
    pub context: Extra,
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
    /// Whether the work was done.
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
