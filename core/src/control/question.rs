//! Questions to a person on their way to the client that can ask them, and the answers on their way back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use astros_protocol::{Error, ErrorCode, manifest::Permission};
use foldhash::HashMap;
use serde_json::Value;

use super::api;
use crate::{
    daemon::{Asks, Daemon, WishState},
    router::{About, Question},
    services::printable::line_of,
};

const YES: &str = "yes";
const NO: &str = "no";
const ALWAYS: &str = "always";

/// The questions that nobody answered yet, by what they are called towards clients.
#[derive(Default)]
pub(super) struct Open(Mutex<HashMap<String, Kept>>);

/// A question, and what the client was told.
struct Kept {
    question: Question,
    told: api::Question,
}

impl Open {
    /// Keeps a question until it is answered, and gives what the client is told; none where it is not a person's to
    /// answer.
    pub(super) async fn keep(&self, question: Question, daemon: &Daemon) -> Option<api::Question> {
        let id = format!("{:032x}", fastrand::u128(..));
        let told = told(id.clone(), &question.about, daemon).await?;
        let mut open = self.lock();
        // Those that waited in vain.
        open.retain(|_, kept| !kept.question.answer.is_closed());
        open.insert(id, Kept { question, told: told.clone() });
        Some(told)
    }

    /// Takes a person's answer; null declines. What is granted for good is granted when this returns.
    ///
    /// # Errors
    /// The question is not open (any more), or this is no answer to it: then it stays open. Or it could not be
    /// granted, and counts as declined where it had to be.
    pub(super) async fn answer(&self, daemon: &Arc<Daemon>, id: &str, answer: Value) -> Result<(), Error> {
        let Kept { question, told } = {
            let mut open = self.lock();
            let found = open.get(id).filter(|kept| !kept.question.answer.is_closed()).ok_or_else(gone)?;
            fits(&found.told, &answer)?;
            open.remove(id).ok_or_else(gone)?
        };
        let answer = Some(answer).filter(|answer| !answer.is_null());
        match question.about {
            About::Plugin { .. } => drop(question.answer.send(answer)),
            About::Enable { plugin } => {
                if answer.as_ref().is_some_and(|said| said == ALWAYS) {
                    enable(daemon, plugin, told.asks).await?;
                    let _ = question.answer.send(answer);
                }
            }
            About::Permission { plugin, permission, lasting } => {
                let said = answer.as_ref().and_then(Value::as_str);
                let allowed = said.is_some_and(|said| said != NO).then_some(Value::Bool(true));
                if !lasting {
                    // What waits for it may be what the plugin's process has to end before it is replaced.
                    let _ = question.answer.send(allowed);
                    if said == Some(ALWAYS) {
                        grant(daemon, plugin, permission).await?;
                    }
                } else {
                    if allowed.is_some() {
                        grant(daemon, plugin, permission).await?;
                    }
                    let _ = question.answer.send(allowed);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn grant(daemon: &Arc<Daemon>, plugin: String, permission: Permission) -> Result<(), Error> {
    let daemon = daemon.clone();
    whole(async move { daemon.grant(&plugin, vec![permission]).await.map(drop) }).await
}

/// With what the person was shown, and nothing that came to it since.
async fn enable(daemon: &Arc<Daemon>, plugin: String, asks: Option<Asks>) -> Result<(), Error> {
    let daemon = daemon.clone();
    let missing = asks.into_iter().flat_map(|asks| asks.wishes);
    let missing = missing.filter(|wish| wish.state == WishState::Missing);
    let agreed = missing.filter_map(|wish| wish.permission.parse().ok()).collect();
    whole(async move { daemon.enable(&plugin, Some(agreed)).await }).await
}

/// Goes on where the client is gone: half of it is none.
async fn whole(change: impl Future<Output = Result<(), Error>> + Send + 'static) -> Result<(), Error> {
    let changed = tokio::spawn(change).await;
    changed.unwrap_or_else(|error| Err(Error::new(ErrorCode::INTERNAL_ERROR, error.to_string())))
}

async fn told(id: String, about: &About, daemon: &Daemon) -> Option<api::Question> {
    let choices = |all: &[&str]| all.iter().map(|&choice| choice.to_owned()).collect();
    Some(match about {
        About::Enable { plugin } => {
            let asks = daemon.waiting(plugin).await?;
            let missing = asks.wishes.iter().filter(|wish| wish.state == WishState::Missing);
            let wants: Vec<_> = missing.map(|wish| &*wish.sentence).collect();
            let wants = if wants.is_empty() { "run".to_owned() } else { wants.join("; ") };
            api::Question {
                id,
                plugin: plugin.clone(),
                question: format!("`{plugin}` wants to {wants}"),
                permission: None,
                choices: choices(&[ALWAYS, NO]),
                schema: None,
                asks: Some(asks),
            }
        }
        About::Permission { plugin, permission, lasting } => api::Question {
            id,
            plugin: plugin.clone(),
            question: format!("`{plugin}` wants to {}", permission.sentence()),
            permission: Some(permission.to_string()),
            choices: choices(if *lasting { &[ALWAYS, NO] } else { &[YES, NO, ALWAYS] }),
            schema: None,
            asks: None,
        },
        About::Plugin { plugin, asked } => api::Question {
            id,
            plugin: plugin.clone(),
            question: asked.question.clone(),
            permission: None,
            choices: asked.choices.clone(),
            schema: asked.schema.clone(),
            asks: None,
        },
    })
}

/// Whether this is an answer to the question.
fn fits(said: &api::Question, answer: &Value) -> Result<(), Error> {
    let unfit = |expected: String| {
        let message = format!("the answer is `{answer}`, expected {expected}");
        Err(Error::new(ErrorCode::INVALID_PARAMS, message))
    };
    if answer.is_null() {
        return Ok(());
    }
    if !said.choices.is_empty() && !said.choices.iter().any(|choice| answer == choice) {
        return unfit(format!("one of {}", line_of(&said.choices.join(", "), 300)));
    }
    // A schema that is none asks for nothing.
    let validator = said.schema.as_ref().and_then(|schema| jsonschema::validator_for(schema).ok());
    match validator.and_then(|validator| validator.validate(answer).err().map(|error| error.to_string())) {
        Some(error) => unfit(format!("what the question's schema describes: {error}")),
        None => Ok(()),
    }
}

fn gone() -> Error {
    let message = "the question is not open: it was answered, or nobody waits for that any more";
    Error::new(ErrorCode::INVALID_REQUEST, message)
}
