//! What stands in a slot: its kind, read from the handler's parameter schema or from the slot's name, and its value.

use std::path::Path;

use serde_json::Value;

use super::paths::{named_folder, resolve};
use super::tokens::{Said, Shape, Token};
use super::words::{is_optional, normal, stem};
use crate::services::schema::parts;

/// What a text says for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot {
    /// A path as typed, or below `~` where a folder was named in words.
    Path(String),
    Value(Value),
}

impl Slot {
    /// The value to pass on, a path made absolute for a person in `cwd` whose home is `home`.
    pub fn value(&self, cwd: &Path, home: &Path) -> Value {
        match self {
            Self::Path(typed) => Value::String(resolve(typed, cwd, home).to_string_lossy().into_owned()),
            Self::Value(value) => value.clone(),
        }
    }
}

/// What may stand in a slot.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Text,
    Path,
    /// One of these; `open` where anything else may be meant too.
    Choice {
        values: Vec<Value>,
        open: bool,
    },
    Integer,
    Number,
    Boolean,
}

/// How well a text fits a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// Of the right kind, but not one of the values that are known.
    Odd,
    /// Several plain words where a path is meant.
    Phrase,
    /// A plain word where a path is meant.
    Word,
    /// Any text, where any text is meant.
    Free,
    /// Of the right kind, recognizably so.
    Sure,
}

const PATH_NAMES: &[&str] = &["path", "folder", "file", "directory", "dir", "source", "destination"];
/// So many schemas are looked at, and so many values are known, for a slot.
const MOST: usize = 1_000;
const METHOD_NAMES: &[&str] = &["method", "by"];
const METHODS: &[&str] = &["type", "date", "size", "name"];
/// Words that point at something said before, and so name no file.
const PRONOUNS: &[&str] = &["it", "that", "this", "them", "these", "those", "everything", "you", "me", "up"];
/// Other words for a value that people use.
const VALUE_SYNONYMS: &[(&str, &str)] =
    &[("extension", "type"), ("time", "date"), ("age", "date"), ("day", "date")];

impl Kind {
    /// The kind of the slot `name` in a handler whose parameters have the JSON Schema `parameters`.
    pub(super) fn of(name: &str, parameters: &Value) -> Self {
        let schema = &parameters["properties"][name];
        Self::declared(schema, parameters).unwrap_or_else(|| {
            let last = name.rsplit('_').next().unwrap_or(name);
            if PATH_NAMES.contains(&last) {
                Self::Path
            } else if METHOD_NAMES.contains(&last) {
                Self::Choice { values: METHODS.iter().map(|&method| method.into()).collect(), open: true }
            } else {
                Self::Text
            }
        })
    }

    /// Whether a schema declares a path.
    pub(super) fn is_path(schema: &Value, root: &Value) -> bool {
        Self::declared(schema, root) == Some(Self::Path)
    }

    /// The kind that a schema declares; none where it is any text.
    fn declared(schema: &Value, root: &Value) -> Option<Self> {
        let parts: Vec<&Value> = parts(root, schema).take(MOST).collect();
        let values: Vec<Value> = parts.iter().flat_map(|part| constants(part)).take(MOST).cloned().collect();
        if !values.is_empty() {
            let open = values.len() == MOST;
            return Some(Self::Choice { values, open });
        }
        parts.into_iter().find_map(|part| {
            let is = |wanted: &str| {
                part["type"] == wanted
                    || part["type"].as_array().is_some_and(|all| all.iter().any(|one| one == wanted))
            };
            if part["format"] == "path" {
                Some(Self::Path)
            } else if is("integer") {
                Some(Self::Integer)
            } else if is("number") {
                Some(Self::Number)
            } else if is("boolean") {
                Some(Self::Boolean)
            } else {
                None
            }
        })
    }

    /// Read the words of a slot; none where they cannot stand in it.
    pub(super) fn read(&self, words: Said<'_>) -> Option<(Slot, Fit)> {
        let said = words.typed();
        match self {
            Self::Path => read_path(words),
            Self::Text => (!said.is_empty()).then(|| (Slot::Value(said.into()), Fit::Free)),
            Self::Choice { values, open } => match chosen(said, values) {
                Some(value) => Some((Slot::Value(value.clone()), Fit::Sure)),
                None => open.then(|| (Slot::Value(said.into()), Fit::Odd)),
            },
            Self::Integer => {
                let number: i64 = digits(said).parse().ok()?;
                Some((Slot::Value(number.into()), Fit::Sure))
            }
            Self::Number => {
                let number: f64 = digits(said).parse().ok()?;
                Some((Slot::Value(serde_json::Number::from_f64(number)?.into()), Fit::Sure))
            }
            Self::Boolean => match normal(said).as_str() {
                "true" | "yes" | "on" => Some((Slot::Value(true.into()), Fit::Sure)),
                "false" | "no" | "off" => Some((Slot::Value(false.into()), Fit::Sure)),
                _ => None,
            },
        }
    }
}

/// The values that `enum` and `const` allow, null aside.
fn constants(schema: &Value) -> impl Iterator<Item = &Value> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    listed.chain(schema.get("const")).filter(|value| !value.is_null())
}

/// The value that the words mean: `kind` means `type`, and `by_type` where the values are named like that.
fn chosen<'a>(said: &str, values: &'a [Value]) -> Option<&'a Value> {
    let key = |word: &str| stem(&normal(word.trim()).replace(['_', '-'], " "));
    let said = key(said);
    let meant =
        VALUE_SYNONYMS.iter().find(|(word, _)| *word == said).map_or(said.clone(), |(_, value)| stem(value));
    values.iter().find(|value| {
        let named = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let named = key(&named);
        let bare = named.strip_prefix("by ").map_or(named.clone(), stem);
        [&said, &meant].iter().any(|said| **said == named || **said == bare)
    })
}

