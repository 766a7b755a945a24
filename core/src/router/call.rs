//! One call on its way: to a process and back, and once more where that does no harm.

use std::{sync::Arc, time::Duration, time::Instant};

use astros_peer::{Failure, ProgressStream};
use astros_protocol::{Error, ErrorCode, Id};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    Call, LONGEST, Listener, Plugin, Router,
    access::Admitted,
    errors,
    plugin::Declared,
    tree::{Connection, Link, Node},
    wire::{MetaRef, Traceparent},
};
use crate::supervisor::{Session, StateName, Supervisor};

/// How long an answer waits for those who listen to take the progress before it.
const LAST_PROGRESS: Duration = Duration::from_millis(250);

impl Router {
    /// Brings a call to a process of its plugin, and to another one where the first did not begin it, or crashed in
    /// what may be done twice.
    pub(super) async fn serve(
        &self,
        plugin: &Plugin,
        link: Arc<Link>,
        deadline: Instant,
        call: &Call<'_>,
        admitted: Admitted,
    ) -> Result<Box<RawValue>, Error> {
        let mut attempt = 1;
        let mut repeated = false;
        loop {
            let slot = self.slot(plugin, &link).await?;
            link.try_for(attempt);
            let session = slot.session().clone();
            plugin.set_serial(session.is_serial());
            errors::offered(&session.description, &plugin.name, call)?;
            let Declared { effects, idempotent, .. } = Declared::of(&session.description, call);
            self.bound(call, &link, admitted, effects)?;
            if let (false, Some(parent)) = (idempotent, &call.above.parent) {
                parent.make_final();
            }
            let node = Node::new(call.root.clone(), link.clone(), deadline, Some(slot));
            let failure = match self.exchange(plugin, &session, &node, call, attempt).await {
                Ok(result) if !result.get().starts_with('{') => {
                    return Err(errors::no_object(plugin, call.handler));
                }
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            match failure {
                // It never left.
                Failure::Unsent => {}
                Failure::Error(error) if error.code == ErrorCode::SHUTTING_DOWN => {
                    if !is_leaving(plugin, &session).await {
                        return Err(self.plugins_own(error, plugin, call));
                    }
                    attempt += 1;
                }
                Failure::Error(error) => {
                    return Err(self.plugins_own(error, plugin, call));
                }
                Failure::Here(error) => return Err(errors::failed_here(error, plugin, call.handler)),
                Failure::Closed => {
                    let may = idempotent && !repeated && node.is_repeatable();
                    let crash = session.crashed().await;
                    if !may || !comes_back(&plugin.supervisor(), call.root.clock.moment(deadline)) {
                        return Err(errors::crashed(crash, plugin, call.handler));
                    }
                    repeated = true;
                    attempt += 1;
                }
            }
        }
    }

    /// One request to one process: on the wire and in the tree from here on, out of both when it returns or is
    /// dropped. Its slot is kept until the answer is there.
    async fn exchange(
        &self,
        plugin: &Plugin,
        session: &Session,
        node: &Arc<Node>,
        call: &Call<'_>,
        attempt: u32,
    ) -> Result<Box<RawValue>, Failure> {
        session.peer.room().await?;
        let chain = if node.link.depth > 1 { node.link.names() } else { Vec::new() };
        let listens = !matches!(call.progress, Listener::Nobody);
        let params = call.work.params(call.handler, meta(node, call, &chain, attempt, listens));
        let (mut open, answer, progress) =
            self.request(plugin, session, node, call.work.method(), &params, listens);
        let outcome = match progress {
            None => answer.await,
            Some(mut progress) => {
                let relay = async {
                    while let Some(value) = progress.next().await {
                        node.make_final();
                        call.progress.hear(value).await;
                    }
                };
                tokio::pin!(answer, relay);
                tokio::select! {
                    biased;
                    // The last value is passed on: the answer is there too.
                    () = &mut relay => answer.await,
                    outcome = &mut answer => {
                        let _ = timeout(LAST_PROGRESS, relay).await;
                        outcome
                    }
                }
            }
        };
        open.answered = matches!(outcome, Ok(_) | Err(Failure::Error(_)));
        outcome
    }

    /// A plugin's own error, without its secrets; with what its sandbox kept from it where its words tell that.
    fn plugins_own(&self, mut error: Error, plugin: &Plugin, call: &Call<'_>) -> Error {
        plugin.supervisor().spec().secrets.hide_in_error(&mut error);
        let detail = error.data.as_ref().and_then(|data| data.detail.clone()).unwrap_or_default();
        let said = format!("{}\n{detail}", error.message);
        let mut error = errors::from_plugin(error, &plugin.name, call.handler);
        if call.root.denied.get().is_none()
            && let Some(lack) = self.seems_to_lack(&plugin.name, &said, &call.root)
        {
            error.data_mut().hint = lack.hint().map(str::to_owned);
            // As the caller of this plugin will tell it.
            let _ = call.root.denied.set(Error { message: error.message.clone(), ..lack });
        }
        error
    }

    /// Sends a request that is in the tree for as long as [`Open`] lives.
    pub(super) fn request<'a>(
        &'a self,
        plugin: &Plugin,
        session: &Session,
        node: &'a Arc<Node>,
        method: &str,
        params: &impl Serialize,
        listens: bool,
    ) -> (Open<'a>, astros_peer::Call, Option<ProgressStream>) {
        if session.is_serial() {
            session.expects(node.root.clock.moment(node.deadline));
        }
        let id = session.peer.next_id();
        let connection = (plugin.number, session.generation);
        // Before it is sent, so that the plugin's own calls find their parent however soon they come.
        let open = self.open(connection, Id::Number(id), node);
        let (answer, progress) = session.peer.call_holding(id, method, params, node.clone(), listens);
        (open, answer, progress)
    }

