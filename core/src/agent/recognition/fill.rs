//! Slots of a text that no template fits word by word: by laying the templates over it loosely, and by their looks.

use std::collections::BTreeMap;
use std::ops::Range;

use super::layout::loosely;
use super::paths::named_folder;
use super::slots::{Fit, Kind, Slot};
use super::template::{Part, Template};
use super::tokens::{Said, Shape, Token};
use super::words::{is_stop, stem};

/// How many words an unquoted path may have.
const LONGEST_PATH: usize = 8;

/// Fill the slots of a handler from a text as well as can be.
pub(super) fn fill(
    slots: &[(String, Kind)],
    templates: &[Template],
    said: Said<'_>,
) -> BTreeMap<String, Slot> {
    let mut found = from_nearest(templates, said);
    let free = |found: &BTreeMap<_, (_, Range<usize>)>, at: &Range<usize>| {
        found.values().all(|(_, taken)| taken.end <= at.start || at.end <= taken.start)
    };
    let mut paths = paths_in(said.words).into_iter();
    for (name, kind) in slots {
        if found.contains_key(name) {
            continue;
        }
        let value = match kind {
            Kind::Path => paths.find(|at| free(&found, at)).and_then(|at| {
                let end = path_end(said, &at);
                Some((kind.read(said.part(at.start..end))?.0, at.start..end))
            }),
            Kind::Choice { .. } | Kind::Integer | Kind::Number => {
                let mut single = (0..said.words.len()).map(|at| at..at + 1);
                single.find_map(|at| {
                    let usable = free(&found, &at) && !is_stop(&said.words[at.start].word);
                    let (slot, fit) = kind.read(said.part(at.clone())).filter(|_| usable)?;
                    (fit == Fit::Sure).then_some((slot, at))
                })
            }
            // Any text would do, and "no" and "on" are said for other reasons too.
            Kind::Text | Kind::Boolean => None,
        };
        let value = value.or_else(|| {
            let at = unknown_choice(name, templates, said.words).filter(|at| free(&found, at))?;
            Some((Slot::Value(said.part(at.clone()).typed().into()), at))
        });
        found.extend(value.map(|value| (name.clone(), value)));
    }
    found.into_iter().map(|(name, (slot, _))| (name, slot)).collect()
}

/// What stands at the end of a text where a choice does in a template: "by color". It is none of the values, but
/// left out the handler would take its default, and do what nobody asked for.
fn unknown_choice(slot: &str, templates: &[Template], words: &[Token]) -> Option<Range<usize>> {
    let [.., before, _] = words else { return None };
    let ends = |template: &Template| match &template.parts[..] {
        [.., Part::Literal(literal), Part::Slot { name, kind: Kind::Choice { .. } }] => {
            name == slot && *literal == before.word
        }
        _ => false,
    };
    templates.iter().any(ends).then(|| words.len() - 1..words.len())
}

/// The folders and paths of a text, in their order; of an unquoted path its first word.
pub(super) fn paths_in(words: &[Token]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let end = if words[at].shape == Shape::Word { folder_end(words, at) } else { Some(at + 1) };
        all.extend(end.map(|end| at..end));
        at = end.unwrap_or(at + 1);
    }
    all
}

/// Where a folder that is named in words ends, such as "my downloads" or "the pictures folder".
fn folder_end(words: &[Token], at: usize) -> Option<usize> {
    let longest = words.len().min(at + 3);
    (at + 1..=longest).rev().find(|&end| is_folder(&words[at..end]))
}

/// Whether these words name a folder of the person's home.
pub(super) fn is_folder(words: &[Token]) -> bool {
    let said: Vec<&str> = words.iter().take(4).map(|token| &*token.word).collect();
    named_folder(&said).is_some()
}

/// Where the path at `at` ends: as far as there is a file of that name.
fn path_end(said: Said<'_>, at: &Range<usize>) -> usize {
    if said.words[at.start].shape != Shape::Path {
        return at.end;
    }
    let longest = said.words.len().min(at.start + LONGEST_PATH);
    let there = |&end: &usize| (said.exists)(said.part(at.start..end).typed());
    (at.end + 1..=longest).rev().find(there).unwrap_or(at.end)
}

/// What the template that is nearest tells: values that are surely right, and free text where a word of the template
/// is there to show its place.
fn from_nearest(templates: &[Template], said: Said<'_>) -> BTreeMap<String, (Slot, Range<usize>)> {
    let with_slots = templates.iter().filter(|template| template.slots().next().is_some());
    let laid = with_slots.map(|template| (template, loosely(template, said.words)));
    let Some((template, (_, ranges))) = laid.min_by(|(_, a), (_, b)| a.0.total_cmp(&b.0)) else {
        return BTreeMap::new();
    };
    let stems: Vec<String> = said.words.iter().map(|token| stem(&token.word)).collect();
    let anchored = template.literals().any(|literal| !is_stop(literal) && stems.contains(&stem(literal)));
    let read = |((name, kind), range): ((&str, &Kind), Option<Range<usize>>)| {
        let mut range = range?;
        if *kind == Kind::Path && said.words[range.start].shape == Shape::Path {
            // Here nothing tells where the path ends but the file itself.
            range.end = path_end(said, &(range.start..range.start + 1));
        }
        if *kind == Kind::Text {
            // "search for bills": what is searched is no "for bills".
            range.start = range.clone().find(|&at| anchored && !is_stop(&said.words[at].word))?;
        }
        let (slot, fit) = kind.read(said.part(range.clone()))?;
        (fit >= Fit::Free).then(|| (name.to_owned(), (slot, range)))
    };
    template.slots().zip(ranges).filter_map(read).collect()
}
