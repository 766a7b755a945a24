//! The control API: its methods, and the shapes of what they take and answer.
//!
//! JSON-RPC 2.0 by jsonrpsee, over a Unix socket, or over HTTP and WebSocket on loopback. Params may be given by
//! name or by position. An error is the protocol's [`Error`](astros_protocol::Error): `code`, `message`, `data`.
//! Who reads ignores members that it does not know: new ones do not raise [`CONTROL_VERSION`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use astros_protocol::{Extra, Response, command::Terminal};
use jiff::Timestamp;
use jsonrpsee::{core::SubscriptionResult, proc_macros::rpc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::failure::Failure;
use crate::{
    daemon::{
        Asks, Finished, Health, Learning, Listed, ListedWorkflow, Offered, OfferedComponent, OfferedProvider,
        Order, PluginSettings, SetupPlan, ShownWorkflow, Wish, Word,
    },
    observe::PluginSnapshot,
    services::{audit::Event, log::Record},
    workflow::{Report, RunSummary},
};

/// The version of this API, of no other thing: raised where a client of the one before could not go on.
pub const CONTROL_VERSION: u32 = 1;

/// What a running daemon does for its clients.
#[rpc(server, client, namespace = "astros")]
pub trait Control {
    /// Who answers. Its shape stays the same in every version.
    #[method(name = "hello", param_kind = map)]
    async fn hello(&self) -> Result<Hello, Failure>;

    /// How the daemon and its plugins are.
    #[method(name = "status", param_kind = map)]
    async fn status(&self) -> Result<Status, Failure>;

    /// Does what a text asks: news until an answer or an error, which is the last item. Unsubscribed, or with the
    /// connection gone, the request is taken back down the tree of its calls.
    #[subscription(name = "ask" => "asked", unsubscribe = "unask", item = News, param_kind = map)]
    async fn ask(&self, text: String, person: Option<Person>, wanted: Option<Wanted>) -> SubscriptionResult;

    /// Finds out what a text means, and runs no handler.
    #[method(name = "understand", param_kind = map)]
    async fn understand(&self, text: String, person: Option<Person>) -> Result<Understood, Failure>;

    /// Calls a handler by its name, with news as [`ask`](Self::ask).
    #[subscription(name = "call" => "called", unsubscribe = "uncall", item = News, param_kind = map)]
    async fn call(
        &self,
        plugin: String,
        handler: String,
        params: Option<Extra>,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult;

    /// Has a component of a plugin drawn, with news as [`ask`](Self::ask): the tree is the answer's `response.data`, those
    /// of a live one are the `data` of its progress. On lent streams the component draws itself, and the news end with
    /// `finished`, whose `data` is the tree that is left to draw.
    #[subscription(name = "render" => "rendered", unsubscribe = "unrender", item = News, param_kind = map)]
    async fn render(
        &self,
        drawing: Drawing,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult;

    /// The components that plugins draw, by name.
    #[method(name = "components", param_kind = map)]
    async fn components(&self) -> Result<Vec<OfferedComponent>, Failure>;

    /// The providers of AI models that plugins bring, by name.
    #[method(name = "providers", param_kind = map)]
    async fn providers(&self) -> Result<Vec<OfferedProvider>, Failure>;

    /// The provider that `astros.yaml` wants asked where nobody says which, be it there or not.
    #[method(name = "default_provider", param_kind = map)]
    async fn default_provider(&self) -> Result<Option<String>, Failure>;

    /// Asks a provider how it is.
    #[method(name = "provider_health", param_kind = map)]
    async fn provider_health(&self, name: String) -> Result<Health, Failure>;

    /// Answers a [`Question`] of a request that goes on; null declines.
    #[method(name = "answer_question", param_kind = map)]
    async fn answer_question(&self, id: String, answer: Value) -> Result<(), Failure>;

    /// `ask` for those who cannot subscribe: by HTTP, say. Over a connection that ends it is taken back, too.
    #[method(name = "answer", param_kind = map)]
    async fn answer(&self, text: String, person: Option<Person>) -> Result<Answer, Failure>;

    /// `call` for those who cannot subscribe.
    #[method(name = "invoke", param_kind = map)]
    async fn invoke(
        &self,
        plugin: String,
        handler: String,
        params: Option<Extra>,
        person: Option<Person>,
    ) -> Result<Answer, Failure>;

    /// The commands that plugins add to `astros`, by name; no plugin is started.
    #[method(name = "commands", param_kind = map)]
    async fn commands(&self) -> Result<Vec<Word>, Failure>;

    /// One of them, with all that it takes. Where nobody has it, plugins that never said what they offer are asked.
    #[method(name = "command", param_kind = map)]
    async fn command(&self, name: String) -> Result<Offered, Failure>;

    /// Runs a command of a plugin's on streams that were lent: news until its end or an error, which is the last item.
    /// Unsubscribed, or with the connection gone, it is killed.
    #[subscription(name = "run" => "ran", unsubscribe = "unrun", item = News, param_kind = map)]
    async fn run(
        &self,
        command: Command,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult;

    /// Sends a signal, such as `SIGINT`, to what runs on lent streams; answered when it has it, and after `SIGTSTP` when
    /// it has stopped.
    #[method(name = "signal", param_kind = map)]
    async fn signal(&self, streams: String, signal: String) -> Result<(), Failure>;

    /// All plugins, by name; none is started.
    #[method(name = "list", param_kind = map)]
    async fn list(&self) -> Result<Vec<Listed>, Failure>;

    /// All that is known of a plugin; it is started once where it was never asked what it offers.
    #[method(name = "show", param_kind = map)]
    async fn show(&self, name: String) -> Result<Value, Failure>;

    /// What a plugin may do, and what it asks for. Fails where it cannot be enabled.
    #[method(name = "permissions", param_kind = map)]
    async fn permissions(&self, name: String) -> Result<Asks, Failure>;

    /// Lets a plugin run from now on, with all it asks for, or of that what `permissions` has; fails where it asks
    /// for more.
    #[method(name = "enable", param_kind = map)]
    async fn enable(&self, name: String, permissions: Option<Vec<String>>) -> Result<(), Failure>;

    /// Grants a plugin permissions as displayed, asked for or not; its process is replaced. Gives what it may do then.
    #[method(name = "grant", param_kind = map)]
    async fn grant(&self, name: String, permissions: Vec<String>) -> Result<Vec<Wish>, Failure>;

    /// Takes permissions from a plugin, all where none is said; its process is replaced. Gives what it may do then.
    #[method(name = "revoke", param_kind = map)]
    async fn revoke(&self, name: String, permissions: Option<Vec<String>>) -> Result<Vec<Wish>, Failure>;

    /// What would have to be installed for a plugin in Python, and where; nothing is.
    #[method(name = "setup_plan", param_kind = map)]
    async fn setup_plan(&self, name: String) -> Result<SetupPlan, Failure>;

    /// What a plugin is set to, or all of them, and where each setting comes from; secrets are hidden.
    #[method(name = "settings", param_kind = map)]
    async fn settings(&self, name: Option<String>) -> Result<Vec<PluginSettings>, Failure>;

    /// Sets one of a plugin's settings, as text that its schema types, and gives it to the plugin; without `value` it
    /// forgets what was set so.
    #[method(name = "set_setting", param_kind = map)]
    async fn set_setting(
        &self,
        name: String,
        key: String,
        value: Option<String>,
    ) -> Result<PluginSettings, Failure>;

    /// Holds what is on disk now against the schemas; gives the plugins whose settings do not fit.
    #[method(name = "check_settings", param_kind = map)]
    async fn check_settings(&self, name: Option<String>) -> Result<Vec<PluginSettings>, Failure>;

    /// The newest `count` events of the audit log, 50 where it is not said; oldest first.
    #[method(name = "audit", param_kind = map)]
    async fn audit(&self, count: Option<usize>) -> Result<Vec<Event>, Failure>;

    /// Lets a plugin run no more; what it does is finished first.
    #[method(name = "disable", param_kind = map)]
    async fn disable(&self, name: String) -> Result<(), Failure>;

    /// Ends a plugin's process when it finished what it does, and starts a new one.
    #[method(name = "restart", param_kind = map)]
    async fn restart(&self, name: String) -> Result<(), Failure>;

    /// Reads a plugin's folder anew and starts it before the old process is let go; where that fails the old one
    /// goes on, and the error says why.
    #[method(name = "reload", param_kind = map)]
    async fn reload(&self, name: String) -> Result<(), Failure>;

    /// Forgets a plugin's crashes and failed starts, so that its next use starts it.
    #[method(name = "reset", param_kind = map)]
    async fn reset(&self, name: String) -> Result<(), Failure>;

    /// The newest `count` records of a plugin's log, 50 where it is not said; oldest first.
    #[method(name = "logs", param_kind = map)]
    async fn logs(&self, name: String, count: Option<usize>) -> Result<Vec<Record>, Failure>;

    /// What a plugin writes to its log from now on, after the newest `count` records, 0 where it is not said.
    #[subscription(name = "follow_logs" => "logged", unsubscribe = "unfollow_logs", item = Logged, param_kind = map)]
    async fn follow_logs(&self, name: String, count: Option<usize>) -> SubscriptionResult;

    /// What is published on a subject (`*` stands for one token, `>` for the rest), from now on. The news of plugins
    /// themselves are on `astros.plugin.NAME.STATE`: `astros.>` is what happens here.
    #[subscription(name = "tail" => "published", unsubscribe = "untail", item = Published, param_kind = map)]
    async fn tail(&self, subject: String) -> SubscriptionResult;

    /// Publishes in the person's name: on any subject but `astros.>`.
    #[method(name = "publish", param_kind = map)]
    async fn publish(&self, subject: String, data: Value) -> Result<(), Failure>;

    /// All workflows, by name: the person's own, and those that come with plugins.
    #[method(name = "workflows", param_kind = map)]
    async fn workflows(&self) -> Result<Vec<ListedWorkflow>, Failure>;

    /// A workflow by its name or file, who brings the parts that it names, and what keeps it from being run.
    #[method(name = "workflow", param_kind = map)]
    async fn workflow(&self, name: String, person: Option<Person>) -> Result<ShownWorkflow, Failure>;

    /// The runs of workflows that are kept, the newest first.
    #[method(name = "workflow_runs", param_kind = map)]
    async fn workflow_runs(&self) -> Result<Vec<RunSummary>, Failure>;

    /// Does a workflow, or takes a run of it up again: news as [`ask`](Self::ask) has them, until a report or an
    /// error. Its progress has in `data` what the bus has on `astros.workflow.…`, and more.
    #[subscription(
        name = "run_workflow" => "ran_workflow", unsubscribe = "unrun_workflow", item = News, param_kind = map
    )]
    async fn run_workflow(
        &self,
        order: Order,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult;

    /// Drains and stops the daemon, as SIGTERM does; answered at once.
    #[method(name = "stop", param_kind = map)]
    async fn stop(&self) -> Result<(), Failure>;
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`CONTROL_VERSION`] of the daemon.
    pub control_version: u32,
    /// The product's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
    /// The folder of the data: with it the daemon is that of one home.
    pub home: PathBuf,
    /// The operator's folders of plugins that it was started with, in their order.
    pub plugin_dirs: Vec<PathBuf>,
    /// When it was started.
    pub since: Timestamp,
}

/// Who asks, and where they are; everything has a default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The conversation; `USER:default` where it is not said.
    pub session_id: Option<String>,
    /// The folder that paths are seen from, absolute; the home where it is not said.
    pub cwd: Option<PathBuf>,
    /// What `~` stands for, absolute; the daemon's own `HOME` where it is not said.
    pub home: Option<PathBuf>,
    /// Such as `de_DE.UTF-8`.
    pub locale: Option<String>,
    /// The time that all of it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// A component that a person wants to see.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drawing {
    pub component: String,
    /// The plugin that draws it; none: the one that has it.
    #[serde(default)]
    pub plugin: Option<String>,
    #[serde(default)]
    pub props: Extra,
    #[serde(default)]
    pub terminal: Terminal,
    /// The token of the streams that it draws itself on; none: the client draws it.
    #[serde(default)]
    pub streams: Option<String>,
    /// The person's variables, for a component that draws itself.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
}

/// A command of a plugin's, as it was typed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// The token of the streams that it runs on.
    pub streams: String,
    pub plugin: String,
    /// Its words, with spaces between them.
    pub command: String,
    /// What the plugin's description makes of the words, defaults among them.
    #[serde(default)]
    pub args: Extra,
    /// The names of `args` whose value was typed: only such a value, and a word of `argv`, names files that the
    /// command is to reach.
    #[serde(default)]
    pub said: BTreeSet<String>,
    /// The words as they were typed, from the top-level command on.
    pub argv: Vec<String>,
    #[serde(default)]
    pub terminal: Terminal,
    /// The person's variables, of which it gets how their terminal and language are.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
}

