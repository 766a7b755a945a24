//! What the test host answers: storage, other plugins, the person.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use astros_peer::{Incoming, Responder, Service};
use astros_protocol::{
    Error as WireError, ErrorCode, Notification, Request, Response,
    bus::{BusPublish, PublishParams},
    call::{CallPlugin, CallPluginParams},
    person::{Log, LogParams, UserAnswer, UserAsk},
    storage::{StorageDelete, StorageGet, StorageList, StorageSet},
    stream::ProgressValue,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

use super::store::Store;
use crate::Result;

/// What the test and the connection share.
#[derive(Default)]
pub(crate) struct Services {
    // A std mutex: held for a look or a move, never across an await.
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    store: Store,
    logs: Vec<LogParams>,
    progress: Vec<ProgressValue>,
    calls: Vec<CallPluginParams>,
    answers: HashMap<(String, String), Arc<Answer>>,
    models: HashMap<&'static str, Arc<Model>>,
    user: Option<Value>,
    published: Vec<PublishParams>,
}

type Answer = Box<dyn Fn(Value) -> Result<Response> + Send + Sync>;
type Model = Box<dyn Fn(Value) -> Result<Value> + Send + Sync>;

impl Services {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answer(&self, plugin: &str, handler: &str, answer: Answer) {
        self.lock().answers.insert((plugin.to_owned(), handler.to_owned()), Arc::new(answer));
    }

    pub(crate) fn model(&self, method: &'static str, answer: Model) {
        self.lock().models.insert(method, Arc::new(answer));
    }

    pub(crate) fn set_user_answer(&self, answer: Option<Value>) {
        self.lock().user = answer;
    }

    pub(crate) fn heard_progress(&self, value: &RawValue) {
        let value = serde_json::from_str(value.get()).expect("the SDK sends what it declares");
        self.lock().progress.push(value);
    }

    pub(crate) fn progress(&self) -> Vec<ProgressValue> {
        self.lock().progress.clone()
    }

    pub(crate) fn logs(&self) -> Vec<LogParams> {
        self.lock().logs.clone()
    }

    pub(crate) fn calls(&self) -> Vec<CallPluginParams> {
        self.lock().calls.clone()
    }

    pub(crate) fn published(&self) -> Vec<PublishParams> {
        self.lock().published.clone()
    }

    pub(crate) fn stored(&self, key: &str) -> Option<Value> {
        self.lock().store.stored(key)
    }

    pub(crate) fn put(&self, key: &str, value: Value) {
        self.lock().store.put(key, value);
    }

    fn call_plugin(&self, asked: CallPluginParams) -> Result<Response, WireError> {
        self.lock().calls.push(asked.clone());
        let CallPluginParams { plugin, handler, params, .. } = asked;
        let answer = self.lock().answers.get(&(plugin.clone(), handler.clone())).cloned();
        let Some(answer) = answer else {
            let message = format!("the test host knows no `{plugin}.{handler}`");
            let error = WireError::new(ErrorCode::PLUGIN_NOT_FOUND, message);
            return Err(error.with_hint("`TestHost::on_call` answers for it"));
        };
        // Without the lock: the answer may look at the host.
        answer(params).map_err(|error| error.into_wire())
    }

    fn ask_model(&self, method: &str, asked: Value) -> Result<Value, WireError> {
        let answer = self.lock().models.get(method).cloned();
        let Some(answer) = answer else {
            let error = WireError::new(ErrorCode::AI_FAILED, "there is no provider of AI models");
            return Err(error.with_hint("`TestHost::on_ai` answers for it"));
        };
        // Without the lock: the answer may look at the host.
        answer(asked).map_err(|error| error.into_wire())
    }

    fn ask_user(&self) -> UserAnswer {
        let answer = self.lock().user.clone();
        UserAnswer { declined: answer.is_none(), answer: answer.unwrap_or_default(), ..UserAnswer::default() }
    }
}

/// The host's end of the connection.
pub(crate) struct ServiceEnd(pub(crate) Arc<Services>);

impl Service for ServiceEnd {
    type Params<'a> = &'a RawValue;

    fn request(&self, request: Incoming<'_, &RawValue>) {
        let Incoming { method, params, responder } = request;
        let params = params.map_or("{}", RawValue::get);
        let services = &*self.0;
        match &*method {
            CallPlugin::METHOD => serve::<CallPlugin>(responder, params, |asked| services.call_plugin(asked)),
            StorageGet::METHOD => {
                serve::<StorageGet>(responder, params, |asked| Ok(services.lock().store.get(asked)))
            }
            StorageSet::METHOD => {
                serve::<StorageSet>(responder, params, |asked| services.lock().store.set(asked))
            }
            StorageDelete::METHOD => {
                serve::<StorageDelete>(responder, params, |asked| services.lock().store.delete(asked));
            }
            StorageList::METHOD => {
                serve::<StorageList>(responder, params, |asked| Ok(services.lock().store.list(&asked)));
            }
            BusPublish::METHOD => {
                serve::<BusPublish>(responder, params, |asked| {
                    services.lock().published.push(asked);
                    Ok(())
                });
            }
            UserAsk::METHOD => serve::<UserAsk>(responder, params, |_| Ok(services.ask_user())),
            ai if ai.starts_with("ai/") => ask_model(services, ai, params, responder),
            other => {
                let message = format!("the test host does not know `{other}`");
                responder.error(&WireError::new(ErrorCode::METHOD_NOT_FOUND, message));
            }
        }
    }

    fn notification(&self, method: &str, params: Option<&RawValue>) {
        if method == Log::METHOD
            && let Some(record) = params.and_then(|params| serde_json::from_str(params.get()).ok())
        {
            self.0.lock().logs.push(record);
        }
    }
}

/// A model that streams sends its words one by one.
fn ask_model(services: &Services, method: &str, params: &str, responder: Responder) {
    let asked: Value = serde_json::from_str(params).unwrap_or_default();
    let listens = asked["meta"]["progress"] == true;
    let answer = match services.ask_model(method, asked) {
        Ok(answer) => answer,
        Err(error) => return responder.error(&error),
    };
    tokio::spawn(async move {
        let words = answer["content"].as_str().filter(|_| listens).unwrap_or_default();
        for words in words.split_inclusive(' ') {
            let step = json!({ "data": { "content": words } });
            if responder.ticket().progress(&step).await.is_err() {
                break;
            }
        }
        responder.result(&answer);
    });
}

/// Answers one request with the method's own types.
fn serve<M: Request>(
    responder: Responder,
    params: &str,
    answer: impl FnOnce(M::Params) -> Result<M::Result, WireError>,
) where
    M::Params: DeserializeOwned,
    M::Result: Serialize,
{
    let asked = serde_json::from_str(params).map_err(|error| {
        WireError::new(
            ErrorCode::INVALID_PARAMS,
            format!("the params of `{}` do not fit: {error}", M::METHOD),
        )
    });
    match asked.and_then(answer) {
        Ok(result) => responder.result(&result),
        Err(error) => responder.error(&error),
    }
}
