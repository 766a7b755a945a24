//! Parts of workflows: phases, agents and orchestrators.

use std::sync::Arc;

use astros_peer::Responder;
use astros_protocol::{
    Error as WireError, ErrorCode, Extra, Intent, Request as _,
    workflow::{PartDescription, WorkflowKind, WorkflowResult, WorkflowRun},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use crate::{
    Context, Error, Plugin, Result,
    attend::{Attended, Work},
    context::Request,
    dispatch::{self, Dispatcher},
};

/// What a part is to do, and what is known in the run that it is part of.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is to be done; usually a text.
    pub task: Value,
    /// What is known so far, as the protocol has it.
    pub context: Extra,
}

impl Task {
    /// What is to be done, where that is a text; else it is empty.
    pub fn text(&self) -> &str {
        self.task.as_str().unwrap_or_default()
    }

    /// An input of the workflow, its phase or this step; fails where it is not there, or no `T`.
    pub fn input<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.context.get("inputs").and_then(|inputs| inputs.get(name));
        let value = value.ok_or_else(|| Error::invalid_params(format!("there is no input `{name}`")))?;
        T::deserialize(value).map_err(|error| Error::invalid_params(format!("the input `{name}`: {error}")))
    }

    /// What came out of a phase before this one; null where there is no such result.
    pub fn result(&self, phase: &str) -> &Value {
        self.context.get("results").map_or(&Value::Null, |results| &results[phase]["result"])
    }

    /// The run that this is part of.
    pub fn workflow_id(&self) -> &str {
        self.context.get("workflow_id").and_then(Value::as_str).unwrap_or_default()
    }

    /// For an orchestrator: how often it was asked in this run, this time included.
    pub fn round(&self) -> u64 {
        self.context.get("round").and_then(Value::as_u64).unwrap_or(1)
    }

    /// For an orchestrator: what became of the steps that it wanted before, in order.
    pub fn steps(&self) -> &[Value] {
        self.context.get("steps").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// What a part is called, and what it does: `"look"`, or `("look", "Looks for links.")`.
pub struct PartName {
    name: String,
    description: String,
}

impl From<&str> for PartName {
    fn from(name: &str) -> PartName {
        name.to_owned().into()
    }
}

impl From<String> for PartName {
    fn from(name: String) -> PartName {
        PartName { name, description: String::new() }
    }
}

impl<N: Into<String>, D: Into<String>> From<(N, D)> for PartName {
    fn from((name, description): (N, D)) -> PartName {
        PartName { name: name.into(), description: description.into() }
    }
}

/// A part as it is kept.
pub(crate) struct Part {
    kind: WorkflowKind,
    name: String,
    start: Box<Start>,
}

type Start = dyn Fn(Context, Task) -> Work<WorkflowResult> + Send + Sync;

impl Plugin {
    /// Adds a phase of workflows: a function of a context and a [`Task`]. Taken back, its future is dropped. The name may
    /// come with a sentence that says what it does: `("name", "Does it.")`.
    pub fn phase<F, Fut>(self, name: impl Into<PartName>, function: F) -> Plugin
    where
        F: Fn(Context, Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<WorkflowResult>> + Send + 'static,
    {
        self.part(WorkflowKind::Phase, name.into(), function)
    }

    /// Adds an agent for workflows, as [`Plugin::phase`] does a phase.
    pub fn agent<F, Fut>(self, name: impl Into<PartName>, function: F) -> Plugin
    where
        F: Fn(Context, Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<WorkflowResult>> + Send + 'static,
    {
        self.part(WorkflowKind::Agent, name.into(), function)
    }

    /// Adds an orchestrator, which decides what is run next: [`WorkflowResult::with_next`]. It is asked again when
    /// that has ended, until it wants nothing more.
    pub fn orchestrator<F, Fut>(self, name: impl Into<PartName>, function: F) -> Plugin
    where
        F: Fn(Context, Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<WorkflowResult>> + Send + 'static,
    {
        self.part(WorkflowKind::Orchestrator, name.into(), function)
    }

    fn part<F, Fut>(mut self, kind: WorkflowKind, name: PartName, function: F) -> Plugin
    where
        F: Fn(Context, Task) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<WorkflowResult>> + Send + 'static,
    {
        let (PartName { name, description }, function) = (name, Arc::new(function));
        let start = move |ctx, task| -> Work<WorkflowResult> {
            let function = function.clone();
            Box::pin(async move { function(ctx, task).await })
        };
        self.description.workflow_parts.retain(|part| part.kind != kind || part.name != name);
        self.parts.retain(|part| part.kind != kind || part.name != name);
        let described = PartDescription {
            kind: kind.clone(),
            name: name.clone(),
            description,
            ..PartDescription::default()
        };
        self.description.workflow_parts.push(described);
        self.parts.push(Part { kind, name, start: Box::new(start) });
        self
    }
}

/// `WorkflowRunParams`, whose `meta` is read where it is wanted.
#[derive(Deserialize)]
struct Asked<'a> {
    kind: WorkflowKind,
    name: String,
    #[serde(default)]
    task: Value,
    #[serde(default)]
    context: Extra,
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
}

impl Dispatcher {
    /// Serves `workflow/run`.
    pub(crate) fn run_part(&self, params: &str, responder: Responder) {
        let begun = dispatch::read::<Asked<'_>>(WorkflowRun::METHOD, params).and_then(|asked| {
            let part =
                self.plugin.parts.iter().find(|part| part.kind == asked.kind && part.name == asked.name);
            let part = part.ok_or_else(|| self.part_not_found(&asked))?;
            let request = Request::new(responder.ticket().clone(), asked.name, Intent::default(), asked.meta);
            let ctx = Context::new(self.session(WorkflowRun::METHOD)?, responder.peer(), Some(request));
            let task = Task { task: asked.task, context: asked.context };
            Ok(Attended::new(&part.name, (part.start)(ctx, task)))
        });
        match begun {
            Ok(work) => drop(tokio::spawn(dispatch::serve(work, responder, false))),
            Err(error) => responder.error(&error),
        }
    }

    fn part_not_found(&self, asked: &Asked<'_>) -> WireError {
        let message = format!("`{}` has no {} `{}`", self.plugin.description.name, asked.kind, asked.name);
        WireError::new(ErrorCode::HANDLER_NOT_FOUND, message)
    }
}
