//! Holds the tree of dependencies against `deny.toml` and the oldest Rust that is promised, without a network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn run(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The packages that are built on this machine, as cargo describes them.
fn packages() -> Vec<Value> {
    let about = run(Command::new("rustc").arg("-vV"));
    let host = about.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // The others were perhaps never downloaded.
    let arguments = ["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform", host];
    let metadata: Value = serde_json::from_str(&run(Command::new(env!("CARGO")).args(arguments))).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn called(package: &Value) -> String {
    format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap())
}

/// The texts between quotes of a list of `deny.toml`.
fn list(name: &str) -> Vec<String> {
    let text = read("deny.toml");
    let list = text.split(&format!("\n{name} = [")).nth(1).unwrap_or_else(|| panic!("no list `{name}`"));
    let list = list.split("\n]").next().unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be fulfilled with what is allowed; `/` is how `OR` was written once.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let fulfilled = either(&mut words, allowed);
    assert!(words.next().is_none(), "`{expression}` is no SPDX expression");
    fulfilled
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn either(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut fulfilled = both(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        fulfilled |= both(words, allowed);
    }
    fulfilled
}

fn both(words: &mut Words<'_>, allowed: &[String]) -> bool {
    let mut fulfilled = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        fulfilled &= one(words, allowed);
    }
    fulfilled
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let fulfilled = either(words, allowed);
        assert_eq!(words.next(), Some(")"), "a bracket is not closed");
        return fulfilled;
    }
    let mut licence = words.next().expect("a licence").to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().expect("an exception"));
    }
    allowed.contains(&licence)
}

#[test]
fn every_licence_is_one_that_is_allowed() {
    let allowed = list("allow");
    let licence = |package: &Value| package["license"].as_str().unwrap_or_default().to_owned();
    let packages = packages();
    let bad = packages.iter().filter(|package| {
        let licence = licence(package);
        licence.is_empty() || !is_allowed(&licence, &allowed)
    });
    let bad: Vec<String> =
        bad.map(|package| format!("{}: `{}`", called(package), licence(package))).collect();
    assert!(bad.is_empty(), "deny.toml does not allow:\n{}", bad.join("\n"));
}

#[test]
fn an_expression_is_read_as_it_is_meant() {
    let allowed = ["MIT".to_owned(), "BSD-3-Clause".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND BSD-3-Clause"] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "GPL-3.0 OR (MIT AND Apache-2.0)"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
    assert!(is_allowed("GPL-3.0 OR Apache-2.0 WITH LLVM-exception", &allowed));
}

/// Names, versions and sources of the lock file: those of every platform.
fn locked() -> Vec<(String, String, Option<String>)> {
    let text = read("Cargo.lock");
    let packages = text.split("[[package]]").skip(1).map(|package| {
        let member = |name: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")))?;
            Some(line.trim_matches('"').to_owned())
        };
        (member("name").unwrap(), member("version").unwrap(), member("source"))
    });
    packages.collect()
}

#[test]
fn everything_comes_from_the_registry_or_from_here() {
    const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";
    for (name, version, source) in locked() {
        assert!(
            source.as_ref().is_none_or(|source| source == REGISTRY),
            "{name} {version} is from {source:?}"
        );
        assert!(source.is_some() || name.starts_with("astros-"), "{name} {version} is from a path");
    }
}

#[test]
fn no_crate_is_there_in_two_versions() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version, _) in locked() {
        versions.entry(name).or_default().push(version);
    }
    versions.retain(|_, versions| versions.len() > 1);
    // Of each there is a reason beside it.
    let skipped: Vec<String> = list("skip").into_iter().step_by(2).collect();
    for skip in &skipped {
        let (name, version) = skip.split_once('@').unwrap();
        let there = versions.get(name).is_some_and(|versions| versions.iter().any(|one| one == version));
        assert!(there, "`{skip}` is no duplicate any more: take it out of deny.toml");
    }
    for (name, versions) in versions {
        let counted = versions.iter().filter(|version| !skipped.contains(&format!("{name}@{version}")));
        assert_eq!(counted.count(), 1, "`{name}` is there as {}", versions.join(" and "));
    }
}

#[test]
fn the_oldest_rust_that_is_promised_is_enough() {
    let number = |version: &str| -> Vec<u32> {
        version.split('.').chain(["0"]).take(3).map(|part| part.parse().unwrap()).collect()
    };
    let packages = packages();
    let ours = packages.iter().find(|package| package["name"] == "astros-core").unwrap();
    let ours = number(ours["rust_version"].as_str().unwrap());
    for package in &packages {
        if let Some(needs) = package["rust_version"].as_str() {
            assert!(number(needs) <= ours, "{} needs Rust {needs}", called(package));
        }
    }
}
