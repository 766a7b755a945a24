//! Conditions and templates: expressions of Jinja over what is known in a run. They read, and reach nothing else.

use std::sync::LazyLock;

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior,
    value::{Serde, Value as Found},
};
use serde_json::Value;

/// So many steps an expression may take: more is a loop that somebody did not mean.
const FUEL: u64 = 100_000;
/// What is known beside the names of a run.
const FUNCTIONS: [&str; 4] = ["range", "dict", "debug", "namespace"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, _, value| {
        // In a text, too, a value is what it is in JSON.
        let written = match value.as_str() {
            _ if value.is_undefined() => return Err(ErrorKind::UndefinedError.into()),
            Some(text) => out.write_str(text),
            None => out.write_str(&json(value)?),
        };
        Ok(written?)
    });
    environment
});

fn json(value: &Found) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// What expressions see.
#[derive(Clone, Debug)]
pub(super) struct Scope(Found);

impl Scope {
    pub(super) fn new(known: &Value) -> Scope {
        Scope(Found::from(Serde(known)))
    }

    /// Whether a condition holds.
    pub(super) fn holds(&self, condition: &str) -> Result<bool, String> {
        Ok(self.find(condition)?.is_true())
    }

    /// A value with its expressions filled in. A text that is one expression becomes what that is, of any type.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => match sole(text) {
                Some(expression) => {
                    let found = self.find(expression)?;
                    serde_json::to_value(&found).map_err(|error| format!("`{expression}`: {error}"))
                }
                None if is_template(text) => {
                    let filled = ENVIRONMENT.render_str(text, self.0.clone());
                    filled.map(Value::String).map_err(|error| words(text, &error))
                }
                None => Ok(value.clone()),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(members) => {
                let filled = members.iter().map(|(name, value)| Ok((name.clone(), self.fill(value)?)));
                filled.collect::<Result<_, String>>().map(Value::Object)
            }
            other => Ok(other.clone()),
        }
    }

    fn find(&self, expression: &str) -> Result<Found, String> {
        let compiled = ENVIRONMENT.compile_expression_owned(expression.to_owned());
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
    let compiled = ENVIRONMENT.compile_expression_owned(condition.to_owned());
    let compiled = compiled.map_err(|error| words(condition, &error))?;
    Ok(known(compiled.undeclared_variables(true)))
}

/// The names that a text speaks of.
pub(super) fn names_of_text(text: &str) -> Result<Vec<String>, String> {
    if !is_template(text) {
        return Ok(Vec::new());
    }
    let template = ENVIRONMENT.template_from_str(text).map_err(|error| words(text, &error))?;
    Ok(known(template.undeclared_variables(true)))
}

fn known(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().filter(|name| !FUNCTIONS.contains(&&**name)).collect();
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
    let mut text = text.trim().to_owned();
    if text.chars().count() > 80 {
        text = text.chars().take(80).chain(['…']).collect();
    }
    format!("`{}` cannot be worked out: {why}", text.escape_debug())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
        assert_eq!(scope().fill(&value), Ok(filled));
    }

    #[test]
    fn says_what_is_not_there_or_no_expression() {
        for (condition, why) in [
            ("results.other.success", "undefined"),
            ("results.analysis.succes", "is not there"),
            ("1 +", "unexpected end of input"),
            ("[1, 2] + 3", "cannot be worked out"),
        ] {
            let error = scope().holds(condition).unwrap_err();
            assert!(error.contains(why) && error.contains(condition), "{error}");
        }
        let endless =
            json!("{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}");
        assert!(scope().fill(&endless).unwrap_err().contains("fuel"));
        assert!(scope().holds("'x' * 9999999999 == ''").is_err());
    }

    #[test]
    fn finds_the_names_that_are_spoken_of() {
        assert_eq!(
            names_of_condition("results.a.success and inputs.deep and range(3)").unwrap(),
            ["inputs.deep", "results.a.success"]
        );
        assert_eq!(names_of_text("{{ task }} in {{ results['b-c'].result }}").unwrap().len(), 2);
    }
}
