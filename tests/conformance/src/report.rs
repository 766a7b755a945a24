//! What a run comes to: an outcome of each rule, and a grade; as text, as JSON, and as JUnit's XML.

mod junit;
mod text;

use std::time::Duration;

use astros_protocol::{
    rules::{Group, Rule},
    version::SUPPORTED,
};
use serde_json::{Value, json};

use crate::{
    options::{Level, Options},
    outcome::Miss,
};

/// Where the rules are explained; a rule's anchor follows.
const REFERENCE: &str = "reference.html";
/// So many misses outside of core are silver.
const SILVER: usize = 2;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The plugin's name and version as it says them; none where it did not begin.
    pub plugin: Option<(String, String)>,
    /// The level that was asked for.
    pub level: Level,
    /// None where single rules were asked for.
    pub grade: Option<Grade>,
    /// In the order of the reference.
    pub rules: Vec<RuleReport>,
    pub took: Duration,
}

/// What one rule came to.
#[derive(Clone, Debug)]
pub struct RuleReport {
    pub rule: &'static Rule,
    pub outcome: Outcome,
}

/// How a rule was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(Miss),
    /// It concerns nothing that this plugin does; says why.
    Skipped(String),
}

/// How much of the protocol a plugin keeps; a rule that was skipped is no miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// It misses a rule of core.
    None,
    /// All of core.
    Bronze,
    /// All of core, and at most two misses elsewhere.
    Silver,
    /// No miss.
    Gold,
}

impl Report {
    pub(crate) fn new(
        plugin: Option<(String, String)>,
        options: &Options,
        rules: Vec<RuleReport>,
        took: Duration,
    ) -> Report {
        let grade = options.grades().then(|| grade(&rules, options.is_core()));
        Report { plugin, level: options.level, grade, rules, took }
    }

    /// The rules that were not kept.
    pub fn failures(&self) -> impl Iterator<Item = (&'static Rule, &Miss)> {
        self.rules.iter().filter_map(|one| match &one.outcome {
            Outcome::Failed(miss) => Some((one.rule, miss)),
            _ => None,
        })
    }

    /// Whether all that was held was kept.
    pub fn is_clean(&self) -> bool {
        self.failures().next().is_none()
    }

    /// Fails a test where a rule was not kept, with the report.
    ///
    /// # Panics
    /// Where there is a failure.
    pub fn assert_no_failure(&self) {
        assert!(self.is_clean(), "{}", self.text());
    }

    /// Fails a test where the plugin has a lesser grade, with the report.
    ///
    /// # Panics
    /// Where the grade is less, or single rules were asked for.
    pub fn expect_grade(&self, least: Grade) {
        assert!(self.grade >= Some(least), "expected {}\n{}", least.name(), self.text());
    }

    /// The report for people, without colour.
    pub fn text(&self) -> String {
        text::write(self, false)
    }

    /// The report for people, with colour of a terminal.
    pub fn colored_text(&self) -> String {
        text::write(self, true)
    }

    /// The report as JUnit's XML, which CI systems read.
    pub fn junit(&self) -> String {
        junit::write(self)
    }

    /// The report for programs.
    pub fn json(&self) -> Value {
        let plugin = self.plugin.as_ref().map(|(name, version)| json!({ "name": name, "version": version }));
        json!({
            "protocol": protocol(),
            "level": self.level.name(),
            "grade": self.grade.map(Grade::name),
            "plugin": plugin,
            "rules": self.rules.iter().map(RuleReport::json).collect::<Vec<_>>(),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl RuleReport {
    /// Where the rule is explained, relative to the book.
    pub fn reference(&self) -> String {
        format!("{REFERENCE}#{}", self.rule.id.to_lowercase())
    }

    fn json(&self) -> Value {
        let Rule { id, group, title, text, .. } = self.rule;
        let mut members = json!({
            "rule": id, "group": group.name(), "title": title, "outcome": self.outcome.name(),
        });
        match &self.outcome {
            Outcome::Passed => {}
            Outcome::Failed(Miss { sent, expected, received }) => {
                members["sent"] = json!(sent);
                members["expected"] = json!(expected);
                members["received"] = json!(received);
                members["why"] = json!(text);
            }
            Outcome::Skipped(why) => members["why"] = json!(why),
        }
        members["reference"] = json!(self.reference());
        members
    }
}

impl Outcome {
    /// As reports have it.
    pub fn name(&self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Skipped(_) => "skipped",
        }
    }
}

impl Grade {
    /// As reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Grade::None => "none",
            Grade::Bronze => "bronze",
            Grade::Silver => "silver",
            Grade::Gold => "gold",
        }
    }
}

fn grade(rules: &[RuleReport], only_core: bool) -> Grade {
    let missed = |one: &&RuleReport| matches!(one.outcome, Outcome::Failed(_));
    let (core, other): (Vec<_>, Vec<_>) =
        rules.iter().filter(missed).partition(|one| one.rule.group == Group::Core);
    match other.len() {
        _ if !core.is_empty() => Grade::None,
        // Nobody looked at the others.
        _ if only_core => Grade::Bronze,
        0 => Grade::Gold,
        1..=SILVER => Grade::Silver,
        _ => Grade::Bronze,
    }
}

fn protocol() -> String {
    SUPPORTED.iter().max().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use astros_protocol::rules;

    use super::*;

    fn missing(ids: &[&str]) -> Vec<RuleReport> {
        let miss = || Miss { sent: String::new(), expected: String::new(), received: String::new() };
        let outcome = |id: &str| match ids.contains(&id) {
            true => Outcome::Failed(miss()),
            false => Outcome::Passed,
        };
        rules::PLUGIN.iter().map(|rule| RuleReport { rule, outcome: outcome(rule.id) }).collect()
    }

    #[test]
    fn grades_by_what_is_missed() {
        assert_eq!(grade(&missing(&[]), false), Grade::Gold);
        assert_eq!(grade(&missing(&["R27", "R55"]), false), Grade::Silver);
        assert_eq!(grade(&missing(&["R27", "R28", "R29"]), false), Grade::Bronze);
        assert_eq!(grade(&missing(&["R07"]), false), Grade::None);
        assert_eq!(grade(&missing(&[]), true), Grade::Bronze);
    }
}
