//! TF-IDF over what handlers say about themselves: nearest sample and centroid by cosine similarity.
//!
//! A vector has two blocks of unit length, one of words and pairs of words, one of pieces of words (they forgive
//! typing errors and endings). Stop words weigh little. Words that no handler knows weigh the most: that is how a
//! text about something else is told from one that shares a word with a sample.

use std::collections::{BTreeSet, HashMap};

use super::words::{is_stop, stem};

const STOP_WEIGHT: f32 = 0.35;
const PAIR_WEIGHT: f32 = 0.5;
/// The part of the similarity that comes from pieces of words.
const PIECES: f32 = 0.35;
const PIECE_LENGTHS: std::ops::RangeInclusive<usize> = 3..=4;
/// The part of a handler's score that its nearest sample has; its centroid has the rest.
const NEAREST: f32 = 0.5;

/// A word as it is compared, with its weight before its rarity counts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Term {
    pub(super) key: String,
    pub(super) weight: f32,
}

impl Term {
    /// Of a normal word.
    pub(super) fn of_word(word: &str) -> Self {
        Self { key: stem(word), weight: if is_stop(word) { STOP_WEIGHT } else { 1.0 } }
    }
}

/// Something a handler says about itself.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) handler: usize,
    pub(super) said: String,
    pub(super) terms: Vec<Term>,
    /// How much it counts, up to 1: what a person would say counts more than a description.
    pub(super) worth: f32,
    /// Whether it is about this handler, not about all of its plugin. Only then do its words count for how rare
    /// words are, and for what the handler is about on the whole.
    pub(super) own: bool,
}

/// A text as weighed features, each once.
#[derive(Debug)]
pub(super) struct Vector(Vec<(String, f32)>);

/// How similar a text is to a handler.
#[derive(Debug, Clone)]
pub(super) struct Similar {
    pub(super) handler: usize,
    /// 0 to 1.
    pub(super) score: f32,
    /// The nearest sample and its similarity.
    pub(super) nearest: usize,
    pub(super) cosine: f32,
}

/// All samples, by the features that they have.
#[derive(Debug, Default)]
pub(super) struct Index {
    samples: Vec<Known>,
    handlers: usize,
    features: HashMap<String, Feature>,
    /// The rarity of a feature that no handler has.
    unknown: f32,
    /// The words that are long enough to be recognized with a typing error, by their first letter.
    words: HashMap<char, BTreeSet<String>>,
}

/// A sample that is indexed.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) handler: usize,
    pub(super) said: String,
    pub(super) worth: f32,
    /// How many words it has that are no stop words.
    pub(super) telling: usize,
}

#[derive(Debug, Default)]
struct Feature {
    rarity: f32,
    /// Its weight in the samples, and in the centroids of handlers, that have it.
    samples: Vec<(usize, f32)>,
    centroids: Vec<(usize, f32)>,
}

impl Index {
    /// Index the samples of `handlers` handlers, which are numbered from 0; those of one handler in a row.
    pub(super) fn new(samples: Vec<Sample>, handlers: usize) -> Self {
        let raw: Vec<Vec<Raw>> = samples.iter().map(|sample| raw_features(&sample.terms)).collect();
        let features = rarities(&samples, &raw, handlers);
        let unknown = rarity(handlers, 0);
        let mut index = Self { samples: Vec::new(), handlers, features, unknown, words: HashMap::new() };
        let mut centroids: Vec<HashMap<String, f32>> = vec![HashMap::new(); handlers];
        for (sample, raw) in samples.into_iter().zip(raw) {
            for (key, weight) in index.weigh(raw) {
                if sample.own {
                    *centroids[sample.handler].entry(key.clone()).or_default() += weight * sample.worth;
                }
                index.features.entry(key).or_default().samples.push((index.samples.len(), weight));
            }
            index.add(sample);
        }
        for (handler, centroid) in centroids.into_iter().enumerate() {
            let length = centroid.values().map(|weight| weight * weight).sum::<f32>().sqrt();
            for (key, weight) in centroid {
                let weight = weight / length.max(f32::MIN_POSITIVE);
                index.features.entry(key).or_default().centroids.push((handler, weight));
            }
        }
        index
    }

    fn add(&mut self, sample: Sample) {
        let Sample { handler, said, worth, terms, .. } = sample;
        let telling = terms.iter().filter(|term| term.weight == 1.0).count();
        self.samples.push(Known { handler, said, worth, telling });
        for Term { key, .. } in terms.into_iter().filter(|term| is_long(&term.key)) {
            self.words.entry(key.chars().next().unwrap_or_default()).or_default().insert(key);
        }
    }

    /// Put the word that was probably meant for each long one that nobody knows.
    pub(super) fn forgive_typos(&self, terms: &mut [Term]) {
        let unknown =
            terms.iter_mut().filter(|term| is_long(&term.key) && !self.features.contains_key(&term.key));
        for term in unknown {
            let similar =
                term.key.chars().next().and_then(|first| self.words.get(&first)).into_iter().flatten();
            let close = |word: &&String| {
                word.len().abs_diff(term.key.len()) <= 1 && strsim::osa_distance(word, &term.key) == 1
            };
            if let Some(meant) = similar.into_iter().find(close) {
                term.key.clone_from(meant);
            }
        }
    }

    /// The weighed features of a text.
    pub(super) fn vector(&self, terms: &[Term]) -> Vector {
        Vector(self.weigh(raw_features(terms)))
    }

