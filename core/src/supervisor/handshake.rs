//! `initialize`: says what the plugin needs to know, and judges its answer.

use std::time::Duration;

use astros_peer::{Failure, Peer};
use astros_protocol::{
    Error, ErrorCode, Version,
    lifecycle::{Initialize, InitializeResult},
    manifest::Exit,
    version::SUPPORTED,
};
use tokio::time::sleep;

use super::{
    Spec,
    machine::Ended,
    packages::missing_module,
    running::{End, Running},
    words,
};

/// Why a process is not ready.
pub(crate) enum Unready {
    /// It ended, or closed its output, before it answered.
    Ended,
    /// It is not what it should be; starting it again would not help.
    Refused(Box<Error>),
}

/// What a plugin's refusal may be called; anything else means that it is not available.
const KEPT: [ErrorCode; 4] = [
    ErrorCode::UNSUPPORTED_VERSION,
    ErrorCode::INVALID_SETTINGS,
    ErrorCode::HANDLER_FAILED,
    ErrorCode::BAD_RESPONSE,
];

/// Asks, within the plugin's own time limit.
pub(crate) async fn initialize(
    spec: &Spec,
    instance: u32,
    running: &mut Running,
) -> Result<InitializeResult, Unready> {
    let limit = spec.supervision.initialize_timeout;
    let peer = running.peer.clone();
    let params = spec.initialize_params(instance, running.process.sandbox);
    let request = peer.request::<Initialize>(&params);
    tokio::pin!(request);
    let answer = tokio::select! {
        biased;
        answer = &mut request => answer,
        () = running.process.exited() => {
            // It may have answered before it ended; with the connection's end the request has its outcome.
            running.hear_out().await;
            request.await
        }
        () = running.memory.seen() => return Err(Unready::Ended),
        () = sleep(limit) => return Err(Unready::Refused(Box::new(timed_out(spec, limit, running)))),
    };
    match answer {
        Ok(answer) => judge(spec, &peer, answer).map_err(|error| Unready::Refused(Box::new(error))),
        Err(Failure::Closed | Failure::Unsent) => Err(Unready::Ended),
        Err(Failure::Error(error) | Failure::Here(error)) => {
            Err(Unready::Refused(Box::new(refused(spec, error, running))))
        }
    }
}

/// Takes the limits of an answer whose version is spoken here.
fn judge(spec: &Spec, peer: &Peer, answer: InitializeResult) -> Result<InitializeResult, Error> {
    let theirs = answer.protocol_version;
    if Version::negotiate(SUPPORTED, &[theirs]) != Some(theirs) {
        let list = ours().join(", ");
        let message = format!(
            "plugin `{}` speaks version {theirs} of the protocol, which this host does not: it speaks {list}",
            spec.name
        );
        let error = Error::new(ErrorCode::UNSUPPORTED_VERSION, message)
            .with("host_versions", ours())
            .with("plugin_versions", vec![theirs.to_string()])
            .with_plugin(&spec.name);
        return Err(error.with_hint("update the plugin, or astros"));
    }
    peer.set_peer_frame_limit(usize::try_from(answer.limits.max_frame_bytes).unwrap_or(usize::MAX));
    Ok(answer)
}

fn ours() -> Vec<String> {
    SUPPORTED.iter().map(Version::to_string).collect()
}

/// The plugin's own error, or one about its answer, as the reason why it did not start.
fn refused(spec: &Spec, mut error: Error, running: &Running) -> Error {
    spec.secrets.hide_in_error(&mut error);
    let said = words::printable(&error.message);
    error.message = match error.code {
        ErrorCode::BAD_RESPONSE => format!("plugin `{}` could not be started: {said}", spec.name),
        ErrorCode::UNSUPPORTED_VERSION => {
            format!("plugin `{}` refused to start: {said}; this host speaks {}", spec.name, ours().join(", "))
        }
        _ => format!("plugin `{}` refused to start: {said}", spec.name),
    };
    if !KEPT.contains(&error.code) {
        error.code = ErrorCode::PLUGIN_UNAVAILABLE;
    }
    error.data_mut().kind = error.kind().to_owned();
    with_last_words(error, running.words.lines()).with_plugin(&spec.name)
}

fn timed_out(spec: &Spec, limit: Duration, running: &Running) -> Error {
    let limit = words::duration(limit);
    let message = format!("plugin `{}` did not answer `initialize` within {limit}", spec.name);
    let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message)
        .with_plugin(&spec.name)
        .with_hint("`supervision.initialize_timeout` in its manifest gives it more time, if it needs that");
    with_last_words(error, running.words.lines())
}

/// What the end before the answer means: a plugin that was killed may fare better the next time, one that went by
/// itself would go again.
pub(crate) fn ended_early(spec: &Spec, end: &End, in_use: bool) -> Ended {
    if matches!(end.exit, Some(Exit::Signal(_))) {
        let reason = format!("{} before it was ready", end.crash.story());
        return Ended::Crashed { reason, in_use, failed: true };
    }
    let last = end.crash.last_words.last().map(|line| format!(": {}", line.trim())).unwrap_or_default();
    let message = format!("plugin `{}` {} before it was ready{last}", spec.name, end.crash.exit);
    let name = &spec.name;
    let hint =
        missing_module(name, &last).unwrap_or_else(|| format!("`astros plugins logs {name}` shows more"));
    let error = Error::new(ErrorCode::PLUGIN_CRASHED, message).with_plugin(name).with_hint(hint);
    Ended::FailedStart(Box::new(with_last_words(error, end.crash.last_words.clone())))
}

/// Adds a plugin's last lines.
fn with_last_words(error: Error, lines: Vec<String>) -> Error {
    if lines.is_empty() {
        return error;
    }
    error.with_detail(lines.join("\n")).with("last_words", lines)
}
