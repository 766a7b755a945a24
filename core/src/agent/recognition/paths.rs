//! Paths as people type and say them.

use std::path::{Component, Path, PathBuf};

use astros_protocol::Extra;
use serde_json::Value;

use super::slots::Kind;

/// The folders of a home that people name without a path, and how they name them.
const FOLDERS: &[(&str, &[&str])] = &[
    ("~/Downloads", &["downloads", "download"]),
    ("~/Documents", &["documents", "document"]),
    ("~/Desktop", &["desktop"]),
    ("~/Pictures", &["pictures", "picture", "photos"]),
    ("~/Music", &["music"]),
    ("~/Videos", &["videos", "video"]),
    ("~", &["home"]),
];

/// The absolute path of one as typed: `~` is `home`, the rest is seen from `cwd`, `.` and `..` are worked out.
///
/// Nothing is looked up, so `..` after a symbolic link goes back to where the link is.
pub fn resolve(typed: &str, cwd: &Path, home: &Path) -> PathBuf {
    let joined = match typed.strip_prefix('~') {
        Some("") => home.to_owned(),
        Some(rest) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => cwd.join(typed),
    };
    let mut path = PathBuf::new();
    for part in joined.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(path.pop()),
            _ => path.push(part),
        }
    }
    path
}

/// The paths among what a handler is given, as they stand there, and whether its parameters' schema says that they are
/// some: else their names do.
pub fn named<'a>(context: &'a Extra, parameters: &'a Value) -> Vec<(&'a str, bool)> {
    let of = |(name, value): (&'a String, &'a Value)| {
        let schema = &parameters["properties"][name];
        let (said, items) = (Kind::is_path(schema, parameters), Kind::is_path(&schema["items"], parameters));
        let texts = match value {
            Value::String(text) if Kind::of(name, parameters) == Kind::Path => vec![&**text],
            Value::Array(all) if items => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        texts.into_iter().map(move |text| (text, said || items))
    };
    context.iter().flat_map(of).collect()
}

/// Makes those absolute that the schema says are some.
pub fn from_here(context: &mut Extra, parameters: &Value, cwd: &Path, home: &Path) {
    for (name, value) in context {
        let schema = &parameters["properties"][name];
        let (said, items) = (Kind::is_path(schema, parameters), Kind::is_path(&schema["items"], parameters));
        let texts = match value {
            Value::Array(all) if items => all.iter_mut().collect(),
            one => vec![one],
        };
        for one in texts.into_iter().filter(|_| said || items) {
            if let Some(text) = one.as_str().filter(|text| !text.is_empty()) {
                *one = resolve(text, cwd, home).to_string_lossy().into();
            }
        }
    }
}

/// Whether a word can hardly be anything but a path.
pub(super) fn looks_like_path(word: &str) -> bool {
    if matches!(word, "." | ".." | "~" | "/")
        || ["/", "./", "../", "~/"].iter().any(|start| word.starts_with(start))
    {
        return true;
    }
    if word.contains('/') {
        let said = ["and/or", "w/o", "n/a", "24/7"].contains(&word.to_lowercase().as_str());
        return !said && !word.contains("://") && word.contains(char::is_alphabetic);
    }
    word.rsplit_once('.').is_some_and(|(name, extension)| {
        !name.is_empty()
            && (2..=5).contains(&extension.len())
            && extension.chars().all(|c| c.is_ascii_alphanumeric())
            && extension.contains(|c: char| c.is_ascii_alphabetic())
    })
}

/// The folder that words such as `my downloads` or `the downloads folder` mean, as a path below `~`.
pub(super) fn named_folder(words: &[&str]) -> Option<&'static str> {
    let (mine, mut name) = match words {
        ["my" | "our", name @ ..] => (true, name),
        ["the", name @ ..] => (false, name),
        _ => (false, words),
    };
    let called = name.len() == 2 && ["folder", "directory", "dir"].contains(&name[1]);
    if called {
        name = &name[..1];
    }
    let [name] = name else { return None };
    let (path, _) = FOLDERS.iter().find(|(_, names)| names.contains(name))?;
    // "music" may mean anything, and "my home" a house.
    let plain = ["downloads", "documents", "desktop"].contains(name);
    (plain || called || (mine && *path != "~")).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_path_becomes_absolute() {
        let absolute = |typed| resolve(typed, Path::new("/home/ada/work"), Path::new("/home/ada"));
        for (typed, path) in [
            ("~", "/home/ada"),
            ("~/x y", "/home/ada/x y"),
            ("~//x/", "/home/ada/x"),
            ("./inbox", "/home/ada/work/inbox"),
            ("inbox/../out", "/home/ada/work/out"),
            ("../../../../..", "/"),
            ("/tmp/./a/../b", "/tmp/b"),
            (".", "/home/ada/work"),
            ("", "/home/ada/work"),
        ] {
            assert_eq!(absolute(typed), Path::new(path), "{typed}");
        }
    }

    #[test]
    fn paths_are_found_among_what_a_handler_is_given() {
        let parameters = serde_json::json!({ "properties": {
            "from": { "anyOf": [{ "type": "string", "format": "path" }, { "type": "null" }] },
            "source": { "type": "string" }, "all": { "type": "array", "items": { "format": "path" } },
            "folder": { "enum": ["a"] },
        } });
        let context = serde_json::json!({
            "from": "/f", "source": "german", "all": ["/a", 7], "folder": "a", "text": "/t", "extra_path": "p"
        });
        let mut found = named(context.as_object().unwrap(), &parameters);
        found.sort();
        assert_eq!(found, [("/a", true), ("/f", true), ("german", false), ("p", false)]);
    }

    #[test]
    fn paths_are_told_from_words() {
        for path in ["/tmp", "./a", "../b", "~/x", "~", ".", "a/b", "notes.txt", "Ünï.tar.gz", "src/"] {
            assert!(looks_like_path(path), "{path}");
        }
        for word in ["inbox", "and/or", "https://a.b/c", "3.5", "1/2", "e.g", "hello.", "x.toolong"] {
            assert!(!looks_like_path(word), "{word}");
        }
    }

    #[test]
    fn spoken_folders_are_below_home() {
        for (said, path) in [
            ("my downloads", Some("~/Downloads")),
            ("the downloads folder", Some("~/Downloads")),
            ("desktop", Some("~/Desktop")),
            ("my pictures", Some("~/Pictures")),
            ("my home directory", Some("~")),
            ("music", None),
            ("the pictures", None),
            ("my home", None),
            ("my life", None),
            ("folder", None),
            ("my", None),
        ] {
            assert_eq!(named_folder(&said.split(' ').collect::<Vec<_>>()), path, "{said}");
        }
    }
}