    /// The handlers that share anything with the text, the most similar first.
    pub(super) fn similar(&self, text: &Vector) -> Vec<Similar> {
        let mut cosines = vec![0.0; self.samples.len()];
        let mut centroids = vec![0.0; self.handlers];
        for (key, weight) in &text.0 {
            let Some(feature) = self.features.get(key) else { continue };
            feature.samples.iter().for_each(|&(sample, other)| cosines[sample] += weight * other);
            feature.centroids.iter().for_each(|&(handler, other)| centroids[handler] += weight * other);
        }
        let mut best: Vec<Option<Similar>> = vec![None; self.handlers];
        for (number, (sample, cosine)) in self.samples.iter().zip(cosines).enumerate() {
            let (handler, cosine) = (sample.handler, cosine * sample.worth);
            if cosine > best[handler].as_ref().map_or(0.0, |best| best.cosine) {
                let score = NEAREST * cosine + (1.0 - NEAREST) * centroids[handler];
                best[handler] = Some(Similar { handler, score, nearest: number, cosine });
            }
        }
        let mut all: Vec<Similar> = best.into_iter().flatten().collect();
        all.sort_by(|a, b| b.score.total_cmp(&a.score));
        all
    }

    pub(super) fn sample(&self, number: usize) -> &Known {
        &self.samples[number]
    }

    /// The words and pairs that make a text similar to a sample, each with its share, the heaviest first.
    pub(super) fn shared(&self, text: &Vector, sample: usize) -> Vec<(String, f64)> {
        let words = text.0.iter().filter(|(key, _)| !key.starts_with(PIECE));
        let mut shared: Vec<(String, f64)> = words
            .filter_map(|(key, weight)| {
                let having = &self.features.get(key)?.samples;
                let at = having.binary_search_by_key(&sample, |(number, _)| *number).ok()?;
                Some((key.clone(), f64::from(weight * having[at].1)))
            })
            .collect();
        shared.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        shared
    }

    /// Features with their weights: each block of unit length times its part, each feature once.
    fn weigh(&self, mut raw: Vec<Raw>) -> Vec<(String, f32)> {
        for one in &mut raw {
            one.weight *= self.features.get(&one.key).map_or(self.unknown, |feature| feature.rarity);
        }
        raw.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        raw.dedup_by(|next, kept| {
            let same = next.key == kept.key;
            if same {
                kept.weight = kept.weight.max(next.weight);
            }
            same
        });
        let length = |pieces: bool| {
            let block = raw.iter().filter(|one| one.is_piece() == pieces);
            block.map(|one| one.weight * one.weight).sum::<f32>().sqrt().max(f32::MIN_POSITIVE)
        };
        let (words, pieces) = ((1.0 - PIECES).sqrt() / length(false), PIECES.sqrt() / length(true));
        raw.into_iter()
            .map(|one| {
                let part = if one.is_piece() { pieces } else { words };
                (one.key, one.weight * part)
            })
            .collect()
    }
}

/// Whether a stem is long enough that another one a letter away is hardly another word.
fn is_long(stem: &str) -> bool {
    (5..=32).contains(&stem.chars().count()) && !stem.starts_with('{')
}

/// What pieces of words begin with, so that they are no words.
const PIECE: char = '\u{1}';

struct Raw {
    key: String,
    weight: f32,
}

impl Raw {
    fn is_piece(&self) -> bool {
        self.key.starts_with(PIECE)
    }
}

fn raw_features(terms: &[Term]) -> Vec<Raw> {
    let mut all: Vec<Raw> =
        terms.iter().map(|term| Raw { key: term.key.clone(), weight: term.weight }).collect();
    all.extend(terms.windows(2).map(|pair| Raw {
        key: format!("{} {}", pair[0].key, pair[1].key),
        weight: PAIR_WEIGHT * (pair[0].weight + pair[1].weight) / 2.0,
    }));
    for term in terms.iter().filter(|term| !term.key.starts_with('{')) {
        let padded: Vec<char> = format!("_{}_", term.key).chars().collect();
        for length in PIECE_LENGTHS {
            all.extend(padded.windows(length).map(|piece| Raw {
                key: std::iter::once(PIECE).chain(piece.iter().copied()).collect(),
                weight: term.weight,
            }));
        }
    }
    all
}

/// The features of all samples with their rarity: what many handlers say for themselves tells little.
fn rarities(samples: &[Sample], raw: &[Vec<Raw>], handlers: usize) -> HashMap<String, Feature> {
    // How many handlers have a feature, and the last one that was counted.
    let mut having: HashMap<&str, (usize, Option<usize>)> = HashMap::new();
    for (sample, raw) in samples.iter().zip(raw) {
        for one in raw {
            let (count, last) = having.entry(&one.key).or_default();
            if sample.own && *last != Some(sample.handler) {
                (*count, *last) = (*count + 1, Some(sample.handler));
            }
        }
    }
    let feature = |count| Feature { rarity: rarity(handlers, count), ..Feature::default() };
    having.into_iter().map(|(key, (count, _))| (key.to_owned(), feature(count))).collect()
}

/// How much it says that a feature is there which `having` of `all` have.
fn rarity(all: usize, having: usize) -> f32 {
    ((all as f32 + 1.0) / (having as f32 + 1.0)).ln() + 1.0
}
