//! Words: spelling, stems, stop words and a small lexicon of everyday synonyms, all for English.
//!
//! Other languages pass through untouched and are compared word by word.

/// Words that hold a sentence together and say little about what it is about.
const STOP: &[&str] = &[
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "by", "can", "could",
    "did", "do", "does", "for", "from", "had", "has", "have", "he", "her", "here", "his", "how", "i", "if",
    "in", "into", "is", "it", "its", "just", "let", "like", "me", "mine", "my", "need", "now", "of", "on",
    "or", "our", "please", "she", "should", "so", "some", "stuff", "than", "that", "the", "their", "them",
    "then", "there", "these", "they", "thing", "things", "this", "those", "to", "up", "us", "want", "was",
    "we", "were", "what", "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
    "yourself",
];

/// Words of a description that tell what every handler is: code that handles something.
const NOISE: &[&str] = &["handle", "handler", "handles", "main", "plugin", "request", "requests"];

/// Everyday synonyms; each word stands for the first of its line.
const SAME: &[&[&str]] = &[
    &["hello", "hi", "hey", "hiya", "howdy", "greet", "greets", "greeting", "greetings"],
    &["organize", "organizer", "tidy", "arrange", "sort", "clean"],
    &["find", "search", "locate", "look"],
    &["type", "types", "kind", "kinds", "category", "categories"],
    &["folder", "folders", "directory", "directories", "dir"],
    &["delete", "remove", "erase"],
    &["undo", "revert"],
    // Who is spoken to.
    &["astros", "yourself"],
    &["picture", "pictures", "photo", "photos", "image", "images"],
];

/// Articles and the like, which a template and a text may have or leave out.
const OPTIONAL: &[&str] = &["the", "a", "an", "my", "all", "some", "please"];

const POLITE_START: &[&[&str]] = &[
    &["hey", "astros"],
    &["hi", "astros"],
    &["ok", "astros"],
    &["okay", "astros"],
    &["please", "astros"],
    &["astros"],
    &["please"],
    &["kindly"],
    &["could", "you"],
    &["can", "you"],
    &["would", "you"],
    &["will", "you"],
    &["i", "want", "you", "to"],
    &["i", "would", "like", "you", "to"],
    &["i'd", "like", "you", "to"],
];

const POLITE_END: &[&[&str]] = &[&["please"], &["for", "me"], &["thanks"], &["thank", "you"], &["astros"]];

/// What forbids: who is told not to do a thing must not do it.
const FORBIDDING: &[&[&str]] = &[&["don't"], &["dont"], &["do", "not"], &["never"]];

/// What opens a question or a wish, and says nothing of what it is about.
const OPENING: &[&[&str]] = &[
    &["what", "is"],
    &["what's"],
    &["what", "are"],
    &["how", "is"],
    &["how's"],
    &["tell", "me"],
    &["show", "me"],
    &["give", "me"],
    &["i", "want"],
    &["i", "want", "to"],
    &["i", "need", "to"],
];

/// A word in lower case, and in American spelling: `Organise` and `organize` are one word.
pub(super) fn normal(word: &str) -> String {
    let word = word.to_lowercase().replace('\u{2019}', "'");
    for (british, american) in [("is", "iz"), ("ys", "yz")] {
        for ending in ["e", "ed", "es", "er", "ers", "ing", "ation", "ations"] {
            let stem = word.strip_suffix(ending).and_then(|rest| rest.strip_suffix(british));
            if let Some(stem) = stem.filter(|stem| stem.len() >= 3) {
                return format!("{stem}{american}{ending}");
            }
        }
    }
    match word.strip_suffix("our") {
        Some(stem) if stem.len() >= 3 => format!("{stem}or"),
        _ => word,
    }
}

