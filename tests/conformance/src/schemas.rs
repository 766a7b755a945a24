//! The protocol's own JSON Schemas, ready to hold values against.

use std::{collections::HashMap, sync::LazyLock};

use astros_protocol::{
    catalog::{self, Method, Sender},
    schema,
};
use jsonschema::Validator;
use serde_json::Value;

static SCHEMAS: LazyLock<HashMap<String, Validator>> = LazyLock::new(|| {
    let compiled = |name: String| {
        let schema = schema::schema(&name)?;
        Some((name, jsonschema::validator_for(&schema).ok()?))
    };
    schema::names().into_iter().filter_map(compiled).collect()
});

static METHODS: LazyLock<HashMap<&'static str, Method>> =
    LazyLock::new(|| catalog::methods().into_iter().map(|method| (method.name, method)).collect());

/// Why a value does not fit the schema of this name: where, and what is wrong.
pub(crate) fn misfit(name: &str, value: &Value) -> Option<String> {
    misfits(SCHEMAS.get(name)?, value)
}

/// Why a value does not fit a schema.
pub(crate) fn misfits(schema: &Validator, value: &Value) -> Option<String> {
    schema.iter_errors(value).next().map(|error| {
        let place = error.instance_path().to_string();
        let place = if place.is_empty() { String::new() } else { format!("`{place}`: ") };
        format!("{place}{error}").chars().take(300).collect()
    })
}

/// Whether a plugin may send a method of this name.
pub(crate) fn may_be_sent_by_plugins(method: &str) -> bool {
    method.starts_with("x/") || METHODS.get(method).is_some_and(|method| method.from != Sender::Host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn has_every_schema_of_the_protocol() {
        assert_eq!(SCHEMAS.len(), schema::names().len());
    }

    #[test]
    fn says_where_a_value_does_not_fit() {
        assert_eq!(misfit("storage/get", &json!({ "key": "k" })), None);
        assert!(misfit("storage/get", &json!({ "key": 7 })).unwrap().starts_with("`/key`: "));
    }
}
