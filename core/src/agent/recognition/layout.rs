//! A template laid over the words of a text: which words stand in which slot.
//!
//! Strictly, every word must be matched; loosely, the best that can be done when a text only resembles a template.

use std::ops::Range;

use super::fill::is_folder;
use super::slots::Kind;
use super::template::{Part, Template};
use super::tokens::{Shape, Token};
use super::words::{is_optional, is_stop, stem};

/// Words that are looked at when laying loosely; it takes time in the square of them.
const MAX_LOOSE: usize = 64;

/// The words of each slot, in the template's order, if the template fits all of `words` word by word.
///
/// Only articles and the like may be more than the template has. Of several ways the one wins that puts the least
/// words into slots, and paths into slots for paths.
pub(super) fn strictly(template: &Template, words: &[Token]) -> Option<Vec<Option<Range<usize>>>> {
    let mut rest = words.iter();
    let occur = template.literals().all(|literal| rest.any(|token| token.word == literal));
    let layout = occur.then(|| Layout::new(&template.parts, words, false))?;
    layout.cost().is_finite().then(|| layout.slots())
}

/// What it costs to make the text of the template, and the words of each slot where there are any.
pub(super) fn loosely(template: &Template, words: &[Token]) -> (f32, Vec<Option<Range<usize>>>) {
    let seen = words.len().min(MAX_LOOSE);
    let layout = Layout::new(&template.parts, &words[..seen], true);
    let mut slots = layout.slots();
    if let Some(Some(last)) =
        slots.last_mut().filter(|last| last.as_ref().is_some_and(|last| last.end == seen))
    {
        last.end = words.len();
    }
    (layout.cost(), slots)
}

/// The cheapest way, worked out from the end: `cheapest[part][word]` is what laying the parts from `part` on over
/// the words from `word` on costs, and how it begins.
struct Layout<'a> {
    parts: &'a [Part],
    words: &'a [Token],
    loose: bool,
    /// Whether the part is this word, for loose laying by stem.
    literals: Vec<String>,
    stems: Vec<String>,
    cheapest: Vec<Vec<(f32, Step)>>,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The part takes the words up to this one.
    Take(usize),
    SkipWord,
    SkipPart,
}

impl<'a> Layout<'a> {
    fn new(parts: &'a [Part], words: &'a [Token], loose: bool) -> Self {
        let key = |word: &str| if loose { stem(word) } else { String::new() };
        let literals = parts.iter().map(|part| match part {
            Part::Literal(word) => key(word),
            Part::Slot { .. } => String::new(),
        });
        let mut layout = Self {
            parts,
            words,
            loose,
            literals: literals.collect(),
            stems: words.iter().map(|token| key(&token.word)).collect(),
            cheapest: vec![vec![(f32::INFINITY, Step::SkipPart); words.len() + 1]; parts.len() + 1],
        };
        layout.cheapest[parts.len()][words.len()].0 = 0.0;
        for part in (0..=parts.len()).rev() {
            for word in (0..=words.len()).rev() {
                let begun = layout.cheapest[part][word];
                let ways = [
                    begun,
                    layout.take(part, word),
                    layout.skip_word(part, word),
                    layout.skip_part(part, word),
                ];
                layout.cheapest[part][word] =
                    ways.into_iter().fold(begun, |best, way| if way.0 < best.0 { way } else { best });
            }
        }
        layout
    }

    fn take(&self, part: usize, word: usize) -> (f32, Step) {
        let never = (f32::INFINITY, Step::SkipPart);
        if part == self.parts.len() || word == self.words.len() {
            return never;
        }
        let after = &self.cheapest[part + 1];
        match &self.parts[part] {
            Part::Literal(literal) => {
                let same = self.words[word].word == *literal
                    || (self.loose && self.stems[word] == self.literals[part]);
                if same { (after[word + 1].0, Step::Take(word + 1)) } else { never }
            }
            Part::Slot { kind, .. } => (word + 1..=self.words.len())
                .take(longest(kind))
                .filter(|&end| after[end].0.is_finite())
                .map(|end| {
                    (after[end].0 + slot_cost(kind, &self.words[word..end], self.loose), Step::Take(end))
                })
                .fold(never, |best, way| if way.0 < best.0 { way } else { best }),
        }
    }

    fn skip_word(&self, part: usize, word: usize) -> (f32, Step) {
        let Some(token) = self.words.get(word) else { return (f32::INFINITY, Step::SkipWord) };
        let cost = match (self.loose, self.parts.get(part)) {
            (true, _) if token.shape != Shape::Word => 3.0,
            (true, _) if is_stop(&token.word) => 0.4,
            (true, _) => 1.0,
            (false, Some(Part::Literal(_))) if is_optional(&token.word) => 0.0,
            (false, _) => f32::INFINITY,
        };
        (self.cheapest[part][word + 1].0 + cost, Step::SkipWord)
    }

