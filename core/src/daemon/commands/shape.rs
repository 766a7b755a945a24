//! Whether a command is one that can be typed: what a plugin says of it may be anything. Pure.

use std::collections::HashSet;

use astros_protocol::command::{CommandDescription, CommandParameter, CommandValue};

/// Commands nest no deeper.
const DEPTH: usize = 8;
/// So many commands below one, parameters of one, and flags, choices and values of that.
const MANY: usize = 500;
/// The longest name or flag, in bytes.
const NAME: usize = 64;

/// Refuses what cannot be typed, or not in one way only; one sentence, for the plugin's author.
pub(super) fn check(command: &CommandDescription) -> Result<(), String> {
    check_at(command, &command.name, 1)
}

fn check_at(command: &CommandDescription, path: &str, depth: usize) -> Result<(), String> {
    let refuse = |why: String| Err(format!("its command `{}` is left out: {why}", shown(path)));
    if !is_word(&command.name) {
        return refuse(format!(
            "its name is no word of at most {NAME} ASCII letters, digits, `-`, `_` and `.`"
        ));
    }
    if depth > DEPTH || command.commands.len() > MANY || command.parameters.len() > MANY {
        return refuse(format!(
            "it nests deeper than {DEPTH}, or has more than {MANY} commands or parameters"
        ));
    }
    if let Err(why) = parameters(&command.parameters) {
        return refuse(why);
    }
    if !command.commands.is_empty() && command.parameters.iter().any(is_placed) {
        return refuse("a group has no arguments by place".to_owned());
    }
    let mut seen = HashSet::new();
    for below in &command.commands {
        if !seen.insert(&below.name) {
            return refuse(format!("`{}` stands below it twice", shown(&below.name)));
        }
        check_at(below, &format!("{path} {}", below.name), depth + 1)?;
    }
    Ok(())
}

fn parameters(all: &[CommandParameter]) -> Result<(), String> {
    let (mut names, mut flags) = (HashSet::new(), HashSet::new());
    for one in all {
        let name = shown(&one.name);
        if one.name.is_empty() || !names.insert(&*one.name) {
            return Err(format!("the parameter `{name}` has no name of its own"));
        }
        if name != one.name {
            return Err(format!("the parameter `{name}` has a name that cannot be shown"));
        }
        if one.flags.len() + one.off_flags.len() > MANY || one.choices.len() > MANY {
            return Err(format!("`{name}` has more than {MANY} flags or choices"));
        }
        for flag in one.flags.iter().chain(&one.off_flags) {
            if !is_flag(flag) {
                return Err(format!(
                    "the flag `{}` of `{name}` is neither `--like-this` nor `-l`, in ASCII letters",
                    shown(flag)
                ));
            }
            if flag == "--help" || !flags.insert(&**flag) {
                return Err(format!("the flag `{flag}` of `{name}` is taken"));
            }
        }
        if !one.off_flags.is_empty() && (one.r#type != CommandValue::Boolean || one.flags.is_empty()) {
            return Err(format!("`{name}` has flags that take it back, and is none that is on or off"));
        }
        if one.choices.iter().any(|choice| *choice != shown(choice)) {
            return Err(format!("a choice of `{name}` cannot be typed"));
        }
        if one.values.is_some_and(|values| values as usize > MANY) {
            return Err(format!("`{name}` takes more than {MANY} values at once"));
        }
    }
    places(all)
}

/// Which word is which argument has to be clear.
fn places(all: &[CommandParameter]) -> Result<(), String> {
    let placed: Vec<_> = all.iter().filter(|one| is_placed(one)).collect();
    let many: Vec<_> = placed.iter().enumerate().filter(|(_, one)| is_many(one)).map(|(at, _)| at).collect();
    let last = placed.len().saturating_sub(1);
    let clear = match many[..] {
        [] => true,
        [at] => at == last || at + 1 == last && placed[last].required && !is_many(placed[last]),
        _ => false,
    };
    if !clear {
        return Err(
            "only its last argument may be repeated, or the one before a last that is required".to_owned()
        );
    }
    let optional = placed.iter().position(|one| !one.required);
    let ordered = optional.is_none_or(|at| placed[at..].iter().all(|one| !one.required));
    // Any number of these may stand before the last.
    if ordered || many.first().is_some_and(|at| optional == Some(*at) && at + 1 == last) {
        return Ok(());
    }
    Err("an argument that has to be said stands behind one that has not".to_owned())
}

