//! `astros doctor`: what this machine can enforce, what is missing or wrong, and what to type to mend it.
//!
//! It reads and asks, and changes nothing; a daemon is asked where one runs, and none is started.

mod daemon;
mod folders;
mod programs;
mod sandbox;

pub(super) use folders::quoted;

use std::process::ExitCode;

use astros_protocol::{Error, version::SUPPORTED};
use console::{measure_text_width, pad_str};
use serde::Serialize;
use serde_json::json;

use super::output::Output;
use crate::{daemon::Options, services::printable::printable};

/// What was looked at, and what came of it.
#[derive(Debug, PartialEq, Serialize)]
struct Check {
    check: String,
    state: State,
    /// One sentence.
    what: String,
    /// What to type, or to do.
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It works, with less than there could be.
    Warning,
    /// Something does not work, or is open to others.
    Problem,
}

impl Check {
    fn ok(check: impl Into<String>, what: impl Into<String>) -> Check {
        Check { check: check.into(), state: State::Ok, what: what.into(), fix: None }
    }

    fn warning(check: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { state: State::Warning, fix: Some(fix.into()), ..Check::ok(check, what) }
    }

    fn problem(check: impl Into<String>, what: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { state: State::Problem, fix: Some(fix.into()), ..Check::ok(check, what) }
    }
}

/// Prints every check; 1 where one of them is a problem.
pub(super) async fn run(options: Options, output: &Output) -> Result<ExitCode, Error> {
    let paths = options.paths()?;
    let mut checks = versions();
    checks.extend(sandbox::checks().await);
    checks.extend(programs::checks());
    checks.extend(folders::checks(&paths));
    let of_daemon = daemon::checks(&paths, &checks).await;
    checks.extend(of_daemon);
    match output.json {
        true => output.print_json(&json!(checks)),
        false => output.print(&text(&checks, output, width())),
    }
    Ok(ExitCode::from(u8::from(checks.iter().any(|check| check.state == State::Problem))))
}

fn versions() -> Vec<Check> {
    let kernel = nix::sys::utsname::uname().map(|about| {
        let word = |text: &std::ffi::OsStr| text.to_string_lossy().into_owned();
        format!("{} {} {}", word(about.sysname()), word(about.release()), word(about.machine()))
    });
    let protocol = SUPPORTED.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let own = env!("CARGO_PKG_VERSION");
    vec![
        Check::ok("astros", format!("{own}, protocol {protocol}, SQLite {}", rusqlite::version())),
        Check::ok("kernel", kernel.unwrap_or_else(|_| "unknown".to_owned())),
    ]
}

/// The width of the terminal; 80 where there is none.
fn width() -> usize {
    console::Term::stdout().size_checked().map_or(80, |(_, columns)| usize::from(columns)).max(40)
}

/// A line a check with its mark, and below it what to do.
fn text(checks: &[Check], output: &Output, width: usize) -> String {
    let names = checks.iter().map(|check| measure_text_width(&check.check)).max().unwrap_or(0);
    let margin = names + 4;
    let mut lines = Vec::new();
    for check in checks {
        let (mark, style) = match check.state {
            State::Ok => ("✓", output.style().green()),
            State::Warning => ("!", output.style().yellow()),
            State::Problem => ("✗", output.style().red()),
        };
        let name = pad_str(&check.check, names, console::Alignment::Left, None).into_owned();
        let what = wrapped(&printable(&check.what), margin, width);
        lines.push(format!("{} {}  {what}", style.apply_to(mark), printable(&name)));
        // Never wrapped: it is to be copied.
        let fix = check.fix.iter().map(|fix| format!("{:margin$}{}", "", style.apply_to(printable(fix))));
        lines.extend(fix);
    }
    lines.push(summary(checks));
    lines.join("\n")
}

fn summary(checks: &[Check]) -> String {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let said = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let found = [said(count(State::Problem), "problem"), said(count(State::Warning), "warning")];
    let found = found.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if found.is_empty() { "all is well".to_owned() } else { found }
}

/// The text in lines of at most `width`, all but the first behind a margin.
fn wrapped(text: &str, margin: usize, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if margin + measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join(&format!("\n{:margin$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_type_below_what_is_wrong() {
        let checks =
            [Check::ok("kernel", "Linux"), Check::problem("data", "others may read `/d`", "chmod 700 /d")];
        let shown = text(&checks, &Output::new(false, true), 80);
        let expected = "✓ kernel  Linux\n✗ data    others may read `/d`\n          chmod 700 /d\n1 problem";
        assert_eq!(shown, expected);
    }

    #[test]
    fn keeps_to_the_width_of_the_terminal() {
        let checks = [Check::ok("kernel", "one two three four five six seven eight nine ten")];
        let shown = text(&checks, &Output::new(false, true), 40);
        assert!(shown.lines().all(|line| measure_text_width(line) <= 40), "{shown}");
        assert!(shown.contains("\n          seven"), "{shown}");
    }
}