/// A normal word without its ending, the same for its forms: `organizing`, `organization` → `organiz`.
pub(super) fn stem(word: &str) -> String {
    let word = word.strip_suffix("'s").unwrap_or(word);
    let word = SAME.iter().find(|same| same.contains(&word)).map_or(word, |same| same[0]);
    if word.len() < 4 || !word.is_ascii() {
        return word.to_owned();
    }
    for (ending, instead) in
        [("ations", ""), ("ation", ""), ("ings", ""), ("ing", ""), ("ies", "y"), ("ied", "y"), ("ed", "")]
    {
        if let Some(rest) = word.strip_suffix(ending).filter(|rest| rest.len() >= 3) {
            return undouble(rest).trim_end_matches('e').to_owned() + instead;
        }
    }
    let word = if word.ends_with("ss") { word } else { word.strip_suffix('s').unwrap_or(word) };
    word.strip_suffix('e').filter(|rest| rest.len() >= 2).unwrap_or(word).to_owned()
}

/// `runn` (from `running`) → `run`; `call`, `miss` stay.
fn undouble(stem: &str) -> &str {
    let bytes = stem.as_bytes();
    match bytes {
        [.., x, y] if x == y && !b"lsze".contains(y) => &stem[..stem.len() - 1],
        _ => stem,
    }
}

pub(super) fn is_stop(word: &str) -> bool {
    STOP.binary_search(&word).is_ok()
}

pub(super) fn is_noise(word: &str) -> bool {
    NOISE.contains(&word)
}

pub(super) fn is_optional(word: &str) -> bool {
    OPTIONAL.contains(&word)
}

/// What is left of a sentence of normal words without its polite start and end; never nothing.
pub(super) fn without_politeness<T>(mut sentence: &[T], word: impl Fn(&T) -> &str) -> &[T] {
    if let [greeting, name] = sentence
        && stem(word(greeting)) == "hello"
        && word(name) == "astros"
    {
        return &sentence[..1];
    }
    let is = |part: &[T], phrase: &[&str]| part.iter().map(&word).eq(phrase.iter().copied());
    while let Some(polite) = POLITE_START
        .iter()
        .find(|polite| sentence.len() > polite.len() && is(&sentence[..polite.len()], polite))
    {
        sentence = &sentence[polite.len()..];
    }
    while let Some(polite) = POLITE_END.iter().find(|polite| {
        sentence.len() > polite.len() + 1 && is(&sentence[sentence.len() - polite.len()..], polite)
    }) {
        sentence = &sentence[..sentence.len() - polite.len()];
    }
    sentence
}

/// What is left of a sentence of normal words without its opening; none where it has none.
pub(super) fn without_opening<T>(sentence: &[T], word: impl Fn(&T) -> &str) -> Option<&[T]> {
    let opens = |opening: &&&[&str]| {
        sentence.len() > opening.len() && sentence.iter().map(&word).zip(**opening).all(|(a, b)| a == *b)
    };
    let longest = OPENING.iter().filter(opens).map(|opening| opening.len()).max()?;
    Some(&sentence[longest..])
}

/// Whether a sentence of normal words begins by forbidding something.
pub(super) fn forbids<T>(sentence: &[T], word: impl Fn(&T) -> &str) -> bool {
    FORBIDDING.iter().any(|start| {
        sentence.len() > start.len() && sentence.iter().map(&word).zip(*start).all(|(a, b)| a == *b)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP.is_sorted());
    }

    #[test]
    fn spellings_and_forms_of_a_word_are_one() {
        for (a, b) in [
            ("organise", "organize"),
            ("Organising", "organization"),
            ("files", "file"),
            ("colour", "color"),
            ("copies", "copy"),
            ("running", "run"),
            ("greetings", "hi"),
            ("moved", "move"),
            ("operations", "operation"),
        ] {
            assert_eq!(stem(&normal(a)), stem(&normal(b)), "{a} and {b}");
        }
        for (a, b) in [("list", "last"), ("size", "type"), ("copy", "cop")] {
            assert_ne!(stem(a), stem(b), "{a} and {b}");
        }
    }

    #[test]
    fn politeness_is_left_out_but_never_everything() {
        let said = |text: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            without_politeness(&words, |word| word).join(" ")
        };
        assert_eq!(said("hey astros could you please sort it for me"), "sort it");
        assert_eq!(said("please"), "please");
        assert_eq!(said("hey astros"), "hey");
        assert_eq!(said("introduce astros"), "introduce astros");
    }
}
