//! Messages: what a plugin hears, and what it publishes.

use std::sync::Arc;

use astros_peer::Responder;
use astros_protocol::{
    Extra, Intent, MESSAGE_HANDLER, Request, Response,
    bus::{self, BusDeliver, BusMessage, BusPublish, DeliverParams, PublishParams},
};
use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Context, Plugin, Result,
    attend::{Attended, Work},
    context::{self, Request as Served},
    dispatch::{Dispatcher, read},
    handler,
};

/// A function that hears what is published on a subject.
pub(crate) struct Listener {
    subject: String,
    hear: Arc<dyn Fn(Context, BusMessage) -> Work<()> + Send + Sync>,
}

impl Plugin {
    /// Hears what is published on a subject; `*` stands for one token of it, `>` for all that follow. The host knows
    /// it from the description: a message starts the plugin where it does not run. The next message comes when the
    /// function has ended.
    pub fn on<F, Fut>(mut self, subject: impl Into<String>, function: F) -> Plugin
    where
        F: Fn(Context, BusMessage) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let (subject, function) = (subject.into(), Arc::new(function));
        let hear = move |ctx, message| -> Work<()> {
            let function = function.clone();
            Box::pin(async move { function(ctx, message).await })
        };
        if !self.description.subscriptions.contains(&subject) {
            self.description.subscriptions.push(subject.clone());
        }
        self.listeners.push(Listener { subject, hear: Arc::new(hear) });
        self
    }

    /// Takes direct messages of other plugins, which send them with `ctx.call_plugin(plugin, "$message", message)`.
    pub fn on_message<T, F, Fut>(self, function: F) -> Plugin
    where
        T: DeserializeOwned + JsonSchema + Send + 'static,
        F: Fn(Context, T) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Response>> + Send + 'static,
    {
        self.handler(handler(MESSAGE_HANDLER, function))
    }
}

impl Context {
    /// Publishes a message under the plugin's own name or `topic.`; who has subscribed to the subject hears it.
    pub async fn publish(&self, subject: &str, data: impl Serialize) -> Result<()> {
        let message = PublishParams { subject: subject.to_owned(), data: serde_json::to_value(data)? };
        Ok(self.peer().request::<BusPublish>(&message).await?)
    }
}

impl Dispatcher {
    /// Brings a message to those who listen, one after the other.
    pub(crate) fn deliver(&self, params: &str, responder: Responder) {
        let delivery = self
            .session(BusDeliver::METHOD)
            .and_then(|session| Ok((session, read::<DeliverParams>(BusDeliver::METHOD, params)?.message)));
        let (session, message) = match delivery {
            Ok(delivery) => delivery,
            Err(error) => return responder.error(&error),
        };
        let hears = |listener: &&Listener| bus::matches(&listener.subject, &message.subject);
        let listeners: Vec<_> =
            self.plugin.listeners.iter().filter(hears).map(|one| one.hear.clone()).collect();
        let served =
            Served::new(responder.ticket().clone(), message.subject.clone(), Intent::default(), None);
        let ctx = Context::new(session, responder.peer(), Some(served));
        tokio::spawn(async move {
            let hearing = async {
                for hear in listeners {
                    Attended::new(&message.subject, hear(ctx.clone(), message.clone())).await?;
                }
                Ok(Extra::new())
            };
            let outcome = tokio::select! {
                biased;
                outcome = hearing => outcome,
                () = responder.cancelled() => Err(context::cancelled()),
            };
            match outcome {
                Ok(answer) => responder.result(&answer),
                Err(error) => responder.error(&error.into_wire()),
            }
        });
    }
}
