//! Which plugin brings a part: by its kind and name, in what the plugins said that they offer.

use std::sync::Arc;

use astros_protocol::{Error, ErrorCode, workflow::WorkflowKind};

use super::file::Workflow;
use crate::{
    router::{Plugin, Router, errors::nearest},
    supervisor::StateName,
};

/// A part that a workflow names.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub(super) kind: WorkflowKind,
    pub(super) name: &'a str,
    /// Who has to bring it.
    pub(super) plugin: Option<&'a str>,
}

impl Part<'_> {
    /// The plugin that brings it; where several do, `first` goes before the others.
    ///
    /// # Errors
    /// Nobody brings it, or several do: they are named, or what is nearest.
    pub(super) fn plugin(&self, router: &Router, first: Option<&str>) -> Result<Arc<str>, Error> {
        let mut plugins = router.plugins();
        plugins.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(wanted) = self.plugin {
            // Its own words where there is no such plugin.
            let plugin = router.plugin(wanted)?;
            return if self.is_of(&plugin) {
                Ok(plugin.name.clone())
            } else {
                Err(self.not_found(&[plugin]))
            };
        }
        let found: Vec<&Arc<Plugin>> = plugins.iter().filter(|plugin| self.is_of(plugin)).collect();
        // Where others bring it as well, those that may not run do not count.
        let able: Vec<&Arc<Plugin>> = found.iter().copied().filter(|plugin| may_run(plugin)).collect();
        let preferred = able.iter().find(|plugin| Some(&*plugin.name) == first);
        match (preferred, &able[..], &found[..]) {
            (Some(plugin), ..) | (None, [plugin], _) | (None, [], [plugin, ..]) => Ok(plugin.name.clone()),
            (None, [], []) => Err(self.not_found(&plugins)),
            (None, several, _) => Err(self.ambiguous(several)),
        }
    }

    fn is_of(&self, plugin: &Plugin) -> bool {
        let description = plugin.description();
        let parts = description.iter().flat_map(|description| &description.workflow_parts);
        parts.into_iter().any(|part| part.kind == self.kind && part.name == self.name)
    }

    fn not_found(&self, plugins: &[Arc<Plugin>]) -> Error {
        let Part { kind, name, .. } = self;
        let who = self.plugin.map_or_else(|| "no plugin".to_owned(), |plugin| format!("`{plugin}` does not"));
        let brings = if self.plugin.is_some() { "bring" } else { "brings" };
        let article = if *kind == WorkflowKind::Phase { "a" } else { "an" };
        let error =
            Error::new(ErrorCode::HANDLER_NOT_FOUND, format!("{who} {brings} {article} {kind} `{name}`"));
        let mut names = Vec::new();
        for plugin in plugins {
            for part in plugin.description().iter().flat_map(|description| &description.workflow_parts) {
                if part.kind == *kind {
                    names.push(part.name.clone());
                }
            }
        }
        names.sort();
        error.with_hint(match nearest(name, names.iter().map(|name| &**name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => {
                format!("`astros plugins list` shows what there is; none brings {article} {kind}")
            }
            None => format!("there are: {}", names.join(", ")),
        })
    }

    fn ambiguous(&self, plugins: &[&Arc<Plugin>]) -> Error {
        let names: Vec<String> = plugins.iter().map(|plugin| format!("`{}`", plugin.name)).collect();
        let message =
            format!("the {} `{}` is brought by several plugins: {}", self.kind, self.name, names.join(", "));
        let hint = format!("say which one: `plugin: {}` beside it", plugins[0].name);
        Error::new(ErrorCode::INVALID_PARAMS, message).with_hint(hint)
    }
}

fn may_run(plugin: &Plugin) -> bool {
    !matches!(plugin.status().state, StateName::Disabled | StateName::Blocked)
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
