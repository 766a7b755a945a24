//! How a text was understood, for people and for programs.

use std::process::ExitCode;

use serde_json::{Map, Value, json};

use crate::agent::{
    Person, Thresholds, Understanding, candidate_json,
    recognition::{Decision, Match},
};
use crate::services::printable::printable;

impl Understanding {
    fn candidates(&self) -> &[Match] {
        match &self.decision {
            Decision::Try(candidates) | Decision::Nobody(candidates) => candidates,
        }
    }

    fn chosen(&self) -> Option<&Match> {
        match &self.decision {
            Decision::Try(candidates) => candidates.first(),
            Decision::Nobody(_) => None,
        }
    }

    /// Of a dry run: as the real one, where nobody understands.
    pub(super) fn exit_code(&self) -> ExitCode {
        let refused = super::output::exit_code(astros_protocol::ErrorCode::NOT_UNDERSTOOD);
        ExitCode::from(if self.chosen().is_some() { 0 } else { refused })
    }
}

fn slots(found: &Match, person: &Person) -> Map<String, Value> {
    found.slots.iter().map(|(name, slot)| (name.clone(), slot.value(&person.cwd, &person.home))).collect()
}

pub(super) fn explain_json(understanding: &Understanding, person: &Person, thresholds: Thresholds) -> Value {
    let explain = |found: &Match| {
        let mut members = candidate_json(found);
        members["priority"] = found.priority.into();
        members["context"] = slots(found, person).into();
        members["template"] = json!(found.why.template);
        members["words"] = json!(found.why.words);
        members["nearest"] = json!(found.why.nearest);
        members
    };
    json!({
        "dry_run": true,
        "chosen": understanding.chosen().map(candidate_json),
        "followup": understanding.followup.as_ref().map(|followup| &followup.plugin),
        "threshold": thresholds.threshold,
        "margin": thresholds.margin,
        "candidates": understanding.candidates().iter().map(explain).collect::<Vec<_>>(),
    })
}

pub(super) fn explain_text(
    understanding: &Understanding,
    person: &Person,
    thresholds: Thresholds,
    dry_run: bool,
) -> String {
    let mut lines = Vec::new();
    if let Some(followup) = &understanding.followup {
        lines.push(format!("session  `{}` asked back and gets this first", followup.plugin));
    }
    let mut candidates = understanding.candidates().iter();
    match candidates.next() {
        Some(best) => lines.extend(explain_best(best, person)),
        None => lines.push("intent   no handler is anywhere near".to_owned()),
    }
    let others: Vec<_> = candidates.take(4).map(named).collect();
    if !others.is_empty() {
        lines.push(format!("then     {}", others.join(" · ")));
    }
    match understanding.chosen() {
        None => lines.push(format!("nobody reaches the threshold of {:.2}", thresholds.threshold)),
        Some(chosen) if dry_run => {
            let context = Value::Object(slots(chosen, person));
            lines.push(format!("would call {}.{} {context}", chosen.plugin, chosen.handler));
        }
        Some(_) => {}
    }
    printable(&lines.join("\n")).into_owned()
}

fn named(found: &Match) -> String {
    format!("{}.{} {:.2}", found.plugin, found.handler, found.confidence)
}

fn explain_best(best: &Match, person: &Person) -> Vec<String> {
    let mut lines = vec![format!("intent   {}   {:.2}   {}", best.handler, best.confidence, best.plugin)];
    lines.push(format!("  template   {}", best.why.template.as_deref().unwrap_or("–")));
    let words: Vec<_> =
        best.why.words.iter().take(6).map(|(word, weight)| format!("{word} {weight:.2}")).collect();
    if !words.is_empty() {
        lines.push(format!("  words      {}", words.join(" · ")));
    }
    if let Some((example, similarity)) = &best.why.nearest {
        lines.push(format!("  nearest    \"{example}\" {similarity:.2}"));
    }
    let slots = slots(best, person);
    if !slots.is_empty() {
        let slots: Vec<_> = slots.iter().map(|(name, value)| format!("{name} = {}", plain(value))).collect();
        lines.push(format!("  slots      {}", slots.join(" · ")));
    }
    lines
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
