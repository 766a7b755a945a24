//! Sizes as people write them: `512MB` (millions of bytes), `2GiB` (powers of 1024), or a whole number of bytes.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};
use serde_json::Value;

const EXPECTED: &str = "expected a size such as `512MB` or `2GiB`, or a whole number of bytes, above 0";

/// `deserialize_with` for a size that may be absent, in bytes.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let bytes = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => bytes(&text),
        _ => None,
    };
    bytes.filter(|bytes| *bytes > 0).map(Some).ok_or_else(|| D::Error::custom(EXPECTED))
}

/// The bytes that a text such as `512MB` or `2GiB` says; none where it says no size.
pub fn bytes(text: &str) -> Option<u64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let factor: u64 = match &*unit.trim_start().to_ascii_lowercase() {
        "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The schema of a size, for `#[schemars(with = …)]`.
pub(super) struct SizeText;

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A size such as 512MB, 2GiB, or a whole number of bytes.",
            "anyOf": [
                { "type": "string", "pattern": "^[0-9]+ *([kKmMgG][iI]?)?[bB]$" },
                { "type": "integer", "minimum": 1 },
            ],
        })
    }
}
