//! The recognizer that is built in: templates first, then TF-IDF.

use std::collections::BTreeMap;
use std::ops::Range;

use super::choose::by_confidence;
use super::fill::fill;
use super::slots::{Fit, Kind, Slot, starts_path};
use super::template::{Part, Template, pieces, weight};
use super::tfidf::{Index, Sample, Similar, Term, Vector};
use super::tokens::{Shape, Token, tokens};
use super::words::{is_noise, without_politeness};
use super::{Explanation, HandlerDoc, Match, Recognizer};
use serde_json::Value;

/// Matches that are returned, and those below this confidence are not.
const MOST: usize = 10;
const LEAST: f64 = 0.01;
/// The confidence of similar words never reaches that of a template.
const SIMILAR_AT_MOST: f64 = 0.94;
/// The score at which a similar text is as likely meant as not, and how steeply that changes.
const EVEN: f64 = 0.50;
const STEEPNESS: f64 = 12.0;
/// What a name, a description and the plugin's categories count beside declared examples.
const NAME_WORTH: f32 = 0.95;
const DESCRIPTION_WORTH: f32 = 0.85;
const CATEGORY_WORTH: f32 = 0.7;

/// Stands for any path in the words that are compared.
const PATH_TERM: &str = "{path}";
const PATH_WEIGHT: f32 = 0.5;

/// The built-in recognizer over a fixed set of handlers.
#[derive(Debug, Default)]
pub struct Standard {
    handlers: Vec<Handler>,
    index: Index,
}

#[derive(Debug)]
struct Handler {
    plugin: String,
    name: String,
    priority: i32,
    templates: Vec<Template>,
    slots: Vec<(String, Kind)>,
}

impl Standard {
    /// Make a recognizer for these handlers; instant for some, tens of milliseconds for 1,500 examples.
    pub fn new(docs: &[HandlerDoc]) -> Self {
        let samples = docs.iter().enumerate().flat_map(|(number, doc)| samples(number, doc)).collect();
        Self { handlers: docs.iter().map(Handler::new).collect(), index: Index::new(samples, docs.len()) }
    }
}

impl Recognizer for Standard {
    fn rank(&self, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Match> {
        let all = tokens(text);
        let words = without_politeness(&all, |token| &token.word);
        let mut matches: BTreeMap<usize, Match> = BTreeMap::new();
        for (number, laid) in self.laid_over(text, words, exists) {
            matches.insert(number, self.handlers[number].matched(laid));
        }
        let vector = self.index.vector(&terms_of(words));
        for similar in self.index.similar(&vector).into_iter().take(2 * MOST) {
            let handler = &self.handlers[similar.handler];
            let confidence = likelihood(similar.score);
            if confidence < LEAST {
                break;
            }
            let found = matches.entry(similar.handler).or_insert_with(|| handler.unmatched());
            if confidence > found.confidence {
                found.confidence = confidence;
                found.why.template = None;
                found.slots = fill(&handler.slots, &handler.templates, text, words, exists);
            }
            self.explain(&mut found.why, &vector, &similar);
        }
        let mut matches: Vec<Match> = matches.into_values().collect();
        matches.sort_by(by_confidence);
        matches.truncate(MOST);
        matches
    }
}

/// A template that fits a text word by word.
struct Laid<'a> {
    template: &'a Template,
    slots: BTreeMap<String, Slot>,
    /// What its literals and recognized values weigh; the more, the less it took for its slots.
    weight: f64,
    confidence: f64,
}

