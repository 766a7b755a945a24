//! How messages of the bus get to plugins.
//!
//! What waits for one plugin is delivered by one task, one message after the other; the answer lets the next one
//! come. So a slow plugin slows nobody else, and a message reaches one process of a plugin, once. A delivery is a
//! root of the call tree without a user; it takes no slot of the plugin's requests, but the only one where there is
//! one, and does not keep the plugin from being idle.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use astros_peer::Failure;
use astros_protocol::{ErrorCode, Request, bus::BusDeliver};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::{
    Plugin, Router,
    tree::{Link, Node, Root},
};
use crate::{
    bus::{Delivery, Holder, Message},
    observe::Bus,
    supervisor::{Session, Slot},
};

/// A plugin that has not answered a delivery by then does not get it; the next one comes.
const DELIVERY: Duration = Duration::from_secs(30);
/// How often a message is given to the next process because one had not begun.
const MAX_ATTEMPTS: u32 = 3;

/// Who takes a message.
struct Taker {
    session: Arc<Session>,
    link: Arc<Link>,
    /// The one of a process that works on one request at a time: a request would wait behind the message else, with
    /// its clock running.
    slot: Option<Slot>,
}

/// Why a message is not delivered.
enum Missed {
    /// The subscription is gone, or ends with its process.
    Unwanted,
    /// The plugin does not start.
    Unavailable,
}

/// Delivers what waits for a plugin, until nothing does.
pub(super) async fn deliver_all(router: Weak<Router>, name: Arc<str>) {
    while let Some(router) = router.upgrade() {
        let Some(delivery) = router.bus().take(&name) else { return };
        // One that was removed gets nothing more.
        if let Ok(plugin) = router.plugin(&name) {
            router.deliver(&plugin, delivery).await;
        }
    }
}

impl Router {
    /// Delivers one message, or counts it as dropped.
    async fn deliver(&self, plugin: &Plugin, Delivery { message, dropped }: Delivery) {
        for _ in 0..MAX_ATTEMPTS {
            let taker = match self.taker(plugin, &message).await {
                Ok(taker) => taker,
                Err(Missed::Unwanted) => return self.bus().lose(&plugin.name, dropped),
                Err(Missed::Unavailable) => return self.bus().lose(&plugin.name, dropped + 1),
            };
            let session = taker.session.clone();
            let handing = self.hand_over(plugin, taker, &message, dropped);
            match tokio::time::timeout(DELIVERY, handing).await {
                Ok(Ok(_)) => plugin.metrics().bus(Bus::Delivered, 1),
                Ok(Err(failure)) if not_begun(&failure) => {
                    session.crashed().await;
                    continue;
                }
                Ok(Err(failure)) => self.complain(plugin, &message, &failure.to_string()),
                Err(_) => {
                    self.bus().lose(&plugin.name, 1);
                    self.complain(plugin, &message, &format!("it did not answer within {DELIVERY:?}"));
                }
            }
            // The plugin was told of these with this message.
            return plugin.metrics().bus(Bus::Dropped, dropped);
        }
        self.bus().lose(&plugin.name, dropped + 1);
    }

    /// Who takes a message: a process that is ready and wants it, a plugin that declares it started where it is not.
    async fn taker(&self, plugin: &Plugin, message: &Message) -> Result<Taker, Missed> {
        let session = match self.listening(plugin, message) {
            Some(session) => session,
            None => {
                let holders = self.bus().holders(&plugin.name, &message.subject);
                let wakes = message.wakes && holders.contains(&Holder::Declared);
                if holders.is_empty() || !(wakes || plugin.supervisor().status().is_starting()) {
                    return Err(Missed::Unwanted);
                }
                plugin.ready().await.map_err(|_| Missed::Unavailable)?;
                self.listening(plugin, message).ok_or(Missed::Unwanted)?
            }
        };
        let link = Link::extend(None, &plugin.name, BusDeliver::METHOD).map_err(|_| Missed::Unwanted)?;
        if !session.is_serial() {
            return Ok(Taker { session, link, slot: None });
        }
        let slot = self.slot(plugin, &link).await.map_err(|_| Missed::Unavailable)?;
        let session = slot.session().clone();
        let wants = self.wants(&session, message);
        wants.then_some(Taker { session, link, slot: Some(slot) }).ok_or(Missed::Unwanted)
    }

    /// The process with the least to do among those that are ready and want a message.
    fn listening(&self, plugin: &Plugin, message: &Message) -> Option<Arc<Session>> {
        let sessions = plugin.supervisor().sessions().into_iter();
        sessions.filter(|session| self.wants(session, message)).min_by_key(|session| session.in_flight())
    }

    fn wants(&self, session: &Session, message: &Message) -> bool {
        let holders = self.bus().holders(&session.plugin, &message.subject);
        holders.contains(&Holder::Declared) || holders.contains(&Holder::Process(session.generation))
    }

    /// One `bus/deliver` to one process; what the plugin asks for while it serves that are its children.
    async fn hand_over(
        &self,
        plugin: &Plugin,
        taker: Taker,
        message: &Message,
        dropped: u64,
    ) -> Result<Box<RawValue>, Failure> {
        let Taker { session, link, slot } = taker;
        let _attended = session.attend();
        session.peer.room().await?;
        let deadline = Instant::now().into_std() + DELIVERY;
        if session.is_serial() {
            session.expects(deadline);
        }
        let node = Node::new(Arc::new(Root::anonymous()), link, deadline, slot);
        let Message { subject, data, sender, .. } = message;
        let params = DeliverRef { message: MessageRef { subject: subject.as_str(), sender, data }, dropped };
        let (mut open, answer, _) = self.request(plugin, &session, &node, BusDeliver::METHOD, &params, false);
        let outcome = answer.await;
        open.answered = matches!(outcome, Ok(_) | Err(Failure::Error(_)));
        outcome
    }

    fn complain(&self, plugin: &Plugin, message: &Message, why: &str) {
        self.services.warn(&plugin.name, &format!("the message on `{}` failed: {why}", message.subject));
    }
}

/// Whether the plugin cannot have begun what it was asked.
fn not_begun(failure: &Failure) -> bool {
    match failure {
        Failure::Unsent => true,
        Failure::Error(error) => error.code == ErrorCode::SHUTTING_DOWN,
        Failure::Here(_) | Failure::Closed => false,
    }
}

/// `DeliverParams`, borrowed.
#[derive(Serialize)]
struct DeliverRef<'a> {
    message: MessageRef<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
}

/// `BusMessage`, borrowed.
#[derive(Serialize)]
struct MessageRef<'a> {
    subject: &'a str,
    sender: &'a str,
    data: &'a RawValue,
}

// Serde's `skip_serializing_if` hands over a reference.
fn is_zero(number: &u64) -> bool {
    *number == 0
}
