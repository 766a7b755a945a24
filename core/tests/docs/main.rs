//! Holds README and book against what is there: links, summary, tests that are named, exit codes, and the plugins
//! that they show.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod pages;
mod plugins;

use std::{fs, process::Command};

use pages::{anchors, links, pages, read, root};

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
fn every_file_that_is_included_is_there() {
    let mut included = 0;
    for page in pages() {
        for path in read(&page).split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next()) {
            assert!(page.parent().unwrap().join(path).is_file(), "{}: `{path}`", page.display());
            included += 1;
        }
    }
    assert!(included >= 5, "{included}");
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

#[test]
fn every_test_that_is_named_is_there() {
    for page in ["docs/src/architecture.md", "docs/src/faults.md", "docs/src/security.md"]
        .map(|page| root().join(page))
    {
        let text = read(&page);
        let named: Vec<(&str, &str)> = text
            .split("[`")
            .skip(1)
            .filter_map(|rest| rest.split_once(')')?.0.split_once("`]("))
            .filter(|(_, file)| file.ends_with(".rs"))
            .collect();
        assert!(named.len() > 20, "each claim names its tests");
        for (name, file) in named {
            let source = read(&page.parent().unwrap().join(file));
            assert!(source.contains(&format!("fn {name}(")), "`{file}` has no test `{name}`");
        }
    }
}

#[test]
fn the_exit_codes_are_those_of_the_command() {
    let help = Command::new(env!("CARGO_BIN_EXE_astros")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let listed = help.split("Exit codes:\n").nth(1).unwrap().lines();
    let codes: Vec<&str> = listed.filter_map(|line| line.split_whitespace().next()).collect();
    let page = read(&root().join("docs/src/using.md"));
    let table = page.split("## Exit codes").nth(1).unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next());
    let shown: Vec<&str> = rows.filter(|row| row.parse::<u8>().is_ok()).collect();
    assert_eq!(shown, codes);
}
