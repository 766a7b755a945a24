//! Subjects as NATS has them: tokens with dots between them, `*` for one token, `>` for all that follow.

use std::{fmt, sync::Arc};

use astros_protocol::{Error, ErrorCode, bus};

/// A longer subject is refused.
pub(super) const MAX_BYTES: usize = 256;

const TOKEN: &str = "letters, digits, `_` and `-`";

/// What a message is published on; without wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject(Arc<str>);

/// What a subscription asks for; may have wildcards.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

/// Why a text is no subject.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SubjectError {
    /// Nothing is there.
    #[error("the subject is empty, expected tokens of {TOKEN} with dots between them")]
    Empty,
    /// It is too long to be kept.
    #[error("the subject has {0} bytes, the limit is {MAX_BYTES}")]
    TooLong(usize),
    /// Two dots stand side by side, or one at an end.
    #[error("token {position} of the subject `{subject}` is empty")]
    EmptyToken { subject: String, position: usize },
    /// A token has other characters.
    #[error(
        "token {position} of the subject `{subject}` is `{token}`, expected {TOKEN}, or `*` or `>` alone"
    )]
    Token { subject: String, token: String, position: usize },
    /// Something stands behind `>`.
    #[error("`>` is token {position} of the subject `{subject}`, expected as the last one only")]
    NotLast { subject: String, position: usize },
    /// A message is published on one subject.
    #[error("the subject `{0}` has a wildcard, which only a subscription may have")]
    Wildcard(String),
}

impl From<SubjectError> for Error {
    fn from(error: SubjectError) -> Error {
        Error::new(ErrorCode::INVALID_PARAMS, error.to_string())
    }
}

impl Subject {
    /// Reads a subject without wildcards.
    pub fn parse(text: &str) -> Result<Subject, SubjectError> {
        if check(text)? {
            return Err(SubjectError::Wildcard(text.to_owned()));
        }
        Ok(Subject(Arc::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first token.
    pub fn first(&self) -> &str {
        self.0.split('.').next().unwrap_or_default()
    }
}

impl Pattern {
    /// Reads a subject that may have wildcards.
    pub fn parse(text: &str) -> Result<Pattern, SubjectError> {
        check(text)?;
        Ok(Pattern(Box::from(text)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, subject: &Subject) -> bool {
        bus::matches(&self.0, &subject.0)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name as one token: what is not a lowercase letter, a digit, `_` or `-` becomes `X` and two hexadecimal digits
/// for each of its bytes. Names that the manifest allows stay as they are, and no two names become the same.
pub fn token(name: &str) -> String {
    name.bytes().fold(String::with_capacity(name.len()), |mut token, byte| {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => token.push(char::from(byte)),
            _ => token.push_str(&format!("X{byte:02X}")),
        }
        token
    })
}

/// Whether a subject that is well formed has a wildcard.
fn check(text: &str) -> Result<bool, SubjectError> {
    if text.is_empty() {
        return Err(SubjectError::Empty);
    }
    if text.len() > MAX_BYTES {
        return Err(SubjectError::TooLong(text.len()));
    }
    let mut wild = false;
    let mut tokens = text.split('.').enumerate().peekable();
    while let Some((index, token)) = tokens.next() {
        let (subject, position) = (|| text.to_owned(), index + 1);
        match token {
            "" => return Err(SubjectError::EmptyToken { subject: subject(), position }),
            ">" if tokens.peek().is_some() => {
                return Err(SubjectError::NotLast { subject: subject(), position });
            }
            "*" | ">" => wild = true,
            _ if token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) => {}
            _ => {
                return Err(SubjectError::Token { subject: subject(), token: token.to_owned(), position });
            }
        }
    }
    Ok(wild)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, subject: &str) -> bool {
        Pattern::parse(pattern).unwrap().matches(&Subject::parse(subject).unwrap())
    }

    #[test]
    fn says_exactly_what_is_wrong_with_a_subject() {
        let said = |text: &str| Subject::parse(text).unwrap_err().to_string();
        assert!(said("").starts_with("the subject is empty"));
        assert_eq!(said("a..b"), "token 2 of the subject `a..b` is empty");
        assert_eq!(said(".a"), "token 1 of the subject `.a` is empty");
        assert!(said("a.b c").starts_with("token 2 of the subject `a.b c` is `b c`, expected letters"));
        assert!(said("a*").starts_with("token 1 of the subject `a*` is `a*`"));
        assert_eq!(said("a.>.b"), "`>` is token 2 of the subject `a.>.b`, expected as the last one only");
        assert_eq!(said("a.*"), "the subject `a.*` has a wildcard, which only a subscription may have");
        assert_eq!(said(&"x".repeat(257)), "the subject has 257 bytes, the limit is 256");
        assert!(Pattern::parse("*.a.>").is_ok() && Subject::parse("A-1._.z").is_ok());
    }

    #[test]
    fn matches_a_token_for_a_star_and_one_or_more_for_the_rest() {
        assert!(
            matches("a.b", "a.b") && matches("*.b", "a.b") && matches(">", "a") && matches("a.>", "a.b.c")
        );
        assert!(
            !matches("a.>", "a") && !matches("a.*", "a.b.c") && !matches("a", "a.b") && !matches("A", "a")
        );
    }

    #[test]
    fn escapes_names_so_that_no_two_become_the_same() {
        assert_eq!(token("file-manager_2"), "file-manager_2");
        assert_eq!(token("a.b X"), "aX2EbX20X58");
        assert!(Subject::parse(&token("ä>*")).is_ok());
    }

    /// The same question, asked of every way in which the pattern's tokens can be laid onto the subject's.
    fn oracle(pattern: &[&str], subject: &[&str]) -> bool {
        match (pattern, subject) {
            ([], []) => true,
            ([">"], [_, ..]) => true,
            ([wanted, patterns @ ..], [token, subjects @ ..]) => {
                (*wanted == "*" || wanted == token) && oracle(patterns, subjects)
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matches_as_the_definition_says(
            mut pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*"]), 1..5),
            subject in prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 1..6),
            rest: bool,
        ) {
            if rest {
                pattern.push(">");
            }
            prop_assert_eq!(matches(&pattern.join("."), &subject.join(".")), oracle(&pattern, &subject));
        }

        #[test]
        fn takes_any_text_without_a_panic(text: String) {
            let subject = Subject::parse(&text);
            prop_assert!(subject.is_err() || Pattern::parse(&text).is_ok());
        }

        #[test]
        fn makes_one_token_of_any_name(name in ".{1,20}", other in ".{1,20}") {
            prop_assert!(Subject::parse(&token(&name)).is_ok_and(|subject| subject.first() == token(&name)));
            prop_assert_eq!(token(&name) == token(&other), name == other);
        }
    }
}
