//! The parts that a workflow names, and which plugin brings each.

use std::sync::Arc;

use astros_protocol::{Error, workflow::WorkflowKind};

use super::file::Workflow;
use crate::router::{Of, Offer, Router};

/// A part that a workflow names.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) kind: WorkflowKind,
    pub(super) name: &'a str,
    /// Who has to bring it.
    pub(super) plugin: Option<&'a str>,
}

impl Part<'_> {
    /// The plugin that brings it, among what is known; where several do, that goes before the others `by` which it is
    /// wanted.
    ///
    /// # Errors
    /// Nobody brings it, or several do: they are named, or what is nearest of what who wants it may know.
    pub(super) fn plugin(&self, router: &Router, by: Option<&str>) -> Result<Arc<str>, Error> {
        let of = Of { plugin: self.plugin, by };
        let plugin = router.known_offering(&Offer::Part(self.kind.clone()), self.name, of)?;
        Ok(plugin.name.clone())
    }
}

/// The parts that a workflow names, each with the JSON pointer where it does.
pub(super) fn named(workflow: &Workflow) -> Vec<(String, Part<'_>)> {
    let mut parts = Vec::new();
    for (at, phase) in workflow.phases.iter().enumerate() {
        if let Some((kind, name)) = phase.part() {
            let pointer = format!("/phases/{at}/{kind}");
            parts.push((pointer, Part { kind, name, plugin: phase.plugin.as_deref() }));
        }
        for (index, agent) in phase.agents.iter().enumerate() {
            let part =
                Part { kind: WorkflowKind::Agent, name: &agent.agent, plugin: agent.plugin.as_deref() };
            parts.push((format!("/phases/{at}/agents/{index}/agent"), part));
        }
    }
    parts
}
