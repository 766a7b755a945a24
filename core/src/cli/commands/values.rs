//! From the words of a command line to what the command is run with: each parameter by name, of its type.

use std::collections::BTreeSet;

use astros_protocol::{
    Extra,
    command::{CommandDescription, CommandParameter, CommandValue},
};
use clap::{ArgMatches, parser::ValueSource};
use serde_json::{Value, json};

use super::parser;
use crate::daemon::Offered;

/// What was typed, as the plugin's description understands it.
#[derive(Debug, PartialEq)]
pub(super) struct Typed {
    /// The words of the command, with spaces between them.
    pub(super) command: String,
    /// The parameters, those of groups above included, with defaults.
    pub(super) args: Extra,
    /// The names of those whose value was typed.
    pub(super) said: BTreeSet<String>,
}

/// Reads a command line, the command's own word first.
///
/// # Errors
/// What clap says: help that was asked for, or what is wrong.
pub(super) fn read(offered: &Offered, words: &[String]) -> Result<Typed, clap::Error> {
    let mut matches = parser::command(&offered.command, "astros").try_get_matches_from(words)?;
    let (command, args, said) = (offered.command.name.clone(), Extra::new(), BTreeSet::new());
    let mut typed = Typed { command, args, said };
    let mut described = &offered.command;
    loop {
        take(described, &matches, &mut typed);
        let Some((name, below)) = matches.remove_subcommand() else { return Ok(typed) };
        let Some(next) = described.commands.iter().find(|one| one.name == name) else { return Ok(typed) };
        typed.command = format!("{} {name}", typed.command);
        (described, matches) = (next, below);
    }
}

fn take(described: &CommandDescription, matches: &ArgMatches, typed: &mut Typed) {
    for one in &described.parameters {
        let said = matches.value_source(&one.name) == Some(ValueSource::CommandLine);
        let value = if said { Some(value(one, matches)) } else { None };
        let back = !one.off_flags.is_empty() && matches.get_flag(&parser::off(one));
        let value = value.or_else(|| back.then_some(Value::Bool(false)));
        // One of a group above may have the same name: what is typed there is not the value any more.
        match said {
            true => _ = typed.said.insert(one.name.clone()),
            false => _ = typed.said.remove(&one.name),
        }
        typed.args.insert(one.name.clone(), value.unwrap_or_else(|| unsaid(one)));
    }
}

/// What a parameter is that nobody said.
fn unsaid(one: &CommandParameter) -> Value {
    match (&one.default, &one.r#type) {
        (Some(default), _) => default.clone(),
        (None, CommandValue::Boolean) if !one.flags.is_empty() => Value::Bool(false),
        (None, CommandValue::Count) => json!(0),
        (None, _) if one.repeated => json!([]),
        (None, _) => Value::Null,
    }
}

fn value(one: &CommandParameter, matches: &ArgMatches) -> Value {
    match one.r#type {
        CommandValue::Boolean if !one.flags.is_empty() => return Value::Bool(true),
        CommandValue::Count if !one.flags.is_empty() => return json!(matches.get_count(&one.name)),
        _ => {}
    }
    let is_several = one.values.is_some_and(|values| values > 1);
    let mut occurrences = if one.choices.is_empty() {
        match one.r#type {
            CommandValue::Integer | CommandValue::Count => all::<i64>(one, matches),
            CommandValue::Number => all::<f64>(one, matches),
            CommandValue::Boolean => all::<bool>(one, matches),
            _ => all::<String>(one, matches),
        }
    } else {
        all::<String>(one, matches)
    };
    match (one.repeated, is_several) {
        (true, true) => json!(occurrences),
        (true, false) => occurrences.into_iter().flatten().collect(),
        (false, true) => json!(occurrences.pop()),
        (false, false) => occurrences.pop().and_then(|mut values| values.pop()).unwrap_or_default(),
    }
}