fn is_placed(one: &CommandParameter) -> bool {
    one.flags.is_empty()
}

fn is_many(one: &CommandParameter) -> bool {
    one.repeated || one.values.is_some_and(|values| values > 1)
}

/// None that looks like another: letters are those of ASCII.
fn is_word(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.is_empty() && name.len() <= NAME && !name.starts_with(['-', '.']) && name.chars().all(fits)
}

fn is_flag(flag: &str) -> bool {
    match flag.strip_prefix("--") {
        Some(name) => is_word(name),
        None => flag.strip_prefix('-').is_some_and(|letter| {
            letter.len() == 1 && letter.chars().all(|c| c.is_ascii_graphic() && c != '-' && c != '=')
        }),
    }
}

/// What a plugin says, where somebody reads it.
fn shown(text: &str) -> String {
    crate::services::printable::line(text)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn checked(command: Value) -> Result<(), String> {
        check(&serde_json::from_value(command).unwrap())
    }

    #[test]
    fn takes_what_can_be_typed() {
        let copy = json!({ "name": "copy", "parameters": [
            { "name": "from", "repeated": true }, { "name": "to", "required": true },
            { "name": "deep", "type": "boolean", "flags": ["--deep", "-d"], "off_flags": ["--no-deep"] },
        ]});
        let group = json!({ "name": "tools", "commands": [copy, { "name": "list" }] });
        assert_eq!(checked(group), Ok(()));
    }

    #[test]
    fn refuses_what_is_no_command_and_says_why() {
        let with = |parameters: Value| json!({ "name": "c", "parameters": parameters });
        for (command, why) in [
            (json!({ "name": "-c" }), "no word"),
            (json!({ "name": "a b" }), "no word"),
            (json!({ "name": "ask\u{3164}" }), "no word"),
            (json!({ "name": "c", "commands": [{ "name": "\u{430}sk" }] }), "no word"),
            (with(json!([{ "name": "a", "flags": ["--\u{115f}a"] }])), "neither"),
            (with(json!([{ "name": "a\u{0}" }])), "cannot be shown"),
            (with(json!([{ "name": "a\u{202e}" }])), "cannot be shown"),
            (with(json!([{ "name": "a", "choices": ["b\u{1b}"] }])), "cannot be typed"),
            (
                with(
                    json!([{ "name": "a", "choices": (0..=MANY).map(|n| n.to_string()).collect::<Vec<_>>() }]),
                ),
                "more",
            ),
            (json!({ "name": "c", "commands": [{ "name": "d" }, { "name": "d" }] }), "twice"),
            (with(json!([{ "name": "" }])), "no name"),
            (with(json!([{ "name": "a" }, { "name": "a" }])), "no name of its own"),
            (with(json!([{ "name": "a", "flags": ["-long"] }])), "neither"),
            (with(json!([{ "name": "a", "flags": ["--a=b"] }])), "neither"),
            (with(json!([{ "name": "a", "flags": ["--help"] }])), "taken"),
            (with(json!([{ "name": "a", "flags": ["-x"] }, { "name": "b", "flags": ["-x"] }])), "taken"),
            (with(json!([{ "name": "a", "flags": ["--a"], "off_flags": ["--no-a"] }])), "on or off"),
            (with(json!([{ "name": "a", "repeated": true }, { "name": "b" }])), "only its last"),
            (with(json!([{ "name": "a" }, { "name": "b", "required": true }])), "behind one"),
        ] {
            let refused = checked(command.clone()).unwrap_err();
            assert!(refused.contains(why), "{command}: {refused}");
        }
        let mut deep = json!({ "name": "c" });
        for _ in 0..DEPTH {
            deep = json!({ "name": "c", "commands": [deep] });
        }
        assert!(checked(deep).unwrap_err().contains("nests deeper"));
    }
}
