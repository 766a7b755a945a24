//! What can be told of a line that could not be read.

use astros_protocol::Id;

/// Whether a line begins as an envelope: `{`, then a `"jsonrpc"` member among its first 64 bytes, white space aside.
/// What does not is stray output.
pub(crate) fn begins_as_envelope(line: &[u8]) -> bool {
    let begin: Vec<u8> = line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(64).collect();
    begin.starts_with(b"{") && memchr::memmem::find(&begin, b"\"jsonrpc\":").is_some()
}

/// The request that a broken response belongs to: its id, where that precedes `result` or `error` as it should.
/// Otherwise nothing is guessed.
pub(crate) fn response_id(line: &[u8]) -> Option<Id> {
    let rest = member(line, b"{", b"\"jsonrpc\"")?;
    let rest = skip(rest, b"\"2.0\"")?;
    let rest = member(rest, b",", b"\"id\"")?;
    let mut ids = serde_json::Deserializer::from_slice(rest).into_iter::<Id>();
    let id = ids.next()?.ok()?;
    let rest = &rest[ids.byte_offset()..];
    member(rest, b",", b"\"result\"").or_else(|| member(rest, b",", b"\"error\"")).map(|_| id)
}

fn member<'a>(text: &'a [u8], before: &[u8], name: &[u8]) -> Option<&'a [u8]> {
    skip(skip(skip(text, before)?, name)?, b":")
}

fn skip<'a>(text: &'a [u8], token: &[u8]) -> Option<&'a [u8]> {
    text.trim_ascii_start().strip_prefix(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_an_envelope_from_stray_output() {
        assert!(begins_as_envelope(b" { \"jsonrpc\" : \"2.0\", nonsense"));
        assert!(begins_as_envelope(br#"{"id":"aaaaaaaaaaaaaaaaaaaa","jsonrpc":"2.0"}"#));
        for stray in [&b"hello"[..], b"{\"level\":\"info\"}", b"[1]", b"", b"\xff\xfe{"] {
            assert!(!begins_as_envelope(stray), "{stray:?}");
        }
    }

    #[test]
    fn finds_the_id_of_a_broken_response() {
        let id = |line: &str| response_id(line.as_bytes());
        assert_eq!(id(r#"{"jsonrpc":"2.0","id":7,"result":{"x":NaN}}"#), Some(Id::Number(7)));
        assert_eq!(id(r#"{ "jsonrpc" : "2.0" , "id" : "a,b" , "error" : {"#), Some(Id::String("a,b".into())));
    }

    #[test]
    fn guesses_nothing() {
        for line in [
            r#"{"jsonrpc":"2.0","id":7,"method":"m","result":"#,
            r#"{"jsonrpc":"2.0","result":{"id":7,"#,
            r#"{"jsonrpc":"2.0","id":7"#,
            r#"{"jsonrpc":"2.0","id":{},"result":1"#,
        ] {
            assert_eq!(response_id(line.as_bytes()), None, "{line}");
        }
    }
}
