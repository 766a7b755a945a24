//! What can be wrong with a workflow that its types do not see: names, references, circles.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    expression,
    file::{Agent, Phase, Workflow},
};
use crate::router::errors::nearest;

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// A JSON pointer into the file.
    pub(super) pointer: String,
    /// The subject, what was found, what was expected.
    pub(super) problem: String,
}

/// The first names of what expressions see.
pub(super) const KNOWN: [&str; 5] = ["task", "inputs", "results", "provider", "workflow_id"];

/// All that is wrong with a workflow.
pub(super) fn problems(workflow: &Workflow) -> Vec<Problem> {
    let mut check = Check { workflow, found: Vec::new() };
    check.all();
    check.found
}

/// The name of a phase as expressions have it, where a `-` would be a minus.
pub(super) fn in_expressions(name: &str) -> String {
    name.replace('-', "_")
}

struct Check<'a> {
    workflow: &'a Workflow,
    found: Vec<Problem>,
}

impl Check<'_> {
    fn say(&mut self, pointer: &str, problem: impl Into<String>) {
        let problem = format!("`{}` {}", dotted(pointer), problem.into());
        self.found.push(Problem { pointer: pointer.to_owned(), problem });
    }

    fn all(&mut self) {
        let workflow = self.workflow;
        if workflow.phases.is_empty() {
            self.say("/phases", "is empty, expected at least one phase");
        }
        for (name, input) in &workflow.inputs {
            let pointer = format!("/inputs/{name}");
            self.name(&pointer, name);
            if let Some(value) = &input.default
                && let Err(error) = input.kind.check(value)
            {
                self.say(&format!("{pointer}/default"), error);
            }
        }
        let phases: Vec<&str> = workflow.phases.iter().map(|phase| &*phase.name).collect();
        self.unique("/phases", &phases);
        for (at, phase) in workflow.phases.iter().enumerate() {
            self.phase(&format!("/phases/{at}"), at, phase);
        }
        for (name, value) in &workflow.outputs {
            self.texts(&format!("/outputs/{name}"), value, None);
        }
        self.circles();
    }

    fn phase(&mut self, pointer: &str, at: usize, phase: &Phase) {
        let what = [!phase.agents.is_empty(), phase.phase.is_some(), phase.orchestrator.is_some()];
        if what.iter().filter(|said| **said).count() != 1 {
            let found = if what.contains(&true) { "more than one" } else { "none" };
            self.say(
                pointer,
                format!("has {found} of `agents`, `phase` and `orchestrator`, expected one of them"),
            );
        }
        match &*phase.name {
            "" => self.say(pointer, "has no `name`, expected one, by which its results are known"),
            name => self.name(&format!("{pointer}/name"), name),
        }
        if phase.plugin.is_some() && !phase.agents.is_empty() {
            self.say(&format!("{pointer}/plugin"), "stands beside `agents`, expected it in each agent");
        }
        self.step(pointer, at, phase.when.as_deref(), phase.task.as_ref(), &phase.inputs);
        let agents: Vec<&str> = phase.agents.iter().map(|agent| &*agent.name).collect();
        self.unique(&format!("{pointer}/agents"), &agents);
        for (index, agent) in phase.agents.iter().enumerate() {
            let pointer = format!("{pointer}/agents/{index}");
            let Agent { name, when, task, inputs, .. } = agent;
            self.name(&format!("{pointer}/name"), name);
            self.step(&pointer, at, when.as_deref(), task.as_ref(), inputs);
        }
        if let Some(rescue) = phase.rescue()
            && self.workflow.phase(&rescue.run).is_none()
        {
            let names = self.workflow.phases.iter().map(|phase| &*phase.name);
            let problem =
                format!("is `{}`, expected the name of a phase{}", rescue.run, near(&rescue.run, names));
            self.say(&format!("{pointer}/on_failure/run"), problem);
        }
    }

    fn step(
        &mut self,
        pointer: &str,
        at: usize,
        when: Option<&str>,
        task: Option<&Value>,
        inputs: &astros_protocol::Extra,
    ) {
        if let Some(when) = when {
            let pointer = format!("{pointer}/when");
            match expression::names_of_condition(when) {
                Ok(names) => self.references(&pointer, &names, Some(at)),
                Err(error) => self.say(&pointer, format!("is no condition: {error}")),
            }
        }
        if let Some(task) = task {
            self.texts(&format!("{pointer}/task"), task, Some(at));
        }
        for (name, value) in inputs {
            self.texts(&format!("{pointer}/inputs/{name}"), value, Some(at));
        }
    }

    /// The texts in a value; `at` is the phase that it belongs to.
    fn texts(&mut self, pointer: &str, value: &Value, at: Option<usize>) {
        match value {
            Value::String(text) => match expression::names_of_text(text) {
                Ok(names) => self.references(pointer, &names, at),
                Err(error) => self.say(pointer, format!("is no text with expressions: {error}")),
            },
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, item)| self.texts(&format!("{pointer}/{index}"), item, at));
            }
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| self.texts(&format!("{pointer}/{name}"), value, at));
            }
            _ => {}
        }
    }

    fn references(&mut self, pointer: &str, names: &[String], at: Option<usize>) {
        for name in names {
            let mut parts = name.split('.');
            let (first, second) = (parts.next().unwrap_or_default(), parts.next());
            match (first, second) {
                ("inputs", Some(input)) if !self.has_input(pointer, input, at) => {
                    let near = near(input, self.workflow.inputs.keys().map(String::as_str));
                    self.say(pointer, format!("speaks of the input `{input}`, which is not declared{near}"));
                }
                ("results", Some(phase)) => self.earlier(pointer, phase, at),
                _ if KNOWN.contains(&first) => {}
                _ => {
                    let known = KNOWN.map(|name| format!("`{name}`")).join(", ");
                    self.say(pointer, format!("speaks of `{first}`, expected one of {known}"));
                }
            }
        }
    }

    /// The inputs of a phase are those of its agents too.
    fn has_input(&self, pointer: &str, input: &str, at: Option<usize>) -> bool {
        let phase = at.and_then(|at| self.workflow.phases.get(at));
        let of_phase =
            pointer.contains("/agents/") && phase.is_some_and(|phase| phase.inputs.contains_key(input));
        of_phase || self.workflow.inputs.contains_key(input)
    }

    /// A phase whose results are spoken of has to come before; of one that is run for failures nobody knows.
    fn earlier(&mut self, pointer: &str, name: &str, at: Option<usize>) {
        let phases = &self.workflow.phases;
        let Some(found) = phases.iter().position(|phase| in_expressions(&phase.name) == in_expressions(name))
        else {
            let near = near(name, phases.iter().map(|phase| &*phase.name));
            return self.say(pointer, format!("speaks of the results of `{name}`, which is no phase{near}"));
        };
        let rescues = rescues(self.workflow);
        let free = |at: usize| rescues.contains(&&*phases[at].name);
        if at.is_some_and(|at| found >= at && !free(found) && !free(at)) {
            self.say(pointer, format!("speaks of the results of `{name}`, which does not come before"));
        }
    }

    fn name(&mut self, pointer: &str, name: &str) {
        let fits = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_');
        if name.is_empty()
            || !name.chars().all(fits)
            || name.starts_with(|first: char| !first.is_ascii_alphabetic())
        {
            self.say(
                pointer,
                format!(
                    "is `{}`, expected letters, digits, `-` and `_`, a letter first",
                    name.escape_debug()
                ),
            );
        }
    }

    fn unique(&mut self, pointer: &str, names: &[&str]) {
        let mut seen = BTreeMap::new();
        for (at, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let problem = match seen.insert(in_expressions(name), *name) {
                None => continue,
                Some(before) if before == *name => {
                    format!("has the name `{name}` of one before, expected a `name` of its own")
                }
                Some(before) => format!(
                    "has the name `{name}`, in expressions that of `{before}` before it, expected a `name` of its own"
                ),
            };
            self.say(&format!("{pointer}/{at}"), problem);
        }
    }

    /// Phases that run each other when they fail would never end.
    fn circles(&mut self) {
        let phases = &self.workflow.phases;
        for (at, phase) in phases.iter().enumerate() {
            let mut chain = vec![&*phase.name];
            let mut next = phase.rescue();
            while let Some(rescue) = next {
                if rescue.run == phase.name {
                    chain.push(&phase.name);
                    let problem = format!("runs in a circle: {}", chain.join(" → "));
                    self.say(&format!("/phases/{at}/on_failure/run"), problem);
                    return;
                }
                if chain.contains(&&*rescue.run) {
                    break;
                }
                chain.push(&rescue.run);
                next = self.workflow.phase(&rescue.run).and_then(Phase::rescue);
            }
        }
    }
}

/// The phases that are run for failures only.
pub(super) fn rescues(workflow: &Workflow) -> BTreeSet<&str> {
    workflow.phases.iter().filter_map(|phase| Some(&*phase.rescue()?.run)).collect()
}

fn near<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(name, names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// A pointer as errors name places: `phases[0].agents[1].task`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for name in pointer.split('/').skip(1) {
        match name.parse::<usize>() {
            Ok(at) => text.push_str(&format!("[{at}]")),
            Err(_) if text.is_empty() => text.push_str(name),
            Err(_) => text.push_str(&format!(".{name}")),
        }
    }
    text
}
