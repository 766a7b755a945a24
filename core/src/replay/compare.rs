//! Compares a message with the recorded one. Pure.

use std::{cmp::Ordering, collections::BTreeSet};

use serde_json::Value;

use super::vary::{Varying, steady};

/// A place where two messages differ; `None` where one of them has nothing there.
#[derive(Debug, PartialEq)]
pub(super) struct Place {
    pub(super) pointer: String,
    pub(super) expected: Option<Value>,
    pub(super) got: Option<Value>,
}

/// Where they differ, apart from what varies and from the ids of requests, which each side chooses.
pub(super) fn places(expected: &Value, got: &Value, varying: &Varying) -> Vec<Place> {
    let mut comparison = Comparison { varying, path: Vec::new(), found: Vec::new() };
    comparison.step(Some(expected), Some(got));
    comparison.found
}

struct Comparison<'a> {
    varying: &'a Varying,
    path: Vec<String>,
    found: Vec<Place>,
}

impl Comparison<'_> {
    fn step(&mut self, expected: Option<&Value>, got: Option<&Value>) {
        let is_id = matches!(self.path.as_slice(), [only] if only == "id");
        if expected == got || is_id || expected.is_some() == got.is_some() && self.varying.is_free(&self.path) {
            return;
        }
        match (expected, got) {
            (Some(Value::Object(one)), Some(Value::Object(other))) => {
                let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
                names.into_iter().for_each(|name| self.below(name, one.get(name), other.get(name)));
            }
            (Some(Value::Array(one)), Some(Value::Array(other))) => {
                for index in 0..one.len().max(other.len()) {
                    self.below(&index.to_string(), one.get(index), other.get(index));
                }
            }
            (Some(Value::String(one)), Some(Value::String(other))) if steady(one) == steady(other) => {}
            (Some(Value::Number(one)), Some(Value::Number(other)))
                // `1` and `1.0` are one number in JSON.
                if one.as_f64().partial_cmp(&other.as_f64()) == Some(Ordering::Equal) => {}
            _ => {
                let escape = |name: &String| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
                let pointer = self.path.iter().map(escape).collect();
                self.found.push(Place { pointer, expected: expected.cloned(), got: got.cloned() });
            }
        }
    }

    fn below(&mut self, name: &str, expected: Option<&Value>, got: Option<&Value>) {
        self.path.push(name.to_owned());
        self.step(expected, got);
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_each_place_and_passes_over_what_varies() {
        let one = json!({ "id": 1, "result": { "a/b": [1, 2], "took_ms": 1, "text": "at 10:00:00", "gone": 1, "n": 1.0 } });
        let other = json!({ "id": "x", "result": { "a/b": [1, 3, 4], "took_ms": 9, "text": "at 11:00:00", "n": 1 } });
        let found = places(&one, &other, &Varying::default());
        let found: Vec<_> = found.iter().map(|place| (&*place.pointer, &place.expected, &place.got)).collect();
        let expected = [
            ("/result/a~1b/1", &Some(json!(2)), &Some(json!(3))),
            ("/result/a~1b/2", &None, &Some(json!(4))),
            ("/result/gone", &Some(json!(1)), &None),
        ];
        assert_eq!(found, expected);
    }
}
