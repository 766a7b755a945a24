//! What Tab completes: the chat's own commands, what plugins say can be asked, their names.

use std::sync::{Arc, PoisonError, RwLock};

use futures_util::future::join_all;
use rustyline::{
    Context, Helper,
    completion::{Completer, Pair},
    highlight::Highlighter,
    hint::Hinter,
    validate::Validator,
};
use serde_json::Value;

use crate::control::{Client, api::ControlClient};

/// Something to say.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Words {
    /// The whole line.
    Line(String),
    /// One word of it.
    Name(String),
}

/// What is known from the beginning.
pub(super) fn commands() -> Vec<Words> {
    ["/help", "/plugins", "/quit"].map(|command| Words::Line(command.to_owned())).to_vec()
}

/// What the plugins say can be asked, and their names. Those that were never asked are started, as the first
/// request would do.
pub(super) async fn learn(daemon: &Client) -> Vec<Words> {
    let Ok(plugins) = daemon.list().await else { return Vec::new() };
    let usable = plugins.into_iter().filter(|one| one.state != "blocked" && one.state != "disabled");
    let shown = usable.map(async |plugin| (daemon.show(plugin.name.clone()).await, plugin.name));
    let mut words = Vec::new();
    for (shown, name) in join_all(shown).await {
        let shown = shown.unwrap_or_default();
        let handlers = shown["handlers"].as_array().into_iter().flatten();
        let examples = handlers.flat_map(|handler| handler["examples"].as_array().into_iter().flatten());
        words.extend(examples.filter_map(Value::as_str).map(|example| Words::Line(example.to_owned())));
        words.push(Words::Name(name));
    }
    words
}

/// Completes with what is known by then.
pub(super) struct Known(pub(super) Arc<RwLock<Vec<Words>>>);

impl Completer for Known {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(complete(&line[..pos], &known))
    }
}

/// Where what is completed begins, and what it may become: whole lines first, else the last word.
fn complete(typed: &str, known: &[Words]) -> (usize, Vec<Pair>) {
    let begins = |word: &str, typed: &str| word.to_lowercase().starts_with(&typed.to_lowercase());
    let lines: Vec<Pair> = known
        .iter()
        .filter_map(|words| match words {
            Words::Line(line) if begins(line, typed) => Some(pair(line)),
            _ => None,
        })
        .collect();
    if !lines.is_empty() {
        return (0, lines);
    }
    let start = typed.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let names = known.iter().filter_map(|words| match words {
        Words::Name(name) if start < typed.len() && begins(name, &typed[start..]) => Some(pair(name)),
        _ => None,
    });
    (start, names.collect())
}

/// An example is typed up to its first `{slot}`.
fn pair(words: &str) -> Pair {
    let typed = words.split('{').next().unwrap_or_default();
    Pair { display: words.to_owned(), replacement: typed.to_owned() }
}

impl Hinter for Known {
    type Hint = String;
}

impl Highlighter for Known {}
impl Validator for Known {}
impl Helper for Known {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_commands_examples_up_to_their_slots_and_names() {
        let mut known = commands();
        known.push(Words::Line("order a pizza for {guest}".to_owned()));
        known.push(Words::Name("pizza-baker".to_owned()));
        let completed = |typed: &str| {
            let (start, found) = complete(typed, &known);
            found
                .into_iter()
                .map(|pair| format!("{}{}", &typed[..start], pair.replacement))
                .collect::<Vec<_>>()
        };
        assert_eq!(completed("/p"), ["/plugins"]);
        assert_eq!(completed("Order a"), ["order a pizza for "]);
        assert_eq!(completed("stop piz"), ["stop pizza-baker"]);
        assert_eq!(completed("stöp piz"), ["stöp pizza-baker"]);
        assert!(completed("nothing like it").is_empty());
        assert!(completed("stop ").is_empty());
        assert_eq!(completed("").len(), 4);
    }
}
