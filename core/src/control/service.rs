//! What the methods of the control API do: each asks the daemon, and says what came of it.

use std::sync::Arc;

use astros_protocol::{
    Error, ErrorCode, Extra,
    manifest::{Permission, PermissionError},
};
use jsonrpsee::{
    PendingSubscriptionSink,
    core::{SubscriptionResult, async_trait},
};
use serde_json::{Value, value::RawValue};
use tokio::sync::broadcast::error::RecvError;

use super::{
    api::{
        Answer, Command, ControlServer, Drawing, Hello, Logged, News, Person, Published, Status, Understood,
        Wanted,
    },
    failure::Failure,
    lifetime::Lifetime,
    question::Open,
    request::{self, Listens, send},
    streams::Lent,
};
use crate::{
    agent,
    bus::{Delivery, Pattern},
    daemon::{
        Asks, CommandRun, Daemon, Health, Listed, ListedWorkflow, Offered, OfferedComponent, OfferedProvider,
        Order, PluginSettings, SetupPlan, ShownWorkflow, Stage, Wish, Word,
    },
    router::Publisher,
    services::{audit::Event, log::Record},
    workflow::RunSummary,
};

/// How many records of a log are read where nobody says it.
const RECORDS: usize = 50;

/// The methods, on one daemon.
pub(super) struct Service {
    pub(super) daemon: Arc<Daemon>,
    pub(super) hello: Hello,
    pub(super) lifetime: Arc<Lifetime>,
    pub(super) questions: Open,
    pub(super) lent: Arc<Lent>,
}

#[async_trait]
impl ControlServer for Service {
    async fn hello(&self) -> Result<Hello, Failure> {
        Ok(self.hello.clone())
    }

    async fn status(&self) -> Result<Status, Failure> {
        Ok(Status::new(&self.daemon, &self.hello, &self.lifetime))
    }

