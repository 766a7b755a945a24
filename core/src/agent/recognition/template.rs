//! The exact layer: an example with `{slot}` places as a pattern over tokens.

use std::ops::Range;

use super::slots::Kind;
use super::tokens::{Shape, Token, tokens, typed};
use super::words::{is_optional, is_stop};

/// An example of more parts is compared by its words only.
const MAX_PARTS: usize = 32;

/// A declared example as a pattern.
#[derive(Debug, Clone)]
pub(super) struct Template {
    /// As declared.
    pub(super) source: String,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Literal(String),
    Slot { name: String, kind: Kind },
}

impl Template {
    /// Compile an example; none where it holds no word of its own, or is far too long.
    pub(super) fn new(example: &str, kind: impl Fn(&str) -> Kind) -> Option<Self> {
        let mut parts = Vec::new();
        for (literal, slot) in pieces(example) {
            let words = tokens(literal);
            parts.extend(words.iter().filter(|token| !is_optional(&token.word)).map(
                |token| match token.shape {
                    Shape::Quoted => {
                        Part::Literal(typed(literal, std::slice::from_ref(token)).to_lowercase())
                    }
                    _ => Part::Literal(token.word.clone()),
                },
            ));
            parts.extend(slot.map(|name| Part::Slot { name: name.into(), kind: kind(name) }));
        }
        let template = Self { source: example.into(), parts };
        (template.literals().next().is_some() && template.parts.len() <= MAX_PARTS).then_some(template)
    }

    pub(super) fn literals(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(word) => Some(&**word),
            Part::Slot { .. } => None,
        })
    }

    /// Lay the pattern over all of `words`: the tokens of each slot, in the order of the template.
    ///
    /// Of several ways the one with the least words in slots that want one wins.
    pub(super) fn lay_over(&self, words: &[Token]) -> Option<Vec<Range<usize>>> {
        self.literals_occur(words).then(|| Layout::new(&self.parts, words).slots()).flatten()
    }

    /// A quick look: whether the literals occur in this order.
    fn literals_occur(&self, words: &[Token]) -> bool {
        let mut words = words.iter();
        self.literals().all(|literal| words.any(|token| token.word == literal))
    }
}

/// The literal text before each slot, with the slot's name, and at the end the text after the last one.
pub(super) fn pieces(example: &str) -> Vec<(&str, Option<&str>)> {
    let mut all = Vec::new();
    let mut rest = example;
    let mut from = 0;
    while let Some(open) = rest[from..].find('{').map(|at| from + at) {
        let Some(close) = rest[open..].find('}').map(|at| open + at) else { break };
        let name = &rest[open + 1..close];
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            from = open + 1;
            continue;
        }
        all.push((&rest[..open], Some(name)));
        rest = &rest[close + 1..];
        from = 0;
    }
    all.push((rest, None));
    all
}

/// The cheapest way to lay parts over words, worked out from the end: `cost[part][word]` is what laying the parts
/// from `part` on over the words from `word` on costs, `end[part][word]` where its slot ends then.
struct Layout<'a> {
    parts: &'a [Part],
    words: &'a [Token],
    cost: Vec<Vec<f32>>,
    end: Vec<Vec<usize>>,
}

impl<'a> Layout<'a> {
    fn new(parts: &'a [Part], words: &'a [Token]) -> Self {
        let width = words.len() + 1;
        let mut cost = vec![vec![f32::INFINITY; width]; parts.len() + 1];
        cost[parts.len()][words.len()] = 0.0;
        let mut layout = Self { parts, words, cost, end: vec![vec![0; width]; parts.len()] };
        for part in (0..parts.len()).rev() {
            for word in (0..words.len()).rev() {
                (layout.cost[part][word], layout.end[part][word]) = layout.cheapest(part, word);
            }
        }
        layout
    }

