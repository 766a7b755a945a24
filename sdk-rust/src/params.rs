//! What is asked, read in one pass: the payload of `handle_intent` stays raw JSON until its handler's type is known.

use std::{any::TypeId, borrow::Cow, fmt};

use astros_protocol::{Error, ErrorCode, Intent, Params, Request, call::HandleIntent, message::Text};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

/// The params of any request of the host.
#[expect(clippy::large_enum_variant, reason = "the large one is the usual one, and is moved, not kept")]
pub(crate) enum Asked<'a> {
    Intent(Invocation<'a>),
    Other(&'a RawValue),
}

impl<'de> Params<'de> for Asked<'de> {
    fn deserialize_params<D: Deserializer<'de>>(method: &str, deserializer: D) -> Result<Self, D::Error> {
        if method == HandleIntent::METHOD {
            return Invocation::deserialize(deserializer).map(Asked::Intent);
        }
        Deserialize::deserialize(deserializer).map(Asked::Other)
    }
}

/// `HandleIntentParams`, borrowed.
#[derive(Deserialize)]
pub(crate) struct Invocation<'a> {
    #[serde(borrow)]
    pub(crate) handler: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) intent: BorrowedIntent<'a>,
    #[serde(borrow, default)]
    pub(crate) meta: Option<&'a RawValue>,
}

/// `Intent`, whose context is not looked at.
#[derive(Default)]
pub(crate) struct BorrowedIntent<'a> {
    /// All but the context.
    pub(crate) head: Intent,
    pub(crate) context: Option<&'a RawValue>,
}

/// By hand: a derived reader that keeps unknown members buffers all of them, which costs as much as the rest.
impl<'de: 'a, 'a> Deserialize<'de> for BorrowedIntent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntentVisitor;

        impl<'de> Visitor<'de> for IntentVisitor {
            type Value = BorrowedIntent<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an intent: an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut intent = BorrowedIntent::default();
                let head = &mut intent.head;
                while let Some(Text(name)) = members.next_key()? {
                    match &*name {
                        "text" => head.text = members.next_value()?,
                        "intent_type" => head.intent_type = members.next_value()?,
                        "confidence" => head.confidence = members.next_value()?,
                        "user_id" => head.user_id = members.next_value()?,
                        "session_id" => head.session_id = members.next_value()?,
                        "timestamp" => head.timestamp = members.next_value()?,
                        "context" => intent.context = Some(members.next_value()?),
                        _ => drop(head.extra.insert(name.into_owned(), members.next_value()?)),
                    }
                }
                Ok(intent)
            }
        }

        deserializer.deserialize_map(IntentVisitor)
    }
}

/// Reads a handler's parameters. `()` takes whatever comes; everything else is read from `intent.context`.
/// Fails with `invalid_params` that names handler and member.
pub(crate) fn read<T: DeserializeOwned + 'static>(handler: &str, context: &str) -> Result<T, Error> {
    let json = if TypeId::of::<T>() == TypeId::of::<()>() { "null" } else { context };
    // Where the member stands that does not fit is found out only when one does not.
    serde_json::from_str(json).map_err(|error| {
        let mut reader = serde_json::Deserializer::from_str(json);
        let (path, why) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Err(error) => (error.path().to_string(), error.into_inner()),
            Ok(_) => (".".to_owned(), error),
        };
        let place = if path == "." { String::new() } else { format!("`{path}`: ") };
        // Where in our own rendering it stands helps nobody.
        let position = format!(" at line {} column {}", why.line(), why.column());
        let why = why.to_string();
        let why = why.strip_suffix(&position).unwrap_or(&why);
        Error::new(ErrorCode::INVALID_PARAMS, format!("the params of `{handler}` do not fit: {place}{why}"))
            .with("field", path)
    })
}

/// Raw JSON without line breaks, which would end the frame; outside of strings, where it cannot be, one is as good
/// as a space.
pub(crate) fn one_line(raw: Box<RawValue>) -> Box<RawValue> {
    if memchr::memchr2(b'\n', b'\r', raw.get().as_bytes()).is_none() {
        return raw;
    }
    RawValue::from_string(raw.get().replace(['\n', '\r'], " ")).unwrap_or(raw)
}

/// The JSON Schema of a type; `None` where it says nothing.
pub(crate) fn schema<T: JsonSchema + 'static>() -> Option<Value> {
    if TypeId::of::<T>() == TypeId::of::<()>() {
        return None;
    }
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    Some(schema.to_value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Move {
        #[serde(rename = "files")]
        _files: Vec<String>,
    }

    #[test]
    fn names_the_member_that_does_not_fit() {
        let error = read::<Move>("move_files", r#"{"files":["a",5]}"#).unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_PARAMS);
        assert!(error.message.starts_with("the params of `move_files` do not fit: `files[1]`: invalid type"));
        let error = read::<Move>("move_files", "{}").unwrap_err();
        assert_eq!(error.message, "the params of `move_files` do not fit: missing field `files`");
    }

    #[test]
    fn puts_raw_json_on_one_line() {
        let raw = RawValue::from_string("{\r\n \"a\\n\": 1\n}".to_owned()).unwrap();
        assert_eq!(one_line(raw).get(), r#"{   "a\n": 1 }"#);
    }

    #[test]
    fn reads_an_intent_without_looking_at_its_context() {
        let line = r#"{"meta":{"deadline_ms":5},"intent":{"text":"a\"b","context":{"x":[1, 2]},"mood":"good"},"handler":"h"}"#;
        let asked: Invocation<'_> = serde_json::from_str(line).unwrap();
        assert_eq!(asked.intent.context.unwrap().get(), r#"{"x":[1, 2]}"#);
        let intent = asked.intent.head;
        assert_eq!((intent.text.as_str(), &intent.extra["mood"]), ("a\"b", &"good".into()));
    }
}
