//! Providers of AI models that a plugin brings: functions that answer `provider/…`.

use std::{collections::HashMap, sync::Arc};

use astros_peer::Responder;
use astros_protocol::{
    Error as WireError, ErrorCode, Intent, Request as _,
    ai::{
        AiAnswer, ChatRequest, CompleteRequest, EmbedRequest, Embeddings, ImageRequest, ProviderAnalyzeImage,
        ProviderChat, ProviderComplete, ProviderDescription, ProviderEmbed, ProviderHealth,
        ProviderHealthCheck,
    },
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    Context, Error, Plugin, Result,
    attend::{Attended, Work},
    context::Request,
    dispatch::{self, Dispatcher},
    params::one_line,
};

/// A step of a stream has at most 64 KiB, where a character takes up to 6 bytes.
const STEP: usize = 8 * 1024;

/// A provider of AI models. Made by [`provider`]; what it was given functions for is what it answers.
pub struct Provider {
    description: ProviderDescription,
    methods: HashMap<&'static str, Box<Answer>>,
}

type Answer = dyn Fn(Context, Box<RawValue>) -> Work<Box<RawValue>> + Send + Sync;

/// A provider by the name by which requests choose it, which answers nothing yet. What is to live as long as the
/// plugin, such as a pool of connections, is shared by [`Plugin::state`].
pub fn provider(name: impl Into<String>) -> Provider {
    let description = ProviderDescription { name: name.into(), ..ProviderDescription::default() };
    Provider { description, methods: HashMap::new() }
}

impl Provider {
    /// What it is, one sentence.
    pub fn description(mut self, description: impl Into<String>) -> Provider {
        self.description.description = description.into();
        self
    }

    /// The models that it is known to have; a health check may name more.
    pub fn models<S: Into<String>>(mut self, models: impl IntoIterator<Item = S>) -> Provider {
        self.description.models.extend(models.into_iter().map(Into::into));
        self
    }

    /// Says how it is; without such a function it is well while the plugin runs. What it fails with is why it is not.
    pub fn health_check<F, Fut>(self, function: F) -> Provider
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ProviderHealth>> + Send + 'static,
    {
        self.method(ProviderHealthCheck::METHOD, move |ctx, _: Value| function(ctx))
    }

