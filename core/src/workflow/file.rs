//! A workflow as its file says it; the JSON Schema of the file is made from these types.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use astros_protocol::{Extra, manifest::DurationText, workflow::WorkflowKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// So many steps of a phase run at once where the file does not say.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(8).expect("eight is not zero");
/// An orchestrator decides so often where the file does not say.
const ROUNDS: NonZeroU32 = NonZeroU32::new(20).expect("twenty is not zero");

/// A workflow: phases in order, each done by parts that plugins bring.
///
/// Texts may hold `{{ expressions }}` over `task`, `inputs`, `results` (of earlier phases, by name) and `provider`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Workflow {
    /// Its name; that of the file where it says none.
    #[serde(default)]
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it takes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    /// What it gives, by name: values with expressions.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub outputs: Extra,
    /// The time that all of it may take, where it has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// So many steps of a phase run at once.
    #[serde(default = "at_once")]
    pub max_parallel: NonZeroU32,
    /// What is done, in order. A phase that an `on_failure` names is run by that only.
    pub phases: Vec<Phase>,
}

/// Something that a workflow takes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Input {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it has to be.
    #[serde(default, rename = "type")]
    pub kind: InputKind,
    /// Its value where none is given; without one it has to be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// What an input has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "a word")]
pub enum InputKind {
    #[default]
    String,
    /// A file or a folder: made absolute, seen from the person's folder.
    Path,
    Integer,
    Number,
    Boolean,
    List,
    Mapping,
}

/// A phase: agents at the same time, or a phase or an orchestrator of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Phase {
    /// Its name, by which its results are known; that of its part where it says none.
    #[serde(default)]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// It is run where this expression is true, such as `results.analysis.success`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The agents that work in it, at the same time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<Agent>,
    /// The plugin's phase that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The plugin's orchestrator that decides, over and over, what is run next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<String>,
    /// The plugin that brings the phase or the orchestrator, where several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// What is to be done; the task of the run where it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Value>,
    /// What its parts are given beside the inputs of the workflow.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub inputs: Extra,
    /// So many of its steps run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<NonZeroU32>,
    /// So often its orchestrator decides at most.
    #[serde(default = "rounds")]
    pub max_rounds: NonZeroU32,
    /// How often each of its steps is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The time that each try of a step may take, where it has a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// What is done where one of its steps fails.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// An agent at work in a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Agent {
    /// The plugin's agent.
    pub agent: String,
    /// The plugin that brings it, where several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// By which its result is known; the agent's own name where it says none.
    #[serde(default)]
    pub name: String,
    /// It works where this expression is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// What is to be done; the phase's task where it says none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Value>,
    /// What it is given beside the inputs of phase and workflow.
    #[serde(default, skip_serializing_if = "Extra::is_empty")]
    pub inputs: Extra,
    /// How often it is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The time that each try may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}

/// How often a step is tried that fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping")]
pub struct Retry {
    /// So many tries in all.
    pub attempts: NonZeroU32,
    /// The wait before the second try; it doubles with each.
    #[serde(default = "second")]
    pub backoff: DurationText,
    /// The longest wait.
    #[serde(default = "minute")]
    pub max_backoff: DurationText,
}

/// What is done where a phase fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `stop`, `continue` or `run: PHASE`")]
pub enum OnFailure {
    Then(Then),
    /// Runs another phase, which is run for that only.
    Run(RunPhase),
}

/// A phase that is run where another one failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunPhase {
    /// The phase.
    pub run: String,
    /// What is done after it, where it did not fail too.
    #[serde(default)]
    pub then: Then,
}

/// Whether a workflow goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It fails.
    #[default]
    Stop,
    /// With the next phase.
    Continue,
}

impl Default for OnFailure {
    fn default() -> OnFailure {
        OnFailure::Then(Then::Stop)
    }
}

impl Workflow {
    /// Fills in the names that are left out; `file` is that of the file.
    pub(super) fn name_all(&mut self, file: &str) {
        let fill = |name: &mut String, other: &str| {
            if name.is_empty() {
                other.clone_into(name);
            }
        };
        fill(&mut self.name, file);
        for phase in &mut self.phases {
            let part = phase.part().map(|(_, name)| name.to_owned()).unwrap_or_default();
            fill(&mut phase.name, &part);
            for agent in &mut phase.agents {
                fill(&mut agent.name, &agent.agent);
            }
        }
    }

    pub(super) fn phase(&self, name: &str) -> Option<&Phase> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

impl Phase {
    /// The part of a plugin that it is; none where it is agents at work.
    pub(super) fn part(&self) -> Option<(WorkflowKind, &str)> {
        let phase = self.phase.as_deref().map(|name| (WorkflowKind::Phase, name));
        phase.or_else(|| Some((WorkflowKind::Orchestrator, self.orchestrator.as_deref()?)))
    }

    /// The phase that is run where this one fails.
    pub(super) fn rescue(&self) -> Option<&RunPhase> {
        match &self.on_failure {
            OnFailure::Run(run) => Some(run),
            OnFailure::Then(_) => None,
        }
    }
}

impl Retry {
    /// The wait after so many tries.
    pub(super) fn wait(&self, tries: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(tries.saturating_sub(1));
        self.backoff.0.saturating_mul(doubled).min(self.max_backoff.0)
    }
}

fn at_once() -> NonZeroU32 {
    AT_ONCE
}

fn rounds() -> NonZeroU32 {
    ROUNDS
}

fn second() -> DurationText {
    DurationText(Duration::from_secs(1))
}

fn minute() -> DurationText {
    DurationText(Duration::from_secs(60))
}

/// The JSON Schema of a workflow's file.
pub fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut schema = settings.into_generator().into_root_schema_for::<Workflow>().to_value();
    schema["title"] = "A workflow of AstrOS".into();
    schema
}
