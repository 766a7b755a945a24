//! Text that brings its own colours: those and the styles are kept, all else that a terminal would obey is not.

use console::{AnsiCodeIterator, truncate_str};

use super::{Canvas, plain};

/// The lines of the text, cut where they are too wide: what is drawn with characters does not bear wrapping.
pub(super) fn draw(text: &str, canvas: Canvas) -> Vec<String> {
    let mut kept = String::with_capacity(text.len());
    for (part, is_code) in AnsiCodeIterator::new(text) {
        match is_code {
            true if canvas.color && is_style(part) => kept.push_str(part),
            true => {}
            // A return is how programs end a line or draw it again; only what stands last is seen.
            false => kept.push_str(&plain(&part.replace("\r\n", "\n"))),
        }
    }
    let mut lines: Vec<String> = Vec::new();
    for line in kept.trim_end_matches('\n').split('\n') {
        let mut line = truncate_str(line, canvas.width, "…").into_owned();
        if canvas.color && line.contains('\u{1b}') {
            // No colour runs out of its line, or of the component.
            line.push_str("\u{1b}[0m");
        }
        lines.push(line);
    }
    lines
}

/// Whether it is `ESC [ numbers m`, which colours and styles are.
fn is_style(code: &str) -> bool {
    let numbers = code.strip_prefix("\u{1b}[").and_then(|code| code.strip_suffix('m'));
    numbers.is_some_and(|numbers| numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
}
