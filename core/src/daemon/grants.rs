//! What a plugin may do: what its manifest asks for, what a person decided, and what the operator wrote.

use std::path::{Path, PathBuf};

use astros_protocol::manifest::Permission;
use serde::{Deserialize, Serialize};

use crate::{registry::Origin, router::errors, services::storage::Decision, supervisor::Admission};

/// What came of it, each permission with one item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Grants {
    pub granted: Vec<Permission>,
    /// What it asks for and nobody decided on: it does not run before somebody does.
    pub missing: Vec<Permission>,
    /// What it asks for and does not get; it runs without.
    pub withheld: Vec<Permission>,
}

/// Something that a plugin asks for, or may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wish {
    /// As it is written.
    pub permission: String,
    /// In words: `wants to` stands before it.
    pub sentence: String,
    /// The same in two columns: what it does, and to what.
    pub verb: String,
    pub what: String,
    pub state: WishState,
    /// Where it was kept from it: what gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What a plugin asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asks {
    pub name: String,
    /// The version that asks; empty where its manifest says none.
    pub version: String,
    pub author: Option<String>,
    /// It may run, and has all that it asks for or does without.
    pub enabled: bool,
    pub wishes: Vec<Wish>,
    /// It has commands, or it is not known whether it has: they see more than it was granted.
    #[serde(default)]
    pub commands: bool,
    /// Where a plugin of its name was before, whose secrets, settings and data it gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<PathBuf>,
}

/// Whether it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishState {
    Granted,
    /// It waits for `plugins enable`.
    Missing,
    /// It was kept from it.
    Revoked,
}

/// What is said of one plugin's permissions.
pub(super) struct Said<'a> {
    /// By its manifest.
    pub declared: &'a [Permission],
    pub origin: Origin,
    /// By a person, the newest last.
    pub decisions: &'a [Decision],
    /// By `astros.yaml`: exactly these, then.
    pub operator: Option<&'a [Permission]>,
    /// What `~` stands for.
    pub home: Option<&'a Path>,
}

impl Said<'_> {
    /// Who is right: the operator's list; else the newest decision that speaks of a permission; else plugins that the
    /// operator chose or that come with AstrOS get what they ask for.
    pub(super) fn decide(&self) -> Grants {
        let mut grants = Grants::default();
        let declared = self.atoms(self.declared);
        if let Some(operator) = self.operator {
            grants.granted = self.atoms(operator);
            grants.withheld = declared.clone();
            // Every plugin may keep data of its own: no list has to say so.
            let keeps = |one: &Permission| *one == Permission::Storage;
            if declared.iter().any(keeps) && !grants.granted.iter().any(keeps) {
                grants.granted.push(Permission::Storage);
            }
            grants.withheld.retain(|wanted| !wanted.is_covered(&grants.granted));
            return grants;
        }
        for wanted in declared {
            let list = match self.decision(&wanted) {
                Some(true) => &mut grants.granted,
                Some(false) => &mut grants.withheld,
                // Nobody can grant it: the plugin has to do without.
                None if wanted.grantable().is_err() => &mut grants.withheld,
                None if self.origin == Origin::User => &mut grants.missing,
                None => &mut grants.granted,
            };
            list.push(wanted);
        }
        for decision in self.decisions.iter().filter(|decision| decision.granted) {
            let more = self.at_home(&decision.permission);
            if self.decision(&more) == Some(true) && !grants.granted.contains(&more) {
                grants.granted.push(more);
            }
        }
        grants
    }

    /// What a person said of it last.
    fn decision(&self, wanted: &Permission) -> Option<bool> {
        let speaks = |decision: &&Decision| self.at_home(&decision.permission).covers(wanted);
        self.decisions.iter().rev().find(speaks).map(|decision| decision.granted)
    }

    fn atoms(&self, all: &[Permission]) -> Vec<Permission> {
        let mut atoms: Vec<Permission> = Vec::new();
        for atom in all.iter().flat_map(Permission::atoms).map(|atom| self.at_home(&atom)) {
            if !atoms.contains(&atom) {
                atoms.push(atom);
            }
        }
        atoms
    }

    fn at_home(&self, permission: &Permission) -> Permission {
        self.home.map_or_else(|| permission.clone(), |home| permission.at_home(home))
    }
}

impl Grants {
    /// All of them, for people; `granted_in` is that of the plugin's spec.
    pub(super) fn wishes(&self, plugin: &str, granted_in: Option<&Path>) -> Vec<Wish> {
        let lists = [
            (&self.granted, WishState::Granted),
            (&self.missing, WishState::Missing),
            (&self.withheld, WishState::Revoked),
        ];
        let wish = |one: &Permission, state| {
            let (verb, what) = one.phrases().into_iter().next().unwrap_or_default();
            let (permission, sentence) = (one.to_string(), one.sentence());
            let is_withheld = state == WishState::Revoked && one.grantable().is_ok();
            let hint = is_withheld.then(|| errors::remedy(plugin, one, granted_in)).flatten();
            Wish { permission, sentence, verb: verb.to_owned(), what, state, hint }
        };
        lists.into_iter().flat_map(|(list, state)| list.iter().map(move |one| wish(one, state))).collect()
    }

    /// Why a plugin may not run with these, if so.
    pub(super) fn refusal(&self, plugin: &str) -> Option<Admission> {
        // Every plugin may keep data of its own: who asks for it only says so.
        let needed = self.missing.iter().filter(|one| **one != Permission::Storage);
        let names: Vec<String> = needed.map(|one| format!("`{one}`")).collect();
        let (what, them) = match &names[..] {
            [] => return None,
            [one] => (format!("the permission {one}"), "it"),
            all => (format!("the permissions {}", all.join(", ")), "them"),
        };
        Some(Admission::Blocked {
            reason: format!("needs {what}"),
            hint: format!("`astros plugins enable {plugin}` shows and grants {them}"),
        })
    }

    /// Whether `wanted` can be revoked; the words say why not.
    pub(super) fn check_revocable(&self, plugin: &str, wanted: &Permission) -> Result<(), String> {
        if *wanted == Permission::Storage {
            return Err("every plugin may keep data of its own: `storage` cannot be revoked".to_owned());
        }
        let mut decided = self.granted.iter().chain(&self.withheld).chain(&self.missing);
        if decided.any(|one| wanted.covers(one)) {
            return Ok(());
        }
        match self.granted.iter().find(|one| one.covers(wanted)) {
            Some(whole) => Err(format!(
                "`{plugin}` has `{whole}`, and `{wanted}` is a part of it that cannot be taken out; revoke \
                 `{whole}`, then grant what it shall have"
            )),
            None => Err(format!("`{plugin}` does not have the permission `{wanted}`")),
        }
    }
}

#[cfg(test)]
mod tests;