    async fn ask(
        &self,
        pending: PendingSubscriptionSink,
        text: String,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult {
        let work = |Listens { understood: listener, progress, questions }| async {
            let person = agent::Person { questions, ..request::person(&self.daemon, person)? };
            request::ask(&self.daemon, &text, &person, listener, progress).await.map(News::from)
        };
        request::tell(pending, self, wanted.unwrap_or_default(), work).await;
        Ok(())
    }

    async fn understand(&self, text: String, person: Option<Person>) -> Result<Understood, Failure> {
        let _open = self.lifetime.begin()?;
        let person = request::person(&self.daemon, person)?;
        Ok(request::understand(&self.daemon, &text, &person).await?)
    }

    async fn call(
        &self,
        pending: PendingSubscriptionSink,
        plugin: String,
        handler: String,
        params: Option<Extra>,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult {
        let work = |Listens { progress, questions, .. }| async {
            let person = agent::Person { questions, ..request::person(&self.daemon, person)? };
            self.daemon.usable(&plugin)?;
            let params = params.unwrap_or_default();
            self.daemon.agent().invoke(&plugin, &handler, params, &person, progress).await.map(News::from)
        };
        request::tell(pending, self, wanted.unwrap_or_default(), work).await;
        Ok(())
    }

    async fn render(
        &self,
        pending: PendingSubscriptionSink,
        drawing: Drawing,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult {
        let work = |Listens { progress, questions, .. }| async {
            let person = agent::Person { questions, ..request::person(&self.daemon, person)? };
            let Drawing { component, plugin, props, terminal, streams, environment } = drawing;
            let wanted = agent::draw::Wanted { component, plugin, props, terminal };
            let Some(token) = streams else {
                return self.daemon.agent().draw(wanted, &person, progress).await.map(News::from);
            };
            let (streams, signals, _used) = self.lent.take(&token)?;
            let stage = Stage { environment, streams, signals };
            self.daemon.draw_in_foreground(wanted, stage, &person).await.map(News::Finished)
        };
        request::tell(pending, self, wanted.unwrap_or_default(), work).await;
        Ok(())
    }

    async fn components(&self) -> Result<Vec<OfferedComponent>, Failure> {
        Ok(self.daemon.components().await)
    }

    async fn providers(&self) -> Result<Vec<OfferedProvider>, Failure> {
        Ok(self.daemon.providers().await)
    }

    async fn default_provider(&self) -> Result<Option<String>, Failure> {
        Ok(self.daemon.default_provider())
    }

    async fn provider_health(&self, name: String) -> Result<Health, Failure> {
        let _open = self.lifetime.begin()?;
        Ok(self.daemon.provider_health(&name).await?)
    }

    async fn answer_question(&self, id: String, answer: Value) -> Result<(), Failure> {
        Ok(self.questions.answer(&self.daemon, &id, answer).await?)
    }

    async fn answer(&self, text: String, person: Option<Person>) -> Result<Answer, Failure> {
        let _open = self.lifetime.begin()?;
        let person = request::person(&self.daemon, person)?;
        Ok(request::ask(&self.daemon, &text, &person, None, None).await?.into())
    }

    async fn invoke(
        &self,
        plugin: String,
        handler: String,
        params: Option<Extra>,
        person: Option<Person>,
    ) -> Result<Answer, Failure> {
        let _open = self.lifetime.begin()?;
        let person = request::person(&self.daemon, person)?;
        self.daemon.usable(&plugin)?;
        let params = params.unwrap_or_default();
        Ok(self.daemon.agent().invoke(&plugin, &handler, params, &person, None).await?.into())
    }

    async fn commands(&self) -> Result<Vec<Word>, Failure> {
        Ok(self.daemon.commands().words())
    }

    async fn command(&self, name: String) -> Result<Offered, Failure> {
        let _open = self.lifetime.begin()?;
        Ok(self.daemon.command(&name).await?)
    }

    async fn run(
        &self,
        pending: PendingSubscriptionSink,
        command: Command,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult {
        let work = |Listens { questions, .. }| async {
            let person = agent::Person { questions, ..request::person(&self.daemon, person)? };
            let Command { streams, plugin, command, args, said, argv, terminal, environment } = command;
            let (streams, signals, _used) = self.lent.take(&streams)?;
            let stage = Stage { environment, streams, signals };
            let run = CommandRun { plugin, command, args, said, argv, terminal, stage };
            self.daemon.run_command(run, &person).await.map(News::Finished)
        };
        request::tell(pending, self, wanted.unwrap_or_default(), work).await;
        Ok(())
    }

    async fn signal(&self, streams: String, signal: String) -> Result<(), Failure> {
        Ok(self.lent.signal(&streams, &signal).await?)
    }

    async fn list(&self) -> Result<Vec<Listed>, Failure> {
        Ok(self.daemon.list())
    }

    async fn show(&self, name: String) -> Result<Value, Failure> {
        Ok(self.daemon.show(&name).await?)
    }

    async fn permissions(&self, name: String) -> Result<Asks, Failure> {
        Ok(self.daemon.permissions(&name).await?)
    }

    async fn enable(&self, name: String, permissions: Option<Vec<String>>) -> Result<(), Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        let agreed = permissions.map(|lines| parse(&lines)).transpose()?;
        whole(async move { daemon.enable(&name, agreed).await }).await
    }

    async fn grant(&self, name: String, permissions: Vec<String>) -> Result<Vec<Wish>, Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        self.daemon.usable(&name)?;
        let permissions = parse(&permissions)?;
        whole(async move { daemon.grant(&name, permissions).await }).await
    }

    async fn revoke(&self, name: String, permissions: Option<Vec<String>>) -> Result<Vec<Wish>, Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        self.daemon.usable(&name)?;
        let permissions = parse(&permissions.unwrap_or_default())?;
        whole(async move { daemon.revoke(&name, permissions).await }).await
    }

    async fn setup_plan(&self, name: String) -> Result<SetupPlan, Failure> {
        Ok(self.daemon.setup_plan(&name).await?)
    }

    async fn settings(&self, name: Option<String>) -> Result<Vec<PluginSettings>, Failure> {
        Ok(self.daemon.settings(name.as_deref()).await?)
    }

    async fn set_setting(
        &self,
        name: String,
        key: String,
        value: Option<String>,
    ) -> Result<PluginSettings, Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        whole(async move {
            match value {
                Some(text) => daemon.set_setting(&name, &key, &text).await,
                None => daemon.unset_setting(&name, &key).await,
            }
        })
        .await
    }

    async fn check_settings(&self, name: Option<String>) -> Result<Vec<PluginSettings>, Failure> {
        Ok(self.daemon.check_settings(name.as_deref()).await?)
    }

    async fn audit(&self, count: Option<usize>) -> Result<Vec<Event>, Failure> {
        Ok(self.daemon.audited(count.unwrap_or(RECORDS)).await?)
    }

