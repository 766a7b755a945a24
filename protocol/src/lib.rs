//! The AstrOS plugin protocol, version 1.0: types only, no I/O.
//!
//! A host and a plugin exchange JSON-RPC 2.0 messages, one a line, over the plugin's stdin and stdout.
//! Each method is a type that binds its name, its params and its result ([`Request`], [`Notification`]).
//! JSON Schemas, golden messages and the reference page are made from these types.

pub mod ai;
pub mod bus;
pub mod call;
pub mod catalog;
pub mod command;
pub mod error;
pub mod intent;
pub mod lifecycle;
#[cfg(feature = "manifest")]
pub mod manifest;
pub mod message;
pub mod method;
pub mod person;
pub mod rules;
pub mod schema;
pub mod settings;
pub mod storage;
pub mod stream;
pub mod ui;
pub mod version;
pub mod workflow;

pub use error::{Error, ErrorCode, ErrorData};
pub use intent::{Intent, Meta, Response};
pub use lifecycle::{HandlerDescription, PluginDescription};
pub use message::{Id, Malformed, Message, Params};
pub use method::{Notification, Request};
pub use version::Version;

/// Unknown members of a message, kept so that they survive where it is passed on.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A frame (one line, its end excluded) is at most this many bytes unless configured.
pub const MAX_FRAME_BYTES: usize = 16 << 20;
/// A `$/progress` value is at most this many bytes.
pub const MAX_PROGRESS_BYTES: usize = 64 << 10;
/// The data of a message on the bus is at most this many bytes.
pub const MAX_BUS_MESSAGE_BYTES: usize = 1 << 20;
/// Variables that look like settings of some plugin (`ASTROS_<PLUGIN>_<KEY>`), and are the host's.
pub const RESERVED_VARIABLES: [&str; 8] = [
    "ASTROS_HOME",
    "ASTROS_PLUGIN_PATH",
    "ASTROS_PROTOCOL",
    "ASTROS_RPC_FDS",
    "LOCALAGENT_DEV_MODE",
    "LOCALAGENT_LOG_LEVEL",
    "LOCALAGENT_PLUGINS_ALLOW_DEV",
    "LOCALAGENT_PLUGINS_ENABLED",
];
/// The reserved handler of direct messages: not listed in descriptions, called like any other.
pub const MESSAGE_HANDLER: &str = "$message";

/// The reserved handler by which a plugin has another draw a component: its params are those of `ui/render` without
/// `meta`, the tree is the `data` of the Response.
pub const RENDER_HANDLER: &str = "$render";
/// So many `$/progress` messages of one request may be unacknowledged.
pub const PROGRESS_WINDOW: usize = 32;
