//! The recognizer that is built in: templates first, then TF-IDF.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::choose::by_confidence;
use super::exact::Laid;
use super::fill::fill;
use super::layout::strictly;
use super::samples::{samples, terms_of};
use super::slots::{Kind, Slot};
use super::template::{Template, add_choices};
use super::tfidf::{Index, Known};
use super::tokens::{Said, Token, tokens};
use super::words::{forbids, is_stop, without_opening, without_politeness};
use super::{Explanation, HandlerDoc, Match, Recognizer};

/// Matches that are returned, and those below this confidence are not.
const MOST: usize = 10;
const LEAST: f64 = 0.01;
/// The confidence of similar words never reaches that of a template.
const SIMILAR_AT_MOST: f64 = 0.94;
/// The score at which a similar text is as likely meant as not, and how steeply that changes.
const EVEN: f64 = 0.39;
const STEEPNESS: f64 = 12.0;
/// What a template loses that fits only without the text's opening.
const OPENED: f64 = 0.08;
/// The most where a text says too little.
const IN_DOUBT: f64 = 0.5;
/// From here on slots are looked for.
const FILLED: f64 = 0.25;

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
        let alone =
            |doc: &HandlerDoc| docs.iter().filter(|other| other.plugin == doc.plugin).nth(1).is_none();
        let samples =
            docs.iter().enumerate().flat_map(|(number, doc)| samples(number, doc, alone(doc))).collect();
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
        let said = Said { text, words: without_politeness(&all, |token| &token.word), exists };
        let exact = self.laid_over_with_or_without_opening(said).into_iter();
        let mut matches = exact.map(|(number, laid)| (number, self.handlers[number].matched(laid))).collect();
        self.add_similar(said, &mut matches);
        let mut matches: Vec<Match> = matches.into_values().collect();
        let forbidden = forbids(said.words, |token| &token.word);
        for found in &mut matches {
            // A handler that is for such sentences has a template of one.
            if forbidden && found.why.template.as_deref().is_none_or(|template| !forbids_itself(template)) {
                found.confidence = found.confidence.min(IN_DOUBT);
            }
            // Sums differ in their last digits from run to run; the order must not.
            found.confidence = (found.confidence * 1e4).round() / 1e4;
        }
        matches.retain(|found| found.confidence >= LEAST);
        matches.sort_by(by_confidence);
        matches.truncate(MOST);
        matches
    }

    fn slots(
        &self,
        plugin: &str,
        handler: &str,
        text: &str,
        exists: &dyn Fn(&str) -> bool,
    ) -> BTreeMap<String, Slot> {
        let all = tokens(text);
        let said = Said { text, words: without_politeness(&all, |token| &token.word), exists };
        let asked = self.handlers.iter().find(|known| known.plugin == plugin && known.name == handler);
        asked.map(|asked| fill(&asked.slots, &asked.templates, said)).unwrap_or_default()
    }
}

