//! An example with `{slot}` places as a pattern over tokens.

use super::slots::Kind;
use super::tokens::{Shape, tokens, typed};
use super::words::is_optional;

/// An example of more parts is compared by its words only.
const MAX_PARTS: usize = 32;

/// A declared example as a pattern.
#[derive(Debug, Clone, PartialEq)]
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

    /// The names and kinds of the slots, in their order.
    pub(super) fn slots(&self) -> impl Iterator<Item = (&str, &Kind)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Slot { name, kind } => Some((&**name, kind)),
            Part::Literal(_) => None,
        })
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

/// Let a choice that ends one template, such as "by {method}", be said at the end of the others too: otherwise
/// "tidy up {path}" would take "~/x by type" for a path.
pub(super) fn add_choices(templates: &mut Vec<Template>) {
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
