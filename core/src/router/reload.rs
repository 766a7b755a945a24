//! Another version of a plugin: it starts beside the one that serves, takes its place, and the other one drains.

use std::sync::{Arc, atomic::Ordering};

use astros_protocol::Error;

use super::{Host, Known, Plugin, Router};
use crate::supervisor::{Spec, Supervisor};

impl Router {
    /// Puts a new version of a plugin in the place of the one that serves.
    ///
    /// # Errors
    /// The new one does not start; the old one serves as before.
    pub async fn reload(&self, name: &str, known: Known, spec: Spec) -> Result<(), Error> {
        let old = self.plugin(name)?;
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let host = Arc::new(Host::new(self.me.clone(), old.name.clone(), number));
        let supervisor = Supervisor::start(spec, host);
        if let Err(error) = supervisor.ready().await {
            supervisor.stop("it did not start").await;
            return Err(error);
        }
        let plugin = Arc::new(Plugin::new(old.name.clone(), number, known, supervisor));
        self.plugins
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(old.name.clone(), plugin);
        old.supervisor().stop("a new version took its place").await;
        Ok(())
    }
}