/// Which news a client of `ask` and `call` wants before the answer; none where it is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// How far it is.
    pub progress: bool,
    /// How the text was understood; of `ask` only.
    pub understood: bool,
    /// What a person has to be asked: there is one, who answers by `answer_question`.
    pub questions: bool,
}

/// News of a request; an answer, a report, an end or an error is the last.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    /// How the text was understood.
    Understood(Understood),
    /// How far it is: the protocol's `ProgressValue`, as the plugin sent it.
    Progress(Box<RawValue>),
    /// Something that the person is asked; the request waits for `answer_question`, for five minutes at most, and its
    /// time stands still meanwhile.
    Question(Question),
    /// What came of it.
    Answer(Box<Answer>),
    /// What came of a run of a workflow.
    Report(Box<Report>),
    /// How a command ended.
    Finished(Finished),
    /// Why nothing came of it.
    Error(astros_protocol::Error),
}

/// Something that a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// What `answer_question` names.
    pub id: String,
    /// The plugin that wants something, or asks.
    pub plugin: String,
    /// One sentence. Where a plugin asks, these are its words.
    pub question: String,
    /// What the plugin wants and was not granted; none where the plugin asks.
    #[serde(default)]
    pub permission: Option<String>,
    /// What may be answered; empty: anything. Where a permission is wanted, `yes` is for this request, `always` is
    /// granted and kept.
    #[serde(default)]
    pub choices: Vec<String>,
    /// A JSON Schema that the answer has to fit.
    #[serde(default)]
    pub schema: Option<Value>,
    /// Where a plugin waits to be enabled: what it asks for and gets by `always`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asks: Option<Asks>,
}

