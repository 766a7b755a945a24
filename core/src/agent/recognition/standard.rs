//! The recognizer that is built in: templates first, then TF-IDF.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

use super::choose::by_confidence;
use super::fill::{fill, paths_in};
use super::layout::strictly;
use super::slots::{Fit, Kind, Slot};
use super::template::{Part, Template, pieces, weight};
use super::tfidf::{Index, Sample, Similar, Term, Vector};
use super::tokens::{Token, tokens};
use super::words::{is_noise, is_stop, without_politeness};
use super::{Explanation, HandlerDoc, Match, Recognizer};
use serde_json::Value;

/// Matches that are returned, and those below this confidence are not.
const MOST: usize = 10;
const LEAST: f64 = 0.01;
/// The confidence of similar words never reaches that of a template.
const SIMILAR_AT_MOST: f64 = 0.94;
/// The score at which a similar text is as likely meant as not, and how steeply that changes.
const EVEN: f64 = 0.37;
const STEEPNESS: f64 = 12.0;
/// The most where a text says too little.
const IN_DOUBT: f64 = 0.5;
/// From here on slots are looked for.
const FILLED: f64 = 0.25;
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
    /// The templates, as handler and template, by their first literal.
    by_literal: HashMap<String, Vec<(usize, usize)>>,
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
        let handlers: Vec<Handler> = docs.iter().map(Handler::new).collect();
        let mut by_literal: HashMap<String, Vec<(usize, usize)>> = HashMap::new();
        for (number, handler) in handlers.iter().enumerate() {
            for (at, template) in handler.templates.iter().enumerate() {
                let literal = template.literals().next().unwrap_or_default();
                by_literal.entry(literal.to_owned()).or_default().push((number, at));
            }
        }
        Self { handlers, by_literal, index: Index::new(samples, docs.len()) }
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
        let mut terms = terms_of(words);
        self.index.forgive_typos(&mut terms);
        let vector = self.index.vector(&terms);
        for similar in self.index.similar(&vector).into_iter().take(2 * MOST) {
            let confidence = likelihood(similar.score);
            if confidence < LEAST {
                break;
            }
            let handler = &self.handlers[similar.handler];
            let found = matches.entry(similar.handler).or_insert_with(|| handler.unmatched());
            self.explain(&mut found.why, &vector, &similar);
            if confidence > found.confidence {
                let worthwhile = confidence >= FILLED && !handler.slots.is_empty();
                let slots = if worthwhile { handler.fill(text, words, exists) } else { BTreeMap::new() };
                let confidence = if handler.lacks(&slots, &found.why.words) {
                    confidence.min(IN_DOUBT)
                } else {
                    confidence
                };
                if confidence > found.confidence {
                    found.confidence = confidence;
                    found.why.template = None;
                    found.slots = slots;
                }
            }
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
    ) -> BTreeMap<usize, Laid<'_>> {
        let mut all: BTreeMap<usize, Laid<'_>> = BTreeMap::new();
        let said: HashSet<&str> = words.iter().map(|token| &*token.word).collect();
        for &(number, at) in said.iter().filter_map(|word| self.by_literal.get(*word)).flatten() {
            let template = &self.handlers[number].templates[at];
            let Some(slots) = strictly(template, words) else { continue };
            let Some(laid) = Laid::read(template, &slots, text, words, exists) else { continue };
            if all.get(&number).is_none_or(|best| best.rank() < laid.rank()) {
                all.insert(number, laid);
            }
        }
        let most = all
            .iter()
            .filter(|(_, laid)| laid.confidence >= 0.9)
            .map(|(_, laid)| laid.weight)
            .fold(0.0, f64::max);
        for laid in all.values_mut() {
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
        ranges: &[Option<Range<usize>>],
        text: &str,
        words: &[Token],
        exists: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let mut slots = BTreeMap::new();
        let mut fits = Vec::new();
        let mut free_words = 0;
        for ((name, kind), range) in template.slots().zip(ranges.iter().flatten()) {
            let (slot, fit) = kind.read(text, &words[range.clone()], exists)?;
            free_words += if fit == Fit::Free { range.len() } else { 0 };
            fits.push(fit);
            slots.insert(name.to_owned(), slot);
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

    /// What tells which of two templates fits better, the same whatever their order.
    fn rank(&self) -> (u64, std::cmp::Reverse<&str>) {
        ((self.confidence.max(0.0) * 1e9) as u64, std::cmp::Reverse(&self.template.source))
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
        add_choices(&mut templates);
        let declared = doc.parameters["properties"].as_object();
        let named = templates.iter().flat_map(Template::slots).map(|(name, _)| name);
        let mut slots: Vec<(String, Kind)> = Vec::new();
        for name in named.chain(declared.into_iter().flatten().map(|(name, _)| &**name)) {
            if !slots.iter().any(|(known, _)| known == name) {
                slots.push((name.to_owned(), kind(name)));
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

    fn fill(&self, text: &str, words: &[Token], exists: &dyn Fn(&str) -> bool) -> BTreeMap<String, Slot> {
        fill(&self.slots, &self.templates, text, words, exists)
    }

    /// Whether a text says too little for a handler that is always told something: one word, and nothing for its
    /// slots ("copy that").
    fn lacks(&self, slots: &BTreeMap<String, Slot>, words: &[(String, f64)]) -> bool {
        let always =
            !self.templates.is_empty() && self.templates.iter().all(|one| one.slots().next().is_some());
        let told =
            self.slots.iter().filter(|(name, kind)| *kind != Kind::Text && slots.contains_key(name)).count();
        let telling = words.iter().filter(|(word, _)| !word.contains([' ', '{']) && !is_stop(word)).count();
        always && told + telling < 2
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

/// Let a choice that ends one template, such as "by {method}", be said at the end of the others too: otherwise
/// "tidy up {path}" would take "~/x by type" for a path.
fn add_choices(templates: &mut Vec<Template>) {
    let ends: Vec<[Part; 2]> = templates
        .iter()
        .filter_map(|template| match &template.parts[..] {
            [.., before @ Part::Literal(_), choice @ Part::Slot { kind: Kind::Choice { .. }, .. }] => {
                Some([before.clone(), choice.clone()])
            }
            _ => None,
        })
        .collect();
    let lacking = |template: &&Template, end: &[Part; 2]| !template.parts.contains(&end[1]);
    let more: Vec<Template> = ends
        .iter()
        .take(4)
        .flat_map(|end| {
            let lacking = templates.iter().filter(move |template| lacking(template, end));
            lacking.map(|template| Template {
                source: template.source.clone(),
                parts: [&template.parts[..], end].concat(),
            })
        })
        .collect();
    for template in more {
        if !templates.contains(&template) {
            templates.push(template);
        }
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
