//! What a handler says about itself, and a person says to it, in terms that are compared.

use serde_json::Value;

use super::HandlerDoc;
use super::fill::paths_in;
use super::slots::Kind;
use super::template::pieces;
use super::tfidf::{Sample, Term};
use super::tokens::{Token, tokens};
use super::words::is_noise;

/// What a name, a description and the plugin's categories count beside declared examples.
const NAME_WORTH: f32 = 0.95;
const DESCRIPTION_WORTH: f32 = 0.85;
const CATEGORY_WORTH: f32 = 0.7;
/// What a plugin's name and description count for one of several handlers.
const PLUGIN_WORTH: f32 = 0.4;

/// Stands for any path in the words that are compared.
const PATH_TERM: &str = "{path}";
const PATH_WEIGHT: f32 = 0.5;

/// The terms to compare a text by; its paths are one and the same term.
pub(super) fn terms_of(words: &[Token]) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::with_capacity(words.len());
    let mut from = 0;
    let word = |token: &Token| (!token.word.is_empty()).then(|| Term::of_word(&token.word));
    for path in paths_in(words) {
        terms.extend(words[from..path.start].iter().filter_map(word));
        terms.extend(path_terms());
        from = path.end;
    }
    terms.extend(words[from..].iter().filter_map(word));
    terms
}

/// Whoever names a path speaks of files.
fn path_terms() -> [Term; 2] {
    [PATH_TERM, "fil"].map(|key| Term { key: key.into(), weight: PATH_WEIGHT })
}

/// What a handler says about itself: its examples, its name and description, and what its plugin says, which is its
/// own where it is `alone` in its plugin.
pub(super) fn samples(handler: usize, doc: &HandlerDoc, alone: bool) -> Vec<Sample> {
    let sample = |said: &str, terms, worth, own| Sample { handler, said: said.to_owned(), terms, worth, own };
    let described = |said: &str, worth, own| {
        let words = said.replace(['_', '-'], " ");
        let words: Vec<Token> = tokens(&words).into_iter().filter(|token| !is_noise(&token.word)).collect();
        sample(said, terms_of(&words), worth, own)
    };
    let examples = doc.examples.iter().map(|example| sample(example, example_terms(example, doc), 1.0, true));
    let mut all: Vec<Sample> = examples.collect();
    all.push(described(&doc.handler, NAME_WORTH, true));
    all.push(described(first_sentence(&doc.description), DESCRIPTION_WORTH, true));
    all.extend(doc.handles.iter().map(|category| described(category, CATEGORY_WORTH, alone)));
    let worth = if alone { DESCRIPTION_WORTH } else { PLUGIN_WORTH };
    all.extend(
        [&doc.plugin, first_sentence(&doc.plugin_description)].map(|said| described(said, worth, alone)),
    );
    all.retain(|sample| !sample.terms.is_empty());
    all
}

fn first_sentence(text: &str) -> &str {
    text.split(['.', '\n']).map(str::trim).find(|part| !part.is_empty()).unwrap_or_default()
}

/// The terms of an example: a path's slot as a path, a choice as all of its values, other slots left out.
fn example_terms(example: &str, doc: &HandlerDoc) -> Vec<Term> {
    let mut terms = Vec::new();
    for (literal, slot) in pieces(example) {
        terms.extend(terms_of(&tokens(literal)));
        match slot.map(|name| Kind::of(name, &doc.parameters)) {
            Some(Kind::Path) => terms.extend(path_terms()),
            Some(Kind::Choice { values, .. }) => {
                let weight = 1.0 / (values.len() as f32).sqrt();
                let named = values.iter().filter_map(Value::as_str).map(|value| value.replace('_', " "));
                let words: Vec<Term> = named.flat_map(|value| terms_of(&tokens(&value))).collect();
                terms.extend(words.into_iter().map(|term| Term { weight: term.weight * weight, ..term }));
            }
            _ => {}
        }
    }
    terms
}
