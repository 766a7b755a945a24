//! Who may do what: calls of other plugins, subjects of the bus, AI.
//!
//! What a plugin may not do it is told without learning whether it is there. Whoever it calls does for it no more than
//! the called handler says that it does: nobody has another do what is not the other's to do.

use std::fmt;

use astros_protocol::{Error, ErrorCode, lifecycle::Effects, manifest::Permission};

use super::{Call, Plugin, Router, errors, plugin::Declared, tree::Link};
use crate::bus::{Pattern, Subject, token};

/// On what a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A person calls, or a plugin that was granted it.
    ByGrant,
    /// Its handler does nothing to the world.
    AsFree,
}

impl Router {
    /// Lets a call through or not; called before anything is said of the plugin that is called, which may not be
    /// there. One that was never asked what it offers is asked where that decides.
    pub(super) async fn admit(
        &self,
        callee: Option<(&Plugin, Option<Declared>)>,
        call: &Call<'_>,
    ) -> Result<Admitted, Error> {
        let Some(caller) = &call.above.caller else { return Ok(Admitted::ByGrant) };
        let free = |declared: Declared| declared.effects == Effects::None;
        if callee.and_then(|(_, declared)| declared).is_some_and(free) {
            return Ok(Admitted::AsFree);
        }
        if self.is_granted(caller, |granted| may_call(granted, call.plugin, call.handler)) {
            return Ok(Admitted::ByGrant);
        }
        if let Some((plugin, None)) = callee
            && let Ok(session) = plugin.ready().await
            && free(Declared::of(&session.description, call.handler))
        {
            return Ok(Admitted::AsFree);
        }
        Err(self.may_not_call(caller, call))
    }

    /// Holds a call to what the process that is about to serve it says of the handler, and what the handler will call
    /// to the same.
    pub(super) fn bound(
        &self,
        call: &Call<'_>,
        link: &Link,
        admitted: Admitted,
        effects: Effects,
    ) -> Result<(), Error> {
        let Some(caller) = &call.above.caller else { return Ok(()) };
        // It was another version that said that it is free.
        if admitted == Admitted::AsFree && effects != Effects::None {
            return Err(self.may_not_call(caller, call));
        }
        // A word of a later version counts as the worst that is known.
        if let Some(ceiling) =
            call.above.ceiling.filter(|ceiling| effects.min(Effects::Destructive) > *ceiling)
        {
            self.metrics().plugin(caller).denied(CALL_PLUGIN);
            return Err(beyond(ceiling, link, effects));
        }
        // Each attempt is of the same handler: what it said first holds.
        let _ = link.ceiling.set(effects);
        Ok(())
    }

    fn may_not_call(&self, caller: &str, call: &Call<'_>) -> Error {
        let name = format!("{}.{}", call.plugin, call.handler);
        let what = format!("call `{name}`");
        let error = self.deny(caller, &Permission::CallPlugin(Some(vec![name])), what);
        let _ = call.root.denied.set(error.clone());
        error
    }

    /// Whether a plugin may hear all messages of a subscription: those of its own, of `topic.…` and the host's anyway,
    /// others where they were granted.
    pub(super) fn may_hear(&self, plugin: &str, pattern: &Pattern) -> Result<(), Error> {
        let subjects = pattern.as_str();
        let what = format_args!("hear messages on `{subjects}`");
        self.may_use(plugin, subjects, |first| matches!(first, "topic" | "astros"), what)
    }

    /// Whether a plugin may publish there: under its own name and `topic.…` anyway, elsewhere where it was granted.
    pub(super) fn may_publish(&self, plugin: &str, subject: &Subject) -> Result<(), Error> {
        let what = format_args!("publish on `{subject}`");
        self.may_use(plugin, subject.as_str(), |first| first == "topic", what)
    }

    fn may_use(
        &self,
        plugin: &str,
        subjects: &str,
        free: impl FnOnce(&str) -> bool,
        what: fmt::Arguments<'_>,
    ) -> Result<(), Error> {
        let first = subjects.split('.').next().unwrap_or_default();
        if free(first)
            || first == token(plugin)
            || self.is_granted(plugin, |granted| may_use(granted, subjects))
        {
            return Ok(());
        }
        Err(self.deny(plugin, &Permission::Bus(Some(vec![subjects.to_owned()])), what))
    }

    /// Whether a plugin may ask the host's AI.
    pub(super) fn may_ask_ai(&self, plugin: &str) -> Result<(), Error> {
        match self.is_granted(plugin, |granted| granted.contains(&Permission::Ai)) {
            true => Ok(()),
            false => Err(self.deny(plugin, &Permission::Ai, "ask the AI models")),
        }
    }

    /// Refuses a plugin what needs a permission that it was not granted; `what` goes on after "may not".
    pub(super) fn deny(&self, plugin: &str, permission: &Permission, what: impl fmt::Display) -> Error {
        self.metrics().plugin(plugin).denied(permission.name());
        tracing::debug!(plugin, %permission, "denied");
        errors::denied(plugin, permission, what)
    }

    /// Whether what a plugin was granted is enough for something.
    pub(super) fn is_granted(&self, plugin: &str, enough: impl FnOnce(&[Permission]) -> bool) -> bool {
        self.plugin(plugin).is_ok_and(|plugin| plugin.is_granted(enough))
    }
}

/// The name of the permission to call others.
const CALL_PLUGIN: &str = "call_plugin";

fn may_call(granted: &[Permission], plugin: &str, handler: &str) -> bool {
    let fits = |item: &String| {
        item.split_once('.').is_some_and(|(of, name)| of == plugin && (name == "*" || name == handler))
    };
    granted.iter().any(|permission| match permission {
        Permission::CallPlugin(None) => true,
        Permission::CallPlugin(Some(handlers)) => handlers.iter().any(fits),
        _ => false,
    })
}

/// Whether subjects are among those that were granted, all of them.
fn may_use(granted: &[Permission], subjects: &str) -> bool {
    let fits = |item: &String| takes_in(item, subjects);
    granted.iter().any(|permission| match permission {
        Permission::Bus(None) => true,
        Permission::Bus(Some(items)) => items.iter().any(fits),
        _ => false,
    })
}

/// Whether every message of `subjects` is one of `pattern`.
fn takes_in(pattern: &str, subjects: &str) -> bool {
    // Beside that, wildcards of the one are tokens of the other like all others.
    let all = |subjects: &str| subjects == ">" || subjects.ends_with(".>");
    (all(pattern) || !all(subjects)) && astros_protocol::bus::matches(pattern, subjects)
}

/// A handler that a plugin called goes as far as it says, and no farther by others.
fn beyond(ceiling: Effects, link: &Link, effects: Effects) -> Error {
    let above = link.parent.as_ref().map(|above| format!("`{}.{}`", above.plugin, above.handler));
    let above = above.as_deref().unwrap_or("a handler");
    let message = format!(
        "{above} was called by a plugin and {}: it may not call `{}.{}`, which {}",
        words(ceiling),
        link.plugin,
        link.handler,
        words(effects)
    );
    let error = Error::new(ErrorCode::PERMISSION_DENIED, message).with("chain", link.names());
    error.with_hint("what a handler has others do belongs to what it declares in its `effects`")
}

/// What a handler of these effects does.
fn words(effects: Effects) -> &'static str {
    match effects {
        Effects::None => "does nothing to the world",
        Effects::Read => "only reads",
        Effects::Write => "writes",
        Effects::Destructive | Effects::Unknown => "destroys",
    }
}
