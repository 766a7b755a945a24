//! A call that a plugin makes: of another plugin's handler, of a provider of AI, of a component to draw.

use std::{sync::Arc, time::Duration};

use astros_peer::Responder;
use astros_protocol::{Error, ErrorCode, Extra, command::Terminal, lifecycle::Effects};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Above, Call, Listener, Router, errors,
    inbound::cancelled,
    tree::{Child, Link, Node, Root},
    wire::{ComponentRef, IntentRef, ProviderRef, Work},
};

/// What a call hangs below.
pub(super) enum Parentage {
    Node(Arc<Node>),
    Root { root: Arc<Root>, link: Option<Arc<Link>>, ceiling: Option<Effects> },
}

/// What a plugin asks of another; JSON is on one line.
pub(super) enum Errand {
    Handler { handler: String, context: Box<RawValue> },
    Provider { method: &'static str, provider: String, request: Box<RawValue> },
    Component { component: String, props: Box<RawValue>, terminal: Terminal },
}

impl Errand {
    /// What `$render` is given.
    pub(super) fn component(params: &RawValue) -> Result<Errand, Error> {
        #[derive(Deserialize)]
        struct Asked {
            component: String,
            #[serde(default)]
            props: Extra,
            #[serde(default)]
            terminal: Terminal,
        }
        let invalid = |error: serde_json::Error| {
            Error::new(ErrorCode::INVALID_PARAMS, format!("the params of `$render` do not fit: {error}"))
        };
        let Asked { component, props, terminal } = serde_json::from_str(params.get()).map_err(invalid)?;
        Ok(Errand::Component { component, props: to_raw_value(&props).map_err(invalid)?, terminal })
    }

    /// What it is called in chains of calls and in errors.
    fn name(&self) -> String {
        match self {
            Errand::Handler { handler, .. } => handler.clone(),
            Errand::Provider { method, provider, .. } => format!("{method} {provider}"),
            Errand::Component { component, .. } => format!("ui/render {component}"),
        }
    }
}

/// A call that is on its way, with all that it needs.
pub(super) struct PluginCall {
    pub(super) caller: Arc<str>,
    pub(super) parent: Parentage,
    pub(super) plugin: String,
    pub(super) errand: Errand,
    pub(super) timeout: Option<Duration>,
    pub(super) progress: bool,
}

impl PluginCall {
    /// Ends with its parent, and when the caller takes it back or is gone.
    pub(super) async fn run(self, router: Arc<Router>, responder: Responder) {
        let (parent, ended) = match &self.parent {
            Parentage::Node(node) => (Some(Child::new(node.clone())), Some(node.ended())),
            Parentage::Root { .. } => (None, None),
        };
        let parent_ended = async {
            match ended {
                Some(ended) => ended.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            outcome = self.call(&router, &responder) => outcome,
            () = responder.cancelled() => Err(cancelled("it was taken back")),
            () = parent_ended => Err(cancelled("the request that it was made for has ended")),
        };
        if let (Parentage::Node(node), Err(error)) = (&self.parent, &outcome)
            && [ErrorCode::CANCELLED, ErrorCode::DEADLINE_EXCEEDED].contains(&error.code)
        {
            // Whoever was called may still be at it.
            node.make_final();
        }
        // Before the answer: who has it works again.
        drop(parent);
        match outcome {
            Ok(result) => responder.result(&result),
            Err(error) => responder.error(&errors::for_plugins(error)),
        }
    }

    async fn call(&self, router: &Router, responder: &Responder) -> Result<Box<RawValue>, Error> {
        let caller = Some(self.caller.clone());
        let (root, above) = match &self.parent {
            Parentage::Node(node) => {
                let (parent, link) = (Some(node.clone()), Some(node.link.clone()));
                let ceiling = node.link.ceiling.get().copied();
                (&node.root, Above { parent, link, caller, ceiling })
            }
            Parentage::Root { root, link, ceiling } => {
                (root, Above { parent: None, link: link.clone(), caller, ceiling: *ceiling })
            }
        };
        let timestamp = jiff::Timestamp::now().to_string();
        let name = self.errand.name();
        let work = match &self.errand {
            Errand::Handler { context, .. } => Work::Handler(IntentRef {
                user_id: root.user_id.as_deref(),
                session_id: root.session_id.as_deref(),
                ..IntentRef::of_call(&name, &timestamp, context)
            }),
            Errand::Provider { method, provider, request } => {
                Work::Provider(ProviderRef { method, provider, request })
            }
            Errand::Component { component, props, terminal } => {
                Work::Component(ComponentRef { component, props, terminal })
            }
        };
        let result = router
            .call(Call {
                plugin: &self.plugin,
                handler: &name,
                work,
                root: root.clone(),
                above,
                timeout: self.timeout,
                followup: false,
                progress: if self.progress { Listener::Plugin(responder) } else { Listener::Nobody },
            })
            .await;
        match &self.errand {
            Errand::Handler { .. } => result,
            Errand::Provider { provider, .. } => result.map_err(|error| super::ai::failed(error, provider)),
            Errand::Component { .. } => result.map(drawn),
        }
    }
}

/// A tree as the Response of a handler.
fn drawn(tree: Box<RawValue>) -> Box<RawValue> {
    let response = format!(r#"{{"success":true,"message":"","data":{tree}}}"#);
    RawValue::from_string(response).expect("JSON around JSON is JSON")
}
