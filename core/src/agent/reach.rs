//! Which paths a person's request names, and whether its plugin reaches them.

use std::sync::Arc;

use astros_protocol::{Error, Extra};
use serde_json::Value;

use super::{Agent, Person, recognition};
use crate::router::{Named, tree::Root};

impl Agent {
    /// The schema of what a handler takes; none where nobody knows one.
    pub(super) async fn parameters(&self, plugin: &str, handler: &str) -> Option<Value> {
        let description = self.router.plugin(plugin).ok()?.described().await.ok()?;
        let handler = description.handlers.iter().find(|offered| offered.name == handler)?;
        handler.parameters.clone()
    }

    /// Refuses a request that names what its plugin does not reach, or asks the person.
    pub(super) async fn reaches(
        &self,
        (plugin, handler): (&str, &str),
        context: &Extra,
        person: &Person,
        root: &Arc<Root>,
    ) -> Result<(), Error> {
        // What else is wrong is said when it is called.
        let Ok(plugin) = self.router.plugin(plugin) else { return Ok(()) };
        let Ok(description) = plugin.described().await else { return Ok(()) };
        let handler = description.handlers.iter().find(|offered| offered.name == handler);
        let Some(handler) = handler else { return Ok(()) };
        let parameters = handler.parameters.clone().unwrap_or_default();
        let named = recognition::named(context, &parameters).into_iter().map(|(typed, surely)| {
            let path = recognition::resolve(typed, &person.cwd, &person.home);
            Named { path, surely }
        });
        let named: Vec<Named> = named.collect();
        let _ = root.named.set(named.iter().map(|one| one.path.clone()).collect());
        self.router.reaches(&plugin.name, named, handler.effects, root).await
    }
}