/// The values of each time that it was said.
fn all<T: Clone + Send + Sync + serde::Serialize + 'static>(
    one: &CommandParameter,
    matches: &ArgMatches,
) -> Vec<Vec<Value>> {
    let occurrences = matches.get_occurrences::<T>(&one.name).into_iter().flatten();
    occurrences.map(|values| values.map(|value| json!(value)).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Offered {
        let command = json!({ "name": "tools", "description": "All of it.\n\nAnd more.", "parameters": [
            { "name": "verbose", "type": "count", "flags": ["-v"] },
        ], "commands": [{ "name": "make", "parameters": [
            { "name": "what", "required": true, "choices": ["all", "some"] },
            { "name": "files", "type": "path", "repeated": true },
            { "name": "depth", "type": "integer", "flags": ["--depth", "--deep", "-d"], "default": 3 },
            { "name": "rate", "type": "number", "flags": ["--rate"] },
            { "name": "color", "type": "boolean", "flags": ["--color"], "off_flags": ["--no-color"], "default": true },
            { "name": "tag", "flags": ["--tag", "-t"], "repeated": true },
            { "name": "size", "type": "integer", "flags": ["--size"], "values": 2 },
            { "name": "note", "flags": ["--note"] },
        ]}]});
        Offered { plugin: "p".to_owned(), command: serde_json::from_value(command).unwrap() }
    }

    fn typed(line: &str) -> Result<Typed, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&offered(), &words).map_err(|error| error.to_string())
    }

    #[test]
    fn gives_each_parameter_its_type_and_its_default() {
        let plain = typed("tools make all").unwrap();
        assert_eq!(plain.command, "tools make");
        let defaults = json!({ "verbose": 0, "what": "all", "files": [], "depth": 3, "rate": null, "color": true,
            "tag": [], "size": null, "note": null });
        assert_eq!(Value::Object(plain.args), defaults);
        assert_eq!(plain.said, BTreeSet::from(["what".to_owned()]));
        let full = "tools -vv make some a b --deep=-1 --rate 0.5 --no-color -tx --tag y --size 1 2 --note n";
        let said = json!({ "verbose": 2, "what": "some", "files": ["a", "b"], "depth": -1, "rate": 0.5,
            "color": false, "tag": ["x", "y"], "size": [1, 2], "note": "n" });
        assert_eq!(Value::Object(typed(full).unwrap().args), said);
        assert_eq!(
            typed("tools make all --no-color --color").unwrap().args["color"],
            true,
            "the last one holds"
        );
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (line, why) in [
            ("tools", "Usage: astros tools"),
            ("tools make", "<WHAT>"),
            ("tools make none", "[possible values: all, some]"),
            ("tools make all --depth x", "invalid value 'x'"),
            ("tools make all --rate nan", "finite"),
            ("tools make all --dept 1", "--depth"),
            ("tools mak all", "'make'"),
            ("tools make all --size 1", "2 values required"),
        ] {
            let refused = typed(line).unwrap_err();
            assert!(refused.contains(why), "{line}: {refused}");
        }
    }

    #[test]
    fn lets_through_what_the_plugin_reads_itself() {
        let args = |parameters: Value, line: &str| {
            let command = json!({ "name": "pass", "rest": true, "parameters": parameters });
            let offered =
                Offered { plugin: "p".to_owned(), command: serde_json::from_value(command).unwrap() };
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            read(&offered, &words).map(|typed| Value::Object(typed.args))
        };
        let named = json!([
            { "name": "what", "required": true }, { "name": "level", "flags": ["--level"], "required": true },
            { "name": "color", "flags": ["--color"], "choices": ["Green", "red"], "ignore_case": true },
        ]);
        for line in ["pass", "pass --foo bar", "pass a -x --level 3", "pass -- --foo", "pass a b c"] {
            assert!(args(named.clone(), line).is_ok(), "{line}");
        }
        let found = args(named, "pass --color GREEN --level 3 a --foo --color red").unwrap();
        let understood = json!({ "color": "Green", "what": "a", "level": "3" });
        assert_eq!(found, understood, "up to what it does not know");
        let many = json!([{ "name": "args", "repeated": true }]);
        assert_eq!(args(many, "pass --foo bar -v").unwrap()["args"], json!(["--foo", "bar", "-v"]));
        assert!(args(json!([]), "pass --help").unwrap_err().to_string().contains("Usage: astros pass"));
    }

    #[test]
    fn helps_at_each_level() {
        let top = typed("tools --help").unwrap_err();
        assert!(top.contains("All of it.") && top.contains("make") && top.contains("-v"), "{top}");
        let below = typed("tools make -h").unwrap_err();
        for part in
            ["Usage: astros tools make", "[default: 3]", "[default: on]", "--no-color", "-t, --tag <TAG>"]
        {
            assert!(below.contains(part), "{part}: {below}");
        }
    }

    #[test]
    fn tells_what_was_typed_from_defaults_also_of_groups_above() {
        let below =
            json!({ "name": "below", "parameters": [{ "name": "a", "flags": ["--a"], "default": "/d" }] });
        let command =
            json!({ "name": "c", "parameters": [{ "name": "a", "flags": ["--a"] }], "commands": [below] });
        let offered = Offered { plugin: "p".to_owned(), command: serde_json::from_value(command).unwrap() };
        for (line, value, said) in
            [(&["c", "--a", "x", "below"][..], "/d", false), (&["c", "below", "--a", "/d"][..], "/d", true)]
        {
            let typed =
                read(&offered, &line.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).unwrap();
            assert_eq!((&typed.args["a"], typed.said.contains("a")), (&json!(value), said), "{line:?}");
        }
    }
}
