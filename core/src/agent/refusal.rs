//! What people are told where nobody does it.

use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use super::recognition::Match;

/// So much of a text that nobody understood is shown.
const SHOWN: usize = 80;

/// Nobody can do it; the nearest candidates are named.
pub(super) fn not_understood(text: &str, nearest: &[Match], threshold: f64) -> Error {
    let error = Error::new(ErrorCode::NOT_UNDERSTOOD, format!("no plugin can do `{}`", shown(text)));
    let detail = match nearest.first() {
        Some(near) => format!(
            "nearest: `{}.{}` ({:.0} %), below the threshold of {:.0} %",
            near.plugin,
            near.handler,
            near.confidence * 100.0,
            threshold * 100.0
        ),
        None => "no handler is anywhere near".to_owned(),
    };
    let candidates: Vec<Value> = nearest.iter().map(candidate_json).collect();
    error
        .with_detail(detail)
        .with("candidates", candidates)
        .with_hint("`astros plugins list` shows what there is, `astros ask --explain` how it was decided")
}

/// Those that could do it left it to others.
pub(super) fn declined(text: &str, candidates: &[Match]) -> Error {
    let names: Vec<_> = candidates.iter().map(|one| format!("`{}.{}`", one.plugin, one.handler)).collect();
    Error::new(ErrorCode::NOT_UNDERSTOOD, format!("nobody wants to do `{}`", shown(text)))
        .with_detail(format!("declined by {}", names.join(", ")))
        .with("candidates", candidates.iter().map(candidate_json).collect::<Vec<_>>())
        .with_hint("say it in other words, or name what it is about")
}

fn shown(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// A candidate for people and programs.
pub fn candidate_json(candidate: &Match) -> Value {
    json!({
        "plugin": candidate.plugin,
        "handler": candidate.handler,
        "confidence": (candidate.confidence * 1000.0).round() / 1000.0,
    })
}