    fn cheapest(&self, part: usize, word: usize) -> (f32, usize) {
        let after = &self.cost[part + 1];
        match &self.parts[part] {
            Part::Literal(literal) if self.words[word].word == *literal => (after[word + 1], word + 1),
            Part::Literal(_) if is_optional(&self.words[word].word) => {
                (self.cost[part][word + 1], self.end[part][word + 1])
            }
            Part::Literal(_) => (f32::INFINITY, 0),
            Part::Slot { kind, .. } => (word + 1..=self.words.len())
                .take(longest(kind))
                .filter(|&end| after[end].is_finite())
                .map(|end| (after[end] + slot_cost(kind, &self.words[word..end]), end))
                .min_by(|a, b| a.0.total_cmp(&b.0))
                .unwrap_or((f32::INFINITY, 0)),
        }
    }

    fn slots(&self) -> Option<Vec<Range<usize>>> {
        if !self.cost[0][0].is_finite() {
            return None;
        }
        let mut slots = Vec::new();
        let mut word = 0;
        for (part, end) in self.parts.iter().zip(&self.end) {
            if let Part::Slot { .. } = part {
                slots.push(word..end[word]);
            }
            word = end[word];
        }
        Some(slots)
    }
}

/// The most words that a slot of this kind can hold.
fn longest(kind: &Kind) -> usize {
    match kind {
        Kind::Text | Kind::Path => usize::MAX,
        Kind::Choice { .. } => 4,
        Kind::Integer | Kind::Number | Kind::Boolean => 1,
    }
}

/// What it costs to put these words into a slot, at least one of them; words that look like a path are at home in
/// a path's slot, and only there.
fn slot_cost(kind: &Kind, words: &[Token]) -> f32 {
    let more = (words.len() - 1) as f32 * 0.1;
    let path = words[0].shape != Shape::Word;
    match kind {
        Kind::Path if path => more,
        Kind::Path => 1.0 + more * 10.0,
        Kind::Text => more,
        _ if path => 5.0,
        _ => more * 5.0,
    }
}

/// The weight of a literal word: a stop word tells half of what another tells.
pub(super) fn weight(literal: &str) -> f64 {
    if is_stop(literal) { 0.5 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn laid(example: &str, text: &str) -> Option<Vec<String>> {
        let template = Template::new(example, |name| Kind::of(name, &Value::Null))?;
        let words = tokens(text);
        let slots = template.lay_over(&words)?;
        Some(slots.into_iter().map(|slot| typed(text, &words[slot]).to_owned()).collect())
    }

    #[test]
    fn slots_take_what_stands_between_the_literals() {
        for (example, text, slots) in [
            (
                "organize the files in {path} by {method}",
                "Organise files in /tmp/a b by Type!",
                vec!["/tmp/a b", "Type"],
            ),
            ("sort {path} by {method}", "sort /x/by hand by size", vec!["/x/by hand", "size"]),
            ("find {query} in {path}", "find notes in French in ./Ünï", vec!["notes in French", "./Ünï"]),
            (
                "move {source} to {destination}",
                "move 'from here to there' to ~/b",
                vec!["from here to there", "~/b"],
            ),
            ("undo the last operation", "undo last operation", vec![]),
            ("weather in {city}?", "weather in São Paulo?", vec!["São Paulo"]),
            ("{city} weather", "New York weather", vec!["New York"]),
            ("{a}{b} x", "1 2 3 x", vec!["1", "2 3"]),
        ] {
            assert_eq!(laid(example, text), Some(slots.into_iter().map(str::to_owned).collect()), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_word_by_word_is_left_to_others() {
        for (example, text) in [
            ("sort {path}", "sort"),
            ("sort {path}", "please sort"),
            ("undo that", "undo that now"),
            ("{anything}", "some text"),
            ("the {anything}", "the text"),
            ("", ""),
            ("{}", "{}"),
            ("sort { path", "sort x"),
        ] {
            assert_eq!(laid(example, text), None, "{example} over {text}");
        }
    }
}
