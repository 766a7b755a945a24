//! A plugin's words for a terminal: what would control it is shown instead of obeyed.

use std::borrow::Cow;

/// The text with its control characters escaped (`\u{1b}`), ends of line and tabs excepted.
///
/// The characters that turn the direction of writing around count as such: they make text look like another.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(controls) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if controls(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

fn controls(c: char) -> bool {
    let turns = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && c != '\n' && c != '\t') || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_would_control_a_terminal() {
        assert!(matches!(printable("plain\tü\n"), Cow::Borrowed(_)));
        assert_eq!(printable("\u{1b}[2Jx\r\u{7}\u{9b}y"), r"\u{1b}[2Jx\r\u{7}\u{9b}y");
        assert_eq!(printable("gpj\u{202e}.exe"), r"gpj\u{202e}.exe");
    }
}
