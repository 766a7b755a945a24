//! Whose a command is. Pure.
//!
//! Those of `astros` itself always win; of plugins the rank decides, as for plugins of one name; where two of one rank
//! have the same, nobody has it.

use std::{collections::BTreeMap, sync::Arc};

use astros_protocol::{Error, ErrorCode, PluginDescription, command::CommandDescription};
use serde::{Deserialize, Serialize};

use super::shape;
use crate::{registry::Origin, router::errors, services::printable::line};

/// The member of an error that names the plugins which wait to be enabled and may have the command.
pub const WAITING: &str = "waiting";

/// A plugin and what it offers.
pub(super) struct Source {
    pub plugin: String,
    pub origin: Origin,
    /// Why it may not run, after its name, and what helps; none where it may.
    pub refusal: Option<(String, Option<String>)>,
    /// Whether that is for a person to change who agrees to what it asks for.
    pub waits: bool,
    pub description: Arc<PluginDescription>,
}

/// A top-level command and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    pub plugin: String,
    pub command: CommandDescription,
}

/// A top-level command as lists have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Word {
    pub name: String,
    pub plugin: String,
    /// The first line of what it does, as it may be shown, and no longer than a line is.
    pub about: String,
    #[serde(default)]
    pub hidden: bool,
}

/// Who has a word.
struct Claim {
    origin: Origin,
    plugin: String,
    description: Arc<PluginDescription>,
    /// Which of the description's it is.
    at: usize,
}

impl Claim {
    fn command(&self) -> &CommandDescription {
        &self.description.commands[self.at]
    }
}

/// The commands of all plugins.
#[derive(Default)]
pub struct Catalog {
    own: Vec<String>,
    /// Of those that may run: the claims of the highest rank.
    claims: BTreeMap<String, Vec<Claim>>,
    /// Of those that may not, by word: the plugin, and its refusal.
    refused: BTreeMap<String, Error>,
    /// What is wrong, by plugin, one sentence each.
    problems: BTreeMap<String, Vec<String>>,
}

impl Catalog {
    pub(super) fn new(own: Vec<String>, sources: impl Iterator<Item = Source>) -> Catalog {
        let mut catalog = Catalog { own, ..Catalog::default() };
        for source in sources {
            (0..source.description.commands.len()).for_each(|at| catalog.add(&source, at));
        }
        let clashes: Vec<_> = catalog.claims.iter().filter(|(_, claims)| claims.len() > 1).collect();
        let clashes = clashes.into_iter().flat_map(|(name, claims)| {
            claims.iter().map(move |claim| (claim.plugin.clone(), clash(name, claims)))
        });
        for (plugin, problem) in clashes.collect::<Vec<_>>() {
            catalog.problems.entry(plugin).or_default().push(problem);
        }
        catalog
    }

    fn add(&mut self, source: &Source, at: usize) {
        let (before, from) = source.description.commands.split_at(at);
        let Some(command) = from.first() else { return };
        let (plugin, name) = (&source.plugin, &command.name);
        let twice = before.iter().any(|one| one.name == *name);
        let wrong = match shape::check(command) {
            Err(why) => Some(why),
            Ok(()) if self.own.contains(name) => {
                Some(format!("its command `{name}` is left out: `astros {name}` is AstrOS's own"))
            }
            Ok(()) if twice => Some(format!("its command `{name}` is there twice: the first holds")),
            Ok(()) => None,
        };
        if let Some(wrong) = wrong {
            return self.problems.entry(plugin.clone()).or_default().push(wrong);
        }
        if let Some((why, hint)) = &source.refusal {
            let message = format!("`{name}` is a command of the plugin `{plugin}`, which {why}");
            let error = Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(plugin);
            let hint =
                hint.clone().unwrap_or_else(|| format!("`astros plugins enable {plugin}` lets it run"));
            let error = error.with_hint(hint);
            let error = if source.waits { error.with(WAITING, vec![plugin.clone()]) } else { error };
            self.refused.insert(name.clone(), error);
            return;
        }
        let claims = self.claims.entry(name.clone()).or_default();
        let best = claims.first().map(|claim| claim.origin);
        if best.is_none_or(|best| source.origin <= best) {
            claims.retain(|claim| claim.origin == source.origin);
            let (plugin, description) = (plugin.clone(), source.description.clone());
            claims.push(Claim { origin: source.origin, plugin, description, at });
        }
    }

    /// The command of this name; none where nobody has it.
    ///
    /// # Errors
    /// It is not clear whose it is, or its plugin may not run.
    pub fn find(&self, name: &str) -> Option<Result<Offered, Error>> {
        match self.claims.get(name).map(Vec::as_slice) {
            Some([claim]) => {
                Some(Ok(Offered { plugin: claim.plugin.clone(), command: claim.command().clone() }))
            }
            Some(claims) => {
                let error = Error::new(ErrorCode::INVALID_PARAMS, clash(name, claims));
                let other = claims.first().map_or("NAME", |claim| &claim.plugin);
                Some(Err(error.with_hint(format!("`astros plugins disable {other}` leaves it to the other"))))
            }
            None => self.refused.get(name).cloned().map(Err),
        }
    }

    /// Every command that can be typed, by name.
    pub fn words(&self) -> Vec<Word> {
        let only = |claims: &Vec<Claim>| match &claims[..] {
            [claim] => Some(word(claim)),
            _ => None,
        };
        self.claims.values().filter_map(only).collect()
    }

    /// What is wrong with a plugin's commands, one sentence each.
    pub fn problems(&self, plugin: &str) -> &[String] {
        self.problems.get(plugin).map_or(&[], Vec::as_slice)
    }

    /// The error of a word that nobody has; some plugins could not be asked, and `waiting` may have it.
    pub(super) fn unknown(&self, name: &str, unable: &[(String, Error)], waiting: Vec<String>) -> Error {
        let known = self.own.iter().chain(self.claims.keys()).map(String::as_str);
        let message = format!("there is no command `{name}`, of `astros` or of a plugin");
        let error = Error::new(ErrorCode::INVALID_PARAMS, message);
        let error = match errors::nearest(name, known) {
            Some(near) => {
                error.with_hint(format!("did you mean `astros {near}`? `astros --help` shows what there is"))
            }
            None if waiting.is_empty() => error.with_hint("`astros --help` shows what there is"),
            None => error.with_hint("`astros --help` shows what there is").with(WAITING, waiting),
        };
        errors::with_unasked(error, unable)
    }
}

fn word(claim: &Claim) -> Word {
    let command = claim.command();
    let about = line(command.description.trim_start().lines().next().unwrap_or_default());
    Word { name: command.name.clone(), plugin: claim.plugin.clone(), about, hidden: command.hidden }
}

fn clash(name: &str, claims: &[Claim]) -> String {
    let owners: Vec<_> = claims.iter().map(|claim| format!("`{}`", claim.plugin)).collect();
    format!("the command `{name}` is left out: the plugins {} both have one", owners.join(" and "))
}