/// What came of a request. `response.success: false` is an answer, not an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// As the plugin sent it, further members included.
    pub response: Response,
    /// Who answered.
    pub plugin: String,
    pub handler: String,
    /// How sure the recognition was, 0 to 1; 1 for a call by name.
    pub confidence: f64,
    /// What the handler was given.
    pub context: Extra,
    /// The same in every call that this request caused.
    pub correlation_id: String,
    /// What could be said next, as sentences.
    #[serde(default)]
    pub suggestions: Vec<String>,
    /// What helps where it was not done for want of a permission, by AstrOS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a text was understood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Understood {
    /// Who would be asked first; none where nobody reaches the threshold.
    pub chosen: Option<Candidate>,
    /// The plugin that asked back in this session, and gets the text first.
    pub followup: Option<String>,
    /// The least confidence, 0 to 1.
    pub threshold: f64,
    /// Within this of the best, priority decides.
    pub margin: f64,
    /// The best first.
    pub candidates: Vec<Explained>,
}

/// A handler that a text may mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub plugin: String,
    pub handler: String,
    /// 0 to 1, to three places.
    pub confidence: f64,
}

/// A candidate, and why it is one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    #[serde(flatten)]
    pub candidate: Candidate,
    pub priority: i32,
    /// What the text says for the handler's parameters.
    pub context: Extra,
    /// The declared example that fits word by word.
    pub template: Option<String>,
    /// The words that speak for it with their share, the heaviest first.
    pub words: Vec<(String, f64)>,
    /// The most similar example with its similarity.
    pub nearest: Option<(String, f64)>,
}

