//! One message: its envelope, read by a visitor of our own and written by hand.
//!
//! The visitor reads a line once, borrows from it, refuses duplicate members, and lets the receiver say how
//! `params` are read ([`Params`]): as raw JSON, or, where the method is known, straight into a type.

use std::{borrow::Cow, fmt, marker::PhantomData};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::Error;

/// The largest integer id: beyond it, readers whose numbers are doubles would round.
pub const MAX_ID: i64 = (1 << 53) - 1;

/// A line nests no deeper than this: serde_json, among others, reads no more.
pub const MAX_NESTING: usize = 127;

/// A request's id, echoed in its type.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// Within ±(2⁵³−1).
    Number(i64),
    String(String),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Id::Number(number) => number.fmt(f),
            Id::String(text) => text.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a string, or an integer within ±(2⁵³−1)")
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Id, E> {
                let fits = (-MAX_ID..=MAX_ID).contains(&number);
                fits.then_some(Id::Number(number))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(number), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                let signed = i64::try_from(number);
                self.visit_i64(
                    signed.map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &IdVisitor))?,
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                Ok(Id::String(text.to_owned()))
            }
        }

        deserializer.deserialize_any(IdVisitor)
    }
}

/// How a receiver reads `params`, given the method.
pub trait Params<'de>: Sized {
    fn deserialize_params<D: Deserializer<'de>>(method: &str, deserializer: D) -> Result<Self, D::Error>;
}

impl<'de> Params<'de> for &'de RawValue {
    fn deserialize_params<D: Deserializer<'de>>(_: &str, deserializer: D) -> Result<Self, D::Error> {
        Deserialize::deserialize(deserializer)
    }
}

/// One message, borrowed from its line.
#[derive(Debug)]
pub enum Message<'a, P = &'a RawValue> {
    Request {
        id: Id,
        method: Cow<'a, str>,
        params: Option<P>,
    },
    Notification {
        method: Cow<'a, str>,
        params: Option<P>,
    },
    /// Without an id only where the other side could not tell which request it was.
    Response {
        id: Option<Id>,
        outcome: Result<&'a RawValue, Error>,
    },
}

/// Why a line is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No JSON at all.
    #[error("not JSON: {0}")]
    Json(String),
    /// JSON, but no JSON-RPC 2.0 message; batches are among these.
    #[error("not a JSON-RPC 2.0 message: {0}")]
    Envelope(String),
}

impl<'a, P: Params<'a>> Message<'a, P> {
    /// Reads one line, its end excluded.
    pub fn parse(line: &'a [u8]) -> Result<Message<'a, P>, Malformed> {
        // Looked at once here, and not again string by string.
        let line = std::str::from_utf8(line).map_err(|error| Malformed::Json(error.to_string()))?;
        if nests_too_deeply(line.as_bytes()) {
            return Err(Malformed::Json(format!("it is nested more than {MAX_NESTING} deep")));
        }
        let mut reader = serde_json::Deserializer::from_str(line);
        let envelope = reader.deserialize_map(EnvelopeVisitor(PhantomData));
        let envelope = envelope.and_then(|envelope| reader.end().map(|()| envelope));
        envelope.map_err(|error| malformed(&error))?.into_message()
    }
}

/// Whether somebody who parses the line as a whole would give up on it. Raw parts are only skimmed here, and then
/// passed on.
fn nests_too_deeply(line: &[u8]) -> bool {
    may_nest_too_deeply(line) && nests_deeper_than_read(line)
}

/// Counts brackets block by block, those in strings too: quick, and so rough that who hides depth behind brackets in
/// strings succeeds, and harms nobody but the own call.
fn may_nest_too_deeply(line: &[u8]) -> bool {
    // So many bytes that the balance of one fits a byte.
    const BLOCK: usize = 64;
    let mut depth = 0_i64;
    line.chunks(BLOCK).any(|block| {
        // `{` and `[` differ in one bit only, as `}` and `]` do.
        let balance: i8 =
            block.iter().map(|byte| i8::from(byte | 0x20 == b'{') - i8::from(byte | 0x20 == b'}')).sum();
        depth += i64::from(balance);
        // Closed more than was open: some of it stands in strings. Within a block it may be deeper than at its end.
        depth < 0 || depth > (MAX_NESTING - BLOCK) as i64
    })
}

fn nests_deeper_than_read(line: &[u8]) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    line.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_NESTING
    })
}

fn malformed(error: &serde_json::Error) -> Malformed {
    match error.classify() {
        serde_json::error::Category::Data => Malformed::Envelope(error.to_string()),
        _ => Malformed::Json(error.to_string()),
    }
}

