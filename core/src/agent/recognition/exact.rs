//! The exact layer: a template that fits a text word by word, and how sure that makes us.

use std::collections::BTreeMap;
use std::ops::Range;

use super::slots::{Fit, Slot};
use super::template::Template;
use super::tokens::Said;
use super::words::is_stop;

/// A template that fits a text word by word.
pub(super) struct Laid<'a> {
    pub(super) template: &'a Template,
    pub(super) slots: BTreeMap<String, Slot>,
    /// What its literals and recognized values weigh; the more, the less it took for its slots.
    pub(super) weight: f64,
    pub(super) confidence: f64,
}

impl<'a> Laid<'a> {
    /// Read what stands in the slots; none where something cannot stand there.
    pub(super) fn read(
        template: &'a Template,
        ranges: &[Option<Range<usize>>],
        said: Said<'_>,
    ) -> Option<Self> {
        let mut slots = BTreeMap::new();
        let mut fits = Vec::new();
        let mut free_words = 0;
        for ((name, kind), range) in template.slots().zip(ranges.iter().flatten()) {
            let (slot, fit) = kind.read(said.part(range.clone()))?;
            free_words += if fit == Fit::Free { range.len() } else { 0 };
            fits.push(fit);
            slots.insert(name.to_owned(), slot);
        }
        let sure = fits.iter().filter(|&&fit| fit == Fit::Sure).count() as f64;
        let weight = template.literals().map(weight).sum::<f64>() + sure;
        let telling = template.literals().filter(|word| !is_stop(word)).count() as f64 + sure;
        let worst = fits.iter().min().map_or(1.0, |fit| quality(*fit, telling));
        let greed = (free_words as f64 - 8.0 * weight).max(0.0);
        let confidence = (0.95 + 0.05 * weight / (weight + 2.0)) * worst - (0.01 * greed).min(0.3);
        let confidence = if weight < 1.0 { confidence.min(0.5) } else { confidence };
        Some(Self { template, slots, weight, confidence })
    }

    /// What tells which of two templates fits better, the same whatever their order.
    pub(super) fn rank(&self) -> (u64, std::cmp::Reverse<&str>) {
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

/// The weight of a literal word: a stop word tells half of what another tells.
fn weight(literal: &str) -> f64 {
    if is_stop(literal) { 0.5 } else { 1.0 }
}
