//! The agent: from a person's words to the plugin that does what they ask, and back.
//!
//! Text is recognised, the candidates are tried in their order until one does not decline, and what the session has
//! to remember is remembered.

pub mod recognition;
mod suggestions;

use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use astros_protocol::{Error, ErrorCode, Extra, Response};
use serde_json::{Value, json, value::RawValue};
use tokio::sync::mpsc;

use crate::{
    router::{
        Above, Call, Listener, Router,
        tree::{Root, new_correlation_id},
        wire::IntentRef,
    },
    services::storage::{Followup, Store},
};
use recognition::{Decision, HandlerDoc, Match, Recognizer, Standard, choose};

/// A session's follow-up lapses after this.
const FOLLOWUP_LAPSE: Duration = Duration::from_secs(10 * 60);
/// So much of a text that nobody understood is shown.
const SHOWN: usize = 80;

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

/// Who asks, and where they are.
#[derive(Clone, Debug)]
pub struct Person {
    pub user_id: String,
    pub session_id: String,
    /// The person's folder: paths that they name are seen from here.
    pub cwd: PathBuf,
    pub home: PathBuf,
    pub locale: Option<String>,
    /// The time that all of it may take.
    pub timeout: Option<Duration>,
}

impl Person {
    fn root(&self) -> Arc<Root> {
        Arc::new(Root {
            correlation_id: new_correlation_id(),
            user_id: Some(self.user_id.clone()),
            session_id: Some(self.session_id.clone()),
            cwd: Some(self.cwd.to_string_lossy().into_owned()),
            locale: self.locale.clone(),
        })
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

/// What came of it.
#[derive(Debug)]
pub struct Answer {
    pub response: Response,
    pub plugin: String,
    pub handler: String,
    pub confidence: f64,
    pub context: Extra,
    pub correlation_id: String,
    /// What could be said next, as sentences.
    pub suggestions: Vec<String>,
}

/// Understands people.
pub struct Agent {
    router: Arc<Router>,
    store: Store,
    // Swapped whole when plugins come or go; never held across an await.
    recognizer: RwLock<Arc<dyn Recognizer>>,
    thresholds: Thresholds,
}

impl Agent {
    pub fn new(router: Arc<Router>, store: Store, thresholds: Thresholds) -> Agent {
        let agent = Agent {
            router,
            store,
            recognizer: RwLock::new(Arc::new(Standard::new(Vec::new()))),
            thresholds,
        };
        agent.learn();
        agent
    }

    /// Learns anew what the plugins offer.
    pub fn learn(&self) {
        let docs = self.router.plugins().iter().flat_map(|plugin| {
            let description = plugin.description();
            description.map_or(Vec::new(), |description| handler_docs(&plugin.name, &description))
        });
        let recognizer = Arc::new(Standard::new(docs.collect()));
        *self.recognizer.write().unwrap_or_else(PoisonError::into_inner) = recognizer;
    }

    /// Finds out what is meant, and runs nothing.
    pub async fn understand(&self, text: &str, person: &Person) -> Result<Understanding, Error> {
        if text.trim().is_empty() {
            let error = Error::new(ErrorCode::INVALID_PARAMS, "the text is empty");
            return Err(error.with_hint("say what you want, such as `astros ask \"list the files in ~/Downloads\"`"));
        }
        let recognizer = self.recognizer.read().unwrap_or_else(PoisonError::into_inner).clone();
        let exists = |typed: &str| recognition::resolve(typed, &person.cwd, &person.home).exists();
        let matches = recognizer.rank(text, &exists);
        let followup = self.store.followup(&person.session_id).await?;
        let followup = followup.filter(|followup| self.router.plugin(&followup.plugin).is_ok());
        let decision = match &followup {
            Some(followup) => self.follow(followup, matches),
            None => choose(matches, self.thresholds.threshold, self.thresholds.margin),
        };
        Ok(Understanding { decision, followup })
    }

    /// The plugin that asked back gets the text first: the handler of its that is meant, else the one that asked.
    fn follow(&self, followup: &Followup, matches: Vec<Match>) -> Decision {
        let Thresholds { threshold, margin } = self.thresholds;
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
                slots: Default::default(),
                why: Default::default(),
            });
        }
        if let Decision::Try(others) = choose(others, threshold, margin) {
            own.extend(others);
        }
        Decision::Try(own)
    }

    /// Does what is asked.
    pub async fn ask(&self, text: &str, person: &Person, progress: Progress) -> Result<Answer, Error> {
        let Understanding { decision, followup } = self.understand(text, person).await?;
        let candidates = match decision {
            Decision::Try(candidates) => candidates,
            Decision::Nobody(nearest) => return Err(self.not_understood(text, &nearest)),
        };
        let root = person.root();
        let started = std::time::Instant::now();
        for candidate in &candidates {
            let left = person.timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
            let wanted = Wanted {
                plugin: &candidate.plugin,
                handler: &candidate.handler,
                text,
                confidence: candidate.confidence,
                context: context(candidate, person, followup.as_ref()),
            };
            let response = self.call(&wanted, &root, left, progress.clone()).await?;
            if !response.declined {
                self.remember(person, &wanted, &response, followup.is_some()).await?;
                return Ok(self.answer(response, wanted, &root));
            }
        }
        Err(declined(text, &candidates))
    }

    /// Calls one handler by its name.
    pub async fn invoke(
        &self,
        plugin: &str,
        handler: &str,
        context: Extra,
        person: &Person,
        progress: Progress,
    ) -> Result<Answer, Error> {
        let root = person.root();
        let wanted = Wanted { plugin, handler, text: "", confidence: 1.0, context };
        let response = self.call(&wanted, &root, person.timeout, progress).await?;
        Ok(self.answer(response, wanted, &root))
    }

    async fn call(
        &self,
        wanted: &Wanted<'_>,
        root: &Arc<Root>,
        timeout: Option<Duration>,
        progress: Progress,
    ) -> Result<Response, Error> {
        let context = serde_json::value::to_raw_value(&wanted.context)
            .map_err(|error| Error::new(ErrorCode::INTERNAL_ERROR, error.to_string()))?;
        let timestamp = jiff::Timestamp::now().to_string();
        let call = Call {
            plugin: wanted.plugin,
            handler: wanted.handler,
            intent: IntentRef {
                text: wanted.text,
                intent_type: wanted.handler,
                confidence: wanted.confidence,
                user_id: root.user_id.as_deref(),
                session_id: root.session_id.as_deref(),
                timestamp: &timestamp,
                context: &context,
            },
            root: root.clone(),
            above: Above::default(),
            timeout,
            progress: progress.map_or(Listener::Nobody, Listener::Channel),
        };
        let result = self.router.call(call).await?;
        read_response(&result, wanted.plugin, wanted.handler)
    }

    /// Keeps who gets the session's next text; forgets what was kept before.
    async fn remember(
        &self,
        person: &Person,
        wanted: &Wanted<'_>,
        response: &Response,
        followed: bool,
    ) -> Result<(), Error> {
        let followup = response.requires_followup.then(|| Followup {
            plugin: wanted.plugin.to_owned(),
            handler: wanted.handler.to_owned(),
            context: wanted.context.clone(),
        });
        if followup.is_none() && !followed {
            return Ok(());
        }
        self.store.set_followup(&person.session_id, followup, FOLLOWUP_LAPSE).await
    }

    fn answer(&self, response: Response, wanted: Wanted<'_>, root: &Root) -> Answer {
        let plugins = self.router.plugins();
        Answer {
            suggestions: suggestions::sentences(&response.suggested_actions, wanted.plugin, &plugins),
            response,
            plugin: wanted.plugin.to_owned(),
            handler: wanted.handler.to_owned(),
            confidence: wanted.confidence,
            context: wanted.context,
            correlation_id: root.correlation_id.clone(),
        }
    }

    fn not_understood(&self, text: &str, nearest: &[Match]) -> Error {
        let error = Error::new(ErrorCode::NOT_UNDERSTOOD, format!("no plugin can do `{}`", shown(text)));
        let threshold = self.thresholds.threshold;
        let detail = match nearest.first() {
            Some(near) => format!(
                "nearest: `{}.{}` ({:.0} %), below the threshold of {:.0} %",
                near.plugin,
                near.handler,
                near.confidence * 100.0,
                threshold * 100.0
            ),
            None => "no handler is anywhere near".to_owned(),
        };
        let candidates: Vec<Value> = nearest.iter().map(candidate_json).collect();
        error
            .with_detail(detail)
            .with("candidates", candidates)
            .with_hint("`astros plugins list` shows what there is, `astros ask --explain` how it was decided")
    }
}

