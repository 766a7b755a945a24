//! Commands that plugins add: `command/run`.
//!
//! The process is on the person's terminal (stdin, stdout, stderr); the protocol runs on descriptors of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Extra, Meta, method::request};

request! {
    /// Host to plugin: run a command of the plugin's on the person's terminal.
    CommandRun: "command/run", CommandRunParams => CommandResult, [HANDLER_NOT_FOUND, HANDLER_FAILED, AI_FAILED];
}

/// Params of `command/run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRunParams {
    /// The command, as the plugin's description names it; the words of a nested one have spaces between them.
    pub command: String,
    /// The arguments by name, typed as the description says.
    #[serde(default)]
    pub args: Extra,
    /// The person's folder, absolute.
    pub cwd: String,
    /// What it is drawn on.
    #[serde(default)]
    pub terminal: Terminal,
    /// What travels beside it.
    #[serde(default)]
    pub meta: Meta,
}

/// What something is drawn on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Terminal {
    /// In characters.
    pub width: u32,
    /// Whether colours are shown and wanted.
    pub color: bool,
    /// Whether somebody can answer a prompt.
    pub interactive: bool,
}

impl Default for Terminal {
    fn default() -> Terminal {
        Terminal { width: 80, color: false, interactive: false }
    }
}

/// Result of `command/run`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandResult {
    /// The exit code, 0 to 255; 0 is a success.
    pub exit_code: u8,
    /// What the command found, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    #[serde(flatten)]
    pub extra: Extra,
}
