//! The report for people: a bar for each group, what was missed, and the grade.

use std::fmt::Write;

use astros_protocol::rules::Group;

use super::{Grade, Outcome, Report, RuleReport, SILVER, protocol};
use crate::outcome::Miss;

const WIDTH: usize = 20;

pub(super) fn write(report: &Report, colored: bool) -> String {
    let paint = Paint(colored);
    let mut text = String::new();
    let title = format!("AstrOS plugin conformance, protocol {}", protocol());
    let count = report.rules.len();
    let _ = writeln!(text, "{title:<70}{count:>3} rule{}", if count == 1 { "" } else { "s" });
    if let Some((name, version)) = &report.plugin {
        let _ = writeln!(text, "{} {}", one_line(name), one_line(version));
    }
    for group in Group::ALL {
        let rules: Vec<_> = report.rules.iter().filter(|one| one.rule.group == group).collect();
        if !rules.is_empty() {
            write_group(&mut text, group, &rules, paint);
        }
    }
    write_grade(&mut text, report, paint);
    text.truncate(text.trim_end().len());
    text
}

fn write_group(text: &mut String, group: Group, rules: &[&RuleReport], paint: Paint) {
    let skipped: Vec<_> = rules.iter().filter(|one| matches!(one.outcome, Outcome::Skipped(_))).collect();
    let passed = rules.iter().filter(|one| one.outcome == Outcome::Passed).count();
    let held = rules.len() - skipped.len();
    let note = match skipped.len() {
        0 => String::new(),
        count => format!("  {count} skipped"),
    };
    match (passed * WIDTH).checked_div(held) {
        None => drop(writeln!(text, "{:<12} skipped", group.name())),
        Some(full) => {
            let bar = format!("{}{}", "█".repeat(full), "░".repeat(WIDTH - full));
            let bar = if passed == held { paint.green(&bar) } else { paint.red(&bar) };
            let _ = writeln!(text, "{:<12} {bar} {passed}/{held}{note}", group.name());
        }
    }
    for one in rules {
        if let Outcome::Failed(miss) = &one.outcome {
            write_miss(text, one, miss, paint);
        }
    }
    for (why, ids) in by_reason(&skipped) {
        let _ = writeln!(text, "  – {} {}", spans(&ids), paint.dim(&format!("skipped: {why}")));
    }
}

fn write_miss(text: &mut String, one: &RuleReport, miss: &Miss, paint: Paint) {
    let _ = writeln!(text, "  {} {} {}", paint.red("✗"), one.rule.id, one.rule.title);
    for (name, value) in [("sent", &miss.sent), ("expected", &miss.expected), ("received", &miss.received)] {
        if !value.is_empty() {
            let _ = writeln!(text, "      {} {}", paint.dim(&format!("{name:<8}")), one_line(value));
        }
    }
    let _ = writeln!(text, "      {} {}", paint.dim("rule    "), one.rule.text);
    let _ = writeln!(text, "      {} {}", paint.dim("see     "), one.reference());
}

/// Rules that were skipped, together where the reason is the same.
fn by_reason<'a>(skipped: &[&&'a RuleReport]) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for one in skipped {
        let Outcome::Skipped(why) = &one.outcome else { continue };
        match reasons.iter_mut().find(|(known, _)| known == why) {
            Some((_, ids)) => ids.push(one.rule.id),
            None => reasons.push((why, vec![one.rule.id])),
        }
    }
    reasons
}

/// Ids in a row, the first and the last of those that follow each other: `R02, R05 to R07`.
fn spans(ids: &[&str]) -> String {
    let number = |id: &str| id.trim_start_matches(|one: char| !one.is_ascii_digit()).parse::<u32>().ok();
    let follows = |one: &&str, next: &&str| number(one).map(|one| one + 1) == number(next);
    let span = |row: &[&str]| match row {
        [first, _, .., last] => format!("{first} to {last}"),
        _ => row.join(", "),
    };
    ids.chunk_by(follows).map(span).collect::<Vec<_>>().join(", ")
}

fn write_grade(text: &mut String, report: &Report, paint: Paint) {
    let Some(grade) = report.grade else { return };
    let misses = |core: bool| {
        let missed = report.failures().filter(move |(rule, _)| (rule.group == Group::Core) == core);
        missed.map(|(rule, _)| rule.id).collect::<Vec<_>>()
    };
    let (core, other) = (misses(true), misses(false));
    let name = match grade {
        Grade::Gold => paint.green(grade.name()),
        _ => grade.name().to_owned(),
    };
    let next = match grade {
        Grade::None => format!("   (bronze needs {})", core.join(", ")),
        Grade::Bronze if other.is_empty() => "   (silver and gold need `--level full`)".to_owned(),
        Grade::Bronze => format!("   (silver allows {SILVER} of {})", other.join(", ")),
        Grade::Silver => format!("   (gold needs {})", other.join(", ")),
        Grade::Gold => String::new(),
    };
    let _ = writeln!(text, "grade: {name}{next}");
}

/// A plugin's own words reach a terminal without its control characters.
fn one_line(words: &str) -> String {
    words.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_rules_in_a_row_by_the_first_and_the_last() {
        assert_eq!(spans(&["R07"]), "R07");
        assert_eq!(spans(&["R07", "R08"]), "R07, R08");
        assert_eq!(spans(&["R02", "R05", "R06", "R07", "R45"]), "R02, R05 to R07, R45");
    }
}
