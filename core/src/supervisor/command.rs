//! From a [`Spec`] to the command that starts its process.

use std::{ffi::OsString, path::Path, process::Stdio};

use astros_protocol::{Error, version::SUPPORTED};
use tokio::process::Command;

use super::{Launch, Spec, environment, program, python};

/// Finds the program and puts the command together. The process will lead a group of its own, in the plugin's
/// folder, with pipes for input, output and errors, and with nothing in its environment but what is allowed.
pub(crate) async fn command(spec: &Spec) -> Result<Command, Error> {
    let mut command = match &spec.launch {
        Launch::Executable(path) => Command::new(program::executable(spec, path)?),
        Launch::Python { target, interpreter } => {
            let mut command = Command::new(python::interpreter(spec, interpreter.as_deref()).await?);
            command.args(["-m", "astros.run", target]);
            command
        }
        Launch::Command(words) => {
            let (first, rest) = words.split_first().ok_or_else(|| {
                program::unavailable(spec, "its command is empty").with_hint("correct `run` in its manifest")
            })?;
            let mut path = program::command(spec, Path::new(first))?;
            if first.starts_with("python") {
                path = python::behind_shim(spec, path).await;
            }
            let mut command = Command::new(path);
            command.args(rest);
            command
        }
    };
    command
        .args(&spec.args)
        .env_clear()
        .envs(variables(spec))
        .current_dir(&spec.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    Ok(command)
}

fn variables(spec: &Spec) -> Vec<(OsString, OsString)> {
    let mut variables = environment::allowed(&spec.environment, &spec.name, &spec.plugins, spec.session_bus);
    let newest = SUPPORTED.iter().max().expect("the protocol crate speaks a version");
    variables.push(("ASTROS_PROTOCOL".into(), newest.to_string().into()));
    if let Some(sdk) = &spec.python_sdk {
        variables.push(("PYTHONPATH".into(), sdk.into()));
    }
    variables
}
