//! Finds the Python interpreter of a plugin. A virtual environment's path stays as it is, for that path is what
//! makes it one; a shim (pyenv, asdf, mise) is asked once for the interpreter behind it, which starts sooner.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{LazyLock, Mutex, PoisonError},
    time::Duration,
};

use astros_protocol::Error;
use tokio::{process::Command, time::timeout};

use super::{
    Spec,
    program::{on_path, unavailable, usable},
};

/// How long a shim may take to say what it stands for.
const SHIM: Duration = Duration::from_secs(10);

/// The interpreter for this plugin's code.
pub(crate) async fn interpreter(spec: &Spec, wanted: Option<&str>) -> Result<PathBuf, Error> {
    if let Some(wanted) = wanted {
        let path = spec.folder.join(wanted);
        if Path::new(wanted).components().count() > 1 && path.exists() {
            return usable(spec, path);
        }
        return match on_path(spec, Path::new(wanted)) {
            Some(path) => Ok(behind_shim(spec, path).await),
            None => Err(unavailable(spec, format!("its interpreter `{wanted}` does not exist"))
                .with_hint("install it, or correct `interpreter` in the plugin's manifest")),
        };
    }
    let own = [".venv/bin/python", "venv/bin/python"].map(|path| spec.folder.join(path));
    if let Some(path) = own.into_iter().find(|path| path.exists()) {
        return usable(spec, path);
    }
    match ["python3", "python"].iter().find_map(|name| on_path(spec, Path::new(name))) {
        Some(path) => Ok(behind_shim(spec, path).await),
        None => {
            let what = format!("no `python3` in `{}/.venv` or on PATH", spec.folder.display());
            Err(unavailable(spec, what).with_hint("install Python 3.10 or later"))
        }
    }
}

/// What a shim stands for, by the shim and the plugin's folder, on which the choice of a version may depend.
type Resolved = HashMap<(PathBuf, PathBuf), PathBuf>;

/// The real interpreter; the path itself where it is no shim, or one that does not answer.
pub(crate) async fn behind_shim(spec: &Spec, path: PathBuf) -> PathBuf {
    // A std mutex: held for one look-up, never across an await.
    static RESOLVED: LazyLock<Mutex<Resolved>> = LazyLock::new(Mutex::default);
    if !is_shim(&path) {
        return path;
    }
    let key = (path, spec.folder.clone());
    if let Some(known) = RESOLVED.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
        return known.clone();
    }
    let Some(real) = ask(&key.0, spec).await else { return key.0 };
    RESOLVED.lock().unwrap_or_else(PoisonError::into_inner).insert(key, real.clone());
    real
}

/// A script that starts something else, or a link in a folder of such.
fn is_shim(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    (read.is_ok() && &start == b"#!") || path.components().any(|part| part.as_os_str() == "shims")
}

async fn ask(shim: &Path, spec: &Spec) -> Option<PathBuf> {
    // It is the person's own tool, not the plugin: it needs the environment that it was set up with.
    let mut command = Command::new(shim);
    command
        .args(["-I", "-c", "import sys; print(sys.executable)"])
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&spec.folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(SHIM, command.output()).await.ok()?.ok()?;
    let real = PathBuf::from(std::str::from_utf8(&output.stdout).ok()?.trim());
    (output.status.success() && real.is_absolute() && real.is_file()).then_some(real)
}
