//! Conditions and texts: expressions of Jinja over what is known in a run. They read, and reach nothing else.

use std::sync::Arc;

use minijinja::{
    Error,
    value::{DynObject, Enumerator, Object, Serde, Value as Found},
};
use serde_json::Value;

use super::{
    check::in_expressions,
    jinja::{compiled, json, template, too_much},
};

/// What expressions see.
#[derive(Clone, Debug)]
pub(super) struct Scope(Found);

/// The members of an object. One with a `-` in its name is found by `_` as well: in expressions a `-` is a minus.
#[derive(Debug)]
struct Members(DynObject);

impl Object for Members {
    fn get_value(self: &Arc<Self>, name: &Found) -> Option<Found> {
        self.0.get_value(name).or_else(|| {
            let wanted = name.as_str().filter(|name| name.contains('_'))?;
            let is_wanted = |name: &Found| name.as_str().is_some_and(|name| in_expressions(name) == wanted);
            self.0.try_iter_pairs()?.find(|(name, _)| is_wanted(name)).map(|(_, value)| value)
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.enumerate()
    }
}

/// A value as expressions see it.
fn seen(value: &Value) -> Found {
    match value {
        Value::Array(items) => items.iter().map(seen).collect(),
        Value::Object(members) => {
            let members = Found::from_pairs(members.iter().map(|(name, value)| (name.as_str(), seen(value))));
            members.as_object().cloned().map_or(members, |members| Found::from_object(Members(members)))
        }
        other => Found::from(Serde(other)),
    }
}

impl Scope {
    pub(super) fn new(known: &Value) -> Scope {
        Scope(seen(known))
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, String> {
        Ok(self.find(condition)?.is_true())
    }

    /// A value with its expressions filled in. A text that is one expression becomes what that is, of any type. What
    /// they come to is taken from `left`.
    pub(super) fn fill(&self, value: &Value, left: &mut usize) -> Result<Value, String> {
        let text = match value {
            Value::String(text) if is_template(text) => text,
            Value::Array(items) => return items.iter().map(|item| self.fill(item, left)).collect(),
            Value::Object(members) => {
                let filled = members.iter().map(|(name, value)| Ok((name.clone(), self.fill(value, left)?)));
                return filled.collect::<Result<_, String>>().map(Value::Object);
            }
            other => return Ok(other.clone()),
        };
        let (filled, size) = match sole(text) {
            Some(expression) => {
                let written = json(&self.find(expression)?).map_err(|error| words(text, &error))?;
                (
                    serde_json::from_str(&written).map_err(|error| format!("`{expression}`: {error}"))?,
                    written.len(),
                )
            }
            None => {
                let filled = template(text).and_then(|template| template.render(self.0.clone()));
                let filled = filled.map_err(|error| words(text, &error))?;
                let size = filled.len();
                (Value::String(filled), size)
            }
        };
        *left = left.checked_sub(size).ok_or_else(|| format!("`{}`: {}", shortened(text), too_much()))?;
        Ok(filled)
    }

    fn find(&self, expression: &str) -> Result<Found, String> {
        let compiled = compiled(expression);
        let found = compiled.and_then(|compiled| compiled.eval(self.0.clone()));
        let found = found.map_err(|error| words(expression, &error))?;
        if found.is_undefined() {
            return Err(format!("`{}` is not there", expression.trim()));
        }
        Ok(found)
    }
}

/// The names that a condition speaks of, each with what follows it: `results.analysis.success`.
pub(super) fn names_of_condition(condition: &str) -> Result<Vec<String>, String> {
    let compiled = compiled(condition).map_err(|error| words(condition, &error))?;
    Ok(sorted(compiled.undeclared_variables(true)))
}

/// The names that a text speaks of.
pub(super) fn names_of_text(text: &str) -> Result<Vec<String>, String> {
    if !is_template(text) {
        return Ok(Vec::new());
    }
    let template = template(text).map_err(|error| words(text, &error))?;
    Ok(sorted(template.undeclared_variables(true)))
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The expression that a text is, where it is nothing else.
fn sole(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then(|| inner.trim_matches(['-', '+']).trim())
}

fn words(text: &str, error: &Error) -> String {
    let why = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    format!("`{}` cannot be worked out: {why}", shortened(text))
}

fn shortened(text: &str) -> String {
    let text = text.trim();
    let end = if text.chars().count() > 80 { "…" } else { "" };
    format!("{}{end}", text.chars().take(80).collect::<String>().escape_debug())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::jinja::MOST, *};

    fn scope() -> Scope {
        let results =
            json!({ "analysis": { "success": true, "result": { "files": 12, "names": ["a", "b"] } } });
        Scope::new(&json!({ "task": "look", "inputs": { "deep": false }, "results": results }))
    }

    #[test]
    fn decides_by_what_came_before() {
        for (condition, holds) in [
            ("results.analysis.success", true),
            ("not inputs.deep and results.analysis.result.files > 10", true),
            ("'c' in results.analysis.result.names", false),
            ("results.analysis.result.names | length == 2", true),
            ("results.other is defined", false),
        ] {
            assert_eq!(scope().holds(condition), Ok(holds), "{condition}");
        }
    }

    #[test]
    fn keeps_the_type_of_what_a_text_stands_for_alone() {
        let value = json!({ "n": "{{ results.analysis.result.files }}", "say": "{{ task }}: {{ inputs.deep }}",
            "list": ["{{ results.analysis.result }}", 1], "plain": "100 %" });
        let filled = json!({ "n": 12, "say": "look: false",
            "list": [{ "files": 12, "names": ["a", "b"] }, 1], "plain": "100 %" });
        assert_eq!(scope().fill(&value, &mut MOST.clone()), Ok(filled));
    }

    #[test]
    fn finds_a_name_with_a_minus_by_another_and_gives_it_once() {
        let scope = Scope::new(&json!({ "results": { "x-y": { "result": { "a-b": 1, "a_c": 2 } } } }));
        let fill = |text: &str| scope.fill(&text.into(), &mut MOST.clone()).unwrap();
        assert_eq!(fill("{{ [results.x_y.result.a_b, results['x-y'].result.a_c] }}"), json!([1, 2]));
        assert_eq!(fill("{{ results }}"), json!({ "x-y": { "result": { "a-b": 1, "a_c": 2 } } }));
        assert_eq!(fill("{{ results.x_y.result | items | length }}"), json!(2));
        assert_eq!(fill("{{ results.x_y.result }}{{ results.x_z is defined }}"), r#"{"a-b":1,"a_c":2}false"#);
    }

    #[test]
    fn says_what_is_not_there_or_no_expression() {
        for (condition, why) in [
            ("results.other.success", "undefined"),
            ("results.analysis.succes", "is not there"),
            ("1 +", "unexpected end of input"),
            ("[1, 2] + 3", "cannot be worked out"),
            ("[1] * 2 == [1, 1]", "there is no `*` here"),
            ("task | replace(task, task)", "unknown"),
            ("range(3)", "unknown"),
        ] {
            let error = scope().holds(condition).unwrap_err();
            assert!(error.contains(why) && error.contains(condition), "{error}");
        }
        let statement = json!("{% for i in task %}x{% endfor %}");
        assert!(scope().fill(&statement, &mut MOST.clone()).unwrap_err().contains("there are no statements"));
        assert!(names_of_text("{% set x = task %}").unwrap_err().contains("there are no statements"));
        assert!(
            scope().holds(&format!("1 {} > 0", "+ 1".repeat(200))).unwrap_err().contains("longer than 200")
        );
    }

    #[test]
    fn gives_what_its_filters_give() {
        for (expression, value) in [
            ("results.analysis.result.names | join(', ') | upper", json!("A, B")),
            ("[{'n': 1}, {'n': 2}] | selectattr('n', 'gt', 1) | map(attribute='n')", json!([2])),
            ("inputs.other | default('none')", json!("none")),
            ("results.analysis.result | tojson", json!(r#"{"files":12,"names":["a","b"]}"#)),
            ("results.analysis.result.names | string", json!(r#"["a","b"]"#)),
            ("['b', 'a'] | sort | first", json!("a")),
            ("'*' in task", json!(false)),
        ] {
            let filled = scope().fill(&format!("{{{{ {expression} }}}}").into(), &mut MOST.clone());
            assert_eq!(filled, Ok(value), "{expression}");
        }
    }

    #[test]
    fn takes_neither_memory_nor_time_however_it_is_written() {
        let begun = std::time::Instant::now();
        let many = "a b ".repeat(100_000);
        let scope = Scope::new(&json!({ "task": many, "results": { "a": vec![many; 8] } }));
        let alone = vec!["results"; 95].join(", ");
        for expression in [
            "'%4000000000d' | format(3)",
            "'a' | indent(4000000000, true)",
            "('a' * 100000 ~ 'b' * 10) | replace('a', 'b' * 100000)",
            "([range(100000) | list] * 100000) | tojson",
            "[[[1] * 10000] * 10000] | string",
            "range(100000) | list | sort",
            "[1] | batch(4000000000, 1) | list",
            "task | list | map('default', results) | list",
            "task | split | join(task)",
            "10 ** 99999999",
            &vec!["task"; 90].join(" ~ "),
            &format!("[{alone}] | string"),
            &format!("[{alone}] | tojson"),
        ] {
            for text in [format!("{{{{ {expression} }}}}"), format!("x{{{{ {expression} }}}}")] {
                let error = scope.fill(&text.clone().into(), &mut MOST.clone());
                assert!(error.is_err(), "{text} came to something");
            }
        }
        assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
    }

    #[test]
    fn says_where_all_texts_together_come_to_too_much() {
        let long = Scope::new(&json!({ "task": "x".repeat(MOST / 4) }));
        let texts = |count| Value::Array(vec![json!("{{ task }}"); count]);
        assert!(long.fill(&texts(3), &mut MOST.clone()).is_ok());
        let error = long.fill(&texts(5), &mut MOST.clone()).unwrap_err();
        assert_eq!(error, "`{{ task }}`: it comes to more than 4 MiB");
    }

    #[test]
    fn finds_the_names_that_are_spoken_of() {
        assert_eq!(
            names_of_condition("results.a.success and inputs.deep").unwrap(),
            ["inputs.deep", "results.a.success"]
        );
        assert_eq!(names_of_text("{{ task }} in {{ results['b-c'].result }}").unwrap().len(), 2);
    }
}
