//! What plugins do in the network, as their proxies tell it: counted; what was denied is noted, and known to the
//! requests that it was for.

use astros_protocol::manifest::Permission;

use super::{Router, tree::Connection};
use crate::proxy::Report;

impl Router {
    pub(super) fn network(&self, connection: Connection, plugin: &str, report: Report) {
        match report {
            Report::Allowed => self.metrics().plugin(plugin).requested(),
            Report::Moved { sent, received } => self.metrics().plugin(plugin).moved(sent, received),
            Report::Denied { target } => {
                let roots: Vec<_> = self.tree().all(connection).map(|node| node.root.clone()).collect();
                let what = format!("reach `{target}`");
                let permission = Permission::Network(Some(vec![target]));
                // Which request it was for is known where there is but one.
                let only = roots.first().filter(|_| roots.len() == 1);
                let error = self.deny(plugin, &permission, what, only.map(|root| &**root));
                roots.iter().for_each(|root| drop(root.denied.set(error.clone())));
            }
        }
    }
}
