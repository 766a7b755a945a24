//! From frames to what they mean: requests and notifications go to the service, answers to those who wait.

use std::sync::Arc;

use astros_protocol::{
    Error, ErrorCode, Id, Malformed, Message, Notification,
    message::write,
    stream::{Ack, AckParams, Cancel, CancelParams, Progress},
};
use serde_json::value::RawValue;

use crate::{
    frame::Frame,
    incoming::{Incoming, Oddity, RawProgress, Service},
    outgoing::Failure,
    queue::Kind,
    salvage,
    shared::Shared,
};

/// Reads frames and hands them on.
pub(crate) struct Dispatch<'a, S> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) service: &'a S,
    pub(crate) answer_malformed: bool,
}

impl<S: Service> Dispatch<'_, S> {
    pub(crate) fn frame(&self, frame: Frame<'_>) {
        match frame {
            Frame::Line(line) => self.line(line),
            Frame::TooLarge { size, limit, prefix } => {
                let error = too_large(size, limit);
                self.fail_answered(prefix, &error);
                self.service.oddity(Oddity::TooLarge { size, prefix });
                if self.answer_malformed {
                    self.answer_null(&error);
                }
            }
        }
    }

    fn line(&self, line: &[u8]) {
        match Message::<S::Params<'_>>::parse(line) {
            Ok(Message::Request { id, method, params }) => match self.shared.open(id.clone(), line.len()) {
                Some(responder) => self.service.request(Incoming { method, params, responder }),
                None => self.service.oddity(Oddity::DuplicateId(id)),
            },
            Ok(Message::Notification { method, params }) if method.starts_with("$/") => {
                drop(params);
                self.stream_notification(line, &method);
            }
            Ok(Message::Notification { method, params }) => self.service.notification(&method, params),
            Ok(Message::Response { id, outcome }) => self.response(id, outcome),
            Err(malformed) => self.malformed(line, malformed),
        }
    }

    fn response(&self, id: Option<Id>, outcome: Result<&RawValue, Error>) {
        let error = outcome.as_ref().err().cloned();
        let known = id.as_ref().is_some_and(|id| {
            self.shared.answered(id, outcome.map(ToOwned::to_owned).map_err(Failure::Error))
        });
        if !known {
            self.service.oddity(Oddity::UnknownResponse(id, error));
        }
    }

    /// `$/cancel`, `$/ack`, `$/progress`; others are of a later version and passed over.
    fn stream_notification(&self, line: &[u8], method: &str) {
        let Ok(Message::Notification { params: Some(params), .. }) = Message::<&RawValue>::parse(line) else {
            return;
        };
        let params = params.get();
        let read = match method {
            Cancel::METHOD => serde_json::from_str(params).map(|CancelParams { id }| self.cancelled(&id)),
            Ack::METHOD => serde_json::from_str(params).map(|AckParams { id, count }| {
                let serving = self.shared.lock().serving.get(&id).cloned();
                serving.inspect(|serving| serving.acknowledged(count));
            }),
            Progress::METHOD => serde_json::from_str(params).map(|RawProgress { id, value }| {
                if let Id::Number(id) = id {
                    self.shared.progressed(id, value);
                }
            }),
            _ => Ok(()),
        };
        if let Err(error) = read {
            self.service.oddity(Oddity::Malformed { line, error: format!("params of `{method}`: {error}") });
        }
    }

    fn cancelled(&self, id: &Id) {
        let serving = self.shared.lock().serving.get(id).cloned();
        serving.inspect(|serving| serving.cancel());
    }

    fn malformed(&self, line: &[u8], malformed: Malformed) {
        // The receiver's own type for params may be what did not fit: then the request can be told so.
        if let Ok(Message::Request { id, method, .. }) = Message::<&RawValue>::parse(line) {
            let message = format!("the params of `{method}` do not fit: {malformed}");
            match self.shared.open(id.clone(), line.len()) {
                Some(responder) => responder.error(&Error::new(ErrorCode::INVALID_PARAMS, message)),
                None => self.service.oddity(Oddity::DuplicateId(id)),
            }
            return;
        }
        self.unreadable(line, malformed.to_string());
        if self.answer_malformed {
            let code = match malformed {
                Malformed::Json(_) => ErrorCode::PARSE_ERROR,
                Malformed::Envelope(_) => ErrorCode::INVALID_REQUEST,
            };
            self.answer_null(&Error::new(code, malformed.to_string()));
        }
    }

    /// A line that is no message: stray output, or a broken answer, which fails the request that it belongs to.
    pub(crate) fn unreadable(&self, line: &[u8], error: String) {
        if !salvage::begins_as_envelope(line) {
            return self.service.oddity(Oddity::Stray(line));
        }
        let failure = Error::new(ErrorCode::BAD_RESPONSE, format!("the answer cannot be read: {error}"));
        self.fail_answered(line, &failure);
        self.service.oddity(Oddity::Malformed { line, error });
    }

    fn fail_answered(&self, line: &[u8], error: &Error) {
        if let Some(id) = salvage::response_id(line) {
            self.shared.answered(&id, Err(error.clone().into()));
        }
    }

    fn answer_null(&self, error: &Error) {
        let mut frame = Vec::new();
        if write::error(&mut frame, None, error).is_ok() {
            // Refused only where the other side does not read: it does not want to know.
            let _ = self.shared.send(Kind::Answer, frame);
        }
    }
}

fn too_large(size: usize, limit: Option<usize>) -> Error {
    let why = match limit {
        Some(limit) => format!("the limit is {limit}"),
        None => "there are too many large ones at this time".to_owned(),
    };
    let message = format!("a message of {size} bytes was not read, {why}");
    let error = Error::new(ErrorCode::FRAME_TOO_LARGE, message).with("size", size);
    match limit {
        Some(limit) => error.with("limit", limit),
        None => error.with("retry_after_ms", 100).retryable(),
    }
}
