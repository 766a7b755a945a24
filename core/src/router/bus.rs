//! The bus of the plugins: what they may ask of it, who may publish what, and the news of plugins themselves.

use std::sync::Arc;

use astros_peer::Responder;
use astros_protocol::{
    Error, ErrorCode, MAX_BUS_MESSAGE_BYTES, Request,
    bus::{BusPublish, BusSubscribe, BusUnsubscribe, SubjectParams},
    intent::Parent,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{json, value::RawValue};

use super::{Router, access::Lack, deliver::deliver_all, errors::for_plugins, tree::Connection};
use crate::{
    bus::{Bus, MAX_SUBSCRIPTIONS, Message, Pattern, Subject, token},
    observe,
    supervisor::{Event, StateName},
};

/// Who publishes from the host's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publisher {
    /// The host itself, under `astros.>`.
    Host,
    /// The person, by a command: everywhere but there.
    Person,
}

impl Publisher {
    fn sender(self) -> &'static str {
        match self {
            Publisher::Host => "astros",
            Publisher::Person => "user",
        }
    }
}

/// `PublishParams` with its data unread.
#[derive(Deserialize)]
struct Publish {
    subject: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// Why the bus does not do what a plugin wants.
enum Refused {
    Lack(Lack),
    Error(Error),
}

impl From<Lack> for Refused {
    fn from(lack: Lack) -> Refused {
        Refused::Lack(lack)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Refused {
        Refused::Error(error)
    }
}

impl Router {
    /// What is published, and who wants it: `router.bus().stream(Pattern::parse("topic.>")?)`.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.services.bus
    }

    /// Publishes from the host's side, on the runtime of the plugins. `data` is JSON on one line.
    pub fn publish_message(
        &self,
        publisher: Publisher,
        subject: &str,
        data: Box<RawValue>,
    ) -> Result<(), Error> {
        let subject = Subject::parse(subject)?;
        if publisher == Publisher::Person && subject.first() == "astros" {
            return Err(nobodys(&subject, "`astros.…` is the host's own"));
        }
        self.send(Message { subject, data, sender: Arc::from(publisher.sender()), wakes: true })
    }

    /// Takes the subscriptions that a plugin's description declares, instead of those before.
    pub(super) fn declare(&self, plugin: &Arc<str>, subjects: &[String]) {
        let mut patterns = Vec::new();
        for subject in subjects.iter().take(MAX_SUBSCRIPTIONS) {
            let pattern = Pattern::parse(subject).map_err(Error::from);
            let may = |pattern| match self.may_hear(plugin, &pattern) {
                Ok(()) => Ok(pattern),
                Err(lack) => Err(self.lacks(plugin, &lack, None)),
            };
            match pattern.and_then(may) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => self.services.warn(plugin, &format!("it declares a subscription: {error}")),
            }
        }
        self.bus().declare(plugin, patterns);
    }

    /// Serves `bus/…` of one process of a plugin; gives the responder back where the method is another one.
    pub(super) fn serve_bus(
        &self,
        (plugin, connection): (&Arc<str>, Connection),
        method: &str,
        params: &RawValue,
        responder: Responder,
    ) -> Option<Responder> {
        let process = (plugin, connection.1);
        if !matches!(method, BusSubscribe::METHOD | BusUnsubscribe::METHOD | BusPublish::METHOD) {
            return Some(responder);
        }
        let outcome = match self.on_bus(process, method, params, false) {
            Err(Refused::Lack(lack)) => {
                let (me, plugin) = (self.me.clone(), plugin.clone());
                let (method, params) = (method.to_owned(), params.to_owned());
                tokio::spawn(async move {
                    let Some(router) = me.upgrade() else { return };
                    let permitted = router.permit((&plugin, connection), &Parent::Absent, lack).await;
                    let process = (&plugin, connection.1);
                    let outcome = permitted.map_err(Refused::Error);
                    match outcome.and_then(|()| router.on_bus(process, &method, &params, true)) {
                        Ok(()) => responder.result(&()),
                        Err(refused) => responder.error(&for_plugins(router.refused(&plugin, refused))),
                    }
                });
                return None;
            }
            Err(refused) => Err(self.refused(plugin, refused)),
            Ok(()) => Ok(()),
        };
        // Answered when the reader is through with what came: who publishes on and on without waiting for answers
        // meets the bound on open requests.
        tokio::spawn(async move {
            match outcome {
                Ok(()) => responder.result(&()),
                Err(error) => responder.error(&for_plugins(error)),
            }
        });
        None
    }

