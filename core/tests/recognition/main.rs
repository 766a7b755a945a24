//! What people say to the bundled plugins and to those of the guides, and who is found to do it.

mod bundled;

use std::time::{Duration, Instant};

use astros_core::agent::recognition::{
    Decision, HandlerDoc, MARGIN, Match, Recognizer, Standard, THRESHOLD, choose,
};
use bundled::{bundled, guides, typed};
use proptest::prelude::*;
use serde_json::{Value, json};

fn nothing(_: &str) -> bool {
    false
}

fn decide(docs: &[HandlerDoc], text: &str) -> Decision {
    choose(Standard::new(docs).rank(text, &nothing), THRESHOLD, MARGIN)
}

fn first(docs: &[HandlerDoc], text: &str) -> Match {
    match decide(docs, text) {
        Decision::Try(mut all) => all.remove(0),
        Decision::Nobody(nearest) => panic!("nobody does `{text}`, nearest: {nearest:?}"),
    }
}

/// Plugins with one handler each and these examples.
fn handlers(all: &[(&str, &str, i32, &[&str])]) -> Vec<HandlerDoc> {
    let doc = |&(plugin, handler, priority, examples): &(&str, &str, i32, &[&str])| HandlerDoc {
        plugin: plugin.into(),
        handler: handler.into(),
        priority,
        examples: examples.iter().map(|&example| example.into()).collect(),
        ..HandlerDoc::default()
    };
    all.iter().map(doc).collect()
}

#[test]
fn what_opens_a_question_may_stand_before_a_template() {
    let docs = handlers(&[
        ("weather", "weather_in", 0, &["weather in {city}", "is it raining in {city}"]),
        ("files", "list_files", 0, &["what is in {path}", "list the files in {path}"]),
    ]);
    for text in ["what's the weather in Oslo?", "What is the weather in Oslo", "show me the weather in Oslo"]
    {
        let found = first(&docs, text);
        assert_eq!((&*found.handler, typed(&found.slots)), ("weather_in", json!({"city": "Oslo"})), "{text}");
    }
    assert_eq!(first(&docs, "what is in /tmp").handler, "list_files");
}

#[test]
fn what_is_forbidden_is_not_done() {
    for text in ["don't organize my downloads", "please do not copy /a to /b", "never undo that"] {
        assert!(matches!(decide(&bundled(), text), Decision::Nobody(_)), "{text}");
    }
    let docs = handlers(&[("quiet", "hush", 0, &["don't disturb me for {time}"])]);
    assert_eq!(first(&docs, "don't disturb me for an hour").handler, "hush");
}

#[test]
fn a_choice_that_there_is_not_reaches_the_handler_that_can_say_so() {
    for text in ["organize my downloads by color", "organize the files in /tmp/x by color"] {
        let found = first(&bundled(), text);
        assert_eq!(typed(&found.slots)["method"], json!("color"), "{text}: {found:?}");
    }
}

#[test]
fn a_declared_example_is_near_certain_and_gives_its_slots() {
    for (text, handler, slots) in [
        (
            "organize the files in /tmp/x by type",
            "organize_files",
            json!({"path": {"path": "/tmp/x"}, "method": "type"}),
        ),
        (
            "please could you organise the files in /tmp/a b by type?",
            "organize_files",
            json!({"path": {"path": "/tmp/a b"}, "method": "type"}),
        ),
        (
            "Sort \"~/Ünï côde\" by Kind.",
            "organize_files",
            json!({"path": {"path": "~/Ünï côde"}, "method": "type"}),
        ),
        (
            "hey astros, tidy up ~/Downloads by size please",
            "organize_files",
            json!({"path": {"path": "~/Downloads"}, "method": "size"}),
        ),
        ("tidy up the downloads folder", "organize_files", json!({"path": {"path": "~/Downloads"}})),
        ("what's ./notes.txt?", "file_info", json!({"path": {"path": "./notes.txt"}})),
        (
            "find Big Bills in ./in/out",
            "search_files",
            json!({"path": {"path": "./in/out"}, "query": "Big Bills"}),
        ),
        (
            "move 'a to b' to ../c",
            "move_files",
            json!({"source": {"path": "a to b"}, "destination": {"path": "../c"}}),
        ),
        ("notify me that Tea is ready", "send_notification", json!({"message": "Tea is ready"})),
        ("undo that!", "undo", json!({})),
    ] {
        let found = first(&bundled(), text);
        assert_eq!((&*found.handler, typed(&found.slots)), (handler, slots), "{text}");
        assert!(found.confidence >= 0.95 && found.why.template.is_some(), "{text}: {found:?}");
    }
}

