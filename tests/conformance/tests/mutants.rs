//! The proof of the harness: every rule has mutants, each is failed for its own rule and no other, and the good are gold.
//!
//! Each mutant is held against its own rule; a twentieth of them against all rules.
//! `ASTROS_MUTANTS=all` holds all of them against all rules, `ASTROS_MUTANTS=R07` those whose names begin so.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::{collections::BTreeSet, process::Command, sync::LazyLock, time::Duration};

use astros_conformance::{Grade, Options, Outcome, Report, check};
use astros_protocol::rules;
use futures_util::{StreamExt, stream};

/// So many mutants side by side where each is held against one rule: most of their time they wait.
const AT_ONCE: usize = 8;
/// The same where each is held against all rules, which is work.
const WHOLE_AT_ONCE: usize = 2;
/// Who answers does so sooner, also on a machine that has much to do; and many mutants never do.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same where much is asked for at once.
const WHOLE_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
struct Mutant {
    name: String,
    /// Rules that cannot be kept beside it.
    also: Vec<String>,
}

impl Mutant {
    fn rule(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }

    async fn check(&self, rules: Vec<String>) -> Report {
        run(&["--break", &self.name], rules).await
    }
}

/// What starts the good plugin. A `python3` that is a script of a version manager would be started a thousand times.
fn program() -> &'static [String] {
    static PROGRAM: LazyLock<Vec<String>> = LazyLock::new(|| {
        let itself =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
        let python = String::from_utf8(itself.stdout).unwrap().trim().to_owned();
        vec![python, "-SE".to_owned(), concat!(env!("CARGO_MANIFEST_DIR"), "/mutants/good.py").to_owned()]
    });
    &PROGRAM
}

/// The table of the mutants, as they tell it themselves.
fn mutants() -> Vec<Mutant> {
    let listed = Command::new(&program()[0]).args(&program()[1..]).arg("--list").output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let table = String::from_utf8(listed.stdout).unwrap();
    let row = |line: &str| {
        let [name, also, _what] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let also = also.split(',').filter(|rule| !rule.is_empty()).map(str::to_owned).collect();
        Mutant { name: name.to_owned(), also }
    };
    table.lines().map(row).collect()
}

async fn run(arguments: &[&str], rules: Vec<String>) -> Report {
    let command = program().iter().map(String::as_str).chain(arguments.iter().copied());
    let timeout = if rules.is_empty() { WHOLE_PATIENCE } else { PATIENCE };
    check(command, Options { rules, timeout, ..Options::default() }).await.unwrap()
}

fn failed(report: &Report) -> BTreeSet<String> {
    report.failures().map(|(rule, _)| rule.id.to_owned()).collect()
}

/// What is wrong with the runs of these, each by its name.
async fn complaints<F: Future<Output = Option<String>>>(
    at_once: usize,
    runs: impl Iterator<Item = F>,
) -> Vec<String> {
    stream::iter(runs).buffer_unordered(at_once).filter_map(std::future::ready).collect().await
}

#[test]
fn gives_every_rule_a_mutant() {
    let mutants = mutants();
    let with: BTreeSet<_> = mutants.iter().map(Mutant::rule).collect();
    let all: BTreeSet<_> = rules::PLUGIN.iter().map(|rule| rule.id).collect();
    assert_eq!(with, all);
    let names: BTreeSet<_> = mutants.iter().map(|mutant| &mutant.name).collect();
    assert_eq!(names.len(), mutants.len(), "a name stands twice");
}

#[tokio::test]
async fn finds_the_good_plugin_gold_also_where_it_is_serial() {
    for arguments in [&[][..], &["--serial"]] {
        let report = run(arguments, Vec::new()).await;
        report.expect_grade(Grade::Gold);
        let skipped: Vec<_> =
            report.rules.iter().filter(|one| matches!(one.outcome, Outcome::Skipped(_))).collect();
        // What does not concern who does one thing after the other.
        let free: Vec<_> = skipped.iter().map(|one| one.rule.id).collect();
        assert_eq!(free, if arguments.is_empty() { vec![] } else { vec!["R52", "R54"] }, "{skipped:#?}");
    }
}

#[tokio::test]
async fn fails_each_mutant_for_its_own_rule() {
    let wanted = std::env::var("ASTROS_MUTANTS").ok().filter(|wanted| wanted != "all").unwrap_or_default();
    let runs = mutants().into_iter().filter(|mutant| mutant.name.starts_with(&wanted)).map(async |mutant| {
        let report = mutant.check(vec![mutant.rule().to_owned()]).await;
        let named = report.text().contains(mutant.rule());
        (failed(&report).is_empty() || !named)
            .then(|| format!("`{}` is not found: {}", mutant.name, report.text()))
    });
    let missed = complaints(AT_ONCE, runs).await;
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[tokio::test]
async fn fails_no_mutant_for_another_rule() {
    let runs = chosen().into_iter().map(async |mutant| {
        let report = mutant.check(Vec::new()).await;
        let mut expected: BTreeSet<_> = mutant.also.iter().cloned().collect();
        expected.insert(mutant.rule().to_owned());
        let failed = failed(&report);
        let wrong =
            (failed != expected).then(|| format!("`{}` fails {failed:?}:\n{}", mutant.name, report.text()));
        // As it comes: all of them take minutes.
        wrong.inspect(|wrong| eprintln!("{wrong}"))
    });
    let wrong = complaints(WHOLE_AT_ONCE, runs).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Those that are held against all rules: the same ones each time, from all over the table.
fn chosen() -> Vec<Mutant> {
    match std::env::var("ASTROS_MUTANTS") {
        Ok(all) if all == "all" => mutants(),
        Ok(wanted) => mutants().into_iter().filter(|mutant| mutant.name.starts_with(&wanted)).collect(),
        Err(_) => mutants().into_iter().step_by(20).collect(),
    }
}
