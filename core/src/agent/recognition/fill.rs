//! Slots of a text that no template fits word by word: found by their looks, and by the words around them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::slots::{Fit, Kind, Slot, starts_path};
use super::template::{Part, Template};
use super::tokens::{Shape, Token, typed};
use super::words::is_stop;

/// How many words an unquoted path may have.
const LONGEST_PATH: usize = 8;

/// Fill the slots of a handler from a text as well as can be.
pub(super) fn fill(
    slots: &[(String, Kind)],
    templates: &[Template],
    text: &str,
    words: &[Token],
    exists: &dyn Fn(&str) -> bool,
) -> BTreeMap<String, Slot> {
    let mut found: BTreeMap<String, (Slot, Range<usize>)> = BTreeMap::new();
    let paths = slots.iter().filter(|(_, kind)| *kind == Kind::Path);
    for ((name, _), path) in paths.zip(paths_in(text, words, exists)) {
        found.insert(name.clone(), path);
    }
    for (name, kind) in
        slots.iter().filter(|(_, kind)| !matches!(kind, Kind::Path | Kind::Text | Kind::Boolean))
    {
        let free = |at: usize| !found.values().any(|(_, taken)| taken.contains(&at));
        let value = (0..words.len()).filter(|&at| free(at) && !is_stop(&words[at].word)).find_map(|at| {
            let (slot, fit) = kind.read(text, &words[at..=at], exists)?;
            (fit == Fit::Sure).then_some((slot, at..at + 1))
        });
        found.extend(value.map(|value| (name.clone(), value)));
    }
    let nearest = templates.iter().max_by_key(|template| shared(template, words));
    for (name, range) in nearest.map(|nearest| texts_in(nearest, words)).unwrap_or_default() {
        let end = found.values().map(|(_, taken)| taken.start).filter(|&start| start >= range.start).min();
        let range = range.start..end.unwrap_or(range.end).min(range.end);
        if let (false, Some((slot, _))) =
            (found.contains_key(name), Kind::Text.read(text, &words[range.clone()], exists))
        {
            found.insert(name.to_owned(), (slot, range));
        }
    }
    found.into_iter().map(|(name, (slot, _))| (name, slot)).collect()
}

/// The paths of a text and the folders that it names in words, in their order.
fn paths_in(text: &str, words: &[Token], exists: &dyn Fn(&str) -> bool) -> Vec<(Slot, Range<usize>)> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let end = if starts_path(&words[at..]) {
            Some(path_end(text, words, at, exists))
        } else {
            // "my downloads", "the pictures folder": no more than three words, the longest first.
            (at + 1..=words.len().min(at + 3)).rev().find(|&end| folder(text, &words[at..end]))
        };
        let slot = end.and_then(|end| Kind::Path.read(text, &words[at..end], &|_| false));
        all.extend(slot.zip(end).map(|((slot, _), end)| (slot, at..end)));
        at = end.unwrap_or(at + 1);
    }
    all
}

/// Where the path that starts at `at` ends: as far as there is a file of that name.
fn path_end(text: &str, words: &[Token], at: usize, exists: &dyn Fn(&str) -> bool) -> usize {
    if words[at].shape == Shape::Quoted {
        return at + 1;
    }
    let longest = words.len().min(at + LONGEST_PATH);
    (at + 2..=longest).rev().find(|&end| exists(typed(text, &words[at..end]))).unwrap_or(at + 1)
}

fn folder(text: &str, words: &[Token]) -> bool {
    words.iter().all(|word| word.shape == Shape::Word)
        && matches!(Kind::Path.read(text, words, &|_| false), Some((_, Fit::Sure)))
}

fn shared(template: &Template, words: &[Token]) -> usize {
    template.literals().filter(|literal| words.iter().any(|token| token.word == **literal)).count()
}

/// Where the free text of a template would be: after the literal before its slot, up to the one after it.
fn texts_in<'a>(template: &'a Template, words: &[Token]) -> Vec<(&'a str, Range<usize>)> {
    let find = |part: Option<&Part>, from: usize| match part {
        Some(Part::Literal(literal)) => (from..words.len()).find(|&at| words[at].word == *literal),
        _ => None,
    };
    let mut from = 0;
    let mut all = Vec::new();
    for (at, part) in template.parts.iter().enumerate() {
        let Part::Slot { name, kind: Kind::Text } = part else { continue };
        let Some(before) = at.checked_sub(1).and_then(|before| find(template.parts.get(before), from)) else {
            continue;
        };
        let end = find(template.parts.get(at + 1), before + 1).unwrap_or(words.len());
        if before + 1 < end {
            all.push((&**name, before + 1..end));
        }
        from = end;
    }
    all
}