    async fn disable(&self, name: String) -> Result<(), Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        whole(async move { daemon.set_enabled(&name, false).await }).await
    }

    async fn restart(&self, name: String) -> Result<(), Failure> {
        let _open = self.lifetime.begin()?;
        Ok(self.daemon.restart(&name).await?)
    }

    async fn reload(&self, name: String) -> Result<(), Failure> {
        let (_open, daemon) = (self.lifetime.begin()?, self.daemon.clone());
        whole(async move { daemon.reload(&name).await }).await
    }

    async fn reset(&self, name: String) -> Result<(), Failure> {
        Ok(self.daemon.reset(&name)?)
    }

    async fn logs(&self, name: String, count: Option<usize>) -> Result<Vec<Record>, Failure> {
        Ok(self.daemon.logs(&name, count.unwrap_or(RECORDS)).await?)
    }

    async fn follow_logs(
        &self,
        pending: PendingSubscriptionSink,
        name: String,
        count: Option<usize>,
    ) -> SubscriptionResult {
        // Heard from before the log is read: nothing is missed between the two.
        let mut heard = self.daemon.follow_logs();
        let before = match self.daemon.logs(&name, count.unwrap_or_default()).await {
            Ok(records) => records,
            Err(error) => {
                pending.reject(Failure(error)).await;
                return Ok(());
            }
        };
        let sink = pending.accept().await?;
        let told = before.last().map(|record| record.time);
        for record in before {
            send(&sink, &Logged::Record(record)).await;
        }
        loop {
            let item = tokio::select! {
                () = sink.closed() => break,
                item = heard.recv() => item,
            };
            match item {
                Ok(record) if record.plugin == name && Some(record.time) > told => {
                    send(&sink, &Logged::Record(record)).await;
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => send(&sink, &Logged::Missed(missed)).await,
                Err(RecvError::Closed) => break,
            }
        }
        Ok(())
    }

    async fn tail(&self, pending: PendingSubscriptionSink, subject: String) -> SubscriptionResult {
        let pattern = match Pattern::parse(&subject) {
            Ok(pattern) => pattern,
            Err(error) => {
                pending.reject(Failure(error.into())).await;
                return Ok(());
            }
        };
        let mut messages = self.daemon.router().bus().stream(pattern);
        let sink = pending.accept().await?;
        loop {
            let next = tokio::select! {
                () = sink.closed() => break,
                next = messages.next() => next,
            };
            let Some(Delivery { message, dropped }) = next else { break };
            let (subject, data) = (message.subject.to_string(), message.data.clone());
            send(&sink, &Published { subject, data, sender: message.sender.to_string(), dropped }).await;
        }
        Ok(())
    }

    async fn publish(&self, subject: String, data: Value) -> Result<(), Failure> {
        let data = RawValue::from_string(data.to_string());
        let data = data.map_err(|error| Error::new(ErrorCode::INVALID_PARAMS, error.to_string()))?;
        Ok(self.daemon.router().publish_message(Publisher::Person, &subject, data)?)
    }

    async fn workflows(&self) -> Result<Vec<ListedWorkflow>, Failure> {
        Ok(self.daemon.workflows().await?)
    }

    async fn workflow(&self, name: String, person: Option<Person>) -> Result<ShownWorkflow, Failure> {
        let _open = self.lifetime.begin()?;
        let person = request::person(&self.daemon, person)?;
        Ok(self.daemon.workflow(&name, &person).await?)
    }

    async fn workflow_runs(&self) -> Result<Vec<RunSummary>, Failure> {
        Ok(self.daemon.workflow_runs().await?)
    }

    async fn run_workflow(
        &self,
        pending: PendingSubscriptionSink,
        order: Order,
        person: Option<Person>,
        wanted: Option<Wanted>,
    ) -> SubscriptionResult {
        let work = |Listens { progress, questions, .. }| async {
            let person = agent::Person { questions, ..request::person(&self.daemon, person)? };
            self.daemon.run_workflow(order, &person, progress).await
        };
        request::tell(pending, self, wanted.unwrap_or_default(), work).await;
        Ok(())
    }

    async fn stop(&self) -> Result<(), Failure> {
        if self.lifetime.ask_to_stop() {
            return Ok(());
        }
        let error = Error::new(ErrorCode::INVALID_REQUEST, "no daemon runs that could be stopped");
        Err(error.with_hint("this one is embedded in the command, and ends with it").into())
    }
}

fn parse(lines: &[String]) -> Result<Vec<Permission>, Error> {
    let read = lines.iter().map(|line| line.parse());
    read.collect::<Result<_, _>>()
        .map_err(|error: PermissionError| Error::new(ErrorCode::INVALID_PARAMS, error.to_string()))
}

/// A change goes on where its client is gone: half of one is none.
async fn whole<T: Send + 'static>(
    change: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Failure> {
    let changed = tokio::spawn(change).await;
    Ok(changed.unwrap_or_else(|error| Err(Error::new(ErrorCode::INTERNAL_ERROR, error.to_string())))?)
}
