//! Replays a recording: plays the host's part of it for a plugin, and compares what the plugin does.
//!
//! What the host said is said again once all that stands before it in the recording has come: causes keep their
//! order, times do not matter. [`compare`] says what differs, [`vary`] what may; `play` drives one process.

mod compare;
mod play;
mod vary;

use std::{ffi::OsString, path::PathBuf, sync::Arc, time::Duration};

use astros_protocol::{Error, ErrorCode};
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
        let process = elsewhere(process, folder.path())?;
        let spec = spec(recording, &process, options);
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
        ..Spec::new(&*recording.head.plugin, folder, Launch::Command(words))
    }
}

/// The process with folders of its own that are not the recorded ones: what the plugin keeps there is somebody's.
fn elsewhere(process: &Process, below: &std::path::Path) -> Result<Process, Error> {
    let mut process = process.clone();
    let first = process.events.iter().find_map(|event| match &event.what {
        What::Host(line) => serde_json::from_str::<Value>(line).ok(),
        _ => None,
    });
    let first = first.unwrap_or_default();
    let directories = first["params"]["directories"].as_object().into_iter().flatten();
    for (number, (_, recorded)) in directories.enumerate() {
        let Some(recorded) = recorded.as_str().filter(|path| path.len() > 1) else { continue };
        // A name is the file's to say, and may lead anywhere.
        let own = below.join(number.to_string());
        std::fs::create_dir_all(&own).map_err(|error| {
            Error::new(ErrorCode::INTERNAL_ERROR, format!("the folder `{}`: {error}", own.display()))
        })?;
        let own = own.to_string_lossy();
        for event in &mut process.events {
            match &mut event.what {
                What::Host(line) => *line = line.replace(&inner(recorded), &inner(&own)),
                What::Plugin(message) => {
                    let text = message.to_string().replace(&inner(recorded), &inner(&own));
                    *message = serde_json::from_str(&text).unwrap_or_default();
                }
                _ => {}
            }
        }
    }
    Ok(process)
}

/// A text as it stands within a text of JSON.
fn inner(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}