#[test]
fn other_words_for_the_same_are_understood_and_give_their_slots() {
    for (text, handler, slots) in [
        (
            "sort the stuff in ./inbox by kind",
            "organize_files",
            json!({"path": {"path": "./inbox"}, "method": "type"}),
        ),
        (
            "could you clean up my downloads folder",
            "organize_files",
            json!({"path": {"path": "~/Downloads"}}),
        ),
        ("organize my files by date", "organize_files", json!({"method": "date"})),
        (
            "organze everything in /tmp/x by type",
            "organize_files",
            json!({"path": {"path": "/tmp/x"}, "method": "type"}),
        ),
        (
            "search for old bills in ~/Documents",
            "search_files",
            json!({"path": {"path": "~/Documents"}, "query": "old bills"}),
        ),
        ("show me the files in my documents", "list_files", json!({"path": {"path": "~/Documents"}})),
        (
            "move all files from /a to /b",
            "move_files",
            json!({"source": {"path": "/a"}, "destination": {"path": "/b"}}),
        ),
        (
            "make a copy of ./a in ./b",
            "copy_files",
            json!({"source": {"path": "./a"}, "destination": {"path": "./b"}}),
        ),
        ("revert the last operation", "undo", json!({})),
    ] {
        let found = first(&bundled(), text);
        assert_eq!((&*found.handler, typed(&found.slots)), (handler, slots), "{text}");
        assert!(found.why.template.is_none() && found.why.nearest.is_some(), "{text}: {:?}", found.why);
        assert!(!found.why.words.is_empty(), "{text}");
    }
}

#[test]
fn handlers_without_examples_are_found_by_what_they_say_about_themselves() {
    for (text, handler, slots) in [
        ("say hello", "say_hello", json!({})),
        ("hello there", "say_hello", json!({})),
        ("Hi AstrOS!", "say_hello", json!({})),
        ("introduce astros", "introduce_astros", json!({})),
        ("please introduce yourself", "introduce_astros", json!({})),
        ("remember my preference for dark mode", "remember_preference", json!({})),
        ("store my preferences", "remember_preference", json!({})),
        ("coordinate an action", "coordinate_action", json!({})),
        ("organize my files by type", "organize_files", json!({"method": "by_type"})),
        (
            "tidy up ~/Downloads by date",
            "organize_files",
            json!({"path": {"path": "~/Downloads"}, "method": "by_date"}),
        ),
    ] {
        let found = first(&guides(), text);
        assert_eq!((&*found.handler, typed(&found.slots)), (handler, slots), "{text}");
    }
}

#[test]
fn what_nobody_can_do_is_refused_with_the_nearest() {
    let docs = [bundled(), guides()].concat();
    for text in [
        "fold my laundry",
        "book a flight to oslo",
        "what is the capital of france",
        "weather tomorrow",
        "what is love",
        "find restaurants in paris",
        "move the couch to the living room",
        "copy that",
        "move it",
        "sort my life out by priority",
        "say goodbye",
        "tell me a joke",
        "send money to my mother",
        "show me the news",
        "how big is texas",
        "remember the milk",
        "the last of us",
        "play some music",
        "",
        "   ",
        "?!… ,",
        "\u{0}\u{1}\u{7f}",
        "🎉🎉",
        "the",
        "{path}",
        "by type",
    ] {
        assert!(matches!(decide(&docs, text), Decision::Nobody(_)), "{text}: {:?}", decide(&docs, text));
    }
    let Decision::Nobody(nearest) = decide(&docs, "sort laundry by color") else { panic!("it was accepted") };
    assert_eq!(nearest[0].handler, "organize_files");
    assert!(matches!(decide(&[], "say hello"), Decision::Nobody(none) if none.is_empty()));
}

#[test]
fn priority_decides_between_plugins_that_can_do_the_same() {
    for text in ["organize the files in /x by type", "organize my downloads by type", "tidy up /x"] {
        let Decision::Try(all) = decide(&bundled(), text) else { panic!("nobody does `{text}`") };
        let plugins: Vec<_> = all.iter().take(2).map(|found| &*found.plugin).collect();
        assert_eq!(plugins, ["smart-organizer", "file-manager"], "{text}");
    }
}