    fn skip_part(&self, part: usize, word: usize) -> (f32, Step) {
        let cost = match self.parts.get(part) {
            Some(Part::Literal(literal)) if self.loose => {
                if is_stop(literal) {
                    0.4
                } else {
                    2.0
                }
            }
            Some(Part::Slot { .. }) if self.loose => 2.5,
            _ => return (f32::INFINITY, Step::SkipPart),
        };
        (self.cheapest[part + 1][word].0 + cost, Step::SkipPart)
    }

    fn cost(&self) -> f32 {
        self.cheapest[0][0].0
    }

    /// The words of each slot. Call it only where the cost is finite.
    fn slots(&self) -> Vec<Option<Range<usize>>> {
        let mut slots = Vec::new();
        let (mut part, mut word) = (0, 0);
        while part < self.parts.len() {
            let is_slot = matches!(self.parts[part], Part::Slot { .. });
            match self.cheapest[part][word].1 {
                Step::SkipWord => word += 1,
                Step::Take(end) => {
                    slots.extend(is_slot.then_some(Some(word..end)));
                    (part, word) = (part + 1, end);
                }
                Step::SkipPart => {
                    slots.extend(is_slot.then_some(None));
                    part += 1;
                }
            }
        }
        slots
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

/// What it costs to put these words, at least one, into a slot; what looks like a path is at home in a path's slot.
fn slot_cost(kind: &Kind, words: &[Token], loose: bool) -> f32 {
    let more = (words.len() - 1) as f32 * 0.1;
    let path = words[0].shape != Shape::Word;
    match kind {
        Kind::Path if path || is_folder(words) => more,
        // Loosely, rather leave the slot empty.
        Kind::Path => {
            if loose {
                5.0
            } else {
                1.0 + more * 10.0
            }
        }
        Kind::Text => more,
        _ if path => 5.0,
        _ => more * 5.0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::agent::recognition::tokens::{tokens, typed};

    fn template(example: &str) -> Option<Template> {
        Template::new(example, |name| Kind::of(name, &Value::Null))
    }

    fn laid(example: &str, text: &str) -> Option<Vec<String>> {
        let words = tokens(text);
        let slots = strictly(&template(example)?, &words)?;
        Some(slots.into_iter().flatten().map(|slot| typed(text, &words[slot]).to_owned()).collect())
    }

    #[test]
    fn slots_take_what_stands_between_the_literals() {
        for (example, text, slots) in [
            (
                "organize the files in {path} by {method}",
                "Organise files in /tmp/a b by Type!",
                &["/tmp/a b", "Type"][..],
            ),
            ("sort {path} by {method}", "sort /x/by hand by size", &["/x/by hand", "size"]),
            ("find {query} in {path}", "find notes in French in ./Ünï", &["notes in French", "./Ünï"]),
            ("move {source} to {destination}", "move 'here to there' to ~/b", &["here to there", "~/b"]),
            ("undo the last operation", "undo last operation", &[]),
            ("weather in {city}?", "weather in São Paulo?", &["São Paulo"]),
            ("{city} weather", "New York weather", &["New York"]),
            ("{a}{b} x", "1 2 3 x", &["1", "2 3"]),
        ] {
            assert_eq!(
                laid(example, text).as_deref(),
                Some(&slots.iter().map(|slot| slot.to_string()).collect::<Vec<_>>()[..]),
                "{text}"
            );
        }
    }

    #[test]
    fn what_does_not_fit_word_by_word_is_left_to_others() {
        for (example, text) in [
            ("sort {path}", "sort"),
            ("sort {path}", "then sort x"),
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

    #[test]
    fn a_text_that_only_resembles_a_template_still_tells_its_slots() {
        for (example, text, slots) in [
            ("find {query} in {path}", "search old bills in my /tmp", [Some("old bills"), Some("/tmp")]),
            ("move {source} to {destination}", "move all files from /a to /b", [Some("/a"), Some("/b")]),
            ("sort {path} by {method}", "sort the stuff in ./inbox", [Some("./inbox"), None]),
        ] {
            let words = tokens(text);
            let (_, found) = loosely(&template(example).unwrap(), &words);
            let found: Vec<_> =
                found.into_iter().map(|slot| slot.map(|slot| typed(text, &words[slot]))).collect();
            assert_eq!(found, slots, "{text}");
        }
    }
}