impl Standard {
    /// "What is the weather in Oslo" fits "weather in {city}", too, if a little less.
    fn laid_over_with_or_without_opening(&self, said: Said<'_>) -> BTreeMap<usize, Laid<'_>> {
        let mut all = self.laid_over(said);
        if let Some(words) = without_opening(said.words, |token| &token.word) {
            for (number, mut laid) in self.laid_over(Said { words, ..said }) {
                laid.confidence -= OPENED;
                if all.get(&number).is_none_or(|best| best.rank() < laid.rank()) {
                    all.insert(number, laid);
                }
            }
        }
        all
    }

    /// The best template of each handler that fits. One that took more for its slots than another is lowered.
    fn laid_over(&self, said: Said<'_>) -> BTreeMap<usize, Laid<'_>> {
        let mut all: BTreeMap<usize, Laid<'_>> = BTreeMap::new();
        let literals: HashSet<&str> = said.words.iter().map(|token| &*token.word).collect();
        for &(number, at) in literals.iter().filter_map(|word| self.by_literal.get(*word)).flatten() {
            let template = &self.handlers[number].templates[at];
            let Some(slots) = strictly(template, said.words) else { continue };
            let Some(laid) = Laid::read(template, &slots, said) else { continue };
            if all.get(&number).is_none_or(|best| best.rank() < laid.rank()) {
                all.insert(number, laid);
            }
        }
        let sure = all.values().filter(|laid| laid.confidence >= 0.9);
        let most = sure.map(|laid| laid.weight).fold(0.0, f64::max);
        for laid in all.values_mut() {
            laid.confidence -= (0.06 * (most - laid.weight)).clamp(0.0, 0.3);
        }
        all
    }

    /// Add the handlers that are similar by their words, and let similarity decide where it is surer.
    fn add_similar(&self, said: Said<'_>, matches: &mut BTreeMap<usize, Match>) {
        let mut terms = terms_of(said.words);
        self.index.forgive_typos(&mut terms);
        let vector = self.index.vector(&terms);
        for similar in self.index.similar(&vector).into_iter().take(2 * MOST) {
            let handler = &self.handlers[similar.handler];
            let found = matches.entry(similar.handler).or_insert_with(|| handler.unmatched());
            let shared = self.index.shared(&vector, similar.nearest);
            let telling =
                shared.iter().filter(|(word, _)| !word.contains([' ', '{']) && !is_stop(word)).count();
            let sample = self.index.sample(similar.nearest);
            found.why.words = shown(shared, said.words);
            found.why.nearest = Some((sample.said.clone(), f64::from(similar.cosine)));
            let mut confidence = likelihood(similar.score);
            if found.confidence >= IN_DOUBT {
                // What a template that fits put into the slots is surer than what would be guessed.
                found.confidence = found.confidence.max(confidence);
                continue;
            }
            let slots = if confidence >= FILLED { handler.fill(said) } else { BTreeMap::new() };
            if handler.lacks(sample, telling, &slots) {
                confidence = confidence.min(IN_DOUBT);
            }
            if confidence > found.confidence {
                (found.confidence, found.slots, found.why.template) = (confidence, slots, None);
            }
        }
    }
}

impl Handler {
    fn new(doc: &HandlerDoc) -> Self {
        let kind = |name: &str| Kind::of(name, &doc.parameters);
        let mut templates: Vec<Template> =
            doc.examples.iter().filter_map(|example| Template::new(example, kind)).collect();
        // The template with the most slots first: it tells their order.
        templates.sort_by_key(|template| std::cmp::Reverse(template.slots().count()));
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

    fn fill(&self, said: Said<'_>) -> BTreeMap<String, Slot> {
        if self.slots.is_empty() { BTreeMap::new() } else { fill(&self.slots, &self.templates, said) }
    }

    /// Whether a text that shares `telling` words with a sample says too little for this handler.
    ///
    /// One that is always told something needs two words or values: "copy that" is no request to copy a file.
    /// Of a name or a description of several words, one is not enough either.
    fn lacks(&self, sample: &Known, telling: usize, slots: &BTreeMap<String, Slot>) -> bool {
        let told =
            self.slots.iter().filter(|(name, kind)| *kind != Kind::Text && slots.contains_key(name)).count();
        let always = self.templates.iter().all(|template| template.slots().next().is_some());
        match (self.templates.is_empty(), sample.worth < 1.0) {
            (false, false) => always && told + telling < 2,
            (false, true) => told + telling < sample.telling.min(2),
            (true, _) => telling < sample.telling.min(2),
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

fn forbids_itself(template: &str) -> bool {
    forbids(&tokens(template), |token| &token.word)
}

/// The slots of a handler that declares nothing: the names that handlers of the guides read.
fn undeclared() -> Vec<(String, Kind)> {
    let values = ["by_type", "by_date", "by_size", "by_content"].map(Value::from).to_vec();
    let method = Kind::Choice { values, open: false };
    vec![("path".into(), Kind::Path), ("destination".into(), Kind::Path), ("method".into(), method)]
}

/// The heaviest words to show: a stem that is not a word of the text with a `~`.
fn shown(mut shared: Vec<(String, f64)>, words: &[Token]) -> Vec<(String, f64)> {
    shared.truncate(5);
    for (key, _) in &mut shared {
        let parts = key.split(' ').map(|part| {
            let whole = part.starts_with('{') || words.iter().any(|token| token.word == part);
            if whole { part.to_owned() } else { format!("{part}~") }
        });
        *key = parts.collect::<Vec<_>>().join(" ");
    }
    shared
}

/// The confidence that a similarity stands for.
fn likelihood(score: f32) -> f64 {
    SIMILAR_AT_MOST / (1.0 + (-STEEPNESS * (f64::from(score) - EVEN)).exp())
}