/// A message of the bus.
#[derive(Debug, Serialize, Deserialize)]
pub struct Published {
    pub subject: String,
    pub data: Box<RawValue>,
    /// The plugin that published it; `user` is the person, `astros` the host.
    pub sender: String,
    /// So many before it came faster than they were taken, and are lost to this subscription.
    #[serde(default)]
    pub dropped: u64,
}

/// An item of a log that is followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Logged {
    Record(Record),
    /// So many records came faster than they were taken, and are in the log only.
    Missed(u64),
}

/// How the daemon and its plugins are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    #[serde(flatten)]
    pub hello: Hello,
    /// It takes no more requests, and ends when those it has are done.
    pub draining: bool,
    /// What a person should look at, the worst first.
    pub problems: Vec<Problem>,
    /// Plugins that run once `astros plugins setup` has installed what they need.
    #[serde(default)]
    pub needs_setup: Vec<Problem>,
    /// How many plugins are in each state; those of `needs_setup` are counted as that.
    pub plugins: BTreeMap<String, usize>,
    /// Requests that plugins work on.
    pub in_flight: usize,
    /// Clients that are connected.
    pub connections: usize,
    /// Counts of all plugins since the start, by name: `calls`, `errors`, `restarts`, `crashes`, `kills`, `refusals`, `denials`,
    /// `oddities`, `dropped_log_lines`.
    pub counters: BTreeMap<String, u64>,
    /// The numbers of each plugin, by its name.
    pub metrics: BTreeMap<String, PluginSnapshot>,
    /// How far plugins are asked what they offer, while they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
}

/// What a person should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// The plugin, or none where it is about the daemon.
    pub plugin: Option<String>,
    /// The plugin's state.
    pub state: Option<String>,
    /// One sentence.
    pub what: String,
    /// What helps.
    pub hint: Option<String>,
}
