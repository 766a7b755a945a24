//! Drawing a component of a plugin for a person.

use std::time::Duration;

use astros_protocol::{Error, ErrorCode, Extra, RENDER_HANDLER, Response, command::Terminal};
use serde_json::value::to_raw_value;

use super::{Agent, Answer, Person, Progress};
use crate::router::{
    Above, Call, Listener, Offer, errors,
    wire::{ComponentRef, Work},
};

/// What a person wants to see.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub component: String,
    /// The plugin that draws it; none: the one that has it.
    pub plugin: Option<String>,
    pub props: Extra,
    pub terminal: Terminal,
}

impl Agent {
    /// Has a component drawn: the tree is the `data` of the response. A live one goes on until it is dropped; its trees
    /// are the `data` of its progress.
    ///
    /// # Errors
    /// Nobody has such a component, several have, or it fails.
    pub async fn draw(&self, wanted: Wanted, person: &Person, progress: Progress) -> Result<Answer, Error> {
        let Wanted { component, plugin, props, terminal } = wanted;
        let plugin = self.router.offering(Offer::Component, &component, plugin.as_deref()).await?;
        let root = person.root();
        let raw =
            to_raw_value(&props).map_err(|error| Error::new(ErrorCode::INTERNAL_ERROR, error.to_string()))?;
        let handler = format!("ui/render {component}");
        let call = Call {
            plugin: &plugin.name,
            handler: &handler,
            work: Work::Component(ComponentRef { component: &component, props: &raw, terminal: &terminal }),
            root: root.clone(),
            above: Above::default(),
            timeout: person.timeout.map(|timeout| timeout.max(Duration::from_millis(1))),
            progress: progress.map_or(Listener::Nobody, Listener::Channel),
            followup: false,
        };
        let tree = self.router.call(call).await.map_err(|error| errors::blame(error, root.denied.get()))?;
        let data = serde_json::from_str(tree.get()).map_err(|error| {
            Error::new(ErrorCode::BAD_RESPONSE, format!("the tree of `{component}` cannot be read: {error}"))
        })?;
        Ok(Answer {
            response: Response { data, ..Response::default() },
            plugin: plugin.name.to_string(),
            handler: RENDER_HANDLER.to_owned(),
            confidence: 1.0,
            context: props,
            correlation_id: root.correlation_id.clone(),
            suggestions: Vec::new(),
            hint: None,
        })
    }
}