/// One handler to call, and with what.
struct Wanted<'a> {
    plugin: &'a str,
    handler: &'a str,
    text: &'a str,
    confidence: f64,
    context: Extra,
}

/// A handler's response, read; a plugin that answers otherwise is told apart by name.
pub fn read_response(result: &RawValue, plugin: &str, handler: &str) -> Result<Response, Error> {
    serde_json::from_str(result.get()).map_err(|error| {
        let message = format!("plugin `{plugin}` answered `{handler}` with what is no response: {error}");
        Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(plugin)
    })
}

/// A candidate for people and programs.
pub fn candidate_json(candidate: &Match) -> Value {
    json!({
        "plugin": candidate.plugin,
        "handler": candidate.handler,
        "confidence": (candidate.confidence * 1000.0).round() / 1000.0,
    })
}

/// What a plugin says about its handlers, as the recognizer reads it.
fn handler_docs(plugin: &str, description: &astros_protocol::PluginDescription) -> Vec<HandlerDoc> {
    let document = |handler: &astros_protocol::HandlerDescription| HandlerDoc {
        plugin: plugin.to_owned(),
        handler: handler.name.clone(),
        priority: i32::try_from(handler.priority).unwrap_or(if handler.priority > 0 { i32::MAX } else { i32::MIN }),
        examples: handler.examples.clone(),
        description: handler.description.clone(),
        handles: description.handles.clone(),
        plugin_description: description.description.clone(),
        parameters: handler.parameters.clone().unwrap_or(Value::Null),
    };
    description.handlers.iter().map(document).collect()
}

/// What the handler gets: the slots of the text, on top of what its question was about.
fn context(candidate: &Match, person: &Person, followup: Option<&Followup>) -> Extra {
    let asked = followup
        .filter(|followup| (&followup.plugin, &followup.handler) == (&candidate.plugin, &candidate.handler));
    let mut context = asked.map_or_else(Extra::new, |followup| followup.context.clone());
    for (name, slot) in &candidate.slots {
        context.insert(name.clone(), slot.value(&person.cwd, &person.home));
    }
    context
}

fn declined(text: &str, candidates: &[Match]) -> Error {
    let names: Vec<_> = candidates.iter().map(|one| format!("`{}.{}`", one.plugin, one.handler)).collect();
    Error::new(ErrorCode::NOT_UNDERSTOOD, format!("nobody wants to do `{}`", shown(text)))
        .with_detail(format!("declined by {}", names.join(", ")))
        .with("candidates", candidates.iter().map(candidate_json).collect::<Vec<_>>())
        .with_hint("say it in other words, or name what it is about")
}

fn shown(text: &str) -> String {
    let text = text.trim();
    let mut short: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