/// The members as they stand, before it is known what they make.
struct Envelope<'a, P> {
    id: Option<Option<Id>>,
    method: Option<Cow<'a, str>>,
    params: Option<P>,
    result: Option<&'a RawValue>,
    error: Option<Error>,
}

impl<'a, P> Envelope<'a, P> {
    fn into_message(self) -> Result<Message<'a, P>, Malformed> {
        let refuse = |why: &str| Err(Malformed::Envelope(why.to_owned()));
        match self {
            Envelope { method: Some(method), result: None, error: None, id, params } => match id {
                Some(Some(id)) => Ok(Message::Request { id, method, params }),
                None => Ok(Message::Notification { method, params }),
                Some(None) => refuse("the id of a request is null"),
            },
            Envelope { method: None, params: None, id: Some(id), result, error } => match (result, error) {
                (Some(result), None) if id.is_some() => Ok(Message::Response { id, outcome: Ok(result) }),
                (None, Some(error)) => Ok(Message::Response { id, outcome: Err(error) }),
                (Some(_), Some(_)) => refuse("both `result` and `error`"),
                (Some(_), None) => refuse("a result for the id null"),
                (None, None) => refuse("neither `method`, `result` nor `error`"),
            },
            _ => refuse("expected a request, a notification or a response, found members of several"),
        }
    }
}

struct EnvelopeVisitor<P>(PhantomData<P>);

impl<'de, P: Params<'de>> Visitor<'de> for EnvelopeVisitor<P> {
    type Value = Envelope<'de, P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON-RPC 2.0 object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = Envelope { id: None, method: None, params: None, result: None, error: None };
        let mut version = false;
        let mut early_params: Option<&RawValue> = None;
        let mut unknown: Vec<String> = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            let duplicate = match &*key {
                "jsonrpc" => std::mem::replace(&mut version, true),
                "id" => found.id.is_some(),
                "method" => found.method.is_some(),
                "params" => found.params.is_some() || early_params.is_some(),
                "result" => found.result.is_some(),
                "error" => found.error.is_some(),
                other => unknown.iter().any(|seen| seen == other),
            };
            if duplicate {
                return Err(de::Error::custom(format_args!("the member `{key}` stands there twice")));
            }
            match &*key {
                "jsonrpc" => {
                    let Text(version) = map.next_value()?;
                    if version != "2.0" {
                        let message = format_args!("`jsonrpc` is `{version}`, expected `2.0`");
                        return Err(de::Error::custom(message));
                    }
                }
                "id" => found.id = Some(map.next_value()?),
                "method" => {
                    let Text(method) = map.next_value()?;
                    found.method = Some(method);
                }
                "params" => match &found.method {
                    Some(method) => found.params = Some(map.next_value_seed(ParamsSeed::<P>::of(method))?),
                    None => early_params = Some(map.next_value()?),
                },
                "result" => found.result = Some(map.next_value()?),
                "error" => found.error = Some(map.next_value()?),
                _ => {
                    unknown.push(key.into_owned());
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !version {
            return Err(de::Error::missing_field("jsonrpc"));
        }
        // A writer that puts params before the method costs a second look at them, no more.
        if let (Some(raw), Some(method)) = (early_params, &found.method) {
            let params = P::deserialize_params(method, &mut serde_json::Deserializer::from_str(raw.get()));
            found.params = Some(params.map_err(de::Error::custom)?);
        }
        Ok(found)
    }
}

struct ParamsSeed<'m, P>(&'m str, PhantomData<P>);

impl<'m, P> ParamsSeed<'m, P> {
    fn of(method: &'m str) -> Self {
        ParamsSeed(method, PhantomData)
    }
}

impl<'de, P: Params<'de>> DeserializeSeed<'de> for ParamsSeed<'_, P> {
    type Value = P;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<P, D::Error> {
        P::deserialize_params(self.0, deserializer)
    }
}

/// A string, borrowed where it has no escapes.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text<'de>, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor)
    }
}

/// Writes messages as lines: `jsonrpc`, `id` and `method` stand first, the line's end is written too.
///
/// They fail only where `params` or `result` cannot be written as JSON (a map whose keys are no strings, say);
/// `out` is then as it was.
pub mod write {
    use super::{Error, Id, Serialize};

    pub fn request(
        out: &mut Vec<u8>,
        id: &Id,
        method: &str,
        params: &impl Serialize,
    ) -> serde_json::Result<()> {
        line(out, |out| {
            member(out, "{\"jsonrpc\":\"2.0\",\"id\":", id)?;
            member(out, ",\"method\":", method)?;
            member(out, ",\"params\":", params)
        })
    }

    pub fn notification(out: &mut Vec<u8>, method: &str, params: &impl Serialize) -> serde_json::Result<()> {
        line(out, |out| {
            member(out, "{\"jsonrpc\":\"2.0\",\"method\":", method)?;
            member(out, ",\"params\":", params)
        })
    }

