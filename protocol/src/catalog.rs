//! Every method of the protocol, as values: schemas, the reference page and the conformance tests go through it.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    ErrorCode, Notification, Request, ai, bus, call, command, lifecycle, person, settings, storage, stream,
    ui, workflow,
};

/// A method: its name, who sends it, and what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Method {
    /// The name on the wire.
    pub name: &'static str,
    /// Who sends it.
    pub from: Sender,
    /// What it is for, in one or two sentences.
    pub doc: &'static str,
    /// What `params` has to be.
    pub params: Shape,
    /// What `result` has to be; none for a notification.
    pub result: Option<Shape>,
    /// What it may fail with, beside [`ANY_OF_PLUGINS`] or [`ANY_OF_HOSTS`].
    pub errors: &'static [ErrorCode],
}

/// What every request to a plugin may fail with.
pub const ANY_OF_PLUGINS: &[ErrorCode] = &[
    ErrorCode::METHOD_NOT_FOUND,
    ErrorCode::INVALID_PARAMS,
    ErrorCode::INTERNAL_ERROR,
    ErrorCode::CANCELLED,
    ErrorCode::SHUTTING_DOWN,
];

/// What every request to a host may fail with.
pub const ANY_OF_HOSTS: &[ErrorCode] = &[
    ErrorCode::METHOD_NOT_FOUND,
    ErrorCode::INVALID_PARAMS,
    ErrorCode::INTERNAL_ERROR,
    ErrorCode::CANCELLED,
    ErrorCode::OVERLOADED,
    ErrorCode::FRAME_TOO_LARGE,
    ErrorCode::SHUTTING_DOWN,
];

impl Method {
    /// All that it may fail with, its own first; nothing for a notification.
    pub fn all_errors(&self) -> impl Iterator<Item = ErrorCode> {
        let common = match (self.result, self.from) {
            (None, _) => &[],
            (_, Sender::Host) => ANY_OF_PLUGINS,
            _ => ANY_OF_HOSTS,
        };
        self.errors.iter().chain(common).copied()
    }
}

/// Who sends a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The host.
    Host,
    /// The plugin.
    Plugin,
    /// Either side.
    Both,
}

/// What a value has to be.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Its JSON Schema.
    pub schema: fn() -> Schema,
    /// Reads a value as this shape and writes it again: all that a side understands of it, or why it does not fit.
    pub understand: fn(&Value) -> serde_json::Result<Value>,
}

impl Shape {
    fn of<T: Serialize + DeserializeOwned + JsonSchema>() -> Self {
        Self {
            schema: || schema_for!(T),
            understand: |value| serde_json::to_value(serde_json::from_value::<T>(value.clone())?),
        }
    }
}

/// Every method, in the order of the reference page.
pub fn methods() -> Vec<Method> {
    use Sender::{Both, Host, Plugin};
    vec![
        request::<lifecycle::Initialize>(Host),
        request::<lifecycle::Describe>(Host),
        request::<lifecycle::Ping>(Host),
        request::<lifecycle::Shutdown>(Host),
        request::<call::HandleIntent>(Host),
        request::<command::CommandRun>(Host),
        request::<ai::ProviderHealthCheck>(Host),
        request::<ai::ProviderComplete>(Host),
        request::<ai::ProviderChat>(Host),
        request::<ai::ProviderAnalyzeImage>(Host),
        request::<ai::ProviderEmbed>(Host),
        request::<ui::UiRender>(Host),
        request::<workflow::WorkflowRun>(Host),
        request::<bus::BusDeliver>(Host),
        request::<settings::SettingsChanged>(Host),
        request::<call::CallPlugin>(Plugin),
        request::<storage::StorageGet>(Plugin),
        request::<storage::StorageSet>(Plugin),
        request::<storage::StorageDelete>(Plugin),
        request::<storage::StorageList>(Plugin),
        request::<ai::AiComplete>(Plugin),
        request::<ai::AiChat>(Plugin),
        request::<ai::AiAnalyzeImage>(Plugin),
        request::<ai::AiEmbed>(Plugin),
        request::<bus::BusSubscribe>(Plugin),
        request::<bus::BusUnsubscribe>(Plugin),
        request::<bus::BusPublish>(Plugin),
        request::<person::UserAsk>(Plugin),
        notification::<person::Log>(Plugin),
        notification::<stream::Cancel>(Both),
        notification::<stream::Progress>(Both),
        notification::<stream::Ack>(Both),
    ]
}

/// The method of this name.
pub fn method(name: &str) -> Option<Method> {
    methods().into_iter().find(|method| method.name == name)
}

fn request<R: Request>(from: Sender) -> Method {
    Method {
        name: R::METHOD,
        from,
        doc: R::DOC.trim_ascii(),
        params: Shape::of::<R::Params>(),
        result: Some(Shape::of::<R::Result>()),
        errors: R::ERRORS,
    }
}

fn notification<N: Notification>(from: Sender) -> Method {
    Method {
        name: N::METHOD,
        from,
        doc: N::DOC.trim_ascii(),
        params: Shape::of::<N::Params>(),
        result: None,
        errors: &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_plugins_fail_only_as_they_may() {
        for method in methods().into_iter().filter(|method| method.from == Sender::Host) {
            for code in method.all_errors() {
                assert!(code.may_come_from_plugins(), "{} {}", method.name, code.kind());
            }
        }
    }

    #[test]
    fn names_each_error_once_a_method() {
        for method in methods() {
            let codes: Vec<_> = method.all_errors().collect();
            for (index, code) in codes.iter().enumerate() {
                assert!(!codes[..index].contains(code), "{} {}", method.name, code.kind());
            }
        }
    }
}
