//! AI for a plugin: the host finds the provider and keeps its keys. It takes the permission `ai`.

use std::{marker::PhantomData, path::PathBuf, pin::Pin, time::Duration};

use astros_protocol::{
    ErrorCode, Extra, Request as _,
    ai::{
        AiAnalyzeImage, AiAnswer, AiChat, AiComplete, AiEmbed, ChatMessage, Embeddings, Image, ModelOptions,
    },
    intent::CallMeta,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Context, Error, Result, call};

/// Asks AI models; given by [`Context::ai`].
#[derive(Clone, Copy)]
pub struct Ai<'a>(pub(crate) &'a Context);

/// A request to a model, asked where it is awaited. Dropped while it waits, it is cancelled.
///
/// It fails with `ai_failed` where no provider answers or the one that does fails (`error.data` names it as
/// `provider`), with `permission_denied` without the permission `ai`, and with `deadline_exceeded`.
#[must_use = "a model is asked where the request is awaited"]
pub struct AiCall<'a, T> {
    ctx: &'a Context,
    method: &'static str,
    question: Extra,
    /// Read where it is asked.
    image: Option<PathBuf>,
    options: ModelOptions,
    timeout: Option<Duration>,
    on_words: Option<OnWords<'a>>,
    answer: PhantomData<fn() -> T>,
}

type OnWords<'a> = Box<dyn FnMut(&str) + Send + 'a>;

#[derive(Serialize)]
struct Params<'a> {
    #[serde(flatten)]
    question: &'a Extra,
    #[serde(flatten)]
    options: &'a ModelOptions,
    meta: CallMeta,
}

impl Context {
    /// AI models, by the host: `ctx.ai().complete("Once upon a time").await?.content`.
    pub fn ai(&self) -> Ai<'_> {
        Ai(self)
    }
}

impl<'a> Ai<'a> {
    /// Goes on with a text.
    pub fn complete(self, prompt: impl Into<String>) -> AiCall<'a, AiAnswer> {
        AiCall::new(self.0, AiComplete::METHOD, "prompt", Value::String(prompt.into()))
    }

    /// Answers a conversation, whose oldest message comes first.
    pub fn chat(self, messages: impl IntoIterator<Item = ChatMessage>) -> AiCall<'a, AiAnswer> {
        AiCall::new(self.0, AiChat::METHOD, "messages", messages.into_iter().map(|one| json!(one)).collect())
    }

    /// Says what is in an image. The file is read here, for no provider sees the files of this plugin.
    pub fn analyze_image(self, path: impl Into<PathBuf>, prompt: impl Into<String>) -> AiCall<'a, AiAnswer> {
        let prompt = Value::String(prompt.into());
        let image = Some(path.into());
        AiCall { image, ..AiCall::new(self.0, AiAnalyzeImage::METHOD, "prompt", prompt) }
    }

    /// Turns texts into vectors, one each, in their order.
    pub fn embed<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> AiCall<'a, Embeddings> {
        let texts = texts.into_iter().map(|text| Value::String(text.into())).collect();
        AiCall::new(self.0, AiEmbed::METHOD, "input", texts)
    }
}

impl<'a, T: DeserializeOwned> AiCall<'a, T> {
    fn new(ctx: &'a Context, method: &'static str, name: &str, question: Value) -> AiCall<'a, T> {
        let question = Extra::from_iter([(name.to_owned(), question)]);
        let (options, answer) = (ModelOptions::default(), PhantomData);
        AiCall { ctx, method, question, image: None, options, timeout: None, on_words: None, answer }
    }

    /// The provider that shall answer; else the person's default does.
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.options.provider = Some(name.into());
        self
    }

    /// The model that shall answer; else the provider's default does.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.options.model = Some(name.into());
        self
    }

    /// The most tokens of the answer.
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.options.max_tokens = Some(tokens);
        self
    }

    /// From 0, the likeliest words, up to 2.
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.options.temperature = Some(temperature);
        self
    }

    /// All options at once, in place of those that were said before.
    pub fn options(mut self, options: ModelOptions) -> Self {
        self.options = options;
        self
    }

    /// The time that it may take; it can only shorten what the request has left.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Hears the words as they come, where the provider streams them; the answer has all of them.
    pub fn on_words(mut self, listener: impl FnMut(&str) + Send + 'a) -> Self {
        self.on_words = Some(Box::new(listener));
        self
    }

    async fn ask(self) -> Result<T> {
        let AiCall { ctx, method, mut question, image, options, timeout, on_words, .. } = self;
        if let Some(path) = image {
            question.insert("image".to_owned(), json!(read(path).await?));
        }
        let deadline_ms = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        let meta = CallMeta { parent: ctx.parent(), deadline_ms, progress: on_words.is_some() };
        let asked = Params { question: &question, options: &options, meta };
        let answer = match on_words {
            None => ctx.peer().call(method, &asked).await?,
            Some(mut hear) => {
                let listener = |value: crate::ProgressValue| {
                    let data = value.data.unwrap_or_default();
                    if let Some(words) = data["content"].as_str() {
                        hear(words);
                    }
                };
                call::listen(ctx, method, &asked, listener).await?
            }
        };
        serde_json::from_str(answer.get()).map_err(|error| {
            Error::of(ErrorCode::AI_FAILED, format!("the answer to `{method}` cannot be read: {error}"))
        })
    }
}

async fn read(path: PathBuf) -> Result<Image> {
    let bytes = tokio::fs::read(&path).await.map_err(|error| {
        let message = format!("the image `{}` cannot be read: {error}", path.display());
        Error::of(ErrorCode::AI_FAILED, message)
    })?;
    Ok(Image::Bytes {
        base64: BASE64_STANDARD.encode(&bytes),
        media_type: media_type(&bytes).map(str::to_owned),
    })
}

/// What the first bytes say; those that models take.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'B', b'M', ..] => Some("image/bmp"),
        _ => None,
    }
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for AiCall<'a, T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.ask())
    }
}
