//! A plugin's process without supervision, for who speaks with it by himself.

use std::process::ExitStatus;

use astros_protocol::{Error, manifest::Exit};

use super::{
    Spec,
    command::command,
    process::{Pipes, Process},
    program::spawn_failed,
    words,
};

/// A process that has begun.
pub(crate) struct Started {
    pub(crate) process: Process,
    pub(crate) pipes: Pipes,
}

/// Starts it as a supervisor would.
///
/// # Errors
/// Its program is not there, or cannot be started.
pub(crate) async fn start(spec: &Spec) -> Result<Started, Error> {
    let prepared = command(spec).await?;
    let program = prepared.policy.program.clone();
    let spawned = Process::spawn(spec, prepared, |_| {}).await;
    let (process, pipes) = spawned.map_err(|error| spawn_failed(spec, program.as_ref(), &error))?;
    Ok(Started { process, pipes })
}

/// How it ended, as a manifest names it.
pub(crate) fn exit(status: ExitStatus) -> Exit {
    words::ended(status)
}