impl Standard {
    /// The best template of each handler that fits. One that took more for its slots than another is lowered.
    fn laid_over(
        &self,
        text: &str,
        words: &[Token],
        exists: &dyn Fn(&str) -> bool,
    ) -> Vec<(usize, Laid<'_>)> {
        let mut all: Vec<(usize, Laid<'_>)> = Vec::new();
        for (number, handler) in self.handlers.iter().enumerate() {
            let fitting = handler.templates.iter().filter_map(|template| {
                let slots = template.lay_over(words)?;
                Laid::read(template, &slots, text, words, exists)
            });
            all.extend(
                fitting.max_by(|a, b| a.confidence.total_cmp(&b.confidence)).map(|best| (number, best)),
            );
        }
        let most = all
            .iter()
            .filter(|(_, laid)| laid.confidence >= 0.9)
            .map(|(_, laid)| laid.weight)
            .fold(0.0, f64::max);
        for (_, laid) in &mut all {
            laid.confidence -= (0.06 * (most - laid.weight)).clamp(0.0, 0.3);
        }
        all
    }

    fn explain(&self, why: &mut Explanation, vector: &Vector, similar: &Similar) {
        why.words = self.index.shared(vector, similar.nearest);
        why.words.truncate(5);
        why.nearest = Some((self.index.said(similar.nearest).to_owned(), f64::from(similar.cosine)));
    }
}

impl<'a> Laid<'a> {
    /// Read what stands in the slots; none where something cannot stand there.
    fn read(
        template: &'a Template,
        ranges: &[Range<usize>],
        text: &str,
        words: &[Token],
        exists: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let mut slots = BTreeMap::new();
        let mut fits = Vec::new();
        let mut free_words = 0;
        let parts = template.parts.iter().filter_map(|part| match part {
            Part::Slot { name, kind } => Some((name, kind)),
            Part::Literal(_) => None,
        });
        for ((name, kind), range) in parts.zip(ranges) {
            let (slot, fit) = kind.read(text, &words[range.clone()], exists)?;
            free_words += if fit == Fit::Free { range.len() } else { 0 };
            fits.push(fit);
            slots.insert(name.clone(), slot);
        }
        let sure = fits.iter().filter(|&&fit| fit == Fit::Sure).count() as f64;
        let weight = template.literals().map(weight).sum::<f64>() + sure;
        let telling =
            template.literals().filter(|word| super::template::weight(word) == 1.0).count() as f64 + sure;
        let worst = fits.iter().min().map_or(1.0, |fit| quality(*fit, telling));
        let greed = (free_words as f64 - 4.0 * weight).max(0.0);
        let confidence = (0.95 + 0.05 * weight / (weight + 2.0)) * worst - (0.03 * greed).min(0.3);
        let confidence = if weight < 1.0 { confidence.min(0.5) } else { confidence };
        Some(Self { template, slots, weight, confidence })
    }
}

/// How much a slot's content lowers the confidence, where the rest has so many `telling` words and values.
fn quality(fit: Fit, telling: f64) -> f64 {
    match fit {
        Fit::Sure | Fit::Free => 1.0,
        Fit::Word if telling >= 2.0 => 0.9,
        Fit::Word if telling >= 1.0 => 0.5,
        Fit::Phrase if telling >= 2.0 => 0.7,
        Fit::Phrase if telling >= 1.0 => 0.4,
        Fit::Word | Fit::Phrase | Fit::Odd => 0.3,
    }
}

impl Handler {
    fn new(doc: &HandlerDoc) -> Self {
        let kind = |name: &str| Kind::of(name, &doc.parameters);
        let mut templates: Vec<Template> =
            doc.examples.iter().filter_map(|example| Template::new(example, kind)).collect();
        // The template with the most slots first: it tells their order.
        templates
            .sort_by_key(|template| std::cmp::Reverse(template.parts.len() - template.literals().count()));
        let declared = doc.parameters["properties"].as_object();
        let named = templates.iter().flat_map(|template| &template.parts).filter_map(|part| match part {
            Part::Slot { name, .. } => Some(name),
            Part::Literal(_) => None,
        });
        let mut slots: Vec<(String, Kind)> = Vec::new();
        for name in named.chain(declared.into_iter().flat_map(|all| all.keys())) {
            if !slots.iter().any(|(known, _)| known == name) {
                slots.push((name.clone(), kind(name)));
            }
        }
        if doc.examples.is_empty() && doc.parameters.is_null() {
            slots = undeclared();
        }
        Self {
            plugin: doc.plugin.clone(),
            name: doc.handler.clone(),
            priority: doc.priority,
            templates,
            slots,
        }
    }

    fn unmatched(&self) -> Match {
        Match {
            plugin: self.plugin.clone(),
            handler: self.name.clone(),
            confidence: 0.0,
            priority: self.priority,
            slots: BTreeMap::new(),
            why: Explanation::default(),
        }
    }

    fn matched(&self, laid: Laid<'_>) -> Match {
        let why = Explanation { template: Some(laid.template.source.clone()), ..Explanation::default() };
        Match { confidence: laid.confidence, slots: laid.slots, why, ..self.unmatched() }
    }
}

/// The slots of a handler that declares nothing: the names that handlers of the guides read.
fn undeclared() -> Vec<(String, Kind)> {
    let values = ["by_type", "by_date", "by_size", "by_content"].map(Value::from).to_vec();
    let method = Kind::Choice { values, open: false };
    vec![("path".into(), Kind::Path), ("destination".into(), Kind::Path), ("method".into(), method)]
}

/// The confidence that a similarity stands for.
fn likelihood(score: f32) -> f64 {
    SIMILAR_AT_MOST / (1.0 + (-STEEPNESS * (f64::from(score) - EVEN)).exp())
}

/// The terms to compare a text by; its paths are one and the same term.
fn terms_of(words: &[Token]) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::with_capacity(words.len());
    for (at, token) in words.iter().enumerate() {
        if token.shape == Shape::Path || (token.shape == Shape::Quoted && starts_path(&words[at..])) {
            terms.push(path_term());
        } else if !token.word.is_empty() {
            terms.push(Term::of_word(&token.word));
        }
    }
    terms
}

fn path_term() -> Term {
    Term { key: PATH_TERM.into(), weight: PATH_WEIGHT }
}

/// What a handler says about itself: its examples, its name, its description and its plugin's categories.
fn samples(handler: usize, doc: &HandlerDoc) -> Vec<Sample> {
    let sample =
        |said: &str, terms: Vec<Term>, worth| Sample { handler, said: said.to_owned(), terms, worth };
    let described = |said: &str, worth| {
        let words = said.replace(['_', '-'], " ");
        let words: Vec<Token> = tokens(&words).into_iter().filter(|token| !is_noise(&token.word)).collect();
        sample(said, terms_of(&words), worth)
    };
    let mut all: Vec<Sample> =
        doc.examples.iter().map(|example| sample(example, example_terms(example, doc), 1.0)).collect();
    all.push(described(&doc.handler, NAME_WORTH));
    let sentence = doc.description.split(['.', '\n']).find(|part| !part.trim().is_empty());
    all.extend(sentence.map(|sentence| described(sentence.trim(), DESCRIPTION_WORTH)));
    all.extend(doc.handles.iter().map(|category| described(category, CATEGORY_WORTH)));
    all.retain(|sample| !sample.terms.is_empty());
    all
}

/// The terms of an example: a path's slot as a path, a choice as all of its values, other slots left out.
fn example_terms(example: &str, doc: &HandlerDoc) -> Vec<Term> {
    let mut terms = Vec::new();
    for (literal, slot) in pieces(example) {
        terms.extend(terms_of(&tokens(literal)));
        match slot.map(|name| Kind::of(name, &doc.parameters)) {
            Some(Kind::Path) => terms.push(path_term()),
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
