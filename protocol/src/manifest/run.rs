//! How a plugin is started: the `run` section.

use schemars::JsonSchema;
use serde::Deserialize;

/// How a plugin is started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RunSection")]
pub struct Run {
    /// What is started; absent: Python code, found in `src/main.py`, `main.py`, `plugin.py` or the entry points.
    pub program: Option<Program>,
    /// Arguments after the program.
    pub args: Vec<String>,
    /// The language it is written in, for listings.
    pub language: Option<String>,
    /// The interpreter for Python code, a name or a path; absent: one that fits `dependencies.python`.
    pub interpreter: Option<String>,
}

/// What is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// A file, looked for in the plugin's folder, beside the daemon, in libexec and on PATH.
    Executable(String),
    /// Python code that the SDK's runner loads.
    Python(PythonTarget),
    /// A command line: never empty; its first word is looked for on PATH or in the plugin's folder.
    Command(Vec<String>),
}

/// Where a Python plugin's code is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonTarget {
    /// A file in the plugin's folder.
    File(String),
    /// A class in a module that can be imported.
    Class {
        /// The module, with dots.
        module: String,
        /// The class in it.
        class: String,
    },
}

impl PythonTarget {
    /// Reads `src/main.py` or `module:Class`; none where a part is empty.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            _ if text.is_empty() => None,
            None => Some(Self::File(text.to_owned())),
            Some((module, class)) if !module.is_empty() && !class.is_empty() => {
                Some(Self::Class { module: module.to_owned(), class: class.to_owned() })
            }
            Some(_) => None,
        }
    }
}

/// How the plugin is started; at most one of executable, python and command.
#[derive(Deserialize, JsonSchema)]
#[serde(expecting = "a mapping")]
pub(super) struct RunSection {
    /// A file, looked for in the plugin's folder, beside the daemon, in libexec and on PATH.
    executable: Option<String>,
    /// `src/main.py`, or `module:Class`.
    python: Option<String>,
    /// A command line, for example [node, weather.js].
    command: Option<Vec<String>>,
    /// Arguments after the program.
    #[serde(default)]
    args: Vec<String>,
    /// The language it is written in, for listings.
    language: Option<String>,
    /// The interpreter for Python code, a name or a path.
    interpreter: Option<String>,
}

impl TryFrom<RunSection> for Run {
    type Error = &'static str;

    fn try_from(section: RunSection) -> Result<Self, Self::Error> {
        let program = match (section.executable, section.python, section.command) {
            (None, None, None) => None,
            (Some(name), None, None) if !name.is_empty() => Some(Program::Executable(name)),
            (Some(_), None, None) => return Err("has an empty `executable`, expected a name or a path"),
            (None, Some(python), None) => Some(Program::Python(
                PythonTarget::parse(&python)
                    .ok_or("has a bad `python`, expected `src/main.py` or `module:Class`")?,
            )),
            (None, None, Some(words)) if words.first().is_some_and(|word| !word.is_empty()) => {
                Some(Program::Command(words))
            }
            (None, None, Some(_)) => {
                return Err("has an empty `command`, expected words such as `[node, main.js]`");
            }
            _ => {
                return Err(
                    "names more than one program, expected one of `executable`, `python` and `command`",
                );
            }
        };
        Ok(Self { program, args: section.args, language: section.language, interpreter: section.interpreter })
    }
}
