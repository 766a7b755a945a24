//! What a run holds a plugin against, and what it may ask of it.

use std::time::Duration;

use astros_protocol::{
    Extra,
    rules::{self, Group, Rule},
};

/// What a run is about; [`Options::default`] is all rules, with 10 s for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Which rules count.
    pub level: Level,
    /// Only these rules, by their ids; all of the level where it is empty.
    pub rules: Vec<String>,
    /// The longest wait for one answer.
    pub timeout: Duration,
    /// Handlers to call with a context of their own, also those that write.
    pub calls: Vec<Call>,
}

/// How much a plugin has to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// The rules that every plugin keeps.
    Core,
    /// All rules.
    #[default]
    Full,
}

/// A handler to call, and with what.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub handler: String,
    /// The intent's context.
    pub context: Extra,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            level: Level::default(),
            rules: Vec::new(),
            timeout: Duration::from_secs(10),
            calls: Vec::new(),
        }
    }
}

impl Options {
    /// The rules to hold, in the order of the report; an id that names none is the error.
    pub(crate) fn chosen(&self) -> Result<Vec<&'static Rule>, String> {
        let known = |id: &str| rules::PLUGIN.iter().any(|rule| rule.id.eq_ignore_ascii_case(id));
        if let Some(unknown) = self.rules.iter().find(|id| !known(id)) {
            return Err(unknown.clone());
        }
        let named = |rule: &Rule| {
            self.rules.is_empty() || self.rules.iter().any(|id| id.eq_ignore_ascii_case(rule.id))
        };
        let counts = |rule: &Rule| self.level == Level::Full || rule.group == Group::Core;
        // Who names a rule wants it, whatever the level.
        let chosen = |rule: &&Rule| named(rule) && (counts(rule) || !self.rules.is_empty());
        Ok(rules::PLUGIN.iter().filter(chosen).collect())
    }
}

impl Level {
    /// As the command line and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Core => "core",
            Level::Full => "full",
        }
    }
}
