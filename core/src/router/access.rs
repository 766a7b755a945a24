//! Who may do what: calls of other plugins, subjects of the bus, AI.
//!
//! What a plugin may not do it is told without learning whether it is there. Whoever it calls does for it no more than
//! the called handler says that it does: nobody has another do what is not the other's to do.

use std::{borrow::Cow, fmt, path::PathBuf};

use astros_protocol::{
    Error, ErrorCode, RENDER_HANDLER, intent::Parent, lifecycle::Effects, manifest::Permission,
};

use super::{
    Call, Plugin, Router, errors,
    plugin::Declared,
    tree::{Ancestor, Child, Connection, Link, Root},
    wire::Work,
};
use crate::{
    bus::{Pattern, Subject, token},
    services::audit::{Event, Kind},
};

/// On what a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admitted {
    /// A person calls, or a plugin that was granted it.
    ByGrant,
    /// Its handler does nothing to the world.
    AsFree,
}

impl Call<'_> {
    /// The handler by which it is granted; of a part of a workflow, its kind and its name.
    fn granted_as(&self) -> Cow<'_, str> {
        match self.work {
            Work::Component(_) => RENDER_HANDLER.into(),
            Work::Part(step) => format!("{}:{}", step.kind, step.name).into(),
            _ => self.handler.into(),
        }
    }
}

/// A permission that a plugin needs and was not granted; `what` goes on after "may not".
#[derive(Debug)]
pub(super) struct Lack {
    permission: Permission,
    what: String,
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
        // Whether it may ask AI was looked at before one was chosen.
        if matches!(call.work, Work::Provider(_)) {
            return Ok(Admitted::ByGrant);
        }
        let free = |declared: Declared| declared.effects == Effects::None;
        if callee.and_then(|(_, declared)| declared).is_some_and(free) {
            return Ok(Admitted::AsFree);
        }
        if self.is_granted(caller, |granted| may_call(granted, call.plugin, &call.granted_as())) {
            return Ok(Admitted::ByGrant);
        }
        if let Some((plugin, None)) = callee
            && let Ok(session) = plugin.ready().await
            && free(Declared::of(&session.description, call))
        {
            return Ok(Admitted::AsFree);
        }
        let permission = Permission::CallPlugin(Some(vec![format!("{}.{}", call.plugin, call.granted_as())]));
        if self.person_allows(&call.root, caller, &permission, false).await {
            return Ok(Admitted::ByGrant);
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
        let Some(caller) = &call.above.caller else {
            self.note_destructive(call, effects);
            return Ok(());
        };
        // It was another version that said that it is free.
        if admitted == Admitted::AsFree && effects != Effects::None {
            return Err(self.may_not_call(caller, call));
        }
        // A word of a later version counts as the worst that is known.
        if let Some(ceiling) =
            call.above.ceiling.filter(|ceiling| effects.min(Effects::Destructive) > *ceiling)
        {
            self.count_denial(
                caller,
                caller,
                CALL_PLUGIN,
                format!("{}.{}", call.plugin, call.handler),
                Some(&call.root),
            );
            return Err(beyond(ceiling, link, effects));
        }
        // Each attempt is of the same handler: what it said first holds.
        let _ = link.ceiling.set(effects);
        self.note_destructive(call, effects);
        Ok(())
    }

    /// Notes a call of what cannot be undone.
    fn note_destructive(&self, call: &Call<'_>, effects: Effects) {
        if effects >= Effects::Destructive {
            let who = call.above.caller.as_deref().or(call.root.user_id.as_deref()).unwrap_or_default();
            let what = format!("{}.{}", call.plugin, call.handler);
            let event = Event::now(Kind::Destructive, call.plugin, what).by(who);
            self.audit(in_tree(event, Some(&call.root)));
        }
    }

    fn may_not_call(&self, caller: &str, call: &Call<'_>) -> Error {
        let name = format!("{}.{}", call.plugin, call.granted_as());
        let what = format!("call `{name}`");
        let error = self.deny(caller, &Permission::CallPlugin(Some(vec![name])), what, Some(&call.root));
        let _ = call.root.denied.set(error.clone());
        error
    }

    /// Whether a plugin may hear all messages of a subscription: those of its own, of `topic.…` and the host's anyway,
    /// others where they were granted.
    pub(super) fn may_hear(&self, plugin: &str, pattern: &Pattern) -> Result<(), Lack> {
        let subjects = pattern.as_str();
        let what = || format!("hear messages on `{subjects}`");
        self.may_use(plugin, subjects, |first| matches!(first, "topic" | "astros"), what)
    }

