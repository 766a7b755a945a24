//! Who offers what beside handlers: providers, components and parts of workflows are found by their names alone.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use astros_protocol::{Error, ErrorCode, PluginDescription, workflow::WorkflowKind};
use futures_util::future::join_all;

use super::{Plugin, Router, access::may_call, errors};
use crate::{
    services::printable::{line, line_of},
    supervisor::StateName,
};

/// A plugin that was never asked what it offers has so long to say it.
const DESCRIBED: Duration = Duration::from_secs(8);

/// Something that plugins offer by a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    Provider,
    Component,
    /// Of a workflow.
    Part(WorkflowKind),
}

impl Offer {
    fn names<'a>(&self, description: &'a PluginDescription) -> Vec<&'a str> {
        match self {
            Offer::Provider => description.providers.iter().map(|one| &*one.name).collect(),
            Offer::Component => description.ui_components.iter().map(|one| &*one.name).collect(),
            Offer::Part(kind) => {
                let parts = description.workflow_parts.iter().filter(|one| one.kind == *kind);
                parts.map(|one| &*one.name).collect()
            }
        }
    }

    fn is_of(&self, name: &str, plugin: &Plugin) -> bool {
        plugin.description().is_some_and(|description| self.names(&description).contains(&name))
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Offer::Provider => f.write_str("provider"),
            Offer::Component => f.write_str("component"),
            Offer::Part(kind) => kind.fmt(f),
        }
    }
}

/// Whose of a name is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Of<'a> {
    /// This plugin's, and no other's.
    pub plugin: Option<&'a str>,
    /// Asked by this plugin: its own goes before that of others, of whose it learns nothing unless it may call it.
    pub by: Option<&'a str>,
}

impl Router {
    /// The plugin that offers something of this name. Where nobody is known to, those that were never asked what they
    /// offer are.
    ///
    /// # Errors
    /// Nobody offers it, or several do.
    pub async fn offering(&self, what: Offer, name: &str, of: Option<&str>) -> Result<Arc<Plugin>, Error> {
        let of = Of { plugin: of, by: None };
        let plugins = self.looked_at(of)?;
        let is_known = plugins.iter().any(|plugin| what.is_of(name, plugin));
        let unable = if is_known { Vec::new() } else { describe_all(&plugins).await };
        self.known_offering(&what, name, of).map_err(|error| errors::with_unasked(error, &unable))
    }

    /// The same, among what is known. Those that may not run count where nobody else offers it.
    ///
    /// # Errors
    /// Nobody offers it, or several do.
    pub fn known_offering(&self, what: &Offer, name: &str, of: Of<'_>) -> Result<Arc<Plugin>, Error> {
        let plugins = self.looked_at(of)?;
        let found: Vec<_> = plugins.iter().filter(|plugin| what.is_of(name, plugin)).collect();
        let able: Vec<_> = found.iter().copied().filter(|plugin| may_run(plugin)).collect();
        let own = able.iter().find(|plugin| Some(&*plugin.name) == of.by);
        match (own, &able[..], &found[..]) {
            (Some(plugin), ..) | (None, [plugin], _) | (None, [], [plugin, ..]) => Ok((*plugin).clone()),
            (None, [], []) => Err(self.nobody(what, name, of, &plugins)),
            (None, several, _) => Err(ambiguous(what, name, several)),
        }
    }

    /// By name.
    fn looked_at(&self, of: Of<'_>) -> Result<Vec<Arc<Plugin>>, Error> {
        if let Some(only) = of.plugin {
            return Ok(vec![self.plugin(only)?]);
        }
        let mut plugins = self.plugins();
        plugins.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(plugins)
    }

    fn nobody(&self, what: &Offer, name: &str, of: Of<'_>, plugins: &[Arc<Plugin>]) -> Error {
        let names: BTreeSet<String> =
            plugins.iter().flat_map(|plugin| self.names(what, of, plugin)).collect();
        let message = match of.plugin {
            Some(plugin) => format!("plugin `{plugin}` offers no {what} `{name}`"),
            None => format!("there is no {what} `{name}`"),
        };
        let near = errors::nearest(name, names.iter().map(String::as_str));
        Error::new(ErrorCode::HANDLER_NOT_FOUND, message).with_hint(match near {
            Some(near) => format!("did you mean `{}`?", line(near)),
            None if !names.is_empty() => {
                format!("there is: {}", line_of(&Vec::from_iter(names).join(", "), 300))
            }
            None if of.by.is_some() => "`astros plugins list` shows what there is".to_owned(),
            None => format!("`astros plugins list` shows what there is; none offers any {what}"),
        })
    }

    /// What a plugin offers of a kind, as far as who asks may know it.
    fn names(&self, what: &Offer, of: Of<'_>, plugin: &Plugin) -> Vec<String> {
        let Some(description) = plugin.description() else { return Vec::new() };
        let may_know = |name: &&str| {
            let called = format!("{what}:{name}");
            of.by.is_none_or(|by| {
                by == &*plugin.name || self.is_granted(by, |granted| may_call(granted, &plugin.name, &called))
            })
        };
        what.names(&description).into_iter().filter(may_know).map(str::to_owned).collect()
    }

    /// All that plugins offer of a kind: the plugin and the name, in order; those that were never asked are.
    pub async fn offers(&self, what: Offer) -> Vec<(Arc<Plugin>, String)> {
        let plugins = self.plugins();
        describe_all(&plugins).await;
        let mut all: Vec<_> = plugins
            .iter()
            .filter_map(|plugin| Some((plugin, plugin.description()?)))
            .flat_map(|(plugin, description)| {
                let names = what.names(&description).into_iter().map(str::to_owned);
                names.map(|name| (plugin.clone(), name)).collect::<Vec<_>>()
            })
            .collect();
        all.sort_by(|one, other| (&one.1, &one.0.name).cmp(&(&other.1, &other.0.name)));
        all
    }
}

/// Asks those that were never asked what they offer; gives those that cannot say it, and why.
async fn describe_all(plugins: &[Arc<Plugin>]) -> Vec<(String, Error)> {
    let unknown = plugins.iter().filter(|plugin| plugin.description().is_none());
    let asked = join_all(unknown.map(async |plugin| {
        // One that takes too long is shown by its state.
        match tokio::time::timeout(DESCRIBED, plugin.described()).await.ok()? {
            Ok(description) => plugin.set_description(description),
            Err(error) => return Some((plugin.name.to_string(), error)),
        }
        None
    }));
    asked.await.into_iter().flatten().collect()
}

fn may_run(plugin: &Plugin) -> bool {
    !matches!(plugin.status().state, StateName::Disabled | StateName::Blocked)
}

fn ambiguous(what: &Offer, name: &str, plugins: &[&Arc<Plugin>]) -> Error {
    let names: Vec<_> = plugins.iter().map(|plugin| format!("`{}`", plugin.name)).collect();
    let message = format!("the {what} `{name}` is offered by {}", names.join(" and "));
    let hint = match (what, plugins) {
        (Offer::Part(_), [one, ..]) => format!("say which one: `plugin: {}` beside it", one.name),
        _ => "`astros plugins disable` one of them, or let its author rename it".to_owned(),
    };
    Error::new(ErrorCode::HANDLER_NOT_FOUND, message).with_hint(hint)
}
