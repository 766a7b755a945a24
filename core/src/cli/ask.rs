//! `astros ask`, and what it shares with `plugins call`: who asks, and how an answer is shown.

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    args,
    chat::input::Input,
    explain::{self, explain_json, explain_text},
    input,
    output::Output,
    progress::Display,
    question,
};
use crate::{
    control::{
        Client,
        api::{Answer, ControlClient, News, Person, Wanted},
        client::{Begun, answered, follow},
    },
    services::printable::{indented, line, printable},
};

/// Runs `astros ask`.
pub(super) async fn run(ask: args::Ask, daemon: &Client, output: &Output) -> Result<ExitCode, Error> {
    let text = input::text(&ask.text)?;
    let person = person(ask.session, ask.timeout)?;
    if ask.dry_run {
        let understood = answered(daemon.understand(text, Some(person)).await)?;
        match output.json {
            true => output.print_json(&explain_json(&understood)),
            false => output.print(&explain_text(&understood, true)),
        }
        return Ok(explain::exit_code(&understood));
    }
    let begin = async |wanted| daemon.ask(text, Some(person), Some(wanted)).await;
    show(begin, ask.explain, daemon, None, output).await
}

/// Calls a handler for `astros plugins call`.
pub(super) async fn call(
    plugin: String,
    handler: String,
    params: &str,
    timeout: Option<Duration>,
    daemon: &Client,
    output: &Output,
) -> Result<ExitCode, Error> {
    let params = input::params("--params", params)?;
    let person = person(None, timeout)?;
    let begin = async |wanted| daemon.call(plugin, handler, Some(params), Some(person), Some(wanted)).await;
    show(begin, false, daemon, None, output).await
}

/// Begins a request, shows how it goes, puts its questions, and shows what comes of it.
pub(super) async fn show(
    begin: impl AsyncFnOnce(Wanted) -> Begun,
    understood: bool,
    daemon: &Client,
    mut input: Option<&mut Input>,
    output: &Output,
) -> Result<ExitCode, Error> {
    let started = Instant::now();
    let (display, progress) = Display::start(output);
    let wanted = Wanted { progress: progress.is_some(), understood, questions: question::can_ask(output) };
    let (asked, mut questions) = mpsc::unbounded_channel();
    let hear = |news| match (news, &progress) {
        // What was not drawn yet is old already.
        (News::Progress(value), Some(progress)) => drop(progress.try_send(value)),
        // The answer alone belongs on stdout.
        (News::Understood(understood), _) => output.note(&explain_text(&understood, false)),
        (News::Question(question), _) => drop(asked.send(question)),
        _ => {}
    };
    let asking = async {
        while let Some(question) = questions.recv().await {
            display.pause();
            let asked = question::ask(&question, input.as_deref_mut(), daemon, output).await;
            display.resume();
            asked?;
        }
        std::future::pending().await
    };
    let begun = begin(wanted).await;
    let answered = tokio::select! {
        outcome = follow(begun, hear) => outcome,
        taken_back = asking => taken_back,
    };
    drop(progress);
    display.finish().await;
    let (answer, elapsed) = (answered?, started.elapsed());
    match output.json {
        true => output.print_json(&answer_json(&answer, elapsed)),
        false => output.print(&answer_text(&answer, output)),
    }
    Ok(ExitCode::from(u8::from(!answer.response.success)))
}

/// Who asks, and from where.
pub(super) fn person(session_id: Option<String>, timeout: Option<Duration>) -> Result<Person, Error> {
    let cwd = super::cwd().map_err(|error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("the current folder cannot be told: {error}"))
    })?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let home = variable("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    // Its JSON is text; so is what plugins are told.
    let text = |path: PathBuf| Some(PathBuf::from(path.to_string_lossy().into_owned()));
    Ok(Person {
        session_id,
        home: text(home.unwrap_or_else(|| cwd.clone())),
        cwd: text(cwd),
        locale: ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable),
        timeout_ms: timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1)),
    })
}

/// The Response's members, and who answered.
fn answer_json(answer: &Answer, elapsed: Duration) -> Value {
    let mut members = serde_json::to_value(&answer.response).unwrap_or_else(|_| json!({}));
    let ours = json!({
        "plugin": answer.plugin,
        "handler": answer.handler,
        "intent": {
            "intent_type": answer.handler,
            "confidence": answer.confidence,
            "context": answer.context,
        },
        "correlation_id": answer.correlation_id,
        "hint": answer.hint,
        "elapsed_ms": u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
    });
    if let (Value::Object(members), Value::Object(ours)) = (&mut members, ours) {
        members.extend(ours);
    }
    members
}

fn answer_text(answer: &Answer, output: &Output) -> String {
    let response = &answer.response;
    let mut text = match (&*response.message, response.success) {
        ("", true) => format!("{} done", answer.plugin),
        ("", false) => format!("`{}.{}` could not do it", answer.plugin, answer.handler),
        (message, true) => printable(message).into_owned(),
        (message, false) => indented(message),
    };
    if !response.success {
        text = format!("{} {text}", output.style().yellow().apply_to("not done:"));
    }
    if let Some(hint) = &answer.hint {
        text.push_str(&format!("\n  {}", indented(hint)));
    }
    if !answer.suggestions.is_empty() {
        let said: Vec<_> = answer.suggestions.iter().map(|one| format!("\"{}\"", line(one))).collect();
        text.push_str(&format!("\n{}", output.style().dim().apply_to(format!("next: {}", said.join(" · ")))));
    }
    text
}
