//! What the command is given: texts and parameters, from the command line or from standard input.

use std::{
    io::{self, BufRead, Read, Write},
    thread,
};

use astros_protocol::{Error, ErrorCode, Extra};
use nix::sys::termios::{FlushArg, tcflush};
use serde_json::Value;
use tokio::sync::oneshot;

/// More than this is not read from standard input, in bytes.
const MAX_INPUT: u64 = 16 << 20;

/// A text; `-` is standard input.
pub(super) fn text(argument: &str) -> Result<String, Error> {
    if argument == "-" { standard_input() } else { Ok(argument.to_owned()) }
}

/// The JSON object of an option; `-` is standard input.
pub(super) fn params(option: &str, argument: &str) -> Result<Extra, Error> {
    let text = text(argument)?;
    let fail = |found: String| {
        let error =
            Error::new(ErrorCode::INVALID_PARAMS, format!("`{option}` is {found}, expected a JSON object"));
        error.with_hint(format!("such as `{option} '{{\"path\": \"/tmp\"}}'`"))
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(params)) => Ok(params),
        Ok(Value::Array(_)) => Err(fail("an array".to_owned())),
        Ok(other) => Err(fail(format!("`{other}`"))),
        Err(error) => Err(fail(format!("no JSON ({error})"))),
    }
}

/// Any JSON; `-` is standard input.
pub(super) fn json(argument: &str) -> Result<Value, Error> {
    serde_json::from_str(&text(argument)?).map_err(|error| {
        let error = Error::new(ErrorCode::INVALID_PARAMS, format!("the message is no JSON ({error})"));
        error.with_hint("a text has quotes of its own: `'\"hello\"'`")
    })
}

/// Asks a question on standard error, and reads from the terminal whether the person says yes.
pub(super) async fn agrees(question: &str) -> Result<bool, Error> {
    forget_typed();
    let mut stderr = io::stderr();
    let _ = stderr.write_all(question.as_bytes()).and_then(|()| stderr.flush());
    Ok(matches!(&*line().await?.trim().to_lowercase(), "y" | "yes"))
}

/// Forgets what was typed before a question was to be seen: it is no answer to it.
pub(super) fn forget_typed() {
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
}

/// A line that a person types. Reading blocks, and Ctrl-C has to be heard meanwhile: it is done in a thread that
/// nobody waits for.
async fn line() -> Result<String, Error> {
    let (sender, line) = oneshot::channel();
    thread::spawn(move || {
        let mut text = String::new();
        let _ = sender.send(io::stdin().lock().read_line(&mut text).map(|_| text));
    });
    let read = line.await.unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into()));
    read.map_err(|error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("standard input cannot be read: {error}"))
    })
}

fn standard_input() -> Result<String, Error> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes);
    let fail = |why: String| Err(Error::new(ErrorCode::INVALID_PARAMS, format!("standard input {why}")));
    match read {
        Err(error) => fail(format!("cannot be read: {error}")),
        Ok(read) if read as u64 > MAX_INPUT => fail(format!("has more than {} MiB", MAX_INPUT >> 20)),
        Ok(_) => String::from_utf8(bytes).or_else(|error| fail(format!("is no UTF-8: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_params_are_instead_of_an_object() {
        for (given, found) in [("[1]", "an array"), ("7", "`7`"), ("{", "no JSON"), ("", "no JSON")] {
            let message = params("--params", given).unwrap_err().message;
            assert!(message.contains(found) && message.contains("expected a JSON object"), "{message}");
        }
        assert_eq!(params("--params", "{\n\"a\": 1}").unwrap()["a"], 1);
    }
}