    /// Goes on with a text.
    pub fn complete<F, Fut>(self, function: F) -> Provider
    where
        F: Fn(Context, CompleteRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<AiAnswer>> + Send + 'static,
    {
        self.method(ProviderComplete::METHOD, function)
    }

    /// Answers a conversation.
    pub fn chat<F, Fut>(self, function: F) -> Provider
    where
        F: Fn(Context, ChatRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<AiAnswer>> + Send + 'static,
    {
        self.method(ProviderChat::METHOD, function)
    }

    /// Says what is in an image.
    pub fn analyze_image<F, Fut>(self, function: F) -> Provider
    where
        F: Fn(Context, ImageRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<AiAnswer>> + Send + 'static,
    {
        self.method(ProviderAnalyzeImage::METHOD, function)
    }

    /// Turns texts into vectors, one each.
    pub fn embed<F, Fut>(self, function: F) -> Provider
    where
        F: Fn(Context, EmbedRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Embeddings>> + Send + 'static,
    {
        self.method(ProviderEmbed::METHOD, function)
    }

    fn method<Q, A, F, Fut>(mut self, method: &'static str, function: F) -> Provider
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize,
        F: Fn(Context, Q) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A>> + Send + 'static,
    {
        let function = Arc::new(function);
        let answer = move |ctx: Context, asked: Box<RawValue>| -> Work<Box<RawValue>> {
            let function = function.clone();
            Box::pin(async move {
                let asked = dispatch::read(method, asked.get())?;
                Ok(one_line(to_raw_value(&function(ctx, asked).await?)?))
            })
        };
        if method != ProviderHealthCheck::METHOD && !self.methods.contains_key(method) {
            self.description.methods.push(method.trim_start_matches("provider/").to_owned());
        }
        self.methods.insert(method, Box::new(answer));
        self
    }
}

impl Plugin {
    /// Brings a provider of AI models, which every plugin may ask that was granted `ai`; a second one of the same name
    /// replaces the first. What its functions fail with is `ai_failed`.
    pub fn provider(mut self, provider: Provider) -> Plugin {
        let name = &provider.description.name;
        self.providers.retain(|known| known.description.name != *name);
        self.description.providers.retain(|known| known.name != *name);
        self.description.providers.push(provider.description.clone());
        self.providers.push(provider);
        self
    }
}

impl Context {
    /// What the person's `providers.NAME` of `astros.yaml` says, read as a type; `name` is that of a provider that the
    /// plugin brings. Where it says nothing, `T` is read from nothing.
    pub fn provider_config<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let config = self.given().providers.get(name).cloned().unwrap_or_default();
        T::deserialize(Value::Object(config))
            .map_err(|error| Error::msg(format!("`providers.{name}` of astros.yaml does not fit: {error}")))
    }

    /// In a provider: the next words of the answer, where somebody listens; the answer has all of them once more.
    /// Waits while the listener does not keep up; fails once the request was taken back.
    pub async fn stream(&self, mut words: &str) -> Result<()> {
        while self.meta().progress && !words.is_empty() {
            let end = (0..=STEP.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
            let (step, rest) = words.split_at(end.unwrap_or(words.len()));
            self.progress_data(serde_json::json!({ "content": step })).await?;
            words = rest;
        }
        Ok(())
    }
}

/// `ProviderParams`, read where it is wanted.
#[derive(Deserialize)]
struct Asked<'a> {
    provider: String,
    #[serde(borrow)]
    request: &'a RawValue,
    #[serde(borrow, default)]
    meta: Option<&'a RawValue>,
}

impl Dispatcher {
    /// Serves `provider/…`.
    pub(crate) fn ask_provider(&self, method: &str, params: &str, responder: Responder) {
        let begun = dispatch::read::<Asked<'_>>(method, params).and_then(|asked| {
            let provider = self.plugin.providers.iter().find(|one| one.description.name == asked.provider);
            let provider = provider.ok_or_else(|| self.provider_not_found(&asked.provider))?;
            let name = format!("{method} {}", asked.provider);
            let request =
                Request::new(responder.ticket().clone(), name.clone(), Intent::default(), asked.meta);
            let ctx = Context::new(self.session(method)?, responder.peer(), Some(request));
            let work = match provider.methods.get(method) {
                Some(answer) => answer(ctx, asked.request.to_owned()),
                None if method == ProviderHealthCheck::METHOD => {
                    Box::pin(async { Ok(to_raw_value(&ProviderHealth::healthy())?) })
                }
                None => return Err(without(&asked.provider, method)),
            };
            Ok(Attended::new(&name, named(work, method.to_owned(), asked.provider)))
        });
        match begun {
            Ok(work) => drop(tokio::spawn(dispatch::serve(work, responder, false))),
            Err(error) => responder.error(&error),
        }
    }

    fn provider_not_found(&self, name: &str) -> WireError {
        let message = format!("`{}` has no provider `{name}`", self.plugin.description.name);
        WireError::new(ErrorCode::AI_FAILED, message).with("provider", name)
    }
}

fn without(provider: &str, method: &str) -> WireError {
    let what = method.trim_start_matches("provider/");
    let message = format!("the provider `{provider}` has no `{what}`");
    WireError::new(ErrorCode::AI_FAILED, message).with("provider", provider)
}

/// Says in the answer which provider it is from, and in an error which one failed.
fn named(work: Work<Box<RawValue>>, method: String, provider: String) -> Work<Box<RawValue>> {
    Box::pin(async move {
        let is_check = method == ProviderHealthCheck::METHOD;
        match work.await {
            Ok(answer) if is_check => Ok(answer),
            Ok(answer) => signed(answer, &provider),
            Err(error) if is_check => Ok(to_raw_value(&ProviderHealth::unhealthy(error.message.clone()))?),
            Err(error) => Err(failed(error, &provider)),
        }
    })
}

/// An answer that does not say who gave it.
fn signed(answer: Box<RawValue>, provider: &str) -> Result<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Signature {
        #[serde(default)]
        provider: String,
    }
    let Signature { provider: said } = serde_json::from_str(answer.get())?;
    if !said.is_empty() {
        return Ok(answer);
    }
    let mut members: astros_protocol::Extra = serde_json::from_str(answer.get())?;
    members.insert("provider".to_owned(), provider.into());
    Ok(to_raw_value(&members)?)
}

fn failed(error: Error, provider: &str) -> Error {
    let mut error = WireError::clone(&error);
    if error.code == ErrorCode::HANDLER_FAILED || !error.code.may_come_from_plugins() {
        error.code = ErrorCode::AI_FAILED;
        error.data_mut().kind = error.code.kind().to_owned();
    }
    error.with("provider", provider).into()
}