    pub fn result(out: &mut Vec<u8>, id: &Id, result: &impl Serialize) -> serde_json::Result<()> {
        line(out, |out| {
            member(out, "{\"jsonrpc\":\"2.0\",\"id\":", id)?;
            member(out, ",\"result\":", result)
        })
    }

    /// `id` is `None` where the request could not be told.
    pub fn error(out: &mut Vec<u8>, id: Option<&Id>, error: &Error) -> serde_json::Result<()> {
        line(out, |out| {
            member(out, "{\"jsonrpc\":\"2.0\",\"id\":", &id)?;
            member(out, ",\"error\":", error)
        })
    }

    fn member(out: &mut Vec<u8>, before: &str, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
        out.extend_from_slice(before.as_bytes());
        serde_json::to_writer(out, value)
    }

    fn line(
        out: &mut Vec<u8>,
        members: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>,
    ) -> serde_json::Result<()> {
        let start = out.len();
        let written = members(out);
        match written {
            Ok(()) => out.extend_from_slice(b"}\n"),
            Err(_) => out.truncate(start),
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Message<'_>, Malformed> {
        Message::parse(line.as_bytes())
    }

    #[test]
    fn reads_what_it_writes() {
        let mut out = Vec::new();
        write::request(&mut out, &Id::String("a".into()), "m", &serde_json::json!({"x": "\n"})).unwrap();
        assert_eq!(out, b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"m\",\"params\":{\"x\":\"\\n\"}}\n");
        let Message::Request { id, method, params } = parse(std::str::from_utf8(&out).unwrap()).unwrap()
        else {
            panic!("expected a request")
        };
        assert_eq!((id, &*method), (Id::String("a".into()), "m"));
        assert_eq!(params.unwrap().get(), r#"{"x":"\n"}"#);
    }

    #[test]
    fn reads_an_escaped_method_and_params_that_come_first() {
        let line = r#"{"params":{"a":1},"jsonrpc":"2.0","method":"p\u0069ng","x":1}"#;
        let Ok(Message::Notification { method, params }) = parse(line) else {
            panic!("expected a notification")
        };
        assert_eq!((&*method, params.unwrap().get()), ("ping", r#"{"a":1}"#));
    }

    #[test]
    fn refuses_what_is_nested_deeper_than_others_read() {
        let nested = |depth: usize| {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            // Neither what is quoted nor what stands side by side is depth.
            let wide = "{},".repeat(200);
            format!(r#"{{"jsonrpc":"2.0","id":1,"result":[{wide}"\"[[{{",{open}{close}]}}"#)
        };
        let deepest = nested(MAX_NESTING - 2);
        assert!(parse(&deepest).is_ok());
        assert!(serde_json::from_str::<serde_json::Value>(&deepest).is_ok());
        let Err(Malformed::Json(why)) = parse(&nested(MAX_NESTING - 1)) else { panic!("it is read") };
        assert_eq!(why, "it is nested more than 127 deep");
    }

    #[test]
    fn tells_a_null_result_from_none() {
        let Ok(Message::Response { outcome, .. }) = parse(r#"{"jsonrpc":"2.0","id":1,"result":null}"#) else {
            panic!("expected a response")
        };
        assert_eq!(outcome.unwrap().get(), "null");
        assert!(parse(r#"{"jsonrpc":"2.0","id":1}"#).is_err());
    }

    #[test]
    fn refuses_what_is_no_message() {
        for (line, why) in [
            (r#"{"jsonrpc":"2.0","id":1,"id":1,"method":"m"}"#, "the member `id` stands there twice"),
            (r#"{"jsonrpc":"2.0","method":"m","x":1,"x":2}"#, "the member `x` stands there twice"),
            (r#"[{"jsonrpc":"2.0","method":"m"}]"#, "sequence"),
            (r#"{"jsonrpc":"1.0","method":"m"}"#, "`jsonrpc` is `1.0`, expected `2.0`"),
            (r#"{"id":1,"method":"m"}"#, "missing field `jsonrpc`"),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#, "expected an id"),
            (r#"{"jsonrpc":"2.0","id":9007199254740992,"method":"m"}"#, "expected an id"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#, "null"),
            (r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}}"#, "both"),
            (r#"{"jsonrpc":"2.0","method":"m"} x"#, "trailing"),
            (r#"{"jsonrpc":"2.0","method":"m","params":NaN}"#, "not JSON"),
            ("", "not JSON"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }

    #[test]
    fn leaves_the_output_as_it_was_where_a_value_cannot_be_written() {
        let mut out = b"before".to_vec();
        let no_json = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(write::notification(&mut out, "m", &no_json).is_err());
        assert_eq!(out, b"before");
    }
}
