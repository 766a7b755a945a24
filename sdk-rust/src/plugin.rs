//! The plugin as its author describes it.

use std::{any::TypeId, collections::HashMap, future::Future, process::ExitCode, sync::Arc};

use astros_protocol::{MESSAGE_HANDLER, PluginDescription};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{
    Context, Handler, Result,
    attend::Work,
    bus::Listener,
    command::Command,
    component::Component,
    provider::Provider,
    run,
    session::{SettingsKind, State},
    workflow::Part,
};

/// A plugin: what it is, and its handlers. Each function adds something and gives it back; [`Plugin::run`] serves.
pub struct Plugin {
    pub(crate) description: PluginDescription,
    pub(crate) handlers: HashMap<String, Handler>,
    pub(crate) commands: Vec<Command>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) parts: Vec<Part>,
    pub(crate) providers: Vec<Provider>,
    pub(crate) components: Vec<Component>,
    pub(crate) settings: Option<SettingsKind>,
    pub(crate) state: State,
    pub(crate) max_in_flight: Option<u32>,
    pub(crate) on_start: Option<Box<Hook>>,
    pub(crate) on_stop: Option<Box<Hook>>,
}

/// A function of the author's at start or end.
pub(crate) type Hook = dyn Fn(Context) -> Work<()> + Send + Sync;

impl Plugin {
    /// A plugin of this name and version; `env!("CARGO_PKG_VERSION")` is the crate's.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Plugin {
        let description = PluginDescription {
            name: name.into(),
            version: version.into(),
            language: "rust".to_owned(),
            ..PluginDescription::default()
        };
        Plugin {
            description,
            handlers: HashMap::new(),
            commands: Vec::new(),
            listeners: Vec::new(),
            parts: Vec::new(),
            providers: Vec::new(),
            components: Vec::new(),
            settings: None,
            state: State::new(),
            max_in_flight: None,
            on_start: None,
            on_stop: None,
        }
    }

    /// Adds a handler; a second one of the same name replaces the first.
    pub fn handler(mut self, handler: Handler) -> Plugin {
        let name = handler.description.name.clone();
        self.description.handlers.retain(|known| known.name != name);
        // The host takes direct messages to every plugin; it is no handler that people could mean.
        if name != MESSAGE_HANDLER {
            self.description.handlers.push(handler.description.clone());
        }
        self.handlers.insert(name, handler);
        self
    }

    /// What it is for, one sentence.
    pub fn description(mut self, description: impl Into<String>) -> Plugin {
        self.description.description = description.into();
        self
    }

    pub fn author(mut self, author: impl Into<String>) -> Plugin {
        self.description.author = author.into();
        self
    }

    /// An SPDX expression, such as `Apache-2.0`.
    pub fn license(mut self, license: impl Into<String>) -> Plugin {
        self.description.license = license.into();
        self
    }

    pub fn homepage(mut self, homepage: impl Into<String>) -> Plugin {
        self.description.homepage = homepage.into();
        self
    }

    /// Categories of intents, such as `file_management`.
    pub fn handles<S: Into<String>>(mut self, categories: impl IntoIterator<Item = S>) -> Plugin {
        self.description.handles.extend(categories.into_iter().map(Into::into));
        self
    }

    /// What it must be granted, as the manifest spells it.
    pub fn requires_permissions<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Plugin {
        self.description.requires_permissions.extend(names.into_iter().map(Into::into));
        self
    }

    /// Its answers can be spoken.
    pub fn supports_voice(mut self) -> Plugin {
        self.description.supports_voice = true;
        self
    }

    /// The type of its settings. Settings that do not fit it are refused, at start and when they change; members
    /// without a default of their own must be there.
    pub fn settings<T: DeserializeOwned + JsonSchema + Send + Sync + 'static>(mut self) -> Plugin {
        let kind = SettingsKind::of::<T>();
        self.description.settings_schema = kind.schema.clone();
        self.settings = Some(kind);
        self
    }

    /// Shares a value between all handlers, one of each type: `ctx.state::<T>()`.
    pub fn state<T: Send + Sync + 'static>(mut self, state: T) -> Plugin {
        self.state.insert(TypeId::of::<T>(), Arc::new(state));
        self
    }

    /// How many requests it works on at once; 1 makes it serial. The host keeps to it.
    pub fn max_in_flight(mut self, requests: u32) -> Plugin {
        self.max_in_flight = Some(requests);
        self
    }

    /// Runs before the first request; the plugin is not ready until it has ended, and does not start where it fails.
    pub fn on_start<F, Fut>(mut self, function: F) -> Plugin
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.on_start = Some(hook(function));
        self
    }

    /// Runs after the last request, also where the host is gone or the process is asked to end; it has 5 s then.
    pub fn on_stop<F, Fut>(mut self, function: F) -> Plugin
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        self.on_stop = Some(hook(function));
        self
    }

    /// Serves the host until it is done. Call it first in `main`, before anything is printed: it moves the protocol
    /// away from stdin and stdout, so that nothing that is printed later can disturb it.
    /// Started by hand, the plugin says what it is and ends with status 2.
    pub fn run(self) -> ExitCode {
        run::run(self)
    }
}

fn hook<F, Fut>(function: F) -> Box<Hook>
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    let function = Arc::new(function);
    Box::new(move |ctx| {
        let function = function.clone();
        Box::pin(async move { function(ctx).await })
    })
}
