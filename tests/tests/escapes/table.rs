//! The table of attempts, which is a page of the book: what is written there is what is tried.

use std::path::Path;

/// An attempt to get out.
#[derive(Debug)]
pub(crate) struct Attempt {
    /// The name of its handler.
    pub(crate) name: String,
    /// What the plugins are granted that try it: `nothing`, `files`, `hosts`, `network`, `limits`.
    pub(crate) granted: Vec<String>,
    /// Where it is seen to succeed with nothing enforced.
    pub(crate) succeeds: Succeeds,
}

/// Where an attempt succeeds that nothing stops.
#[derive(Debug, PartialEq)]
pub(crate) enum Succeeds {
    Everywhere,
    AsRoot,
    /// A namespace of processes, which is there without a sandbox too, hides what it needs.
    WithoutNamespaces,
    /// Not on such a machine, for the reason that the page gives.
    Nowhere,
}

/// The rows of `docs/src/escapes.md`: `name`, what it tries, what the plugin is granted, where it succeeds.
pub(crate) fn attempts() -> Vec<Attempt> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/escapes.md");
    let page = std::fs::read_to_string(page).unwrap();
    page.lines().filter_map(|line| line.strip_prefix("| `")).map(attempt).collect()
}

fn attempt(row: &str) -> Attempt {
    let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
    let [name, _, granted, succeeds] = cells[..] else { panic!("four cells: {row}") };
    Attempt {
        name: name.trim_end_matches('`').to_owned(),
        granted: granted.split(", ").map(str::to_owned).collect(),
        succeeds: match succeeds.split(':').next() {
            Some("yes") => Succeeds::Everywhere,
            Some("as root") => Succeeds::AsRoot,
            Some("without namespaces") => Succeeds::WithoutNamespaces,
            Some("no") if succeeds.len() > "no: ".len() => Succeeds::Nowhere,
            _ => panic!("`{name}`: `{succeeds}`, expected yes, as root, without namespaces, or no: and why"),
        },
    }
}
