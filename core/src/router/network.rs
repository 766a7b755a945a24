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
                let what = format!("reach `{target}`");
                let permission = Permission::Network(Some(vec![target]));
                let open: Vec<_> = self.tree().all(connection).cloned().collect();
                let root = match &*open {
                    [only] => Some(&*only.root),
                    _ => None,
                };
                let error = self.deny(plugin, &permission, what, root);
                for node in &open {
                    let _ = node.root.denied.set(error.clone());
                }
            }
        }
    }
}
