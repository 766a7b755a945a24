//! Recordings: any file is one that is whole, or it is said what is wrong with it.

use astros_core::recording::Recording;

pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Recording::read(text) {
        Ok(recording) => {
            let lines = text.lines().count();
            for process in &recording.processes {
                let numbers: Vec<_> = process.events.iter().map(|event| event.number).collect();
                assert!(numbers.is_sorted_by(|one, next| one < next), "in their order: {numbers:?}");
                assert!(numbers.iter().all(|number| (2..=lines).contains(number)), "{numbers:?} of {lines}");
            }
            breaks_off(text);
        }
        Err(error) => assert!(!error.is_empty()),
    }
}

/// Without its end it is not whole.
fn breaks_off(text: &str) {
    let end = text.lines().position(|line| line.contains("\"end\"")).unwrap_or_default();
    let cut: Vec<&str> = text.lines().take(end).collect();
    assert!(Recording::read(&cut.join("\n")).is_err(), "it is cut before line {}", end + 1);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let head = r#"{"astros_recording":1,"protocol":"1.0","plugin":"p","astros":"1.0.0","command":["ask","x"],"at":"2026-01-01T00:00:00Z"}"#;
    let lines = [
        r#"{"process":1,"started":{"program":"p","args":[],"folder":"/p"}}"#,
        r#"{"process":1,"from":"host","line":{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}}"#,
        r#"{"process":1,"from":"plugin","line":{"jsonrpc":"2.0","id":1,"result":{}}}"#,
        r#"{"process":1,"from":"plugin","stray":"hello"}"#,
        r#"{"process":1,"from":"plugin","malformed":"{\"jsonrpc\":\"2.0\""}"#,
        r#"{"process":1,"from":"stderr","text":"hello"}"#,
        r#"{"process":1,"from":"host","closed":true}"#,
        r#"{"process":1,"exit":0}"#,
    ];
    (0..=lines.len())
        .map(|count| {
            let end = format!(r#"{{"end":{{"lines":{}}}}}"#, count + 1);
            [&[head], &lines[..count], &[&*end]].concat().join("\n").into_bytes()
        })
        .collect()
}
