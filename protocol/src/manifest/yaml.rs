//! YAML as a tree in which every value knows where it stands and how it was written.
//!
//! The tree goes between the text and the typed sections, so that errors can name both the member's path and
//! its place. Budgets keep a small file from becoming a large tree.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{Error, Spanned};

/// A line and a column, both from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    fn of(location: serde_saphyr::Location) -> Self {
        Self { line: location.line().max(1), column: location.column().max(1) }
    }
}

/// A value of the file and its place.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) at: Position,
    /// Where its text stands in the source, in bytes.
    pub(super) source: std::ops::Range<usize>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Reads one document; an error is its place and what is wrong there.
    pub(super) fn parse(text: &str) -> Result<Self, (Position, String)> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_documents: 1,
                max_nodes: 50_000,
                max_aliases: 1_000,
                max_anchors: 1_000,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000, max_replay_stack_depth: 8 },
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| (position_of(&error), words_of(&error)))
    }

    /// The member `key`, where this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.members().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The members of a mapping; none where it is something else.
    pub(super) fn members(&self) -> &[(String, Node)] {
        match &self.content {
            Content::Map(members) => members,
            _ => &[],
        }
    }

    /// The item at `index`, where this is a list that has it.
    pub(super) fn item(&self, index: usize) -> Option<&Node> {
        match &self.content {
            Content::List(items) => items.get(index),
            _ => None,
        }
    }

    /// The same without the places.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::Text(value) => Value::String(value.clone()),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Map(members) => Value::Object(object(members)),
        }
    }

    /// What stands there, for a sentence: "the boolean `no`", "a list".
    pub(super) fn describe(&self, text: &str) -> String {
        let written = text.get(self.source.clone()).unwrap_or_default();
        match &self.content {
            Content::Null => "empty".to_owned(),
            Content::Bool(_) => format!("the boolean `{written}`"),
            Content::Number(_) => format!("the number `{written}`"),
            Content::Text(value) if value.is_empty() => "empty".to_owned(),
            Content::Text(value) if value.chars().count() > 60 => {
                format!("`{}…`", value.chars().take(60).collect::<String>().escape_debug())
            }
            Content::Text(value) => format!("`{}`", value.escape_debug()),
            Content::List(_) => "a list".to_owned(),
            Content::Map(_) => "a mapping".to_owned(),
        }
    }

    /// A boolean or number as the text that its author may have meant.
    pub(super) fn quoted(&self, text: &str) -> Option<String> {
        let scalar = matches!(self.content, Content::Bool(_) | Content::Number(_));
        scalar.then(|| format!("\"{}\"", text.get(self.source.clone()).unwrap_or_default()))
    }
}

fn object(members: &[(String, Node)]) -> Map<String, Value> {
    members.iter().map(|(key, node)| (key.clone(), node.value())).collect()
}

fn position_of(error: &Error) -> Position {
    error.location().map_or(Position::START, Position::of)
}

/// What is wrong with the YAML itself; where the parser speaks to programmers, in other words.
fn words_of(error: &Error) -> String {
    match error.without_snippet() {
        Error::AliasError { error, .. } => words_of(error),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("`{key}` stands there twice, expected it once")
        }
        Error::NullIntoString { .. } => "a key is empty or `null`, expected a name".to_owned(),
        Error::MultipleDocuments { .. } => "a second document begins, expected one".to_owned(),
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            "a second document begins, expected one".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "the file is too deep or its aliases stand for too much, expected a plain manifest".to_owned()
        }
        other => without_place(&other.to_string()).to_owned(),
    }
}

/// The parser puts the place behind its words.
fn without_place(text: &str) -> &str {
    text[..text.rfind(" at line ").unwrap_or(text.len())].trim()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        let span = spanned.defined.span();
        let start = usize::try_from(span.byte_offset().unwrap_or_default()).unwrap_or_default();
        let length = usize::try_from(span.byte_len().unwrap_or_default()).unwrap_or_default();
        Ok(Self {
            at: Position::of(spanned.referenced),
            source: start..start.saturating_add(length),
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_none<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        let number = Number::from_f64(value);
        number.map(Content::Number).ok_or_else(|| E::custom("a number has to be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut members = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            members.push(entry);
        }
        Ok(Content::Map(members))
    }
}
