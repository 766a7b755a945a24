//! What a handler fails with: any error, turned into what the protocol lets a plugin say.

use std::{any::Any, fmt, ops::Deref};

use astros_peer::Failure;
use astros_protocol::{Error as WireError, ErrorCode};

/// The result of a handler.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a handler, or a call of a handler, failed.
///
/// `?` makes one of any `std::error::Error`: it becomes `handler_failed` with the error's type and message. An
/// error that came back from the host keeps its code, kind and hint, which are read through `Deref`
/// (`error.code`, `error.kind()`); passed on by a handler, it becomes `handler_failed` where the protocol keeps its
/// code for the host.
pub struct Error(Box<WireError>);

impl Error {
    /// A failure in the author's own words.
    pub fn msg(message: impl fmt::Display) -> Error {
        Error::of(ErrorCode::HANDLER_FAILED, message.to_string())
    }

    /// Says that the parameters do not fit, where their types could not.
    pub fn invalid_params(message: impl fmt::Display) -> Error {
        Error::of(ErrorCode::INVALID_PARAMS, message.to_string())
    }

    /// What to do next, for a person.
    pub fn with_hint(self, hint: impl Into<String>) -> Error {
        Error(Box::new(self.0.with_hint(hint)))
    }

    pub(crate) fn of(code: ErrorCode, message: impl Into<String>) -> Error {
        Error(Box::new(WireError::new(code, message)))
    }

    /// As a plugin may send it: a code of the host's becomes `handler_failed` with that cause.
    pub(crate) fn into_wire(self) -> WireError {
        let mut error = *self.0;
        if !error.code.may_come_from_plugins() {
            let cause = std::mem::replace(&mut error.code, ErrorCode::HANDLER_FAILED).kind();
            error = error.with("cause", cause);
        }
        error.data_mut().kind = error.code.kind().to_owned();
        error
    }
}

impl Deref for Error {
    type Target = WireError;

    fn deref(&self) -> &WireError {
        &self.0
    }
}

// `Error` itself is no `std::error::Error`, as with anyhow: otherwise this would collide with `From<T> for T`.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Error {
        let any: &dyn Any = &error;
        if let Some(error) = any.downcast_ref::<WireError>() {
            return Error(Box::new(error.clone()));
        }
        if let Some(Failure::Error(error) | Failure::Here(error)) = any.downcast_ref::<Failure>() {
            return Error(Box::new(error.clone()));
        }
        let failed = WireError::new(ErrorCode::HANDLER_FAILED, with_causes(&error));
        Error(Box::new(failed.with("type", std::any::type_name::<E>())))
    }
}

/// The message, and those of its causes that say something else.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !message.contains(&words) {
            message = format!("{message}: {words}");
        }
        cause = error.source();
    }
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_type_and_the_causes_of_a_failure() {
        let error = Error::from("x".parse::<u8>().unwrap_err()).into_wire();
        assert_eq!(error.code, ErrorCode::HANDLER_FAILED);
        assert_eq!(error.message, "invalid digit found in string");
        assert_eq!(error.data.unwrap().extra["type"], "core::num::error::ParseIntError");
    }

    #[test]
    fn keeps_the_codes_that_a_plugin_may_send_and_no_others() {
        let sent = |code| Error::from(WireError::new(code, "m")).into_wire();
        assert_eq!(sent(ErrorCode::INVALID_PARAMS).code, ErrorCode::INVALID_PARAMS);
        assert_eq!(sent(ErrorCode::CANCELLED).code, ErrorCode::CANCELLED);
        let error = sent(ErrorCode::PLUGIN_NOT_FOUND);
        assert_eq!((error.code, error.message.as_str()), (ErrorCode::HANDLER_FAILED, "m"));
        let data = error.data.unwrap();
        assert_eq!(
            (data.kind.as_str(), &data.extra["cause"]),
            ("handler_failed", &"plugin_not_found".into())
        );
    }
}
