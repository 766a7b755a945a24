//! A JSON Schema looked through: a plugin wrote it, so that it may refer to itself in many ways.

use std::collections::HashSet;

use serde_json::Value;

/// A schema and all that it is made of or refers to within `root`, which hold for the same value: each once, those
/// that stand first before the others.
pub fn parts<'a>(root: &'a Value, schema: &'a Value) -> impl Iterator<Item = &'a Value> {
    let (mut seen, mut open) = (HashSet::new(), vec![schema]);
    std::iter::from_fn(move || {
        loop {
            let schema = open.pop()?;
            if seen.insert(std::ptr::from_ref(schema)) {
                let lists =
                    ["allOf", "oneOf", "anyOf"].into_iter().filter_map(|list| schema.get(list)?.as_array());
                open.extend(lists.flat_map(|list| list.iter().rev()).chain(referred(root, schema)));
                return Some(schema);
            }
        }
    })
}

/// What a schema refers to; a name instead of a path may mean anything of the whole.
pub fn referred<'a>(root: &'a Value, schema: &Value) -> Option<&'a Value> {
    let pointer = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
    Some(root.pointer(pointer).unwrap_or(root))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn looks_once_at_each_schema_however_often_it_is_referred_to() {
        let itself = json!({ "$ref": "#/properties/x" });
        let root = json!({
            "properties": {"x": {"anyOf": vec![&itself; 400], "allOf": vec![&json!({ "$ref": "#/$defs/y" }); 400]}},
            "$defs": {"y": {"oneOf": vec![itself; 400]}},
        });
        assert_eq!(parts(&root, &root["properties"]["x"]).count(), 1202);
    }
}