#[test]
fn a_greedy_slot_steals_nothing() {
    let docs = handlers(&[
        ("greedy", "anything", 99, &["{anything}"]),
        ("teller", "tell", 99, &["tell me {message}", "what is {topic}"]),
        ("weather", "weather_in", 0, &["tell me the weather in {city}", "what is the weather in {city}"]),
    ]);
    for text in ["tell me the weather in São Paulo", "What is the weather in Oslo?"] {
        assert_eq!(first(&docs, text).handler, "weather_in", "{text}");
    }
    assert_eq!(typed(&first(&docs, "what is the weather in New York?").slots), json!({"city": "New York"}));
    assert_eq!(first(&docs, "what is photosynthesis").handler, "tell");
    assert!(matches!(decide(&docs, "sing"), Decision::Nobody(_)));
}

#[test]
fn a_value_that_the_schema_refuses_does_not_fit() {
    let mut docs = handlers(&[("timer", "start_timer", 0, &["start a timer of {minutes} minutes"])]);
    docs[0].parameters = json!({"properties": {"minutes": {"type": "integer"}}});
    assert_eq!(typed(&first(&docs, "start a timer of 5 minutes").slots), json!({"minutes": 5}));
    assert_eq!(typed(&first(&docs, "start me a timer, 12 minutes").slots), json!({"minutes": 12}));
    let found = first(&docs, "start a timer of some minutes");
    assert_eq!((found.why.template, typed(&found.slots)), (None, json!({})));
}

#[test]
fn a_plain_word_is_a_path_where_there_is_such_a_file() {
    let recognizer = Standard::new(&bundled());
    let decided =
        |text, exists: &dyn Fn(&str) -> bool| choose(recognizer.rank(text, exists), THRESHOLD, MARGIN);
    assert!(matches!(decided("tidy up inbox", &nothing), Decision::Nobody(_)));
    let Decision::Try(found) = decided("tidy up inbox", &|path| path == "inbox") else {
        panic!("nobody tidies up")
    };
    assert_eq!(typed(&found[0].slots), json!({"path": {"path": "inbox"}}));
    let Decision::Try(found) = decided("arrange what is in /a b now by size", &|path| path == "/a b") else {
        panic!("nobody arranges")
    };
    assert_eq!(typed(&found[0].slots), json!({"path": {"path": "/a b"}, "method": "size"}));
}

#[test]
fn the_order_of_plugins_changes_nothing() {
    let mut docs = bundled();
    let said = |docs: &[HandlerDoc]| -> Vec<String> {
        let ranked = Standard::new(docs).rank("show me what files are in /tmp", &nothing);
        ranked
            .iter()
            .map(|found| format!("{}.{} {:.4}", found.plugin, found.handler, found.confidence))
            .collect()
    };
    let before = said(&docs);
    docs.reverse();
    assert_eq!(said(&docs), before);
}

#[test]
fn a_megabyte_of_text_is_no_trouble() {
    let recognizer = Standard::new(&[bundled(), guides()].concat());
    for piece in [
        "organize ",
        "organize the files in /tmp/x by type ",
        "a",
        "\"a ",
        "/",
        "é{",
        "' ' ",
        "find in ",
        "(",
        ")",
        "x)(",
    ] {
        let text = piece.repeat(1_000_000 / piece.len());
        let started = Instant::now();
        recognizer.rank(&text, &nothing);
        // Some milliseconds when optimized; the bound is for a slow machine and no optimization.
        assert!(started.elapsed() < Duration::from_secs(2), "{piece}: {:?}", started.elapsed());
    }
}

#[test]
fn a_long_message_is_never_cut() {
    let recognizer = Standard::new(&bundled());
    for start in ["notify me that", "now notify me, that"] {
        for words in [1, 20, 80, 300, 200_000] {
            let message = "word ".repeat(words);
            let ranked = recognizer.rank(&format!("{start} {message}"), &nothing);
            let Some(sent) = ranked.iter().find(|found| found.confidence >= THRESHOLD) else { continue };
            assert_eq!(typed(&sent.slots)["message"], message.trim_end(), "{start} and {words} words");
        }
    }
}

proptest! {
    #[test]
    fn no_text_and_no_example_is_too_strange(
        text in "\\PC{0,60}|[a-c{}/~\"' .,]{0,40}",
        examples in prop::collection::vec("[a-c{}_/~\"' .,é]{0,24}|\\PC{0,20}", 0..4),
        description in "\\PC{0,30}",
        kind in prop::sample::select(vec!["string", "integer", "boolean", "object"]),
        there: bool,
    ) {
        let parameters = json!({"properties": {"a": {"type": kind}, "b": {"$ref": "#"}, "c": Value::Null}});
        let doc = HandlerDoc { handler: "a_b".into(), examples, description, parameters, ..HandlerDoc::default() };
        for found in Standard::new(&[doc]).rank(&text, &|_| there) {
            prop_assert!((0.0..=1.0).contains(&found.confidence), "{found:?}");
        }
    }
}
