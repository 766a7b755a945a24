//! The report as JUnit's XML: a suite, and a case for each rule.

use std::fmt::Write;

use super::{Outcome, Report, RuleReport};

pub(super) fn write(report: &Report) -> String {
    let count = |name: &str| report.rules.iter().filter(|one| one.outcome.name() == name).count();
    let (tests, failures, skipped) = (report.rules.len(), count("failed"), count("skipped"));
    let seconds = report.took.as_secs_f64();
    let plugin = report.plugin.as_ref().map_or("the plugin", |(name, _)| name);
    let counts = format!(
        r#"tests="{tests}" failures="{failures}" errors="0" skipped="{skipped}" time="{seconds:.3}""#
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(xml, r#"<testsuites name="astros conformance" {counts}>"#);
    let _ = writeln!(xml, r#"  <testsuite name="{}" {counts}>"#, escaped(plugin));
    report.rules.iter().for_each(|one| write_case(&mut xml, one));
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn write_case(xml: &mut String, one: &RuleReport) {
    let name = escaped(&format!("{} {}", one.rule.id, one.rule.title));
    let _ = write!(xml, r#"    <testcase classname="conformance.{}" name="{name}""#, one.rule.group.name());
    match &one.outcome {
        Outcome::Passed => xml.push_str("/>\n"),
        Outcome::Skipped(why) => {
            let _ = writeln!(xml, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(why));
        }
        Outcome::Failed(miss) => {
            let text = format!(
                "sent: {}\nexpected: {}\nreceived: {}\n{}\n{}",
                miss.sent,
                miss.expected,
                miss.received,
                one.rule.text,
                one.reference()
            );
            let message = escaped(&format!("expected {}", miss.expected));
            let text = escaped(&text);
            let _ = writeln!(
                xml,
                ">\n      <failure message=\"{message}\" type=\"{}\">{text}</failure>\n    </testcase>",
                one.rule.id
            );
        }
    }
}

/// As text or in an attribute; characters that XML 1.0 cannot say are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(character),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            one if one.is_control() => escaped.push('\u{fffd}'),
            one => escaped.push(one),
        }
    }
    escaped
}
