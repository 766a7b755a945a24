//! A plugin's version, and requirements on versions of other things.

use std::cmp::Ordering;
use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A version: one to four numbers with dots, then anything that versions end in (`1.2.0`, `2.0.0-rc.1`, `1.0b2`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct PluginVersion(String);

impl PluginVersion {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for PluginVersion {
    fn default() -> Self {
        Self("0.0.0".to_owned())
    }
}

impl fmt::Display for PluginVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PluginVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-+_".contains(c);
        let good = text.len() <= 64 && text.chars().all(allowed) && numbers(&text).is_some();
        if good { Ok(Self(text)) } else { Err("expected a version such as `1.2.0`") }
    }
}

/// A requirement on a version: clauses such as `>=3.12` or `~=1.4`, all of which hold, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct VersionReq {
    text: String,
    clauses: Vec<(Operator, Vec<u64>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
    Different,
    /// `~=1.4`: at least that, with the same numbers before the last one.
    Compatible,
}

const OPERATORS: [(&str, Operator); 7] = [
    (">=", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("==", Operator::Equal),
    ("!=", Operator::Different),
    ("~=", Operator::Compatible),
    (">", Operator::Above),
    ("<", Operator::Below),
];

impl VersionReq {
    /// The requirement as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `version` fulfils it; its suffix (`rc1`) does not count, and no version at all never does.
    pub fn matches(&self, version: &str) -> bool {
        let Some(version) = numbers(version) else { return false };
        self.clauses.iter().all(|(operator, wanted)| holds(*operator, &version, wanted))
    }
}

impl fmt::Display for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<String> for VersionReq {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let clauses: Option<Vec<_>> = text.split(',').map(|part| clause(part.trim())).collect();
        let clauses = clauses.ok_or("expected a requirement such as `>=3.12` or `>=1.0,<2`")?;
        Ok(Self { text, clauses })
    }
}

fn clause(text: &str) -> Option<(Operator, Vec<u64>)> {
    let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
    let (operator, version) = found.unwrap_or((Operator::AtLeast, text));
    let version = version.trim();
    let version = if operator == Operator::Equal { version.trim_end_matches(".*") } else { version };
    Some((operator, numbers(version)?))
}

/// The one to four numbers that a version begins with.
fn numbers(text: &str) -> Option<Vec<u64>> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let numeric = text[..end].trim_end_matches('.');
    let numbers: Vec<u64> = numeric.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    (numbers.len() <= 4).then_some(numbers)
}

fn holds(operator: Operator, version: &[u64], wanted: &[u64]) -> bool {
    let order = compare(version, wanted);
    match operator {
        Operator::AtLeast => order != Ordering::Less,
        Operator::AtMost => order != Ordering::Greater,
        Operator::Above => order == Ordering::Greater,
        Operator::Below => order == Ordering::Less,
        Operator::Equal => starts_with(version, wanted),
        Operator::Different => !starts_with(version, wanted),
        Operator::Compatible => {
            order != Ordering::Less && starts_with(version, &wanted[..wanted.len().saturating_sub(1)])
        }
    }
}

fn compare(a: &[u64], b: &[u64]) -> Ordering {
    let at = |numbers: &[u64], index: usize| numbers.get(index).copied().unwrap_or(0);
    let places = a.len().max(b.len());
    (0..places)
        .map(|index| at(a, index).cmp(&at(b, index)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn starts_with(version: &[u64], wanted: &[u64]) -> bool {
    let places = version.len().min(wanted.len());
    version[..places] == wanted[..places] && wanted[places..].iter().all(|number| *number == 0)
}