    /// Whether a plugin may publish there: under its own name and `topic.…` anyway, elsewhere where it was granted.
    pub(super) fn may_publish(&self, plugin: &str, subject: &Subject) -> Result<(), Lack> {
        let what = || format!("publish on `{subject}`");
        self.may_use(plugin, subject.as_str(), |first| first == "topic", what)
    }

    fn may_use(
        &self,
        plugin: &str,
        subjects: &str,
        free: impl FnOnce(&str) -> bool,
        what: impl FnOnce() -> String,
    ) -> Result<(), Lack> {
        let first = subjects.split('.').next().unwrap_or_default();
        if free(first) || first == token(plugin) {
            return Ok(());
        }
        self.covers(plugin, Permission::Bus(Some(vec![subjects.to_owned()])), what)
    }

    /// Whether a plugin may ask the host's AI.
    pub(super) fn may_ask_ai(&self, plugin: &str) -> Result<(), Lack> {
        self.covers(plugin, Permission::Ai, || "ask the AI models".to_owned())
    }

    fn covers(&self, plugin: &str, wanted: Permission, what: impl FnOnce() -> String) -> Result<(), Lack> {
        match self.is_granted(plugin, |granted| wanted.is_covered(granted)) {
            true => Ok(()),
            false => Err(Lack { permission: wanted, what: what() }),
        }
    }

    /// Lets a process do what its plugin was not granted, where the person whose request it serves allows that.
    ///
    /// # Errors
    /// They do not, or nobody can be asked: the denial.
    pub(super) async fn permit(
        &self,
        (plugin, connection): (&str, Connection),
        parent: &Parent,
        lack: Lack,
    ) -> Result<(), Error> {
        let ancestor = self.tree().ancestor(connection, parent);
        let Ancestor::Node(node) = ancestor else { return Err(self.lacks(plugin, &lack, None)) };
        let (waits, ended) = (Child::new(node.clone()), node.ended());
        let allowed = tokio::select! {
            allowed = self.person_allows(&node.root, plugin, &lack.permission, false) => allowed,
            () = ended.cancelled() => false,
        };
        drop(waits);
        if allowed {
            return Ok(());
        }
        let error = self.lacks(plugin, &lack, Some(&node.root));
        let _ = node.root.denied.set(error.clone());
        Err(error)
    }

    /// Refuses a plugin what it lacks.
    pub(super) fn lacks(&self, plugin: &str, lack: &Lack, root: Option<&Root>) -> Error {
        self.deny(plugin, &lack.permission, &lack.what, root)
    }

    /// Refuses a plugin what needs a permission that it was not granted; `what` goes on after "may not".
    pub fn deny(
        &self,
        plugin: &str,
        permission: &Permission,
        what: impl fmt::Display,
        root: Option<&Root>,
    ) -> Error {
        self.deny_for(plugin, plugin, permission, what, root)
    }

    /// The same where others asked for it, by their calls.
    pub(super) fn deny_for(
        &self,
        who: &str,
        plugin: &str,
        permission: &Permission,
        what: impl fmt::Display,
        root: Option<&Root>,
    ) -> Error {
        self.count_denial(who, plugin, permission.name(), permission.to_string(), root);
        errors::denied(plugin, permission, what, self.granted_in(plugin).as_deref())
    }

    /// The file that says all that a plugin may do, where one does.
    pub(super) fn granted_in(&self, plugin: &str) -> Option<PathBuf> {
        self.plugin(plugin).ok()?.supervisor().spec().granted_in.clone()
    }

    fn count_denial(
        &self,
        who: &str,
        plugin: &str,
        permission: &'static str,
        what: String,
        root: Option<&Root>,
    ) {
        self.metrics().plugin(plugin).denied(permission);
        self.audit(in_tree(Event::now(Kind::Denied, plugin, what).by(who), root));
    }

    /// Whether what a plugin was granted is enough for something.
    pub(super) fn is_granted(&self, plugin: &str, enough: impl FnOnce(&[Permission]) -> bool) -> bool {
        self.plugin(plugin).is_ok_and(|plugin| plugin.is_granted(enough))
    }
}

fn in_tree(event: Event, root: Option<&Root>) -> Event {
    match root {
        Some(root) => event.in_request(&*root.correlation_id),
        None => event,
    }
}

/// The name of the permission to call others.
const CALL_PLUGIN: &str = "call_plugin";

/// Whether these permissions are enough to call a handler of a plugin, or what is called like one.
pub(super) fn may_call(granted: &[Permission], plugin: &str, handler: &str) -> bool {
    let fits = |item: &String| {
        item.split_once('.').is_some_and(|(of, name)| of == plugin && (name == "*" || name == handler))
    };
    granted.iter().any(|permission| match permission {
        Permission::CallPlugin(None) => true,
        Permission::CallPlugin(Some(handlers)) => handlers.iter().any(fits),
        _ => false,
    })
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
