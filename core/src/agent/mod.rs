//! The agent: from a person's words to the plugin that does what they ask, and back.
//!
//! Text is recognised, the candidates are tried in their order until one does not decline, and what the session has
//! to remember is remembered.

mod ask;
pub mod draw;
mod person;
mod reach;
pub mod recognition;
mod refusal;
mod suggestions;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use astros_protocol::{Error, ErrorCode, HandlerDescription, PluginDescription};
use serde_json::{Value, value::RawValue};
use tokio::sync::mpsc;

use crate::{
    router::Router,
    services::storage::{Followup, Store},
};
use recognition::{Decision, HandlerDoc, Match, Recognizer, Slot, Standard, choose};

pub use ask::Answer;
pub use person::Person;
pub use refusal::candidate_json;

/// When a candidate is good enough.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Below this confidence nobody is asked.
    pub threshold: f64,
    /// Within this of the best, priority decides.
    pub margin: f64,
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds { threshold: recognition::THRESHOLD, margin: recognition::MARGIN }
    }
}

/// Where news of a request's progress goes.
pub type Progress = Option<mpsc::Sender<Box<RawValue>>>;

/// What was understood: who would be asked, in which order, with what.
#[derive(Debug)]
pub struct Understanding {
    pub decision: Decision,
    /// The session waits for this text: its plugin comes first.
    pub followup: Option<Followup>,
}

/// Understands people.
pub struct Agent {
    router: Arc<Router>,
    store: Store,
    // Swapped whole when plugins come or go; never held across an await.
    recognizer: RwLock<Arc<dyn Recognizer>>,
    /// What it was learned from.
    learned: Mutex<Offers>,
    thresholds: RwLock<Thresholds>,
}

/// The plugins by name with what they offer.
type Offers = BTreeMap<Arc<str>, Arc<PluginDescription>>;

impl Agent {
    pub fn new(router: Arc<Router>, store: Store, thresholds: Thresholds) -> Agent {
        let recognizer = RwLock::new(Arc::new(Standard::new(&[])) as _);
        let (learned, thresholds) = (Mutex::default(), RwLock::new(thresholds));
        let agent = Agent { router, store, recognizer, learned, thresholds };
        agent.learn();
        agent
    }

    pub fn thresholds(&self) -> Thresholds {
        *self.thresholds.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes others, from the next text on.
    pub fn set_thresholds(&self, thresholds: Thresholds) {
        *self.thresholds.write().unwrap_or_else(PoisonError::into_inner) = thresholds;
    }

    /// Learns what the plugins offer, where that is not what was learned before.
    pub fn learn(&self) {
        let offers: Offers = self
            .router
            .plugins()
            .into_iter()
            .filter_map(|plugin| Some((plugin.name.clone(), plugin.description()?)))
            .collect();
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        if *learned == offers {
            return;
        }
        let docs = offers.iter().flat_map(|(name, description)| handler_docs(name, description));
        let recognizer = Arc::new(Standard::new(&docs.collect::<Vec<_>>()));
        *self.recognizer.write().unwrap_or_else(PoisonError::into_inner) = recognizer;
        *learned = offers;
    }

    /// Finds out what is meant, and runs nothing.
    pub async fn understand(&self, text: &str, person: &Person) -> Result<Understanding, Error> {
        if text.trim().is_empty() {
            let error = Error::new(ErrorCode::INVALID_PARAMS, "the text is empty");
            return Err(
                error.with_hint("say what you want, such as `astros ask \"list the files in ~/Downloads\"`")
            );
        }
        let recognizer = self.recognizer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let exists = |typed: &str| recognition::resolve(typed, &person.cwd, &person.home).exists();
        let matches = recognizer.rank(text, &exists);
        let followup = self.store.followup(&person.session_id).await?;
        let followup = followup.filter(|followup| self.router.plugin(&followup.plugin).is_ok());
        let decision = match &followup {
            Some(followup) => {
                let slots = recognizer.slots(&followup.plugin, &followup.handler, text, &exists);
                self.follow(followup, slots, matches)
            }
            None => {
                let Thresholds { threshold, margin } = self.thresholds();
                choose(matches, threshold, margin)
            }
        };
        Ok(Understanding { decision, followup })
    }

    /// The plugin that asked back gets the text first: the handler of its that is meant, else the one that asked.
    fn follow(&self, followup: &Followup, slots: BTreeMap<String, Slot>, matches: Vec<Match>) -> Decision {
        let Thresholds { threshold, margin } = self.thresholds();
        let (own, others): (Vec<_>, Vec<_>) =
            matches.into_iter().partition(|found| found.plugin == followup.plugin);
        let mut own = match choose(own, threshold, margin) {
            Decision::Try(own) => own,
            Decision::Nobody(_) => Vec::new(),
        };
        if own.iter().all(|found| found.handler != followup.handler) {
            own.push(Match {
                plugin: followup.plugin.clone(),
                handler: followup.handler.clone(),
                confidence: 1.0,
                priority: 0,
                slots,
                why: Default::default(),
            });
        }
        if let Decision::Try(others) = choose(others, threshold, margin) {
            own.extend(others);
        }
        Decision::Try(own)
    }
}

/// What a plugin says about its handlers, as the recognizer reads it.
fn handler_docs(plugin: &str, description: &PluginDescription) -> Vec<HandlerDoc> {
    let document = |handler: &HandlerDescription| HandlerDoc {
        plugin: plugin.to_owned(),
        handler: handler.name.clone(),
        priority: i32::try_from(handler.priority).unwrap_or(if handler.priority > 0 {
            i32::MAX
        } else {
            i32::MIN
        }),
        examples: handler.examples.clone(),
        description: handler.description.clone(),
        handles: description.handles.clone(),
        plugin_description: description.description.clone(),
        parameters: handler.parameters.clone().unwrap_or(Value::Null),
    };
    description.handlers.iter().map(document).collect()
}
