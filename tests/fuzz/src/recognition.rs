//! Recognition: no example, no schema and no text is too strange, and nothing is made up.

use arbitrary::{Result, Unstructured};
use astros_core::agent::recognition::{
    Decision, HandlerDoc, MARGIN, Match, Recognizer, Slot, Standard, THRESHOLD, choose,
};
use serde_json::Value;

use super::json;

const WORDS: [&str; 24] = [
    "organize ",
    "the files ",
    "in ",
    "{path}",
    "{a}",
    "{b_c} ",
    "by ",
    "type",
    "{method}",
    "\"a b\"",
    "~/x ",
    "/tmp/ü",
    "please ",
    "don't ",
    "what is ",
    "'",
    "{",
    "}",
    ", ",
    "ﬁ",
    "İ",
    "my downloads ",
    "5 ",
    "\n",
];

pub(super) fn run(data: &[u8]) {
    // Who has no more bytes has said all.
    let _ = understands(&mut Unstructured::new(data));
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    (0..32_u8).map(|seed| fastrand::Rng::with_seed(seed.into()).choose_multiple(0..=255, 200)).collect()
}

fn understands(u: &mut Unstructured<'_>) -> Result<()> {
    let docs = (0..u.int_in_range(1..=4)?).map(|number| doc(u, number)).collect::<Result<Vec<_>>>()?;
    let there: bool = u.arbitrary()?;
    let text = match u.arbitrary::<u8>()? {
        0..=99 => words(u)?,
        100..=199 => filled(u, &docs)?,
        _ => String::from_utf8_lossy(u.bytes(u.len().min(200))?).into_owned(),
    };
    let recognizer = Standard::new(&docs);
    let ranked = recognizer.rank(&text, &|_| there);
    for found in &ranked {
        fits(found, &docs, &text);
    }
    assert!(ranked.is_sorted_by(|one, next| one.confidence >= next.confidence), "the likeliest first");
    assert!(alike(&ranked, &recognizer.rank(&text, &|_| there)), "twice the same: {text:?} {docs:?}");
    let reversed: Vec<_> = docs.iter().rev().cloned().collect();
    let other_way = Standard::new(&reversed).rank(&text, &|_| there);
    assert!(alike(&ranked, &other_way), "the order of plugins changes nothing: {text:?} {docs:?}");
    for doc in &docs {
        recognizer.slots(&doc.plugin, &doc.handler, &text, &|_| there);
    }
    if let Decision::Try(able) = choose(ranked, THRESHOLD, MARGIN) {
        assert!(!able.is_empty() && able.iter().all(|found| found.confidence >= THRESHOLD));
    }
    Ok(())
}

fn fits(found: &Match, docs: &[HandlerDoc], text: &str) {
    assert!((0.0..=1.0).contains(&found.confidence), "{found:?}");
    let doc = docs.iter().find(|doc| doc.plugin == found.plugin && doc.handler == found.handler);
    let doc = doc.expect("a handler that there is");
    if let Some(template) = &found.why.template {
        assert!(doc.examples.contains(template), "{template} was declared");
    }
    for slot in found.slots.values() {
        match slot {
            Slot::Path(typed) => {
                assert!(typed.starts_with("~/") || text.contains(typed.as_str()), "{typed:?} of {text:?}")
            }
            Slot::Value(Value::String(said)) if doc.parameters.is_null() && !doc.examples.is_empty() => {
                let known = ["type", "date", "size", "name"].contains(&said.as_str());
                assert!(known || text.contains(said.as_str()), "{said:?} of {text:?}");
            }
            Slot::Value(_) => {}
        }
    }
}

/// The same handlers, with the same slots and as likely: sums differ in their last digits, which are rounded.
fn alike(ranked: &[Match], others: &[Match]) -> bool {
    const ROUNDED: f64 = 2e-4;
    // Where one stands at the least likelihood, the other may be below it.
    let covers = |some: &[Match], all: &[Match]| {
        some.iter().filter(|one| one.confidence > 0.01 + ROUNDED).all(|one| {
            let same = |other: &&Match| (&one.plugin, &one.handler) == (&other.plugin, &other.handler);
            all.iter().find(same).is_some_and(|other| {
                (one.confidence - other.confidence).abs() <= ROUNDED && one.slots == other.slots
            })
        })
    };
    covers(ranked, others) && covers(others, ranked)
}

fn doc(u: &mut Unstructured<'_>, number: u8) -> Result<HandlerDoc> {
    Ok(HandlerDoc {
        plugin: format!("p{}", number % 2),
        handler: format!("handler_{number}"),
        priority: i32::from(u.arbitrary::<i8>()?),
        examples: json::list(u, words)?,
        description: if u.arbitrary()? { words(u)? } else { String::new() },
        handles: Vec::new(),
        plugin_description: String::new(),
        parameters: if u.arbitrary()? { json::schema(u)? } else { Value::Null },
    })
}

fn words(u: &mut Unstructured<'_>) -> Result<String> {
    let mut text = String::new();
    for _ in 0..u.int_in_range(0..=6)? {
        match u.arbitrary::<u8>()? {
            0..=220 => text.push_str(u.choose(&WORDS)?),
            _ => text.push_str(&json::text(u)?),
        }
    }
    Ok(text)
}

/// An example with something in its slots.
fn filled(u: &mut Unstructured<'_>, docs: &[HandlerDoc]) -> Result<String> {
    let examples: Vec<_> = docs.iter().flat_map(|doc| &doc.examples).collect();
    let mut text = if examples.is_empty() { String::new() } else { (*u.choose(&examples)?).clone() };
    for slot in ["{path}", "{a}", "{b_c}", "{method}"] {
        text = text.replace(slot, &words(u)?);
    }
    Ok(text)
}
