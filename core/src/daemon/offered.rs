//! What plugins offer beside handlers, for listings: providers of AI models, components.

use std::time::{Duration, Instant};

use astros_protocol::{
    Error, ErrorCode, Request,
    ai::{ProviderDescription, ProviderHealth, ProviderHealthCheck},
    manifest::Permission,
    ui::ComponentDescription,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Daemon;
use crate::{
    router::{
        Above, Call, Listener, Offer,
        tree::Root,
        wire::{ProviderRef, Work},
    },
    supervisor::Sandboxed,
};

/// A provider that does not say how it is by then is not well.
const HEALTH: Duration = Duration::from_secs(20);

/// A provider of AI models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferedProvider {
    /// The plugin that brings it.
    pub plugin: String,
    /// Whether it is asked where nobody says which: by `astros.yaml`, or as the only one that has `complete`.
    pub default: bool,
    #[serde(flatten)]
    pub provider: ProviderDescription,
}

/// How a provider is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub provider: String,
    pub plugin: String,
    /// The time of the answer, in milliseconds.
    pub took_ms: u64,
    /// What it says of itself; where it could not be asked, why.
    #[serde(flatten)]
    pub health: ProviderHealth,
}

/// A component.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfferedComponent {
    /// The plugin that draws it.
    pub plugin: String,
    #[serde(flatten)]
    pub component: ComponentDescription,
}

impl Daemon {
    /// The providers of all plugins, by name.
    pub async fn providers(&self) -> Vec<OfferedProvider> {
        let default = self.router.default_provider();
        let shown = self.router.offers(Offer::Provider).await.into_iter().filter_map(|(plugin, name)| {
            let description = plugin.description()?;
            let provider = description.providers.iter().find(|provider| provider.name == name)?.clone();
            let default = default.as_ref().map_or_else(|| completes(&provider), |default| *default == name);
            Some(OfferedProvider { plugin: plugin.name.to_string(), default, provider })
        });
        let mut shown: Vec<_> = shown.collect();
        if shown.iter().filter(|one| one.default).count() > 1 {
            shown.iter_mut().for_each(|one| one.default = false);
        }
        shown
    }

    /// The provider that `astros.yaml` wants asked where nobody says which, be it there or not.
    pub fn default_provider(&self) -> Option<String> {
        self.router.default_provider()
    }

    /// The components of all plugins, by name.
    pub async fn components(&self) -> Vec<OfferedComponent> {
        let shown = self.router.offers(Offer::Component).await.into_iter().filter_map(|(plugin, name)| {
            let description = plugin.description()?;
            let component = description.ui_components.iter().find(|one| one.name == name)?.clone();
            Some(OfferedComponent { plugin: plugin.name.to_string(), component })
        });
        shown.collect()
    }

    /// Asks a provider how it is. One that cannot be asked is not well; that is no error.
    ///
    /// # Errors
    /// There is no such provider.
    pub async fn provider_health(&self, name: &str) -> Result<Health, Error> {
        let plugin = self.router.offering(Offer::Provider, name, None).await?;
        let root = Root { user_id: Some(self.user_id()), ..Root::anonymous() };
        let (handler, started) = (format!("{} {name}", ProviderHealthCheck::METHOD), Instant::now());
        let request = RawValue::from_string("{}".to_owned()).expect("an empty object is JSON");
        let asked = self.router.call(Call {
            plugin: &plugin.name,
            handler: &handler,
            work: Work::Provider(ProviderRef {
                method: ProviderHealthCheck::METHOD,
                provider: name,
                request: &request,
            }),
            root: root.into(),
            above: Above::default(),
            timeout: Some(HEALTH),
            progress: Listener::Nobody,
            followup: false,
        });
        let health = asked.await.and_then(|answer| {
            serde_json::from_str(answer.get()).map_err(|error| {
                Error::new(ErrorCode::BAD_RESPONSE, format!("its answer cannot be read: {error}"))
            })
        });
        let health = health.unwrap_or_else(|error: Error| ProviderHealth {
            healthy: false,
            message: error.message,
            models: Vec::new(),
            extra: Default::default(),
        });
        let health = self.with_network(&plugin.name, health);
        let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(Health { provider: name.to_owned(), plugin: plugin.name.to_string(), took_ms, health })
    }

    /// Says what is missing where a provider has no way into the network and says no more than what the kernel does.
    fn with_network(&self, plugin: &str, mut health: ProviderHealth) -> ProviderHealth {
        const REFUSED: [&str; 3] =
            ["Operation not permitted", "Network is unreachable", "Temporary failure in name resolution"];
        let is_refused = !health.healthy && REFUSED.iter().any(|words| health.message.contains(words));
        let may = |one: &Permission| matches!(one, Permission::Network(_));
        let is_kept = self
            .installed(plugin)
            .is_ok_and(|one| one.spec.sandboxed != Sandboxed::Off && !one.spec.granted.iter().any(may));
        if is_refused && is_kept {
            health.message += &format!("; `{plugin}` has no permission `network`");
        }
        health
    }
}

fn completes(provider: &ProviderDescription) -> bool {
    provider.methods.iter().any(|method| method == "complete")
}