    /// Does what one process wants; `allowed` where a person allowed what its plugin was not granted.
    fn on_bus(
        &self,
        (plugin, process): (&Arc<str>, u64),
        method: &str,
        params: &RawValue,
        allowed: bool,
    ) -> Result<(), Refused> {
        if method == BusPublish::METHOD {
            return self.publish_for(plugin, read(method, params)?, allowed);
        }
        let SubjectParams { subject } = read(method, params)?;
        let pattern = Pattern::parse(&subject).map_err(Error::from)?;
        if method == BusUnsubscribe::METHOD {
            self.bus().unsubscribe(plugin, process, &pattern);
            return Ok(());
        }
        if !allowed {
            self.may_hear(plugin, &pattern)?;
        }
        let added = self.bus().subscribe(plugin, process, pattern);
        added.then_some(()).ok_or_else(|| too_many(plugin).into())
    }

    fn refused(&self, plugin: &str, refused: Refused) -> Error {
        match refused {
            Refused::Lack(lack) => self.lacks(plugin, &lack, None),
            Refused::Error(error) => error,
        }
    }

    fn publish_for(
        &self,
        plugin: &Arc<str>,
        Publish { subject, data }: Publish,
        allowed: bool,
    ) -> Result<(), Refused> {
        let subject = Subject::parse(&subject).map_err(Error::from)?;
        if subject.first() == "astros" {
            return Err(nobodys(&subject, "`astros.…` is the host's own").into());
        }
        if matches!(&**plugin, "astros" | "user") {
            let why = format!("a plugin named `{plugin}` would be taken for somebody else");
            return Err(nobodys(&subject, &why).into());
        }
        if !allowed {
            self.may_publish(plugin, &subject)?;
        }
        let data = data.unwrap_or_else(|| RawValue::NULL.to_owned());
        self.send(Message { subject, data, sender: plugin.clone(), wakes: true })?;
        self.metrics().plugin(plugin).bus(observe::Bus::Published, 1);
        Ok(())
    }

    fn send(&self, message: Message) -> Result<(), Error> {
        let size = message.data.get().len();
        if size > MAX_BUS_MESSAGE_BYTES {
            let text = format!(
                "the message on `{}` has {size} bytes, the limit is {MAX_BUS_MESSAGE_BYTES}; send what is large by file",
                message.subject
            );
            let error = Error::new(ErrorCode::FRAME_TOO_LARGE, text).with("size", size);
            return Err(error.with("limit", MAX_BUS_MESSAGE_BYTES));
        }
        for plugin in self.bus().publish(message) {
            tokio::spawn(deliver_all(self.me.clone(), plugin));
        }
        Ok(())
    }

    /// Tells on `astros.plugin.NAME.…` what happened to a plugin. Other plugins may hear it: nothing that quotes its
    /// output or its settings is told.
    pub(super) fn publish_event(&self, event: &Event) {
        let (plugin, what, data) = match event {
            Event::StateChanged { plugin, state, reason } => {
                let quotes = matches!(state, StateName::Error | StateName::Blocked);
                let data = json!({
                    "plugin": &**plugin,
                    "state": state,
                    "reason": reason.as_deref().filter(|_| !quotes),
                    "since": jiff::Timestamp::now().to_string(),
                    "pid": self.plugin(plugin).ok().and_then(|known| known.supervisor().status().pids.pop()),
                });
                (plugin, state.as_str(), data)
            }
            Event::Ended { plugin, instance, pid, exit, ran, asked, killed, .. } => {
                let ran = u64::try_from(ran.as_millis()).unwrap_or(u64::MAX);
                let data = json!({
                    "plugin": &**plugin, "instance": instance, "pid": pid,
                    "exit": exit, "ran_ms": ran, "asked": asked, "killed": killed,
                });
                (plugin, "ended", data)
            }
            Event::Restarted { plugin, instance, restarts } => (
                plugin,
                "restarted",
                json!({ "plugin": &**plugin, "instance": instance, "restarts": restarts }),
            ),
            Event::Switched { plugin, .. } => (plugin, "reloaded", json!({ "plugin": &**plugin })),
            _ => return,
        };
        let subject = Subject::parse(&format!("astros.plugin.{}.{what}", token(plugin)));
        let (Ok(subject), Ok(data)) = (subject, RawValue::from_string(data.to_string())) else { return };
        // News of plugins starts nobody: else the stop of one plugin would start another, and its stop the first.
        let sent = self.send(Message { subject, data, sender: Arc::from("astros"), wakes: false });
        debug_assert!(sent.is_ok(), "news are small");
    }
}

fn read<P: DeserializeOwned>(method: &str, params: &RawValue) -> Result<P, Error> {
    serde_json::from_str(params.get()).map_err(|error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("the params of `{method}` do not fit: {error}"))
    })
}

/// No grant helps.
fn nobodys(subject: &Subject, why: &str) -> Error {
    Error::new(ErrorCode::PERMISSION_DENIED, format!("`{subject}` cannot be published on: {why}"))
}

fn too_many(plugin: &str) -> Error {
    let message =
        format!("`{plugin}` has {MAX_SUBSCRIPTIONS} subscriptions, the most that a process may have");
    Error::new(ErrorCode::OVERLOADED, message)
}