fn digits(said: &str) -> String {
    said.trim_end_matches('%').replace(',', "")
}

fn read_path(said: Said<'_>) -> Option<(Slot, Fit)> {
    let words = said.words;
    let plain: Vec<&str> = words.iter().map(|token| &*token.word).collect();
    if let Some(folder) = named_folder(&plain) {
        return Some((Slot::Path(folder.into()), Fit::Sure));
    }
    let whole = said.typed();
    let path = |said: &str, fit| Some((Slot::Path(said.to_owned()), fit));
    match words {
        [] => None,
        // "the folder /tmp/x", "my notes.txt"
        [first, rest @ ..] if leads_to_path(words) && first.shape == Shape::Word => {
            read_path(Said { words: rest, ..said })
        }
        [first, ..] if first.shape != Shape::Word => path(whole, Fit::Sure),
        // A path later on belongs to a sentence, not to a name: "the stuff in ./inbox".
        [_, rest @ ..] if rest.iter().any(|token| token.shape != Shape::Word) => None,
        [one] if PRONOUNS.contains(&&*one.word) => path(whole, Fit::Odd),
        _ if words.len() <= 6 && (said.exists)(whole) => path(whole, Fit::Sure),
        [_] => path(whole, Fit::Word),
        [first, rest @ ..] if is_optional(&first.word) => {
            read_path(Said { words: rest, ..said }).map(|(slot, fit)| match fit {
                Fit::Word => (slot, Fit::Phrase),
                _ => (slot, fit),
            })
        }
        _ => path(whole, Fit::Phrase),
    }
}

/// Whether only articles, or the word for what it is, stand before something that is a path by its looks.
fn leads_to_path(words: &[Token]) -> bool {
    let leads =
        |token: &&Token| is_optional(&token.word) || ["folder", "directory", "file"].contains(&&*token.word);
    words.iter().find(|token| !leads(token)).is_some_and(|token| token.shape != Shape::Word)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::agent::recognition::tokens::tokens;

    fn read(kind: &Kind, text: &str) -> Option<(Slot, Fit)> {
        kind.read(Said { text, words: &tokens(text), exists: &|path| path == "old letters" })
    }

    #[test]
    fn the_kind_comes_from_the_schema_and_else_from_the_name() {
        let schema = json!({
            "properties": {
                "path": {"type": "string"}, "at": {"type": "string", "format": "path"}, "count": {"type": ["integer", "null"]},
                "method": {"anyOf": [{"$ref": "#/$defs/Method"}, {"type": "null"}]}, "file": {"type": "number"},
                "loop": {"$ref": "#/properties/loop"},
            },
            "$defs": {"Method": {"oneOf": [{"const": "type"}, {"enum": ["date", null]}]}},
        });
        assert_eq!(Kind::of("path", &schema), Kind::Path);
        assert_eq!(Kind::of("at", &schema), Kind::Path);
        assert_eq!(Kind::of("count", &schema), Kind::Integer);
        assert_eq!(Kind::of("file", &schema), Kind::Number);
        assert_eq!(Kind::of("loop", &schema), Kind::Text);
        assert_eq!(
            Kind::of("method", &schema),
            Kind::Choice { values: vec!["type".into(), "date".into()], open: false }
        );
        assert_eq!(Kind::of("target_folder", &Value::Null), Kind::Path);
        assert!(matches!(Kind::of("method", &Value::Null), Kind::Choice { open: true, .. }));
        assert_eq!(Kind::of("city", &Value::Null), Kind::Text);
        let endless = json!({ "properties": { "n": {
            "anyOf": vec![json!({ "$ref": "#/properties/n" }); 400], "allOf": [{ "type": "number" }],
        }}});
        assert_eq!(Kind::of("n", &endless), Kind::Number);
    }

    #[test]
    fn a_path_slot_tells_paths_from_words() {
        let path = |text: &str, typed: &str, fit| {
            assert_eq!(read(&Kind::Path, text), Some((Slot::Path(typed.into()), fit)), "{text}");
        };
        path("/tmp/a b", "/tmp/a b", Fit::Sure);
        path("the folder ~/x", "~/x", Fit::Sure);
        path("'a b'", "a b", Fit::Sure);
        path("my documents", "~/Documents", Fit::Sure);
        path("old letters", "old letters", Fit::Sure);
        path("inbox", "inbox", Fit::Word);
        path("the inbox", "inbox", Fit::Phrase);
        path("that", "that", Fit::Odd);
        assert_eq!(read(&Kind::Path, "the stuff in ./inbox"), None);
    }

    #[test]
    fn values_are_converted_or_refused() {
        let choice = Kind::Choice { values: vec!["by_type".into(), "by_date".into(), 3.into()], open: false };
        assert_eq!(read(&choice, "Kinds"), Some((Slot::Value("by_type".into()), Fit::Sure)));
        assert_eq!(read(&choice, "3"), Some((Slot::Value(3.into()), Fit::Sure)));
        assert_eq!(read(&choice, "colour"), None);
        assert_eq!(read(&Kind::Integer, "1,200"), Some((Slot::Value(1200.into()), Fit::Sure)));
        assert_eq!(read(&Kind::Integer, "many"), None);
        assert_eq!(read(&Kind::Number, "2.5"), Some((Slot::Value(2.5.into()), Fit::Sure)));
        assert_eq!(read(&Kind::Number, "NaN"), None);
        assert_eq!(read(&Kind::Boolean, "off"), Some((Slot::Value(false.into()), Fit::Sure)));
        assert_eq!(
            read(&Kind::Text, "“tea is ready”"),
            Some((Slot::Value("tea is ready".into()), Fit::Free))
        );
    }
}
