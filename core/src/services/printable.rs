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

/// A text below what stands before it: nothing of it begins a line as AstrOS's own words do.
pub fn indented(text: &str) -> String {
    printable(text).replace('\n', "\n  ")
}

/// A text in one line, cut where it goes on for long: nothing of it stands where somebody else's words do.
pub fn line(text: &str) -> String {
    /// Longer than names and paths that mean well.
    const LONGEST: usize = 120;
    line_of(text, LONGEST)
}

/// The same with so many characters at most.
pub fn line_of(text: &str, longest: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", printable(&line[..end])),
        None => printable(&line).into_owned(),
    }
}

fn controls(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let unseen = matches!(
        c,
        '\u{ad}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{200b}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{2060}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{e0000}'..='\u{e007f}'
    );
    (c.is_control() && c != '\n' && c != '\t') || turns || unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_would_control_a_terminal() {
        assert!(matches!(printable("plain\tü\n"), Cow::Borrowed(_)));
        assert_eq!(printable("\u{1b}[2Jx\r\u{7}\u{9b}y"), r"\u{1b}[2Jx\r\u{7}\u{9b}y");
        assert_eq!(printable("gpj\u{202e}.exe"), r"gpj\u{202e}.exe");
        assert_eq!(printable("a\u{3164}b"), r"a\u{3164}b");
    }

    #[test]
    fn keeps_a_text_in_its_line() {
        assert_eq!(indented("not done\nerror: \r\n"), "not done\n  error: \\r\n  ");
        assert_eq!(line("by A\n  Allow? [y/N]\t\u{1b}"), r"by A Allow? [y/N] \u{1b}");
        assert_eq!(line(&"x".repeat(500)).chars().count(), 121);
    }
}
