//! `astros ask`, and what it shares with `plugins call`: who asks, how an answer is shown, Ctrl-C.

use std::{
    future::Future,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};

use super::{
    args,
    explain::{explain_json, explain_text},
    input,
    output::Output,
    progress::Display,
};
use crate::{
    agent::{Answer, Person},
    daemon::Daemon,
    services::printable::printable,
};

/// Runs `astros ask`.
pub(super) async fn run(ask: args::Ask, daemon: &Daemon, output: &Output) -> Result<ExitCode, Error> {
    let text = input::text(&ask.text)?;
    let mut person = person(daemon, ask.session, ask.timeout)?;
    let started = Instant::now();
    let unable = within(person.timeout, "learning what the plugins can do", daemon.learn()).await?;
    person.timeout = person.timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
    if ask.dry_run || ask.explain {
        let understanding = daemon.agent().understand(&text, &person).await?;
        if ask.dry_run && output.json {
            output.print_json(&explain_json(&understanding, &person, daemon.thresholds()));
        } else if ask.dry_run {
            output.print(&explain_text(&understanding, &person, daemon.thresholds(), true));
        } else {
            // The answer alone belongs on stdout.
            output.note(&explain_text(&understanding, &person, daemon.thresholds(), false));
        }
        if ask.dry_run {
            return Ok(understanding.exit_code());
        }
    }
    let (display, progress) = Display::start(output);
    let answered = daemon.agent().ask(&text, &person, progress).await;
    display.finish().await;
    let answer = answered.map_err(|error| mention(error, &unable))?;
    Ok(show(&answer, started.elapsed(), output))
}

/// Calls a handler for `astros plugins call`.
pub(super) async fn call(
    plugin: &str,
    handler: &str,
    params: &str,
    timeout: Option<Duration>,
    daemon: &Daemon,
    output: &Output,
) -> Result<ExitCode, Error> {
    let context = input::params(params)?;
    let person = person(daemon, None, timeout)?;
    daemon.usable(plugin)?;
    let started = Instant::now();
    let (display, progress) = Display::start(output);
    let answered = daemon.agent().invoke(plugin, handler, context, &person, progress).await;
    display.finish().await;
    Ok(show(&answered?, started.elapsed(), output))
}

/// Limits what comes before the request itself.
async fn within<T>(limit: Option<Duration>, doing: &str, work: impl Future<Output = T>) -> Result<T, Error> {
    let Some(limit) = limit else { return Ok(work.await) };
    tokio::time::timeout(limit, work).await.map_err(|_| {
        let limit = humantime::format_duration(limit);
        Error::new(ErrorCode::DEADLINE_EXCEEDED, format!("{doing} took longer than {limit}")).retryable()
    })
}

fn person(daemon: &Daemon, session: Option<String>, timeout: Option<Duration>) -> Result<Person, Error> {
    let cwd = super::cwd().map_err(|error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("the current folder cannot be told: {error}"))
    })?;
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user_id = daemon.user_id();
    Ok(Person {
        session_id: session.unwrap_or_else(|| format!("{user_id}:default")),
        user_id,
        home: variable("HOME").map_or_else(|| cwd.clone(), PathBuf::from),
        cwd,
        locale: ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(variable),
        timeout,
    })
}

/// How many plugins that could not be asked are told of.
const MENTIONED: usize = 3;

/// Where nobody understood, it matters who could not be asked.
fn mention(mut error: Error, unable: &[(String, Error)]) -> Error {
    if error.code == ErrorCode::NOT_UNDERSTOOD && !unable.is_empty() {
        let data = error.data_mut();
        let detail = data.detail.get_or_insert_default();
        for (name, reason) in unable.iter().take(MENTIONED) {
            detail.push_str(&format!("\n`{name}` could not be asked: {}", reason.message));
        }
        if let Some(more) = unable.len().checked_sub(MENTIONED).filter(|more| *more > 0) {
            detail.push_str(&format!("\nnor could {more} more"));
        }
    }
    error
}

fn show(answer: &Answer, elapsed: Duration, output: &Output) -> ExitCode {
    if output.json {
        output.print_json(&answer_json(answer, elapsed));
    } else {
        output.print(&answer_text(answer, output));
    }
    ExitCode::from(u8::from(!answer.response.success))
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
        (message, _) => printable(message).into_owned(),
    };
    if !response.success {
        text = format!("{} {text}", output.style().yellow().apply_to("not done:"));
    }
    if !answer.suggestions.is_empty() {
        let said: Vec<_> = answer.suggestions.iter().map(|one| format!("\"{}\"", printable(one))).collect();
        text.push_str(&format!("\n{}", output.style().dim().apply_to(format!("next: {}", said.join(" · ")))));
    }
    text
}
