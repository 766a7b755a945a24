//! Holds README and docs against what is there: links, the book's summary, and the plugins that the README shows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages that people read.
fn pages() -> Vec<PathBuf> {
    let own = ["README.md", "CHANGELOG.md", "sdk-rust/README.md", "sdk-python/README.md"];
    let mut pages: Vec<PathBuf> = own.iter().map(|name| root().join(name)).collect();
    let book = fs::read_dir(root().join("docs/src")).unwrap().map(|entry| entry.unwrap().path());
    pages.extend(book.filter(|path| path.extension().is_some_and(|extension| extension == "md")));
    pages
}

/// The lines that are no code.
fn prose(text: &str) -> String {
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
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let after = prose.split("](").skip(1);
    after.filter_map(|rest| rest.split(')').next().map(str::to_owned)).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook name them.
fn anchors(text: &str) -> Vec<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    let kept = |char: &char| char.is_alphanumeric() || matches!(char, ' ' | '-' | '_');
    headings
        .map(|line| line.trim_start_matches('#').trim().to_lowercase())
        .map(|title| title.chars().filter(kept).map(|char| if char == ' ' { '-' } else { char }).collect())
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let there = target.exists()
                && (anchor.is_empty() || anchors(&read(&target)).iter().any(|one| one == anchor));
            if !there || file.starts_with('/') {
                broken.push(format!("{}: `{link}`", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_summary_names_every_page_once() {
    let book = root().join("docs/src");
    let mut named = links(&read(&book.join("SUMMARY.md")));
    let mut there: Vec<String> = fs::read_dir(book)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "SUMMARY.md")
        .collect();
    named.sort();
    there.sort();
    assert_eq!(named, there);
}

/// The code of the first block of this language.
fn block(text: &str, language: &str) -> String {
    let start = format!("```{language}\n");
    let block = text.split(&start).nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("no block of {language}")).to_owned()
}

#[test]
fn the_readmes_rust_plugin_is_the_example_that_is_tested() {
    let example = read(&root().join("sdk-rust/examples/words.rs"));
    let shown = block(&read(&root().join("README.md")), "rust");
    let (_, code) = example.split_once("\n\n").unwrap();
    assert_eq!(shown.trim(), code.split("\n#[cfg(test)]").next().unwrap().trim());
}

/// Runs `astros` with a home of its own; its exit status has to be 0, and its output one line of JSON.
fn astros(home: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
    let output = command.args(arguments).arg("--json").env("ASTROS_HOME", home).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn the_readmes_python_plugin_does_what_it_says() {
    let base = tempfile::tempdir().unwrap();
    let plugin = base.path().join("shopping");
    fs::create_dir(&plugin).unwrap();
    fs::write(plugin.join("main.py"), block(&read(&root().join("README.md")), "python")).unwrap();
    let home = base.path().join("home");
    let ask = |text: &str| astros(&home, &["ask", text, "--plugin-dir", plugin.to_str().unwrap()]);
    assert_eq!(ask("put oat milk on the shopping list")["data"]["items"], serde_json::json!(["oat milk"]));
    assert_eq!(ask("put bread on the shopping list")["plugin"], "shopping");
    let answer = ask("show me the shopping list");
    assert_eq!(answer["handler"], "show_list");
    assert_eq!(answer["data"]["items"], serde_json::json!(["oat milk", "bread"]));
}
