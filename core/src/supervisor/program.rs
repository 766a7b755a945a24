//! Finds the file that a manifest names, or says what was looked for, where, and what helps.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};

use super::{Spec, confine::home};

/// The executable of a manifest: below the plugin's folder, then below each folder of `look_in`, then on PATH.
pub(crate) fn executable(spec: &Spec, program: &Path) -> Result<PathBuf, Error> {
    let mut folders = vec![spec.folder.as_path()];
    // A path with folders in it is meant as it stands; only a bare name may be anywhere.
    if is_bare(program) {
        folders.extend(spec.look_in.iter().map(PathBuf::as_path));
    }
    // An absolute path stays itself when it is joined.
    let mut candidates = folders.iter().map(|folder| folder.join(program));
    match candidates.find(|path| path.exists()) {
        Some(path) => usable(spec, path),
        None => on_path(spec, program).ok_or_else(|| missing(spec, "executable", program, &folders)),
    }
}

/// The program of a command line: a bare name on PATH, then in the plugin's folder; else below that folder.
pub(crate) fn command(spec: &Spec, program: &Path) -> Result<PathBuf, Error> {
    if let Some(path) = on_path(spec, program) {
        return Ok(path);
    }
    let path = spec.folder.join(program);
    if path.exists() { usable(spec, path) } else { Err(missing(spec, "program", program, &[&spec.folder])) }
}

/// A bare name on the PATH that the plugin will have.
pub(crate) fn on_path(spec: &Spec, program: &Path) -> Option<PathBuf> {
    // A relative folder on PATH is nowhere: in the plugin's it would hold what the plugin put there.
    let found = which::which_in(program, path_variable(spec), "/");
    found.ok().filter(|_| is_bare(program))
}

/// Whether a program may be started outside of a sandbox: no plugin could have put it where it is.
pub(crate) fn is_trusted(spec: &Spec, path: &Path) -> bool {
    let Ok(real) = path.canonicalize() else { return false };
    let below = home(spec).and_then(|home| Some(real.strip_prefix(home).ok()?.to_owned()));
    // What begins with a dot is in no grant of a home.
    let hidden = |below: PathBuf| below.to_string_lossy().starts_with('.');
    let is_the_plugins = spec.folder.parent().is_some() && real.starts_with(&spec.folder);
    !is_the_plugins && below.is_none_or(hidden)
}

fn path_variable(spec: &Spec) -> Option<&OsStr> {
    let (_, value) = spec.environment.iter().find(|(name, _)| name == "PATH")?;
    Some(value)
}

fn is_bare(program: &Path) -> bool {
    program.components().count() == 1 && !program.is_absolute()
}

/// Refuses a file that is there and cannot be started.
pub(crate) fn usable(spec: &Spec, path: PathBuf) -> Result<PathBuf, Error> {
    let shown = path.display();
    let refuse = |what: String, hint: String| Err(unavailable(spec, what).with_hint(hint));
    match fs::metadata(&path) {
        Err(error) => refuse(format!("`{shown}` cannot be read: {error}"), "correct its permissions".into()),
        Ok(found) if found.is_dir() => refuse(
            format!("`{shown}` is a folder, expected an executable file"),
            format!("name the file in `run` of the plugin's manifest in `{}`", spec.folder.display()),
        ),
        // To open a pipe would wait for somebody at its other end.
        Ok(found) if !found.is_file() => refuse(
            format!("`{shown}` is no file that can be executed"),
            format!("name one in `run` of the plugin's manifest in `{}`", spec.folder.display()),
        ),
        Ok(found) if found.permissions().mode() & 0o111 == 0 => {
            refuse(format!("`{shown}` is not executable"), format!("`chmod +x {shown}` makes it so"))
        }
        Ok(_) => Ok(path),
    }
}

fn missing(spec: &Spec, kind: &str, program: &Path, folders: &[&Path]) -> Error {
    let mut places: Vec<_> = match program.is_absolute() {
        true => Vec::new(),
        false => folders.iter().map(|folder| format!("`{}`", folder.display())).collect(),
    };
    if is_bare(program) {
        places.push("PATH".to_owned());
    }
    let looked = if places.is_empty() { String::new() } else { format!("; looked in {}", places.join(", ")) };
    unavailable(spec, format!("its {kind} `{}` does not exist{looked}", program.display())).with_hint(
        format!(
            "build or install it, or correct `run` in the plugin's manifest in `{}`",
            spec.folder.display()
        ),
    )
}

/// The error of a plugin that cannot be started.
pub(crate) fn unavailable(spec: &Spec, why: impl std::fmt::Display) -> Error {
    let message = format!("plugin `{}` cannot be started: {why}", spec.name);
    Error::new(ErrorCode::PLUGIN_UNAVAILABLE, message).with_plugin(&spec.name)
}

/// What the system says about a file that is there and was not started.
pub(crate) fn spawn_failed(spec: &Spec, program: &Path, error: &io::Error) -> Error {
    let shown = program.display();
    if let Err(error) = fs::metadata(&spec.folder) {
        return unavailable(spec, format!("its folder `{}`: {error}", spec.folder.display()))
            .with_hint("put it back, or remove the plugin");
    }
    match error.kind() {
        // The file exists: it is its interpreter that does not.
        io::ErrorKind::NotFound => {
            unavailable(spec, format!("the interpreter that `{shown}` names is missing"))
                .with_hint(format!("correct the `#!` line of `{shown}`, or install that interpreter"))
        }
        io::ErrorKind::ExecutableFileBusy => {
            unavailable(spec, format!("`{shown}` is being written")).retryable()
        }
        _ if error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error()) => {
            unavailable(spec, format!("`{shown}` is no program for this machine")).with_hint(
                "build it for this machine; a script begins with a line such as `#!/usr/bin/env python3`",
            )
        }
        _ => unavailable(spec, format!("`{shown}`: {error}")),
    }
}
