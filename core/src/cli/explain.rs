//! How a text was understood, for people and for programs.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::{
    control::api::{Candidate, Explained, Understood},
    services::printable::printable,
};

/// Of a dry run: as the real one, where nobody understands.
pub(super) fn exit_code(understood: &Understood) -> ExitCode {
    let refused = super::output::exit_code(astros_protocol::ErrorCode::NOT_UNDERSTOOD);
    ExitCode::from(if understood.chosen.is_some() { 0 } else { refused })
}

pub(super) fn explain_json(understood: &Understood) -> Value {
    let mut members = json!({ "dry_run": true });
    if let (Value::Object(members), Value::Object(understood)) = (&mut members, json!(understood)) {
        members.extend(understood);
    }
    members
}

pub(super) fn explain_text(understood: &Understood, dry_run: bool) -> String {
    let mut lines = Vec::new();
    if let Some(plugin) = &understood.followup {
        lines.push(format!("session  `{plugin}` asked back and gets this first"));
    }
    let mut candidates = understood.candidates.iter();
    let best = candidates.next();
    match best {
        Some(best) => lines.extend(explain_best(best)),
        None => lines.push("intent   no handler is anywhere near".to_owned()),
    }
    let others: Vec<_> = candidates.take(4).map(|other| named(&other.candidate)).collect();
    if !others.is_empty() {
        lines.push(format!("then     {}", others.join(" · ")));
    }
    match (&understood.chosen, best) {
        (None, _) => lines.push(format!("nobody reaches the threshold of {:.2}", understood.threshold)),
        (Some(chosen), Some(best)) if dry_run => {
            let context = Value::Object(best.context.clone());
            lines.push(format!("would call {}.{} {context}", chosen.plugin, chosen.handler));
        }
        _ => {}
    }
    printable(&lines.join("\n")).into_owned()
}

fn named(found: &Candidate) -> String {
    format!("{}.{} {:.2}", found.plugin, found.handler, found.confidence)
}

fn explain_best(best: &Explained) -> Vec<String> {
    let Candidate { plugin, handler, confidence } = &best.candidate;
    let mut lines = vec![format!("intent   {handler}   {confidence:.2}   {plugin}")];
    lines.push(format!("  template   {}", best.template.as_deref().unwrap_or("–")));
    let words: Vec<_> =
        best.words.iter().take(6).map(|(word, weight)| format!("{word} {weight:.2}")).collect();
    if !words.is_empty() {
        lines.push(format!("  words      {}", words.join(" · ")));
    }
    if let Some((example, similarity)) = &best.nearest {
        lines.push(format!("  nearest    \"{example}\" {similarity:.2}"));
    }
    if !best.context.is_empty() {
        let slots = best.context.iter().map(|(name, value)| format!("{name} = {}", plain(value)));
        lines.push(format!("  slots      {}", slots.collect::<Vec<_>>().join(" · ")));
    }
    lines
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
