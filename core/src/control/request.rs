//! One request of a client's, `ask` or `call`: who asks, what is done, and the news on the way to its end.

use std::{
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode};
use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    api::{Answer, News, Person, Understood, Wanted},
    server::MAX_RESPONSE,
    service::Service,
};
use crate::{
    agent::{self, Progress},
    daemon::Daemon,
    router::Asked,
    workflow::Report,
};

/// How many plugins that could not be asked are told of.
const MENTIONED: usize = 3;
/// Progress that waits for a client; beyond it the plugin's stream waits.
const WINDOW: usize = 8;
/// What a message of a subscription has beside its item, in bytes.
const ENVELOPE: usize = 1 << 10;

/// Where the news of a request go that its client wants.
pub(super) struct Listens {
    pub(super) understood: Option<SubscriptionSink>,
    pub(super) progress: Progress,
    pub(super) questions: Option<Asked>,
}

/// Tells the news of a request until its end; gives up what `work` does when nobody listens any more.
pub(super) async fn tell<A: Into<News>, W: Future<Output = Result<A, Error>>>(
    pending: PendingSubscriptionSink,
    service: &Service,
    wanted: Wanted,
    work: impl FnOnce(Listens) -> W,
) {
    let Ok(sink) = pending.accept().await else { return };
    // Open until its outcome is on its way.
    let _open = match service.lifetime.begin() {
        Ok(open) => open,
        Err(error) => return send(&sink, &News::Error(error)).await,
    };
    let (progress, mut values) = mpsc::channel(WINDOW);
    let (asked, mut questions) = mpsc::channel(WINDOW);
    let listens = Listens {
        understood: wanted.understood.then(|| sink.clone()),
        progress: wanted.progress.then_some(progress),
        questions: wanted.questions.then_some(asked),
    };
    let told = async {
        // Side by side: a client that does not read must not keep a deadline from being seen.
        let relay = async {
            while let Some(value) = values.recv().await {
                send(&sink, &News::Progress(value)).await;
            }
        };
        let asking = async {
            while let Some(question) = questions.recv().await {
                if let Some(question) = service.questions.keep(question, &service.daemon).await {
                    send(&sink, &News::Question(question)).await;
                }
            }
            // Who could ask is gone; the outcome is still to come.
            std::future::pending().await
        };
        let outcome = tokio::select! {
            (outcome, ()) = async { tokio::join!(work(listens), relay) } => outcome,
            never = asking => never,
        };
        let outcome = fitting(outcome.map_or_else(News::Error, Into::into), MAX_RESPONSE as usize - ENVELOPE);
        send(&sink, &outcome).await;
    };
    tokio::select! {
        () = told => {}
        () = sink.closed() => {}
    }
}

/// The outcome, or that it is larger than a message may be: a client that gets one that is would take the daemon for
/// gone.
fn fitting(outcome: News, most: usize) -> News {
    match serde_json::value::to_raw_value(&outcome) {
        Ok(item) if item.get().len() > most => {
            let message = format!(
                "what came of it has {} bytes, more than the {most} of a message between command and daemon",
                item.get().len()
            );
            News::Error(Error::new(ErrorCode::FRAME_TOO_LARGE, message))
        }
        _ => outcome,
    }
}

/// Sends an item; who is gone misses it, and is noticed by the subscription's end.
pub(super) async fn send(sink: &SubscriptionSink, item: &impl Serialize) {
    match serde_json::value::to_raw_value(item) {
        Ok(item) => drop(sink.send(item).await),
        Err(error) => tracing::warn!(%error, "an item of a subscription cannot be written as JSON"),
    }
}

/// Does what a text asks.
pub(super) async fn ask(
    daemon: &Daemon,
    text: &str,
    person: &agent::Person,
    listener: Option<SubscriptionSink>,
    progress: Progress,
) -> Result<agent::Answer, Error> {
    let mut person = person.clone();
    let started = Instant::now();
    let mut unable = learn(daemon, person.timeout).await?;
    unable.retain(|(name, _)| daemon.is_for_texts(name));
    if let Some(sink) = listener {
        let understood = daemon.agent().understand(text, &person).await?;
        send(&sink, &News::Understood(Understood::new(&understood, &person, daemon.thresholds()))).await;
    }
    person.timeout = person.timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
    let answered = daemon.agent().ask(text, &person, progress).await;
    answered.map_err(|error| mention(error, &unable, &daemon.waiting_names()))
}