    /// Puts a request into the tree that is about to be sent.
    pub(super) fn open<'a>(&'a self, connection: Connection, id: Id, node: &'a Arc<Node>) -> Open<'a> {
        self.tree().insert(connection, id.clone(), node.clone());
        Open { router: self, connection, id, node, answered: false }
    }
}

/// Keeps a request in the tree while it is open.
#[must_use = "it is out of the tree when this is dropped"]
pub(super) struct Open<'a> {
    router: &'a Router,
    connection: Connection,
    id: Id,
    node: &'a Arc<Node>,
    pub(super) answered: bool,
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.router.tree().remove(self.connection, &self.id);
        self.node.end();
        if let (false, Some(slot)) = (self.answered, &self.node.slot) {
            slot.abandon();
        }
    }
}

/// Whether a process that takes no more requests is really on its way; waits a moment for it.
async fn is_leaving(plugin: &Plugin, session: &Session) -> bool {
    let gone = || {
        let sessions = plugin.supervisor().sessions();
        sessions.iter().all(|other| other.generation != session.generation)
    };
    if !gone() {
        session.crashed().await;
    }
    gone()
}

/// Whether there is a process, or will be one before this time is over.
fn comes_back(supervisor: &Supervisor, deadline: Instant) -> bool {
    if !supervisor.sessions().is_empty() {
        return true;
    }
    let status = supervisor.status();
    let left = deadline.saturating_duration_since(now());
    match status.state {
        StateName::Disabled
        | StateName::Blocked
        | StateName::Quarantined
        | StateName::Error
        | StateName::Unloaded => false,
        _ => status.until_ms.is_none_or(|until| Duration::from_millis(until) < left),
    }
}

/// By tokio's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn meta<'a>(
    node: &'a Node,
    call: &'a Call<'_>,
    chain: &'a [String],
    attempt: u32,
    progress: bool,
) -> MetaRef<'a> {
    let root = &*node.root;
    MetaRef {
        correlation_id: &root.correlation_id,
        traceparent: Traceparent(&root.correlation_id, node.link.span()),
        deadline_ms: deadline_ms(node.deadline.saturating_duration_since(root.clock.now())),
        caller: call.above.caller.as_deref(),
        chain: chain.split_last().map_or(chain, |(_, above)| above),
        user_id: root.user_id.as_deref(),
        session_id: root.session_id.as_deref(),
        cwd: root.cwd.as_deref(),
        locale: root.locale.as_deref(),
        attempt,
        progress,
        followup: call.followup,
    }
}

/// The time that is left, where it is no more time than anybody means.
fn deadline_ms(left: Duration) -> Option<u64> {
    (left < LONGEST / 2).then(|| u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
}
