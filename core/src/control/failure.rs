//! The protocol's error as a JSON-RPC error object and back, and the errors of the way between client and daemon.

use astros_protocol::{Error, ErrorCode, ErrorData};
use jsonrpsee::{
    client_transport::ws::WsError,
    core::client::Error as ClientError,
    types::{ErrorObject, ErrorObjectOwned},
};

use super::server::{MAX_REQUEST, MAX_RESPONSE};

/// No daemon runs for this home, or it went away before it answered. Of this API alone: plugins never see it.
pub const NO_DAEMON: ErrorCode = ErrorCode(-32101);

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(pub Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure(error)
    }
}

impl From<Failure> for ErrorObjectOwned {
    fn from(Failure(error): Failure) -> ErrorObjectOwned {
        // JSON-RPC's own codes and ours fit; a plugin's are mapped to ours on their way.
        let code = i32::try_from(error.code.0).unwrap_or(jsonrpsee::types::error::INTERNAL_ERROR_CODE);
        ErrorObject::owned(code, error.message, error.data)
    }
}

/// The error that a daemon answered with.
pub(super) fn from_object(object: &ErrorObjectOwned) -> Error {
    let mut error = Error::new(ErrorCode(object.code().into()), object.message());
    error.data = object.data().map(|data| {
        serde_json::from_str(data.get()).unwrap_or_else(|_| {
            Box::new(ErrorData { detail: Some(data.get().to_owned()), ..ErrorData::default() })
        })
    });
    error
}

/// Whatever became of a request of the client's.
pub(super) fn from_client(error: &ClientError) -> Error {
    match error {
        ClientError::Call(object) => from_object(object),
        ClientError::ParseError(why) => {
            let message = format!("the daemon's answer cannot be read: {why}");
            Error::new(ErrorCode::INTERNAL_ERROR, message).with_hint(UPGRADE)
        }
        ClientError::RestartNeeded(why) => from_client(why),
        ClientError::Transport(why) if is_too_large(why.as_ref()) => {
            let message = "a message between command and daemon is larger than it may be";
            let limits =
                format!("a request may have {} MiB, an answer {}", MAX_REQUEST >> 20, MAX_RESPONSE >> 20);
            Error::new(ErrorCode::FRAME_TOO_LARGE, message).with_detail(limits)
        }
        other => gone(&other.to_string()),
    }
}

fn is_too_large(why: &(dyn std::error::Error + 'static)) -> bool {
    matches!(why.downcast_ref(), Some(WsError::MessageTooLarge))
}

const UPGRADE: &str = "a daemon of another version may run: `astros status` shows it, a restart helps";

/// The daemon went away before it answered.
pub fn gone(why: &str) -> Error {
    let error = no_daemon("the daemon went away before it answered").with_detail(why);
    error.with_hint("`astros status` shows whether one runs")
}

/// An error about a daemon that is not there.
pub fn no_daemon(message: impl Into<String>) -> Error {
    let mut error = Error::new(NO_DAEMON, message);
    error.data_mut().kind = "no_daemon".to_owned();
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brings_every_error_over_and_back_without_loss() {
        let bare = Error::new(ErrorCode::NOT_UNDERSTOOD, "m");
        let full = Error::new(ErrorCode::PLUGIN_CRASHED, "m")
            .with_plugin("p")
            .with_hint("h")
            .with_detail("d\ne")
            .with("last_words", vec!["bye"])
            .with("retry_after_ms", 5)
            .retryable();
        for error in [bare, full] {
            let object = ErrorObjectOwned::from(Failure(error.clone()));
            let text = serde_json::to_string(&object).unwrap();
            assert_eq!(from_object(&serde_json::from_str(&text).unwrap()), error);
        }
    }
}
