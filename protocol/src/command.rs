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

/// A command that a plugin adds, or a group of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommandDescription {
    /// The word that calls it.
    pub name: String,
    /// What it does; lists show the first line.
    pub description: String,
    /// What it takes: those without `flags` by place, in this order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<CommandParameter>,
    /// The commands below it; one that has some is a group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandDescription>,
    /// Whether it also takes words and options that do not stand here; from the first of them on all is in `argv`
    /// alone. It checks what it takes itself, so that nothing is required before it runs.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rest: bool,
    /// A group that also runs by itself.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub runs: bool,
    /// Whether lists leave it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// What stands below its help.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub epilog: String,
    #[serde(flatten)]
    pub extra: Extra,
}

/// An argument or an option of a command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommandParameter {
    /// Its name in `args`.
    pub name: String,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What it takes.
    pub r#type: CommandValue,
    /// The flags that say it, such as `--detailed` and `-d`; none: it comes by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// The flags that take a `boolean` back, such as `--no-detailed`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub off_flags: Vec<String>,
    /// The only texts that it may be; none: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// Whether the choices may be said in capitals and small letters alike; `args` has them as they stand here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ignore_case: bool,
    /// What it is where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Whether it has to be said.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// Whether it may be said several times; it is a list then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
    /// The number of values that it takes at once, where that is more than one; it is a list then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<u32>,
    /// The word for its value in the help, such as `FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metavar: Option<String>,
    /// Whether the help leaves it out.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    #[serde(flatten)]
    pub extra: Extra,
}

/// What a parameter of a command takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandValue {
    /// Any text.
    #[default]
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false; an option takes no value.
    Boolean,
    /// A file or a folder, for completion.
    Path,
    /// How often the flag stands there, as in `-vvv`.
    Count,
    /// A word of a later version; as `string`.
    #[serde(untagged)]
    Other(String),
}

/// Params of `command/run`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRunParams {
    /// The command, as the plugin's description names it; the words of a nested one have spaces between them.
    pub command: String,
    /// The parameters by name, typed as the description says, defaults among them.
    #[serde(default)]
    pub args: Extra,
    /// The words as the person typed them, from the top-level command on, for an SDK that reads them itself.
    #[serde(default)]
    pub argv: Vec<String>,
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
