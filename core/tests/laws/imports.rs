//! What a file names: the paths of its `use` items, spelled out, and those in its code.

/// Every path of two names or more, groups spelled out: `use std::{fs, io::Read}` names `std::fs` and `std::io::Read`.
pub(crate) fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("::") {
        let before = rest[..at].char_indices().rev().find(|(_, char)| !is_name(*char));
        let start = before.map_or(0, |(index, char)| index + char.len_utf8());
        let end = path_end(rest, at);
        let head = &rest[start..end];
        match rest[end..].strip_prefix('{') {
            Some(group) if head.ends_with("::") => {
                let inside = &group[..closing(group)];
                spell_out(head.trim_end_matches(':'), inside, &mut found);
                rest = &group[inside.len()..];
            }
            _ => {
                found.push(head.trim_end_matches(':').to_owned());
                rest = &rest[end..];
            }
        }
    }
    found
}

/// The top modules of the crate that a file's code names, from the module `module`.
pub(crate) fn top_modules(code: &str, module: &[String]) -> Vec<String> {
    let named = paths(code);
    let mut found: Vec<String> = named.iter().filter_map(|path| top_module(path, module)).collect();
    found.sort();
    found.dedup();
    found
}

fn top_module(path: &str, module: &[String]) -> Option<String> {
    let mut names = path.split("::");
    match names.next()? {
        "crate" | "astros_core" => names.next().map(str::to_owned),
        "super" => {
            let above = 1 + path.split("::").skip(1).take_while(|name| *name == "super").count();
            // So many steps up is the crate itself.
            (above == module.len()).then(|| path.split("::").nth(above).map(str::to_owned)).flatten()
        }
        _ => None,
    }
}

/// Whether a path leads to `other` or into it, or a type of another path ends in it: `Instant::now`.
pub(crate) fn reaches(path: &str, other: &str) -> bool {
    let inside = path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    inside || path.ends_with(&format!("::{other}"))
}

/// The crates of ours that a manifest names among its dependencies, those of its tests aside.
pub(crate) fn own_dependencies(manifest: &str) -> Vec<String> {
    let mut among = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            among = section.ends_with("dependencies") && !section.contains("dev-");
        } else if among && line.starts_with("astros-") {
            found.extend(line.split(['.', ' ', '=']).next().map(str::to_owned));
        }
    }
    found
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || char == '_'
}

/// Where the path ends whose first `::` is at `at`.
fn path_end(text: &str, at: usize) -> usize {
    let mut end = at;
    while text[end..].starts_with("::") {
        end += 2;
        end += text[end..].find(|char: char| !is_name(char)).unwrap_or(text.len() - end);
    }
    end
}

/// Where the group ends whose opening brace stands before `text`.
fn closing(text: &str) -> usize {
    let mut depth = 1_usize;
    for (at, char) in text.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn spell_out(prefix: &str, group: &str, found: &mut Vec<String>) {
    let mut rest = group;
    while !rest.trim().is_empty() {
        let end = rest.find([',', '{']).unwrap_or(rest.len());
        let item = rest[..end].trim().trim_end_matches(':');
        let item = item.split(" as ").next().unwrap_or_default().trim();
        let path = if item == "self" { prefix.to_owned() } else { format!("{prefix}::{item}") };
        rest = match rest[end..].strip_prefix('{') {
            Some(inner) => {
                let inside = &inner[..closing(inner)];
                spell_out(&path, inside, found);
                inner[inside.len()..].trim_start_matches(['}', ',', ' ', '\n'])
            }
            None => {
                if !item.is_empty() {
                    found.push(path);
                }
                rest[end..].trim_start_matches(',')
            }
        };
    }
}

#[test]
fn spells_groups_out() {
    let code = "use std::{\n    fs, io::{self, Read},\n    time::Instant as Now,\n};\nlet x = a::b::c(1); use d::{e};";
    let expected = ["std::fs", "std::io", "std::io::Read", "std::time::Instant", "a::b::c", "d::e"];
    assert_eq!(paths(code), expected);
}

#[test]
fn finds_what_a_file_reaches_upward() {
    let module = ["router".to_owned(), "tree".to_owned()];
    let code = "use crate::{cli::output, agent}; use super::Plugin; use super::super::daemon::Daemon;";
    assert_eq!(top_modules(code, &module), ["agent", "cli", "daemon"]);
}

#[test]
fn tells_a_forbidden_path_from_one_that_looks_like_it() {
    assert!(reaches("tokio::time::sleep", "tokio") && reaches("std::time::Instant::now", "Instant::now"));
    assert!(!reaches("tokio_util::sync", "tokio") && !reaches("std::path::Path", "std::io"));
}
