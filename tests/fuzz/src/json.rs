//! Values of JSON, and schemas of them, made of a fuzzer's bytes.

use arbitrary::{Result, Unstructured};
use serde_json::{Map, Value};

/// Values nest no deeper.
const DEPTH: usize = 4;

/// Names that meet again: in schemas, defaults, what a person set, and variables.
pub(super) const NAMES: [&str; 8] = ["a", "b", "a-b", "a_b", "A", "", "c/d", "~0"];

pub(super) fn name<'a>(u: &mut Unstructured<'a>) -> Result<&'static str> {
    u.choose(&NAMES).copied()
}

pub(super) fn value(u: &mut Unstructured<'_>) -> Result<Value> {
    value_within(u, DEPTH)
}

fn value_within(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    Ok(match u.int_in_range(0..=if depth == 0 { 6 } else { 8 })? {
        0 => Value::Null,
        1 => u.arbitrary::<bool>()?.into(),
        2 => i64::from(u.arbitrary::<i8>()?).into(),
        3 => u.arbitrary::<i64>()?.into(),
        4 => u.arbitrary::<f64>()?.into(),
        5 => text(u)?.into(),
        6 => name(u)?.into(),
        7 => list(u, |u| value_within(u, depth - 1))?.into(),
        _ => members(u, |u| value_within(u, depth - 1))?.into(),
    })
}

pub(super) fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let length = u.int_in_range(0..=12)?;
    Ok(String::from_utf8_lossy(u.bytes(length)?).into_owned())
}

pub(super) fn list<'a, T>(
    u: &mut Unstructured<'a>,
    mut item: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=3)?).map(|_| item(u)).collect()
}

/// An object with some of [`NAMES`].
pub(super) fn members<'a>(
    u: &mut Unstructured<'a>,
    mut member: impl FnMut(&mut Unstructured<'a>) -> Result<Value>,
) -> Result<Map<String, Value>> {
    (0..u.int_in_range(0..=3)?).map(|_| Ok((name(u)?.to_owned(), member(u)?))).collect()
}

/// A JSON Schema, or what an author may take for one.
pub(super) fn schema(u: &mut Unstructured<'_>) -> Result<Value> {
    schema_within(u, DEPTH - 1)
}

fn schema_within(u: &mut Unstructured<'_>, depth: usize) -> Result<Value> {
    const TYPES: [&str; 8] =
        ["string", "integer", "number", "boolean", "array", "object", "null", "nonsense"];
    let mut schema = Map::new();
    for _ in 0..u.int_in_range(0..=4)? {
        let (keyword, value) = match u.int_in_range(0..=if depth == 0 { 7 } else { 12 })? {
            0 | 1 => ("type", Value::from(*u.choose(&TYPES)?)),
            2 => ("type", list(u, |u| Ok(*u.choose(&TYPES)?))?.into()),
            3 => ("default", value_within(u, 1)?),
            4 => ("enum", list(u, |u| value_within(u, 1))?.into()),
            5 => ("required", list(u, |u| name(u))?.into()),
            6 => (
                *u.choose(&["minimum", "maximum", "minLength", "const", "multipleOf", "title", "format"])?,
                value_within(u, 0)?,
            ),
            7 => (
                "$ref",
                (*u.choose(&["#", "#/properties/a", "#/$defs/x", "https://example.org/x", "nowhere", ""])?)
                    .into(),
            ),
            8 | 9 => ("properties", members(u, |u| schema_within(u, depth - 1))?.into()),
            10 => ("items", schema_within(u, depth - 1)?),
            11 => {
                (*u.choose(&["anyOf", "oneOf", "allOf"])?, list(u, |u| schema_within(u, depth - 1))?.into())
            }
            _ => ("additionalProperties", u.arbitrary::<bool>()?.into()),
        };
        schema.insert(keyword.to_owned(), value);
    }
    Ok(schema.into())
}