/// Finds out what a text means.
pub(super) async fn understand(
    daemon: &Daemon,
    text: &str,
    person: &agent::Person,
) -> Result<Understood, Error> {
    learn(daemon, person.timeout).await?;
    let understood = daemon.agent().understand(text, person).await?;
    Ok(Understood::new(&understood, person, daemon.thresholds()))
}

/// Learns what the plugins can do, within a limit; gives those that could not say it.
async fn learn(daemon: &Daemon, limit: Option<Duration>) -> Result<Vec<(String, Error)>, Error> {
    let Some(limit) = limit else { return Ok(daemon.learn().await) };
    tokio::time::timeout(limit, daemon.learn()).await.map_err(|_| {
        let limit = humantime::format_duration(limit);
        let message = format!("learning what the plugins can do took longer than {limit}");
        Error::new(ErrorCode::DEADLINE_EXCEEDED, message).retryable()
    })
}

/// Where nobody understood, it matters who could not be asked.
fn mention(mut error: Error, unable: &[(String, Error)], waiting: &[String]) -> Error {
    if error.code == ErrorCode::NOT_UNDERSTOOD && !(unable.is_empty() && waiting.is_empty()) {
        let data = error.data_mut();
        let detail = data.detail.get_or_insert_default();
        for (name, reason) in unable.iter().take(MENTIONED) {
            detail.push_str(&format!("\n`{name}` could not be asked: {}", reason.message));
        }
        for name in waiting.iter().take(MENTIONED) {
            let words = format!("\n`{name}` waits: `astros plugins enable {name}` shows what it asks for");
            detail.push_str(&words);
        }
        if let Some(more) = unable.len().checked_sub(MENTIONED).filter(|more| *more > 0) {
            detail.push_str(&format!("\nnor could {more} more"));
        }
    }
    error
}

/// The person as the agent knows them, with what the client left out.
pub(super) fn person(daemon: &Daemon, person: Option<Person>) -> Result<agent::Person, Error> {
    let person = person.unwrap_or_default();
    let absolute = |what: &str, path: Option<PathBuf>| match path {
        Some(path) if !path.is_absolute() => {
            let message = format!("`person.{what}` is `{}`, expected an absolute path", path.display());
            Err(Error::new(ErrorCode::INVALID_PARAMS, message))
        }
        path => Ok(path),
    };
    let home = absolute("home", person.home)?.or_else(|| daemon.home());
    let home = home.unwrap_or_else(|| PathBuf::from("/"));
    let user_id = daemon.user_id();
    Ok(agent::Person {
        session_id: person.session_id.unwrap_or_else(|| format!("{user_id}:default")),
        user_id,
        cwd: absolute("cwd", person.cwd)?.unwrap_or_else(|| home.clone()),
        home,
        locale: person.locale,
        timeout: person.timeout_ms.map(Duration::from_millis),
        questions: None,
    })
}

impl From<agent::Answer> for News {
    fn from(answer: agent::Answer) -> News {
        News::Answer(Box::new(answer.into()))
    }
}

impl From<Report> for News {
    fn from(report: Report) -> News {
        News::Report(Box::new(report))
    }
}

impl From<agent::Answer> for Answer {
    fn from(answer: agent::Answer) -> Answer {
        let agent::Answer {
            response,
            plugin,
            handler,
            confidence,
            context,
            correlation_id,
            suggestions,
            hint,
        } = answer;
        Answer { response, plugin, handler, confidence, context, correlation_id, suggestions, hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_that_an_outcome_is_too_large_instead_of_sending_it() {
        let error = |words: String| News::Error(Error::new(ErrorCode::HANDLER_FAILED, words));
        let said = |news| match news {
            News::Error(error) => error.code,
            _ => unreachable!("an error was given"),
        };
        assert_eq!(said(fitting(error("x".repeat(100)), 1000)), ErrorCode::HANDLER_FAILED);
        assert_eq!(said(fitting(error("x".repeat(1000)), 1000)), ErrorCode::FRAME_TOO_LARGE);
    }
}
