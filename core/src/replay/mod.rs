//! Replays a recording: plays the host's part of it for a plugin, and compares what the plugin does.
//!
//! What the host said is said again once all that stands before it in the recording has come: causes keep their
//! order, times do not matter. [`compare`] says what differs, [`vary`] what may; `play` drives one process.

mod compare;
mod play;
mod vary;

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use astros_protocol::{Error, ErrorCode, lifecycle::Directories, manifest::Permission};
use serde::Serialize;
use serde_json::Value;

use crate::{
    recording::{Process, Recording, What},
    supervisor::{Launch, Spec},
};
use play::Play;
pub use vary::Varying;

/// How a recording is replayed.
#[derive(Clone, Debug)]
pub struct Options {
    /// What is started instead of the recorded command, and where.
    pub command: Option<(Vec<String>, PathBuf)>,
    /// What may differ.
    pub varying: Varying,
    /// How long is waited for what stands in the recording.
    pub timeout: Duration,
    /// The environment; the plugin gets what is allowed of it.
    pub environment: Vec<(OsString, OsString)>,
    /// The folder that holds the Python SDK's package.
    pub python_sdk: PathBuf,
    /// What the plugin may beside its own folders: what the file says that it may is not the person's word.
    pub granted: Vec<Permission>,
    /// Folders that no grant reaches.
    pub hidden: Vec<PathBuf>,
}

/// Something that is other than in the recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which process of the recording, from 1.
    pub process: usize,
    /// The line of the recording, from 1; none where what came does not stand there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// In words: ``the answer to `handle_intent` ``.
    pub about: String,
    /// JSON pointer into the message; empty for all of it.
    pub pointer: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub got: Option<Value>,
}

/// Drives the plugin with every process of the recording, one after the other, in folders that are thrown away.
///
/// # Errors
/// It cannot be started.
pub async fn replay(recording: &Recording, options: &Options) -> Result<Vec<Difference>, Error> {
    let folder = tempfile::Builder::new().prefix("astros-replay-").tempdir().map_err(|error| {
        Error::new(ErrorCode::INTERNAL_ERROR, format!("there is no folder for the plugin's data: {error}"))
    })?;
    let mut differences = Vec::new();
    for (index, process) in recording.processes.iter().enumerate() {
        let (process, directories) = elsewhere(process, folder.path())?;
        let spec = Spec { directories, ..spec(recording, &process, options) };
        differences.extend(Play::start(index + 1, &spec, &process, options).await?.run().await);
    }
    Ok(differences)
}

fn spec(recording: &Recording, process: &Process, options: &Options) -> Spec {
    let (words, folder) = options.command.clone().unwrap_or_else(|| {
        let started = process.started.clone();
        let words = [started.program].into_iter().chain(started.args).collect();
        (words, started.folder.into())
    });
    Spec {
        python_sdk: Some(options.python_sdk.clone()),
        environment: Arc::new(options.environment.clone()),
        granted: options.granted.clone(),
        hidden: options.hidden.clone().into(),
        ..Spec::new(&*recording.head.plugin, folder, Launch::Command(words))
    }
}

/// The process with folders of its own that are not the recorded ones: what the plugin keeps there is somebody's.
fn elsewhere(process: &Process, below: &Path) -> Result<(Process, Directories), Error> {
    let mut process = process.clone();
    let first = process.events.iter().find_map(|event| match &event.what {
        What::Host(line) => serde_json::from_str::<Value>(line).ok(),
        _ => None,
    });
    let first = first.unwrap_or_default();
    let recorded = serde_json::from_value(first["params"]["directories"].clone());
    let mut own: Directories = recorded.unwrap_or_default();
    for (name, folder) in [("data", &mut own.data), ("cache", &mut own.cache), ("config", &mut own.config)] {
        let recorded = std::mem::replace(folder, below.join(name).to_string_lossy().into_owned());
        std::fs::create_dir_all(&*folder).map_err(|error| {
            Error::new(ErrorCode::INTERNAL_ERROR, format!("the folder `{folder}`: {error}"))
        })?;
        if recorded.len() > 1 {
            instead(&mut process, &inner(&recorded), &inner(folder));
        }
    }
    Ok((process, own))
}

/// Everybody names this folder instead of that one.
fn instead(process: &mut Process, recorded: &str, own: &str) {
    for event in &mut process.events {
        match &mut event.what {
            What::Host(line) => *line = line.replace(recorded, own),
            What::Plugin(message) => {
                let text = message.to_string().replace(recorded, own);
                *message = serde_json::from_str(&text).unwrap_or_default();
            }
            _ => {}
        }
    }
}

/// A text as it stands within a text of JSON.
fn inner(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
