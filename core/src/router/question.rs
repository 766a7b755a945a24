//! Questions to the person behind a tree of calls, where they can be asked: what a plugin may do that it was not granted,
//! and what a plugin itself wants to know. The clock of the tree stands still meanwhile.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use astros_protocol::{manifest::Permission, person::UserAskParams};
use serde_json::Value;
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};

use super::{Plugin, Router, tree::Root};
use crate::supervisor::StateName;

/// A person has so long for an answer.
const PATIENCE: Duration = Duration::from_secs(5 * 60);
/// Beyond so many, what the plugins of one tree ask or want is declined without a word.
const MOST: usize = 16;

/// Where the questions to a person go.
pub type Asked = mpsc::Sender<Question>;

/// One question, and where its answer belongs.
#[derive(Debug)]
pub struct Question {
    pub about: About,
    /// Any JSON; none where the person declines. A permission is given by any answer.
    pub answer: oneshot::Sender<Option<Value>>,
}

/// What a person is asked.
#[derive(Clone, Debug)]
pub enum About {
    /// Whether a plugin may do what it was not granted.
    Permission {
        plugin: String,
        permission: Permission,
        /// It has to be granted and kept before the answer: the plugin's process cannot have it for one request.
        lasting: bool,
    },
    /// Whether a plugin that may not run shall. Who asks decides whether that is for a person to say.
    Enable { plugin: String },
    /// What a plugin asks itself.
    Plugin { plugin: String, asked: UserAskParams },
}

/// The person behind one tree, and what they said.
#[derive(Debug)]
pub struct Questions {
    asked: Asked,
    // Tokio's mutex: the same is asked once, also where it is wanted many times at once.
    said: Mutex<Vec<(String, Permission, bool)>>,
    count: AtomicUsize,
    /// The plugin that has the person's terminal.
    lent: OnceLock<Arc<str>>,
}

impl Questions {
    pub fn new(asked: Asked) -> Questions {
        Questions { asked, said: Mutex::default(), count: AtomicUsize::new(0), lent: OnceLock::new() }
    }

    /// A plugin has the person's terminal: it could cover a question, and write another one above it, so that nothing
    /// is asked from now on but in its own name.
    pub(super) fn lend(&self, plugin: &Arc<str>) {
        let _ = self.lent.set(plugin.clone());
    }

    fn are_seen(&self, about: &About) -> bool {
        self.lent.get().is_none_or(|lent| matches!(about, About::Plugin { plugin, .. } if **plugin == **lent))
    }
}

impl Router {
    /// Asks the person behind a tree; none where nobody is there, the terminal is a plugin's, they
    /// decline, or say nothing for five minutes.
    pub(super) async fn ask(&self, root: &Arc<Root>, about: About) -> Option<Value> {
        let questions = root.questions.as_ref()?;
        if !questions.are_seen(&about) || questions.count.fetch_add(1, Ordering::Relaxed) >= MOST {
            return None;
        }
        for node in self.tree().of(root) {
            if let Some(slot) = &node.slot {
                // Who works on one request at a time is held to its deadline, which moves.
                slot.session().expects(root.clock.moment(node.deadline) + PATIENCE);
            }
        }
        let _stopped = root.clock.stop();
        let (answer, told) = oneshot::channel();
        questions.asked.send(Question { about, answer }).await.ok()?;
        timeout(PATIENCE, told).await.ok()?.ok()?
    }

    /// Has the person behind a tree enable a plugin that may not run, where they like.
    pub async fn person_enables(&self, root: &Arc<Root>, plugin: &str) {
        let is_off = |plugin: Arc<Plugin>| {
            matches!(plugin.supervisor().status().state, StateName::Disabled | StateName::Blocked)
        };
        if root.questions.is_some() && self.plugin(plugin).is_ok_and(is_off) {
            self.ask(root, About::Enable { plugin: plugin.to_owned() }).await;
        }
    }

    /// Asks the person behind a tree something of the host's own, for as long as they think about it; none where nobody
    /// is there, or they decline.
    pub async fn consult(&self, root: &Arc<Root>, asked: UserAskParams) -> Option<Value> {
        let questions = root.questions.as_ref()?;
        let _stopped = root.clock.stop();
        let (answer, told) = oneshot::channel();
        let about = About::Plugin { plugin: "astros".to_owned(), asked };
        questions.asked.send(Question { about, answer }).await.ok()?;
        told.await.ok()?
    }

    /// Whether the person behind a tree lets a plugin do what it was not granted; asked once a tree.
    pub async fn person_allows(
        &self,
        root: &Arc<Root>,
        plugin: &str,
        permission: &Permission,
        lasting: bool,
    ) -> bool {
        let Some(questions) = &root.questions else { return false };
        // What the operator wrote is all that it may do, and no answer changes that.
        if self.granted_in(plugin).is_some() {
            return false;
        }
        // What cannot be written down in one line could mean something else than it says.
        if permission.to_string().parse().as_ref() != Ok(permission) {
            return false;
        }
        let mut said = questions.said.lock().await;
        let before = said.iter().find(|(one, wanted, _)| one == plugin && wanted == permission);
        if let Some((.., allowed)) = before {
            return *allowed;
        }
        let (plugin, permission) = (plugin.to_owned(), permission.clone());
        let about = About::Permission { plugin: plugin.clone(), permission: permission.clone(), lasting };
        let allowed = self.ask(root, about).await.is_some();
        said.push((plugin, permission, allowed));
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_nothing_but_its_own_words_where_a_plugin_has_the_terminal() {
        let (asked, _) = mpsc::channel(1);
        let questions = Questions::new(asked);
        let of = |plugin: &str| plugin.to_owned();
        let asks = |plugin: &str| {
            let asked = serde_json::from_str(r#"{"question": "really?"}"#).unwrap();
            questions.are_seen(&About::Plugin { plugin: of(plugin), asked })
        };
        let wants = |plugin: &str| {
            let permission = Permission::Ai;
            questions.are_seen(&About::Permission { plugin: of(plugin), permission, lasting: false })
        };
        let enables = || questions.are_seen(&About::Enable { plugin: of("a") });
        assert_eq!([asks("a"), asks("b"), wants("a"), wants("b"), enables()], [true; 5]);
        questions.lend(&Arc::from("a"));
        assert_eq!(
            [asks("a"), asks("b"), wants("a"), wants("b"), enables()],
            [true, false, false, false, false]
        );
    }
}
