//! Questions to the person at the terminal. Ctrl-D and an empty line decline; Ctrl-C takes the whole request back, so
//! that nobody is held by a plugin that asks on and on.

use std::io::IsTerminal;

use astros_protocol::{Error, ErrorCode};
use serde_json::Value;

use super::{
    chat::input::{Input, Line},
    output::Output,
    permissions,
};
use crate::{
    control::{
        Client,
        api::{ControlClient, Question},
        client::answered,
    },
    services::printable::{line_of, printable},
};

/// Of what a plugin asks, and of what it lets choose from, so many characters are shown.
const LONGEST: usize = 300;
/// Of AstrOS's own questions; what is in them of others' is bounded in itself.
const LONGEST_OWN: usize = 1000;

/// Whether somebody is there who can be asked.
pub(super) fn can_ask(output: &Output) -> bool {
    !output.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Asks, until the daemon takes what is answered; from `input`, or from one of its own.
///
/// # Errors
/// The person wants nothing more of it.
pub(super) async fn ask(
    question: &Question,
    input: Option<&mut Input>,
    daemon: &Client,
    output: &Output,
) -> Result<(), Error> {
    let mut own;
    let input = match input {
        Some(input) => input,
        None => match Input::open(None, Default::default(), output.json) {
            Ok(opened) => {
                own = opened;
                &mut own
            }
            Err(error) => {
                output.warning(&error.message);
                return Ok(());
            }
        },
    };
    loop {
        input.ask(prompt(question));
        let said = match input.next().await {
            // The host's own question: an empty line was pressed too soon.
            Line::Text(said) if said.trim().is_empty() && is_own(question) => continue,
            Line::Text(said) => answer(question, said.trim()),
            Line::Interrupted => return Err(Error::new(ErrorCode::CANCELLED, "taken back")),
            _ => Value::Null,
        };
        let Err(error) = answered(daemon.answer_question(question.id.clone(), said).await) else {
            return Ok(());
        };
        output.warning(&error.message);
        // It is no answer to what the plugin asks: once more.
        if error.code != ErrorCode::INVALID_PARAMS {
            return Ok(());
        }
    }
}

fn prompt(question: &Question) -> String {
    if let Some(asks) = &question.asks {
        return permissions::question(asks);
    }
    if question.permission.is_some() {
        let text = printable(&question.question).replace('\n', " ");
        return match is_for_good(question) {
            true => format!("{text}, from now on\n  Allow? [y/N] "),
            false => format!("{text}\n  Allow? [y/N/always] "),
        };
    }
    // Its own words: nothing of them comes to stand where somebody else's do.
    let text = line_of(&question.question, if is_own(question) { LONGEST_OWN } else { LONGEST });
    match &*question.choices {
        [] => format!("`{}` asks: {text} ", question.plugin),
        choices => format!("`{}` asks: {text} [{}] ", question.plugin, line_of(&choices.join("/"), LONGEST)),
    }
}

/// Whether AstrOS itself asks, what is next in a workflow.
fn is_own(question: &Question) -> bool {
    question.plugin == "astros" && question.permission.is_none() && question.asks.is_none()
}

/// It cannot be allowed for once.
fn is_for_good(question: &Question) -> bool {
    !question.choices.iter().any(|choice| choice == "yes")
}

/// What was typed, as the daemon takes it.
fn answer(question: &Question, said: &str) -> Value {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(said));
    if question.permission.is_some() || question.asks.is_some() {
        return match () {
            () if is(&["always", "a"]) || is_for_good(question) && is(&["yes", "y"]) => "always".into(),
            () if is(&["yes", "y"]) => "yes".into(),
            () => Value::Null,
        };
    }
    if said.is_empty() {
        return Value::Null;
    }
    if let Some(choice) = question.choices.iter().find(|choice| choice.eq_ignore_ascii_case(said)) {
        return choice.as_str().into();
    }
    let begins = |choice: &&String| choice.to_lowercase().starts_with(&said.to_lowercase());
    let mut begun = question.choices.iter().filter(begins);
    if let (Some(choice), None) = (begun.next(), begun.next()) {
        return choice.as_str().into();
    }
    let kind = question.schema.as_ref().and_then(|schema| schema["type"].as_str());
    match kind {
        Some("boolean") if is(&["yes", "y"]) => true.into(),
        Some("boolean") if is(&["no", "n"]) => false.into(),
        None | Some("string") => said.into(),
        Some(_) => serde_json::from_str(said).unwrap_or_else(|_| said.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(question: Value) -> Question {
        let mut whole = json!({ "id": "1", "plugin": "p", "question": "`p` wants to use web.get" });
        whole.as_object_mut().unwrap().extend(question.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn takes_nothing_but_a_yes_for_a_yes() {
        let once = question(json!({ "permission": "ai", "choices": ["yes", "no", "always"] }));
        let kept = question(json!({ "permission": "ai", "choices": ["always", "no"] }));
        for (said, for_once, for_good) in [
            ("y", json!("yes"), json!("always")),
            ("Yes", json!("yes"), json!("always")),
            ("always", json!("always"), json!("always")),
            ("", Value::Null, Value::Null),
            ("n", Value::Null, Value::Null),
            ("yep", Value::Null, Value::Null),
        ] {
            assert_eq!((answer(&once, said), answer(&kept, said)), (for_once, for_good), "{said}");
        }
        assert_eq!(prompt(&once), "`p` wants to use web.get\n  Allow? [y/N/always] ");
        assert_eq!(prompt(&kept), "`p` wants to use web.get, from now on\n  Allow? [y/N] ");
    }

    #[test]
    fn reads_what_a_plugin_asks_for() {
        let choice = question(json!({ "question": "Which way?\n\u{1b}[2J", "choices": ["left", "right"] }));
        assert_eq!((answer(&choice, "LEFT"), answer(&choice, "r")), (json!("left"), json!("right")));
        assert_eq!(prompt(&choice), r"`p` asks: Which way? \u{1b}[2J [left/right] ");
        let fakes =
            format!("done.{}`p` wants to read ~/x\n  Allow? [y/N] {}", " ".repeat(200), "x".repeat(400));
        let shown = prompt(&question(json!({ "question": fakes })));
        assert!(shown.starts_with("`p` asks: done. `p` wants to read ~/x Allow? [y/N] xx"), "{shown}");
        assert!(shown.chars().count() < 320 && !shown.contains('\n'), "{shown}");
        let typed = |kind: &str, said: &str| answer(&question(json!({ "schema": { "type": kind } })), said);
        assert_eq!(typed("boolean", "y"), true);
        assert_eq!(typed("integer", "7"), 7);
        assert_eq!(typed("string", "7"), "7");
        assert_eq!(typed("integer", "seven"), "seven", "the daemon says what it expects");
    }
}
