//! The pages that people read, and what stands in them: links, headings, blocks of code.

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages that people read.
pub(crate) fn pages() -> Vec<PathBuf> {
    let own = ["README.md", "CHANGELOG.md", "sdk-rust/README.md", "sdk-python/README.md"];
    let mut pages: Vec<PathBuf> = own.iter().map(|name| root().join(name)).collect();
    let book = fs::read_dir(root().join("docs/src")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(book.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages
}

/// The lines that are no code.
pub(crate) fn prose(text: &str) -> String {
    let mut fenced = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    // What stands between backticks is code too.
    lines
        .map(|line| line.split('`').step_by(2).collect::<Vec<_>>().join("code"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The targets of a page's links.
pub(crate) fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let after = prose.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next().map(str::to_owned)).collect()
}

/// The anchors of a page: those of its headings, as GitHub and mdBook name them, and those that it sets itself.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
    let of_headings = headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|title| title.chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect());
    let set = text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned));
    of_headings.chain(set).collect()
}

/// The code of the blocks of this language.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = read(&root().join(page));
    let start = format!("\n```{language}\n");
    let blocks = text.split(&start).skip(1).filter_map(|rest| rest.split("```").next());
    blocks.map(str::to_owned).collect()
}
