//! Doing what was understood: the candidates in their order, and what the session has to remember.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use astros_protocol::{Error, ErrorCode, Extra, Response};
use serde_json::value::RawValue;

use super::{
    Agent, Person, Progress, Understanding,
    recognition::{Decision, Match, from_here},
    refusal::{declined, not_understood},
    suggestions,
};
use crate::{
    router::{
        Above, Call, Listener, errors,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::storage::Followup,
};

/// A session's follow-up lapses after this.
const FOLLOWUP_LAPSE: Duration = Duration::from_secs(10 * 60);

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
    /// What helps where it was not done for want of a permission.
    pub hint: Option<String>,
}

impl Agent {
    /// Does what is asked.
    pub async fn ask(&self, text: &str, person: &Person, progress: Progress) -> Result<Answer, Error> {
        let Understanding { decision, followup } = self.understand(text, person).await?;
        let candidates = match decision {
            Decision::Try(candidates) => candidates,
            Decision::Nobody(nearest) => {
                return Err(not_understood(text, &nearest, self.thresholds().threshold));
            }
        };
        let root = person.root();
        let deadline = person.timeout.map(|timeout| root.clock.now() + timeout);
        for candidate in &candidates {
            let wanted = Wanted {
                plugin: &candidate.plugin,
                handler: &candidate.handler,
                text,
                confidence: candidate.confidence,
                context: context(candidate, person, followup.as_ref()),
                followup: followup.as_ref().is_some_and(|followup| followup.plugin == candidate.plugin),
            };
            let response = self.call(&wanted, person, &root, deadline, progress.clone()).await?;
            if !response.declined {
                if let Err(error) = self.remember(person, &wanted, &response, followup.is_some()).await {
                    // What was done is done: the person is told of that all the same.
                    tracing::warn!(%error, "who gets the next text of this session could not be remembered");
                }
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
        mut context: Extra,
        person: &Person,
        progress: Progress,
    ) -> Result<Answer, Error> {
        let root = person.root();
        let deadline = person.timeout.map(|timeout| root.clock.now() + timeout);
        let parameters = self.parameters(plugin, handler);
        let parameters = match deadline {
            Some(deadline) => root.clock.limit(deadline, parameters).await.flatten(),
            None => parameters.await,
        };
        if let Some(parameters) = parameters {
            from_here(&mut context, &parameters, &person.cwd, &person.home);
        }
        let wanted = Wanted { plugin, handler, text: "", confidence: 1.0, context, followup: false };
        let response = self.call(&wanted, person, &root, deadline, progress).await?;
        Ok(self.answer(response, wanted, &root))
    }

    async fn call(
        &self,
        wanted: &Wanted<'_>,
        person: &Person,
        root: &Arc<Root>,
        deadline: Option<Instant>,
        progress: Progress,
    ) -> Result<Response, Error> {
        let reaches = async {
            self.router.person_enables(root, wanted.plugin).await;
            self.reaches((wanted.plugin, wanted.handler), &wanted.context, person, root).await
        };
        match deadline {
            // Where it takes too long, the call does not begin.
            Some(deadline) => root.clock.limit(deadline, reaches).await.unwrap_or(Ok(()))?,
            None => reaches.await?,
        }
        let timeout = deadline.map(|deadline| deadline.saturating_duration_since(root.clock.now()));
        let context = serde_json::value::to_raw_value(&wanted.context)
            .map_err(|error| Error::new(ErrorCode::INTERNAL_ERROR, error.to_string()))?;
        let timestamp = jiff::Timestamp::now().to_string();
        let call = Call {
            plugin: wanted.plugin,
            handler: wanted.handler,
            work: Work::Handler(IntentRef {
                text: wanted.text,
                intent_type: wanted.handler,
                confidence: wanted.confidence,
                user_id: root.user_id.as_deref(),
                session_id: root.session_id.as_deref(),
                timestamp: &timestamp,
                context: &context,
            }),
            root: root.clone(),
            above: Above::default(),
            timeout,
            progress: progress.map_or(Listener::Nobody, Listener::Channel),
            followup: wanted.followup,
        };
        let result = self.router.call(call).await.map_err(|error| errors::blame(error, root.denied.get()))?;
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

    /// What helps where a handler said itself that it did not do what was denied.
    fn advice(&self, response: &Response, plugin: &str, root: &Root) -> Option<String> {
        if response.success {
            return None;
        }
        let lack = match root.denied.get() {
            Some(denied) => denied.clone(),
            None => return self.router.seems_to_lack(plugin, &response.message, root)?.data?.hint,
        };
        response.message.contains(&lack.message).then(|| lack.data?.hint).flatten()
    }

    fn answer(&self, response: Response, wanted: Wanted<'_>, root: &Root) -> Answer {
        let plugins = self.router.plugins();
        Answer {
            suggestions: suggestions::sentences(&response.suggested_actions, wanted.plugin, &plugins),
            hint: self.advice(&response, wanted.plugin, root),
            response,
            plugin: wanted.plugin.to_owned(),
            handler: wanted.handler.to_owned(),
            confidence: wanted.confidence,
            context: wanted.context,
            correlation_id: root.correlation_id.clone(),
        }
    }
}

/// One handler to call, and with what.
struct Wanted<'a> {
    plugin: &'a str,
    handler: &'a str,
    text: &'a str,
    confidence: f64,
    context: Extra,
    followup: bool,
}

/// A handler's response, read; a plugin that answers otherwise is told apart by name.
fn read_response(result: &RawValue, plugin: &str, handler: &str) -> Result<Response, Error> {
    serde_json::from_str(result.get()).map_err(|error| {
        let message = format!("plugin `{plugin}` answered `{handler}` with what is no response: {error}");
        Error::new(ErrorCode::BAD_RESPONSE, message).with_plugin(plugin)
    })
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
