//! A text in tokens: words, quoted pieces and paths, each with its place in the text.

use std::ops::Range;

use super::paths::looks_like_path;
use super::words::normal;

/// Tokens that are looked at; what comes after is one last token, so that a slot at the end loses nothing.
const MAX_TOKENS: usize = 256;

/// Bytes from which a token is too long to be a word and is not compared.
const MAX_WORD: usize = 256;

/// How far the closing quote is looked for.
const MAX_QUOTED: usize = 4096;

/// A piece of the text between white space, without the punctuation around it.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Where it is in the text, quotes included.
    pub(super) at: Range<usize>,
    /// The word to compare; empty where it is quoted, or too long for a word.
    pub(super) word: String,
    pub(super) shape: Shape,
}

/// A text with the words of it that count, and a way to ask whether a path in it is there.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) text: &'a str,
    pub(super) words: &'a [Token],
    pub(super) exists: &'a dyn Fn(&str) -> bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Word,
    /// Starts with `/`, `./`, `~/`, holds a `/`, or is named like a file.
    Path,
    Quoted,
}

impl<'a> Said<'a> {
    /// The same text with these words only.
    pub(super) fn part(self, at: Range<usize>) -> Self {
        Self { words: &self.words[at], ..self }
    }

    /// The words as typed; of one quoted token what is between its quotes.
    pub(super) fn typed(self) -> &'a str {
        typed(self.text, self.words)
    }
}

/// Split a text into at most `MAX_TOKENS` tokens and one with the rest.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find(|c: char| !is_space(c)).map(|skip| from + skip) {
        if all.len() == MAX_TOKENS {
            all.push(Token {
                at: start..text.trim_end().len().max(start),
                word: String::new(),
                shape: Shape::Word,
            });
            break;
        }
        let (mut token, end) = next(text, start);
        let is = token.as_mut().and_then(split_is);
        all.extend(token);
        all.extend(is);
        from = end;
    }
    all
}

/// The text of a run of tokens as typed; of one quoted token what is between its quotes.
pub(super) fn typed<'a>(text: &'a str, tokens: &[Token]) -> &'a str {
    match tokens {
        [] => "",
        [one] if one.shape == Shape::Quoted => {
            let quoted = &text[one.at.clone()];
            let mut inner = quoted.chars();
            inner.next();
            inner.next_back();
            inner.as_str()
        }
        [first, .., last] | [first @ last] => &text[first.at.start..last.at.end],
    }
}

/// The token at `start`, if it is not mere punctuation, and where to go on.
fn next(text: &str, start: usize) -> (Option<Token>, usize) {
    if let Some(end) = quoted_end(text, start) {
        let after = end + text[end..].find(|c| !is_trailing(c)).unwrap_or(text.len() - end);
        return (Some(Token { at: start..end, word: String::new(), shape: Shape::Quoted }), after);
    }
    let end = text[start..].find(is_space).map_or(text.len(), |length| start + length);
    let raw = &text[start..end];
    if matches!(raw, "." | ".." | "/" | "~") {
        return (Some(Token { at: start..end, word: raw.into(), shape: Shape::Path }), end);
    }
    let left = raw.trim_start_matches(|c| is_leading(c) && !is_closed(raw, c));
    let mut core = left.trim_end_matches(|c| is_trailing(c) && !is_opened(left, c));
    // The dots of `../..` and `/tmp/.` are no full stops.
    let dots = left[core.len()..].len() - left[core.len()..].trim_start_matches('.').len();
    if core.ends_with('/') && (1..=2).contains(&dots) {
        core = &left[..core.len() + dots];
    }
    if !core.contains(|c: char| c.is_alphanumeric() || "/~+%&#@$€".contains(c) || !c.is_ascii()) {
        return (None, end);
    }
    let begin = end - left.len();
    let shape = if looks_like_path(core) { Shape::Path } else { Shape::Word };
    let word = if core.len() > MAX_WORD { String::new() } else { normal(core.trim_matches(is_bracket)) };
    (Some(Token { at: begin..begin + core.len(), word, shape }), end)
}

/// Make "what's" a "what" and an "is", which has no length of its own.
fn split_is(token: &mut Token) -> Option<Token> {
    let asked =
        token.word.strip_suffix("'s").filter(|word| ["what", "where", "who", "how"].contains(word))?;
    token.word = asked.to_owned();
    Some(Token { at: token.at.end..token.at.end, word: "is".into(), shape: Shape::Word })
}

/// Where the quoted piece that begins at `start` ends, its closing quote included.
fn quoted_end(text: &str, start: usize) -> Option<usize> {
    let open = text[start..].chars().next()?;
    let close = match open {
        '"' | '\'' | '`' => open,
        '“' => '”',
        '‘' => '’',
        '«' => '»',
        _ => return None,
    };
    let inner = start + open.len_utf8();
    let mut chars = text[inner..].char_indices().take(MAX_QUOTED).peekable();
    while let Some((at, c)) = chars.next() {
        let at_end = chars.peek().is_none_or(|(_, after)| is_space(*after) || is_trailing(*after));
        if c == close && at > 0 && at_end {
            return Some(inner + at + c.len_utf8());
        }
    }
    None
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn is_leading(c: char) -> bool {
    "([{<\"'“‘¿¡,;:!?".contains(c)
}

fn is_trailing(c: char) -> bool {
    ".,;:!?)]}>\"'”’…。！？".contains(c)
}

const BRACKETS: [(char, char); 4] = [('(', ')'), ('[', ']'), ('{', '}'), ('<', '>')];

fn is_bracket(c: char) -> bool {
    BRACKETS.iter().any(|&(open, close)| c == open || c == close)
}

/// Whether `c` opens a bracket that is closed in `word`: "(2024)" may end a file's name.
fn is_closed(word: &str, c: char) -> bool {
    word.len() <= MAX_WORD && BRACKETS.iter().any(|&(open, close)| c == open && word.contains(close))
}

fn is_opened(word: &str, c: char) -> bool {
    word.len() <= MAX_WORD && BRACKETS.iter().any(|&(open, close)| c == close && word.contains(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<&str> {
        let all = tokens(text);
        all.iter().map(|one| typed(text, std::slice::from_ref(one))).collect()
    }

    #[test]
    fn punctuation_falls_off_and_paths_and_quotes_stay() {
        assert_eq!(split("Sort ~/Downloads, please!"), ["Sort", "~/Downloads", "please"]);
        assert_eq!(split("sort \"my own.files\" by 'a b'."), ["sort", "my own.files", "by", "a b"]);
        assert_eq!(split("sort /tmp/a (1) b(2) (or /c)."), ["sort", "/tmp/a", "(1)", "b(2)", "or", "/c"]);
        assert_eq!(split("go to .. or ../.. or ."), ["go", "to", "..", "or", "../..", "or", "."]);
        assert_eq!(split("don't say “such a thing”?"), ["don't", "say", "such a thing"]);
        assert_eq!(
            tokens("What’s new?").iter().map(|one| &*one.word).collect::<Vec<_>>(),
            ["what", "is", "new"]
        );
        assert_eq!(split("… ?! ., \u{0} \u{7f}"), [""; 0]);
        assert_eq!(split("öffne /tmp/Ünïcode/日本"), ["öffne", "/tmp/Ünïcode/日本"]);
    }

    #[test]
    fn the_rest_of_a_long_text_is_one_token() {
        let text = "word ".repeat(1000);
        let all = tokens(&text);
        assert_eq!(all.len(), MAX_TOKENS + 1);
        assert_eq!(typed(&text, &all), text.trim_end());
    }
}
