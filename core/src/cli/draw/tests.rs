//! What trees look like.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn drawn(tree: Value, width: usize) -> String {
    let tree: UiTree = serde_json::from_value(tree).unwrap();
    draw(&tree, Canvas { width, color: false }).join("\n")
}

#[test]
fn frames_a_table_and_wraps_its_cells() {
    let table = json!({ "type": "table", "title": "Files", "columns": ["Name", "Size"],
        "rows": [["a.txt", "1"], ["a name that is long", "22"]] });
    let expected = "\
╭───────── Home ─────────╮
│ Files                  │
│ ┌───────────────┬──────┐ │"
        .lines()
        .next()
        .unwrap();
    let shown = drawn(json!({ "type": "panel", "title": "Home", "content": table }), 26);
    assert_eq!(shown.lines().next().unwrap(), expected);
    assert!(shown.lines().all(|line| measure_text_width(line) == 26), "{shown}");
    assert!(shown.contains("long") && shown.contains("Name"), "{shown}");
}

#[test]
fn draws_trees_bars_and_curves() {
    let tree = json!({ "type": "tree", "label": "src", "children": [
        { "label": "a", "children": [{ "label": "b" }] }, { "label": "c" }] });
    assert_eq!(drawn(tree, 20), "src\n├── a\n│   └── b\n└── c");
    let bar = json!({ "type": "progress", "label": "Copy", "done": 5, "total": 10 });
    assert_eq!(drawn(bar, 21), "Copy ━━━━━┄┄┄┄┄  50 %");
    assert_eq!(drawn(json!({ "type": "progress", "done": 5 }), 21), "5");
    assert_eq!(drawn(json!({ "type": "sparkline", "values": [0, 1, 2, 7] }), 3), "▁▂█");
}

#[test]
fn puts_things_side_by_side_where_there_is_room() {
    let items = json!({ "type": "columns", "items": [
        { "type": "text", "text": "left\nmore" }, { "type": "text", "text": "right" }] });
    assert_eq!(drawn(items.clone(), 40), "left  right\nmore");
    assert_eq!(drawn(items, 20), "left\nmore\nright");
}

#[test]
fn draws_markdown() {
    let text =
        "# Head\n\nSome *words* and `code`\nmore.\n\n- one\n- two\n  1. deep\n\n```\nfn x\n```\n> said";
    let expected = "Head\n\nSome words and code more.\n\n • one\n • two\n   1. deep\n\n  fn x\n\n│ said";
    assert_eq!(drawn(json!({ "type": "markdown", "text": text }), 30), expected);
}

#[test]
fn keeps_colours_and_nothing_else_of_what_a_terminal_obeys() {
    let text = "\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}end\u{1b}[1A";
    let tree: UiTree = serde_json::from_value(json!({ "type": "ansi", "text": text })).unwrap();
    let lines = draw(&tree, Canvas { width: 20, color: true });
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("\u{1b}[31mred\u{1b}[0m "), "{lines:?}");
    assert!(
        !lines[0].contains("[2J") && !lines[0].contains("[1A") && !lines[0].contains("\u{1b}]"),
        "{lines:?}"
    );
    assert!(!drawn(json!({ "type": "ansi", "text": text }), 20).contains('\u{1b}'));
    assert_eq!(drawn(json!({ "type": "text", "text": "\u{1b}[2Jx" }), 20), r"\u{1b}[2Jx");
}

#[test]
fn shows_what_a_later_version_says_instead() {
    assert_eq!(drawn(json!({ "type": "globe", "fallback": "Earth" }), 20), "Earth");
    let tree = json!({ "type": "globe", "fallback": { "type": "text", "text": "Mars" } });
    assert_eq!(drawn(tree, 20), "Mars");
    assert!(drawn(json!({ "type": "globe" }), 80).contains("`globe` cannot be drawn"));
}

fn trees() -> impl Strategy<Value = Value> {
    let word = "[ -~äö漢\n\t\u{1b}\u{202e}]{0,40}";
    let leaf = prop_oneof![
        (word, word).prop_map(|(text, style)| json!({ "type": "text", "text": text, "style": style })),
        word.prop_map(|text| json!({ "type": "markdown", "text": text })),
        word.prop_map(|text| json!({ "type": "ansi", "text": text })),
        word.prop_map(|text| json!({ "type": "code", "text": text })),
        (any::<f64>(), proptest::option::of(any::<f64>()), word)
            .prop_map(|(done, total, label)| json!({ "type": "progress", "label": label,
                "done": if done.is_finite() { done } else { 0.0 }, "total": total.filter(|total| total.is_finite()) })),
        proptest::collection::vec(-1e300..1e300, 0..100)
            .prop_map(|values: Vec<f64>| json!({ "type": "sparkline", "values": values })),
        (proptest::collection::vec(word, 0..4), proptest::collection::vec(proptest::collection::vec(word, 0..4), 0..4))
            .prop_map(|(columns, rows)| json!({ "type": "table", "columns": columns, "rows": rows })),
    ];
    leaf.prop_recursive(6, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|content| json!({ "type": "panel", "title": "t", "content": content })),
            proptest::collection::vec(inner, 0..4)
                .prop_map(|items| json!({ "type": "columns", "items": items })),
        ]
    })
}

proptest! {
    #[test]
    fn fits_whatever_it_is_given(tree in trees(), width in 1usize..100) {
        let tree: UiTree = serde_json::from_value(tree).unwrap();
        for line in draw(&tree, Canvas { width, color: false }) {
            prop_assert!(!line.contains(['\n', '\u{1b}']), "{line:?}");
            prop_assert!(measure_text_width(&line) <= width, "{line:?}");
        }
    }
}
