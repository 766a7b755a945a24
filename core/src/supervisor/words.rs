//! Durations and exit statuses in words for people.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use astros_protocol::manifest::Exit;

/// `250 ms`, `1.2 s`, `2 s`, `10 min`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1000.0)
    } else if seconds < 9.95 {
        format!("{seconds:.1} s").replace(".0 s", " s")
    } else if seconds < 119.5 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.0} min", seconds / 60.0)
    }
}

/// How a process ended, as a manifest names it.
pub(crate) fn ended(status: ExitStatus) -> Exit {
    if let Some(code) = status.code() {
        // The kernel keeps its lowest eight bits.
        return Exit::Status(u8::try_from(code & 0xff).unwrap_or(u8::MAX));
    }
    // The standard library knows the names: `signal: 11 (SIGSEGV) (core dumped)`.
    let text = status.to_string();
    let name = text.split(['(', ')']).find(|part| part.starts_with("SIG"));
    Exit::Signal(
        name.map_or_else(|| format!("signal {}", status.signal().unwrap_or_default()), str::to_owned),
    )
}

/// `exited with status 3`, `killed by SIGSEGV`.
pub(crate) fn exit(status: ExitStatus) -> String {
    match ended(status) {
        Exit::Status(code) => format!("exited with status {code}"),
        Exit::Signal(name) => format!("killed by {name}"),
    }
}

/// A plugin's words without what moves a terminal's cursor or changes its colours: control characters, escape
/// sequences, and the marks that turn the direction of writing.
pub(crate) fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        match char {
            '\u{1b}' if rest.next_if_eq(&'[').is_some() => {
                // CSI: parameters, then one letter or sign that ends it.
                while rest.next_if(|char| matches!(char, ' '..='?')).is_some() {}
                rest.next_if(|char| matches!(char, '@'..='~'));
            }
            '\t' => clean.push('\t'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            char if char.is_control() => {}
            char => clean.push(char),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_durations_shortly() {
        let said = |ms| duration(Duration::from_millis(ms));
        assert_eq!([said(0), said(250), said(999), said(1000)], ["0 ms", "250 ms", "999 ms", "1 s"]);
        assert_eq!(
            [said(1234), said(9990), said(60_000), said(600_000)],
            ["1.2 s", "10 s", "60 s", "10 min"]
        );
    }

    #[test]
    fn says_how_a_process_ended() {
        assert_eq!(exit(ExitStatus::from_raw(3 << 8)), "exited with status 3");
        assert_eq!(exit(ExitStatus::from_raw(11)), "killed by SIGSEGV");
        assert_eq!(exit(ExitStatus::from_raw(34)), "killed by signal 34");
    }

    #[test]
    fn strips_what_moves_a_terminal() {
        assert_eq!(printable("\u{1b}[1;31mred\u{1b}[0m\u{7} a\tb\r\u{202e}c"), "red a\tbc");
        assert_eq!(printable("\u{1b}]0;title\u{7}x"), "]0;titlex");
    }
}
