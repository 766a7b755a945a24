//! AI for plugins: which provider answers a request, and what of the request it gets.
//!
//! A provider is what a plugin brings; those that the daemon brings itself will be chosen here, too.

use std::{sync::PoisonError, time::Duration};

use astros_protocol::{
    Error, ErrorCode, Request,
    ai::{
        AiAnalyzeImage, AiChat, AiComplete, AiEmbed, Asked, ChatRequest, CompleteRequest, EmbedRequest,
        ImageRequest, ProviderAnalyzeImage, ProviderChat, ProviderComplete, ProviderEmbed,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};

use super::{Plugin, Router, child::Errand, offers::Offer};

/// The time of a request to a model that nobody gave another: words take longer than other answers.
pub(super) const DEADLINE: Duration = Duration::from_secs(5 * 60);

/// An `ai/…` of a plugin, read.
pub(super) struct AiRequest {
    /// `provider/…`.
    method: &'static str,
    /// Which one is wished.
    provider: Option<String>,
    request: Box<RawValue>,
}

impl AiRequest {
    pub(super) fn read(method: &str, params: &RawValue) -> Result<AiRequest, Error> {
        match method {
            AiComplete::METHOD => {
                read::<CompleteRequest>(method, ProviderComplete::METHOD, params, |request| {
                    request.options.provider.clone()
                })
            }
            AiChat::METHOD => read::<ChatRequest>(method, ProviderChat::METHOD, params, |request| {
                request.options.provider.clone()
            }),
            AiAnalyzeImage::METHOD => {
                read::<ImageRequest>(method, ProviderAnalyzeImage::METHOD, params, |request| {
                    request.options.provider.clone()
                })
            }
            AiEmbed::METHOD => read::<EmbedRequest>(method, ProviderEmbed::METHOD, params, |request| {
                request.options.provider.clone()
            }),
            _ => {
                let message = format!("`{method}` is not served by this version of AstrOS");
                Err(Error::new(ErrorCode::METHOD_NOT_FOUND, message))
            }
        }
    }
}

fn read<T: Serialize + DeserializeOwned>(
    asked: &str,
    method: &'static str,
    params: &RawValue,
    provider: impl FnOnce(&T) -> Option<String>,
) -> Result<AiRequest, Error> {
    let invalid = |error: serde_json::Error| {
        Error::new(ErrorCode::INVALID_PARAMS, format!("the params of `{asked}` do not fit: {error}"))
    };
    let Asked { request, .. } = serde_json::from_str::<Asked<T>>(params.get()).map_err(invalid)?;
    let provider = provider(&request);
    Ok(AiRequest { method, provider, request: to_raw_value(&request).map_err(invalid)? })
}

impl Router {
    /// Takes the provider that is asked where nobody says which.
    pub fn set_default_provider(&self, name: Option<String>) {
        *self.provider.write().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub fn default_provider(&self) -> Option<String> {
        self.provider.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The plugin whose provider answers a request, and what it is asked; `wished` is that of the tree.
    pub(super) async fn provider_for(
        &self,
        asked: AiRequest,
        wished: Option<String>,
    ) -> Result<(String, Errand), Error> {
        let provider = match asked.provider.or(wished).or_else(|| self.default_provider()) {
            Some(provider) => provider,
            None => self.only_provider(what(asked.method)).await?,
        };
        let plugin = self.offering(Offer::Provider, &provider, None).await;
        let plugin = plugin.map_err(|error| failed(unavailable(error), &provider))?;
        serves(&plugin, &provider, asked.method)?;
        let AiRequest { method, request, .. } = asked;
        Ok((plugin.name.to_string(), Errand::Provider { method, provider, request }))
    }

    /// The one that does `what`, where there is no other.
    async fn only_provider(&self, what: &str) -> Result<String, Error> {
        let all = self.offers(Offer::Provider).await;
        let able: Vec<_> = all
            .iter()
            .filter(|(plugin, name)| {
                methods(plugin, name).is_none_or(|all| all.iter().any(|one| one == what))
            })
            .map(|(_, name)| name.as_str())
            .collect();
        let (message, hint) = match (&able[..], &all[..]) {
            ([name], _) => return Ok((*name).to_owned()),
            ([], []) => (
                "there is no provider of AI models".to_owned(),
                "a plugin brings one; `astros providers list` shows those that are there",
            ),
            ([], _) => (
                format!("there is no provider of AI models that has `{what}`"),
                "`astros providers list` shows what those that are there have",
            ),
            (several, _) => (
                format!("several providers are there and none is the default: {}", several.join(", ")),
                "`providers: {default: NAME}` in astros.yaml chooses one, or the request says `provider`",
            ),
        };
        Err(unavailable(Error::new(ErrorCode::AI_FAILED, message).with_hint(hint)))
    }
}

/// `complete` of `provider/complete`.
fn what(method: &str) -> &str {
    method.trim_start_matches("provider/")
}

/// What a provider says that it does; none where it is not known.
fn methods(plugin: &Plugin, provider: &str) -> Option<Vec<String>> {
    let description = plugin.description()?;
    description
        .providers
        .iter()
        .find(|offered| offered.name == provider)
        .map(|offered| offered.methods.clone())
}

/// Whether the provider does what is asked of it.
fn serves(plugin: &Plugin, provider: &str, method: &str) -> Result<(), Error> {
    let what = what(method);
    let Some(methods) = methods(plugin, provider).filter(|all| all.iter().all(|one| one != what)) else {
        return Ok(());
    };
    let has = if methods.is_empty() { "nothing".to_owned() } else { methods.join(", ") };
    let message = format!("the provider `{provider}` has no `{what}`; it has: {has}");
    Err(failed(Error::new(ErrorCode::AI_FAILED, message).with_plugin(&*plugin.name), provider))
}

/// What helps is said to the plugin, too: it may say it to the person, and hints do not reach plugins.
fn unavailable(error: Error) -> Error {
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    Error::new(ErrorCode::AI_FAILED, error.message + &hint)
}

/// Says of an error which provider it is about.
pub(super) fn failed(error: Error, provider: &str) -> Error {
    error.with("provider", provider)
}
