//! What a check comes to: kept, missed (what was sent, expected, received), or skipped.

/// How a check ends: kept, or why it ended before.
pub(crate) type Checked<T = ()> = Result<T, Stop>;

/// Why a check ended before its end.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    Missed(Miss),
    /// Nothing could be held; says why.
    Skipped(String),
}

/// What went on between the two sides when a rule was not kept; each cut sensibly, control characters escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Miss {
    pub sent: String,
    pub expected: String,
    pub received: String,
}

pub(crate) fn skip<T>(why: impl Into<String>) -> Checked<T> {
    Err(Stop::Skipped(why.into()))
}

/// The most of a line that a report shows, in bytes.
const SHOWN: usize = 400;

/// Bytes as a report shows them: on one line, cut, control characters escaped.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN)]);
    let mut shown = String::with_capacity(text.len());
    for character in text.trim_end_matches(['\n', '\r']).chars() {
        match character {
            // Those that turn the direction of a text are no control characters, and as misleading.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                shown.extend(character.escape_unicode());
            }
            one if one.is_control() => shown.extend(one.escape_default()),
            one => shown.push(one),
        }
    }
    if bytes.len() > SHOWN {
        shown.push_str(&format!("… ({} bytes)", bytes.len()));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_a_terminal_may_see() {
        assert_eq!(shown(b"{\"a\":\x1b[31m}\r\n"), "{\"a\":\\u{1b}[31m}");
        assert_eq!(shown(b"bad \xff"), "bad \u{fffd}");
        assert!(shown(&[b'x'; 1_000]).ends_with("x… (1000 bytes)"));
    }
}
