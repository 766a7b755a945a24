//! What a run is given: by name, of the types that the workflow declares.

use std::path::PathBuf;

use astros_protocol::{Error, ErrorCode, Extra};
use serde_json::Value;

use super::file::{InputKind, Workflow};
use crate::router::errors::nearest;

impl InputKind {
    /// Whether a value is of this kind; says what it is where not.
    pub(super) fn check(self, value: &Value) -> Result<(), String> {
        let (fits, expected) = match self {
            InputKind::String => (value.is_string(), "a text"),
            InputKind::Path => (value.is_string(), "a path"),
            InputKind::Integer => (value.is_i64() || value.is_u64(), "a whole number"),
            InputKind::Number => (value.is_number(), "a number"),
            InputKind::Boolean => (value.is_boolean(), "`true` or `false`"),
            InputKind::List => (value.is_array(), "a list"),
            InputKind::Mapping => (value.is_object(), "a mapping"),
        };
        fits.then_some(()).ok_or_else(|| format!("is `{value}`, expected {expected}"))
    }

    /// A text as a person types it, in this kind; as it is where it is no other.
    fn read(self, value: Value) -> Value {
        match (self, &value) {
            (InputKind::String | InputKind::Path, _) => value,
            (_, Value::String(text)) => serde_json::from_str(text).unwrap_or(value),
            _ => value,
        }
    }
}

/// The inputs of a run: what is given, and defaults. Texts are read as what their inputs are; `absolute` makes a path
/// so.
///
/// # Errors
/// One is missing, is not declared, or is something else; all of them are said.
pub(super) fn resolve(
    workflow: &Workflow,
    mut given: Extra,
    absolute: impl Fn(&str) -> PathBuf,
) -> Result<Extra, Error> {
    let mut resolved = Extra::new();
    let mut wrong = Vec::new();
    for (name, input) in &workflow.inputs {
        let value =
            match given.remove(name).map(|value| input.kind.read(value)).or_else(|| input.default.clone()) {
                Some(value) => value,
                None => {
                    wrong.push(format!("`{name}` is missing, expected `--input {name}=…`"));
                    continue;
                }
            };
        if let Err(error) = input.kind.check(&value) {
            wrong.push(format!("`{name}` {error}"));
        }
        let value = match (input.kind, &value) {
            (InputKind::Path, Value::String(path)) => absolute(path).to_string_lossy().into_owned().into(),
            _ => value,
        };
        resolved.insert(name.clone(), value);
    }
    for name in given.keys() {
        let near = nearest(name, workflow.inputs.keys().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        wrong.push(format!("`{name}` is not declared{near}"));
    }
    if wrong.is_empty() {
        return Ok(resolved);
    }
    let message = format!("the inputs of `{}` do not fit: {}", workflow.name, wrong.join("; "));
    let hint = format!("`astros workflow show {}` tells what it takes", workflow.name);
    Err(Error::new(ErrorCode::INVALID_PARAMS, message).with_hint(hint))
}

/// The paths among the inputs.
pub(super) fn paths(workflow: &Workflow, inputs: &Extra) -> Vec<PathBuf> {
    let is_path = |name: &str| workflow.inputs.get(name).is_some_and(|input| input.kind == InputKind::Path);
    let found = inputs.iter().filter(|(name, _)| is_path(name));
    found.filter_map(|(_, value)| value.as_str().map(PathBuf::from)).collect()
}
