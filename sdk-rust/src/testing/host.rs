//! The host's side of a test.

use std::{collections::BTreeMap, pin::Pin, sync::Arc};

use astros_peer::{Call, Options, Peer, connect};
use astros_protocol::{
    Extra, Intent, Meta, Request, Response,
    ai::{Asked, ProviderParams},
    bus::{BusDeliver, BusMessage, DeliverParams, PublishParams},
    call::{CallPluginParams, HandleIntent, HandleIntentParams},
    command::{CommandRun, CommandRunParams, Terminal},
    lifecycle::{
        Directories, Identity, Initialize, InitializeParams, InitializeResult, Limits, Product, Sandbox,
        Shutdown, ShutdownParams,
    },
    person::LogParams,
    settings::{SettingsChanged, SettingsChangedParams},
    stream::{Cancel, CancelParams, ProgressValue},
    ui::{UiRender, UiRenderParams, UiTree},
    version::SUPPORTED,
    workflow::{WorkflowResult, WorkflowRun, WorkflowRunParams, WorkflowStep},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{io::duplex, task::JoinHandle, time::Instant};

use super::service::{ServiceEnd, Services};
use crate::{Error, Plugin, PluginDescription, Result, run};

/// A host in memory with one plugin. Storage, logs, progress and the answers of other plugins are kept here, for
/// the test to see and to set.
pub struct TestHost {
    peer: Peer,
    services: Arc<Services>,
    description: PluginDescription,
    settings: std::sync::Mutex<Extra>,
    plugin: JoinHandle<Instant>,
}

impl TestHost {
    /// Starts a plugin without settings; panics where it does not start, as a test should.
    pub async fn start(plugin: Plugin) -> TestHost {
        TestHost::try_start(plugin, json!({})).await.expect("the plugin starts")
    }

    /// Starts a plugin with these settings; fails as its `initialize` does.
    pub async fn try_start(plugin: Plugin, settings: Value) -> Result<TestHost> {
        let (ours, theirs) = duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        let plugin = tokio::spawn(run::serve(plugin, input, output, std::future::pending()));
        let services = Arc::new(Services::default());
        let (input, output) = tokio::io::split(ours);
        // No time limit: a test's runtime may have no clock.
        let options = Options { stalled_after: None, ..Options::default() };
        let (peer, connection) = connect(input, output, ServiceEnd(services.clone()), options);
        tokio::spawn(connection.run());
        let settings = members(settings);
        let started = peer.request::<Initialize>(&given(settings.clone())).await?;
        let InitializeResult { plugin: description, .. } = started;
        Ok(TestHost { peer, services, description, settings: settings.into(), plugin })
    }

    /// How the plugin describes itself.
    pub fn description(&self) -> &PluginDescription {
        &self.description
    }

    /// Calls a handler as `call_plugin` would, with an object as its parameters.
    pub async fn call(&self, handler: &str, params: Value) -> Result<Response> {
        self.begin(handler, params).await
    }

    /// Runs a command as it is typed after `astros`; gives its exit code. It prints where the test does.
    pub async fn run_command(&self, words: &[&str]) -> Result<u8> {
        let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let params = CommandRunParams {
            command: argv.first().cloned().unwrap_or_default(),
            args: Extra::new(),
            argv,
            cwd: "/".to_owned(),
            terminal: Terminal::default(),
            meta: Meta::default(),
        };
        Ok(self.peer.request::<CommandRun>(&params).await?.exit_code)
    }

    /// Lets a handler serve an intent, as `astros ask` would.
    pub async fn handle(&self, handler: &str, intent: Intent) -> Result<Response> {
        self.begin_intent(handler, intent).await
    }

    /// Begins a call that the test cancels, or waits for later.
    pub fn begin(&self, handler: &str, params: Value) -> TestCall {
        let intent = Intent {
            intent_type: handler.to_owned(),
            confidence: 1.0,
            context: members(params),
            ..Intent::default()
        };
        self.begin_intent(handler, intent)
    }

    fn begin_intent(&self, handler: &str, intent: Intent) -> TestCall {
        let asked = HandleIntentParams { handler: handler.to_owned(), intent, meta: meta() };
        let (call, mut news) = self.peer.call_with_progress(HandleIntent::METHOD, &asked);
        let services = self.services.clone();
        tokio::spawn(async move {
            while let Some(value) = news.next().await {
                services.heard_progress(&value);
            }
        });
        TestCall { call, peer: self.peer.clone() }
    }

    /// Lets a part of workflows do its work: `host.run_step(WorkflowStep::agent("reviewer", "look for leaks"))`.
    pub async fn run_step(&self, step: WorkflowStep) -> Result<WorkflowResult> {
        Ok(self.peer.request::<WorkflowRun>(&WorkflowRunParams { step, meta: meta() }).await?)
    }

    /// Answers the plugin's calls of another plugin's handler. Calls of what nobody answers fail with
    /// `plugin_not_found`.
    pub fn on_call<F>(&self, plugin: &str, handler: &str, answer: F)
    where
        F: Fn(Value) -> Result<Response> + Send + Sync + 'static,
    {
        self.services.answer(plugin, handler, Box::new(answer));
    }

    /// Answers what the plugin asks of AI models, by the method: `host.on_ai::<AiComplete, _>(|asked| …)`. Its words
    /// are streamed where the plugin listens. What nobody answers fails with `ai_failed`.
    pub fn on_ai<M, T>(&self, answer: impl Fn(T) -> Result<M::Result> + Send + Sync + 'static)
    where
        M: Request<Params = Asked<T>>,
        Asked<T>: DeserializeOwned,
        M::Result: Serialize,
    {
        let answer = move |asked| Ok(json!(answer(serde_json::from_value::<Asked<T>>(asked)?.request)?));
        self.services.model(M::METHOD, Box::new(answer));
    }

    /// Asks a provider of the plugin's: `host.ask_provider::<ProviderComplete, _>("echo", request)`. What it streams
    /// is in `progress()`.
    pub async fn ask_provider<M, T>(&self, provider: &str, request: T) -> Result<M::Result>
    where
        M: Request<Params = ProviderParams<T>>,
        ProviderParams<T>: Serialize,
        M::Result: DeserializeOwned,
    {
        let asked = ProviderParams { provider: provider.to_owned(), request, meta: meta() };
        self.ask::<M>(&asked).await
    }

    /// Draws a component of the plugin's on 80 columns; the trees of a live one before the last are in `progress()`.
    pub async fn draw(&self, component: &str, props: Value) -> Result<UiTree> {
        let (component, props) = (component.to_owned(), members(props));
        let asked = UiRenderParams { component, props, terminal: Terminal::default(), meta: meta() };
        self.ask::<UiRender>(&asked).await
    }

    /// A request whose progress is kept.
    async fn ask<M: Request>(&self, asked: &M::Params) -> Result<M::Result>
    where
        M::Params: Serialize,
        M::Result: DeserializeOwned,
    {
        let (mut call, mut news) = self.peer.call_with_progress(M::METHOD, asked);
        let answer = loop {
            tokio::select! {
                biased;
                Some(value) = news.next() => self.services.heard_progress(&value),
                answer = &mut call => break answer?,
            }
        };
        while let Some(value) = news.next().await {
            self.services.heard_progress(&value);
        }
        Ok(serde_json::from_str(answer.get())?)
    }

    /// What the plugin asked of other plugins, in order.
    pub fn calls(&self) -> Vec<CallPluginParams> {
        self.services.calls()
    }

    /// What the person answers from now on; `None`, as it is at first: they decline.
    pub fn on_ask(&self, answer: Option<Value>) {
        self.services.set_user_answer(answer);
    }

    /// Delivers a message to the plugin; fails as the function does that hears it.
    pub async fn deliver(&self, subject: &str, data: Value) -> Result<()> {
        let message =
            BusMessage { subject: subject.to_owned(), data, sender: "test".to_owned(), extra: Extra::new() };
        self.peer.request::<BusDeliver>(&DeliverParams { message, dropped: 0 }).await?;
        Ok(())
    }

    /// What the plugin published, in order.
    pub fn published(&self) -> Vec<PublishParams> {
        self.services.published()
    }

    /// What the plugin told of its progress, in order.
    pub fn progress(&self) -> Vec<ProgressValue> {
        self.services.progress()
    }

    /// What the plugin logged, in order.
    pub fn logs(&self) -> Vec<LogParams> {
        self.services.logs()
    }

    /// What the plugin has stored under a key.
    pub fn stored(&self, key: &str) -> Option<Value> {
        self.services.stored(key)
    }

    /// Stores a value for the plugin to find.
    pub fn store(&self, key: &str, value: Value) {
        self.services.put(key, value);
    }

    /// Gives the plugin new settings; fails where it refuses them.
    pub async fn change_settings(&self, settings: Value) -> Result<()> {
        let new = members(settings);
        let old = self.settings.lock().expect("nothing panics with this lock held").clone();
        self.peer.request::<SettingsChanged>(&SettingsChangedParams { old, new: new.clone() }).await?;
        *self.settings.lock().expect("nothing panics with this lock held") = new;
        Ok(())
    }

    /// The connection itself, for what is not here.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Asks the plugin to shut down, and waits for its end.
    pub async fn shutdown(self) -> Result<()> {
        let asked = ShutdownParams { reason: "the test ends".to_owned(), grace_ms: 5_000 };
        self.peer.request::<Shutdown>(&asked).await?;
        self.hang_up().await;
        Ok(())
    }

    /// Is gone at once, as a host that was killed; waits for the plugin's end.
    pub async fn hang_up(self) {
        self.peer.close();
        self.plugin.await.expect("the plugin's runner does not panic");
    }
}

/// A call that is on its way: await it for its outcome.
pub struct TestCall {
    call: Call,
    peer: Peer,
}

impl TestCall {
    /// Takes the request back; its outcome is still to come.
    pub fn cancel(&self) -> Result<()> {
        Ok(self.peer.notify::<Cancel>(&CancelParams { id: self.call.id() })?)
    }
}

impl IntoFuture for TestCall {
    type Output = Result<Response>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Response>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let raw = self.call.await?;
            serde_json::from_str(raw.get())
                .map_err(|error| Error::msg(format!("the answer is no Response: {error}")))
        })
    }
}

fn meta() -> Meta {
    Meta {
        correlation_id: Some("test".to_owned()),
        deadline_ms: Some(30_000),
        attempt: Some(1),
        progress: true,
        ..Meta::default()
    }
}

fn given(settings: Extra) -> InitializeParams {
    let folder = |name: &str| std::env::temp_dir().join("astros-test").join(name).display().to_string();
    InitializeParams {
        protocol_versions: SUPPORTED.to_vec(),
        features: Vec::new(),
        host: Product { name: "test-host".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        plugin: Identity { name: "under-test".to_owned(), instance: 0 },
        settings,
        providers: BTreeMap::new(),
        permissions: Vec::new(),
        sandbox: Sandbox::None,
        directories: Directories { data: folder("data"), cache: folder("cache"), config: folder("config") },
        limits: Limits { default_deadline_ms: Some(30_000), ..Limits::default() },
        dev_mode: true,
        extra: Extra::new(),
    }
}

fn members(value: Value) -> Extra {
    match value {
        Value::Object(members) => members,
        Value::Null => Extra::new(),
        other => panic!("expected an object, found {other}"),
    }
}
