//! Who offers what beside handlers: providers and components are found by their names alone.

use std::{fmt, sync::Arc, time::Duration};

use astros_protocol::{Error, ErrorCode, PluginDescription};
use futures_util::future::join_all;

use super::{Plugin, Router, errors};
use crate::services::printable::{line, line_of};

/// A plugin that was never asked what it offers has so long to say it.
const DESCRIBED: Duration = Duration::from_secs(8);

/// Something that plugins offer by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    Provider,
    Component,
}

impl Offer {
    fn names(self, description: &PluginDescription) -> Vec<&str> {
        match self {
            Offer::Provider => description.providers.iter().map(|one| &*one.name).collect(),
            Offer::Component => description.ui_components.iter().map(|one| &*one.name).collect(),
        }
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Offer::Provider => "provider",
            Offer::Component => "component",
        })
    }
}

impl Router {
    /// The plugin that offers something of this name; with `of` only that plugin is looked at.
    ///
    /// # Errors
    /// Nobody offers it, or several do.
    pub async fn offering(&self, what: Offer, name: &str, of: Option<&str>) -> Result<Arc<Plugin>, Error> {
        let offers = |plugin: &Plugin| {
            plugin.description().is_some_and(|description| what.names(&description).contains(&name))
        };
        let plugins = match of {
            Some(of) => vec![self.plugin(of)?],
            None => self.plugins(),
        };
        let mut found: Vec<_> = plugins.iter().filter(|plugin| offers(plugin)).cloned().collect();
        let mut unable = Vec::new();
        if found.is_empty() {
            unable = describe_all(&plugins).await;
            found = plugins.iter().filter(|plugin| offers(plugin)).cloned().collect();
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        match &found[..] {
            [one] => Ok(one.clone()),
            [] => Err(errors::with_unasked(nobody(what, name, &plugins), &unable)),
            several => {
                let names: Vec<_> = several.iter().map(|plugin| format!("`{}`", plugin.name)).collect();
                let message = format!("the {what} `{name}` is offered by {}", names.join(" and "));
                let error = Error::new(ErrorCode::HANDLER_NOT_FOUND, message);
                Err(error.with_hint("`astros plugins disable` one of them, or let its author rename it"))
            }
        }
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

fn nobody(what: Offer, name: &str, plugins: &[Arc<Plugin>]) -> Error {
    let descriptions: Vec<_> = plugins.iter().filter_map(|plugin| plugin.description()).collect();
    let names = descriptions.iter().flat_map(|description| what.names(description));
    let error = Error::new(ErrorCode::HANDLER_NOT_FOUND, format!("there is no {what} `{name}`"));
    error.with_hint(match errors::nearest(name, names.clone()) {
        Some(near) => format!("did you mean `{}`?", line(near)),
        None => match names.collect::<Vec<_>>() {
            none if none.is_empty() => format!("no plugin that may run offers a {what}"),
            names => format!("there is: {}", line_of(&names.join(", "), 300)),
        },
    })
}
