//! Questions to a person on their way to the client that can ask them, and the answers on their way back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use astros_protocol::{Error, ErrorCode, manifest::Permission};
use foldhash::HashMap;
use serde_json::Value;

use super::api;
use crate::{
    daemon::Daemon,
    router::{About, Question},
};

const YES: &str = "yes";
const NO: &str = "no";
const ALWAYS: &str = "always";

/// The questions that nobody answered yet, by what they are called towards clients.
#[derive(Default)]
pub(super) struct Open(Mutex<HashMap<String, Question>>);

impl Open {
    /// Keeps a question until it is answered, and gives what the client is told.
    pub(super) fn keep(&self, question: Question) -> api::Question {
        let id = format!("{:032x}", fastrand::u128(..));
        let told = told(id.clone(), &question.about);
        let mut open = self.lock();
        // Those that waited in vain.
        open.retain(|_, question| !question.answer.is_closed());
        open.insert(id, question);
        told
    }

    /// Takes a person's answer; null declines. What is granted for good is granted when this returns.
    ///
    /// # Errors
    /// The question is not open (any more), or this is no answer to it: then it stays open. Or it could not be
    /// granted, and counts as declined where it had to be.
    pub(super) async fn answer(&self, daemon: &Arc<Daemon>, id: &str, answer: Value) -> Result<(), Error> {
        let question = {
            let mut open = self.lock();
            let found = open.get(id).filter(|question| !question.answer.is_closed()).ok_or_else(gone)?;
            fits(&found.about, &answer)?;
            open.remove(id).ok_or_else(gone)?
        };
        let answer = Some(answer).filter(|answer| !answer.is_null());
        match question.about {
            About::Plugin { .. } => drop(question.answer.send(answer)),
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

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on where the client is gone: half of it is none.
async fn grant(daemon: &Arc<Daemon>, plugin: String, permission: Permission) -> Result<(), Error> {
    let daemon = daemon.clone();
    let granted = tokio::spawn(async move { daemon.grant(&plugin, vec![permission]).await.map(drop) }).await;
    granted.unwrap_or_else(|error| Err(Error::new(ErrorCode::INTERNAL_ERROR, error.to_string())))
}

fn told(id: String, about: &About) -> api::Question {
    match about {
        About::Permission { plugin, permission, lasting } => {
            let choices: &[&str] = if *lasting { &[ALWAYS, NO] } else { &[YES, NO, ALWAYS] };
            api::Question {
                id,
                plugin: plugin.clone(),
                question: format!("`{plugin}` wants to {}", permission.sentence()),
                permission: Some(permission.to_string()),
                choices: choices.iter().map(|&choice| choice.to_owned()).collect(),
                schema: None,
            }
        }
        About::Plugin { plugin, asked } => api::Question {
            id,
            plugin: plugin.clone(),
            question: asked.question.clone(),
            permission: None,
            choices: asked.choices.clone(),
            schema: asked.schema.clone(),
        },
    }
}

/// Whether this is an answer to the question.
fn fits(about: &About, answer: &Value) -> Result<(), Error> {
    let said = told(String::new(), about);
    let unfit = |expected: String| {
        let message = format!("the answer is `{answer}`, expected {expected}");
        Err(Error::new(ErrorCode::INVALID_PARAMS, message))
    };
    if answer.is_null() {
        return Ok(());
    }
    if !said.choices.is_empty() && !said.choices.iter().any(|choice| answer == choice) {
        return unfit(format!("one of {}", said.choices.join(", ")));
    }
    // A schema that is none asks for nothing.
    let validator = said.schema.and_then(|schema| jsonschema::validator_for(&schema).ok());
    match validator.and_then(|validator| validator.validate(answer).err().map(|error| error.to_string())) {
        Some(error) => unfit(format!("what the question's schema describes: {error}")),
        None => Ok(()),
    }
}

fn gone() -> Error {
    let message = "the question is not open: it was answered, or nobody waits for that any more";
    Error::new(ErrorCode::INVALID_REQUEST, message)
}
