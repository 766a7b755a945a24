//! From what a plugin says of a command to what reads its command line.

use astros_protocol::command::{CommandDescription, CommandParameter, CommandValue};
use clap::{
    Arg, ArgAction, Command, ValueHint,
    builder::{PossibleValuesParser, TypedValueParser, ValueParser},
    value_parser,
};
use serde_json::Value;

use super::{shown, shown_in};
use crate::services::printable::line;

/// The longest that a first paragraph and the words about a parameter are, in characters: many may stand in a help.
const SHORT: usize = 1_000;
/// The flag that takes a parameter back has a name of its own: no parameter's name ends so.
const OFF: char = '\0';

/// What no parameter takes; likewise.
const REST: &str = "\0rest";

/// The id of the argument that takes a parameter back.
pub(super) fn off(parameter: &CommandParameter) -> String {
    format!("{}{OFF}", parameter.name)
}

/// Reads the command line of a command whose shape was checked; `bin` is how it is called.
pub(super) fn command(described: &CommandDescription, bin: &str) -> Command {
    let bin = format!("{bin} {}", described.name);
    let below = described.commands.iter().map(|below| command(below, &bin));
    let about = shown(&described.description);
    let is_taken = described
        .parameters
        .iter()
        .any(|one| one.flags.iter().chain(&one.off_flags).any(|flag| flag == "-h"));
    let help = Arg::new("\0help").long("help").action(ArgAction::Help).help("Print help");
    let mut command = Command::new(described.name.clone())
        .bin_name(bin.clone())
        .display_name(bin.clone())
        .hide(described.hidden)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        // Of several the last one holds.
        .args_override_self(true)
        .max_term_width(100)
        .subcommands(below)
        .args(described.parameters.iter().flat_map(arguments))
        .arg(if is_taken { help } else { help.short('h') });
    if !about.is_empty() {
        let first = first_paragraph(&about);
        // With a longer text clap gives each argument lines of its own.
        command = if first == about { command.about(first) } else { command.about(first).long_about(about) };
    }
    if !described.epilog.is_empty() {
        command = command.after_help(shown(&described.epilog));
    }
    if !described.commands.is_empty() && !described.runs {
        command = command.subcommand_required(true).arg_required_else_help(true);
    }
    // Any number of words before the last, which has to be there.
    let is_optional_before = |pair: &[&CommandParameter]| !pair[0].required && pair[1].required;
    let placed: Vec<_> = described.parameters.iter().filter(|one| one.flags.is_empty()).collect();
    command = command.allow_missing_positional(placed.windows(2).any(is_optional_before));
    if described.rest && described.commands.is_empty() { taking_rest(command, &placed) } else { command }
}

/// Lets through what the description does not have, for the plugin itself to read.
fn taking_rest(command: Command, placed: &[&CommandParameter]) -> Command {
    let is_placed = |arg: &Arg| placed.iter().any(|one| arg.get_id() == one.name.as_str());
    let open = |arg: Arg| if is_placed(&arg) { arg.allow_hyphen_values(true) } else { arg };
    let lenient = command.mut_args(|arg| open(arg.required(false)));
    if placed.last().is_some_and(|last| last.repeated) {
        return lenient;
    }
    let rest = Arg::new(REST).action(ArgAction::Append).num_args(0..).allow_hyphen_values(true);
    lenient.arg(rest.value_name("ARGS"))
}

fn first_paragraph(text: &str) -> String {
    shown_in(text.split("\n\n").next().unwrap_or_default(), SHORT)
}

/// The argument of a parameter, and the one that takes it back.
fn arguments(one: &CommandParameter) -> Vec<Arg> {
    let mut arg = flags(Arg::new(one.name.clone()), &one.flags)
        .action(action(one))
        .required(one.required && one.default.is_none())
        .hide(one.hidden);
    let help = help(one);
    if !help.is_empty() {
        arg = arg.help(help);
    }
    if arg.get_action().takes_values() {
        arg = arg.value_parser(parser(one)).value_name(value_name(one)).ignore_case(one.ignore_case);
        arg = match (one.values, one.repeated && one.flags.is_empty()) {
            (Some(values @ 2..), _) => arg.num_args(values as usize),
            (_, true) => arg.num_args(1..),
            _ => arg.num_args(1),
        };
        if one.r#type == CommandValue::Path {
            arg = arg.value_hint(ValueHint::AnyPath);
        }
        if matches!(one.r#type, CommandValue::Integer | CommandValue::Number) {
            arg = arg.allow_negative_numbers(true);
        }
    }
    if one.off_flags.is_empty() {
        return vec![arg];
    }
    let back = flags(Arg::new(off(one)), &one.off_flags)
        .action(ArgAction::SetTrue)
        .hide(one.hidden)
        .help(format!("Not {}", one.flags.first().map_or("", |flag| flag)));
    // The last one holds.
    vec![arg.overrides_with(off(one)), back.overrides_with(one.name.clone())]
}

fn flags(mut arg: Arg, flags: &[String]) -> Arg {
    for flag in flags {
        arg = match (flag.strip_prefix("--"), flag.chars().nth(1)) {
            (Some(long), _) if arg.get_long().is_none() => arg.long(long.to_owned()),
            (Some(long), _) => arg.visible_alias(long.to_owned()),
            (None, Some(short)) if arg.get_short().is_none() => arg.short(short),
            (None, Some(short)) => arg.visible_short_alias(short),
            (None, None) => arg,
        };
    }
    arg
}

fn action(one: &CommandParameter) -> ArgAction {
    match one.r#type {
        CommandValue::Boolean if !one.flags.is_empty() => ArgAction::SetTrue,
        CommandValue::Count if !one.flags.is_empty() => ArgAction::Count,
        _ if one.repeated => ArgAction::Append,
        _ => ArgAction::Set,
    }
}

fn parser(one: &CommandParameter) -> ValueParser {
    if !one.choices.is_empty() {
        let choices = one.choices.clone();
        let as_described = move |said: String| {
            let same = choices.iter().find(|choice| choice.to_lowercase() == said.to_lowercase());
            if choices.contains(&said) { said } else { same.cloned().unwrap_or(said) }
        };
        return PossibleValuesParser::new(one.choices.clone()).map(as_described).into();
    }
    match one.r#type {
        CommandValue::Integer | CommandValue::Count => value_parser!(i64).into(),
        CommandValue::Number => ValueParser::new(number),
        CommandValue::Boolean => ValueParser::bool(),
        _ => ValueParser::string(),
    }
}

/// A number that JSON has.
fn number(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if number.is_finite() { Ok(number) } else { Err("expected a finite number".to_owned()) }
}

fn value_name(one: &CommandParameter) -> String {
    let usual = || one.name.to_uppercase().replace('-', "_");
    let name = one.metavar.as_deref().filter(|name| !name.is_empty()).map_or_else(usual, str::to_owned);
    // What else stands there would be taken for the syntax of the help.
    line(&name).chars().filter(|c| !matches!(c, '<' | '>' | '[' | ']')).collect()
}

fn help(one: &CommandParameter) -> String {
    let mut help = shown_in(&one.description, SHORT);
    let default = match &one.default {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Bool(true)) => Some("on".to_owned()),
        Some(Value::Bool(false)) if !one.off_flags.is_empty() => Some("off".to_owned()),
        Some(value @ Value::Number(_)) if one.r#type != CommandValue::Count => Some(value.to_string()),
        _ => None,
    };
    if let Some(default) = default {
        let space = if help.is_empty() { "" } else { " " };
        help.push_str(&format!("{space}[default: {}]", line(&default)));
    }
    help
}
