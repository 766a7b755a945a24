//! Finds the Python interpreter of a plugin. A virtual environment's path stays as it is, for that path is what
//! makes it one; a shim (pyenv, asdf, mise) is asked once for the interpreter behind it, which starts sooner.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
    time::Duration,
};

use astros_protocol::Error;
use tokio::{process::Command, sync::Mutex, time::timeout};

use super::{
    Spec,
    confine::home,
    packages::own_interpreter,
    program::{is_trusted, on_path, unavailable, usable},
};
use crate::python::Environment;

/// Where a virtual environment is in a plugin's folder.
pub(super) const OWN: [&str; 2] = [".venv/bin/python", "venv/bin/python"];
/// The names that an interpreter has on PATH, the usual ones first.
const NAMES: [&str; 2] = ["python3", "python"];
/// Where a version is demanded, `python3.10` to this are looked for too.
const MINOR_AT_MOST: u32 = 20;
/// Where pyenv, uv, asdf and mise install them, in the home.
const KEPT: [&str; 4] = [
    ".pyenv/versions",
    ".local/share/uv/python",
    ".asdf/installs/python",
    ".local/share/mise/installs/python",
];
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
    if let Some(path) = own_interpreter(spec) {
        return usable(spec, path);
    }
    outside(spec).await
}

/// The interpreter on PATH that a plugin runs with where it has no environment of its own.
pub(crate) async fn outside(spec: &Spec) -> Result<PathBuf, Error> {
    match NAMES.iter().find_map(|name| on_path(spec, Path::new(name))) {
        Some(path) if spec.python_version.is_none() => Ok(behind_shim(spec, path).await),
        Some(_) => of_version(spec).await,
        None => {
            let what = format!("no `python3` in `{}/.venv` or on PATH", spec.folder.display());
            Err(unavailable(spec, what).with_hint("install Python 3.10 or later"))
        }
    }
}

/// The first interpreter that is of the version that the manifest demands: on PATH, else where tools install several.
async fn of_version(spec: &Spec) -> Result<PathBuf, Error> {
    let mut found = Vec::new();
    for path in installed(spec) {
        let Some(Interpreter { real, version }) = resolve(spec, path).await else { continue };
        if spec.python_version.as_ref().is_none_or(|wanted| wanted.matches(&version)) {
            return Ok(real);
        }
        // One interpreter has several names.
        let version = format!("{version} in `{}`", real.parent().unwrap_or(&real).display());
        if !found.contains(&version) {
            found.push(version);
        }
    }
    let wanted = spec.python_version.as_ref().map(ToString::to_string).unwrap_or_default();
    let what = match found.is_empty() {
        true => format!("needs Python `{wanted}`, found none that answers"),
        false => format!("needs Python `{wanted}`, found {}", found.join(", ")),
    };
    Err(unavailable(spec, what).with_hint(format!(
        "install such a Python, make a virtual environment with it in `{}/.venv`, or correct \
         `dependencies.python` in its manifest",
        spec.folder.display()
    )))
}

/// All that there are on PATH, then those that tools keep elsewhere.
fn installed(spec: &Spec) -> impl Iterator<Item = PathBuf> {
    let versioned = (10..=MINOR_AT_MOST).rev().map(|minor| format!("python3.{minor}"));
    let names = NAMES.into_iter().map(str::to_owned).chain(versioned);
    let on_path = names.filter_map(|name| on_path(spec, Path::new(&name)));
    on_path.chain(std::iter::once_with(|| elsewhere(spec)).flatten())
}

/// Whether an interpreter, by its own file, is one that the person installed, and no plugin could have put there.
pub(super) fn is_the_persons(spec: &Spec, real: &Path) -> bool {
    is_trusted(spec, real)
        && !spec.hidden.iter().any(|folder| real.starts_with(folder))
        && installed(spec).any(|path| path.canonicalize().is_ok_and(|own| own == real))
}

/// Interpreters that tools keep beside each other in the home, whichever is chosen on PATH.
fn elsewhere(spec: &Spec) -> Vec<PathBuf> {
    let home = home(spec).unwrap_or_default();
    let kept = KEPT.iter().filter_map(|folder| std::fs::read_dir(home.join(folder)).ok()).flatten().flatten();
    let mut found: Vec<PathBuf> = kept.map(|entry| entry.path().join("bin/python3")).collect();
    found.retain(|path| path.is_file());
    // Each is asked: those first of which it can be seen that they may fit.
    let seems_right = |path: &PathBuf| {
        let version = Environment::at(path).and_then(|environment| environment.version)?;
        Some(spec.python_version.as_ref()?.matches(&version))
    };
    found.sort_by_key(|path| (seems_right(path) != Some(true), path.clone()));
    found
}

/// The real interpreter; the path itself where it is no shim, or one that does not answer.
pub(crate) async fn behind_shim(spec: &Spec, path: PathBuf) -> PathBuf {
    if !is_shim(&path) {
        return path;
    }
    resolve(spec, path.clone()).await.map_or(path, |interpreter| interpreter.real)
}

/// What an interpreter says of itself.
#[derive(Clone)]
struct Interpreter {
    /// Behind a shim, where it is one.
    real: PathBuf,
    /// Such as `3.11.7`.
    version: String,
}

/// What was asked already, by its path.
type Resolved = HashMap<PathBuf, Interpreter>;

/// Asks an interpreter what it is, once.
async fn resolve(spec: &Spec, path: PathBuf) -> Option<Interpreter> {
    // Tokio's mutex, for it is held while the interpreter answers: many plugins that start at once ask it once.
    static RESOLVED: LazyLock<Mutex<Resolved>> = LazyLock::new(Mutex::default);
    let mut resolved = RESOLVED.lock().await;
    if let Some(known) = resolved.get(&path) {
        return Some(known.clone());
    }
    let interpreter = ask(&path, spec).await?;
    resolved.insert(path, interpreter.clone());
    Some(interpreter)
}

/// A script that starts something else, or a link in a folder of such.
fn is_shim(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    (read.is_ok() && &start == b"#!") || path.components().any(|part| part.as_os_str() == "shims")
}

/// Whether it is asked what it stands for: only what is called as an interpreter is, and what no plugin could have put
/// there. Anything else is started in the sandbox as it is.
fn may_be_asked(spec: &Spec, path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let version = name.strip_prefix("python").unwrap_or("no interpreter");
    version.chars().all(|c| c.is_ascii_digit() || c == '.') && is_trusted(spec, path)
}

async fn ask(path: &Path, spec: &Spec) -> Option<Interpreter> {
    if !may_be_asked(spec, path) {
        return None;
    }
    const QUESTION: &str = "import platform, sys; print(sys.executable); print(platform.python_version())";
    // It is the person's own tool, not the plugin: it needs the environment that it was set up with.
    let mut command = Command::new(path);
    command
        .args(["-I", "-c", QUESTION])
        .env_clear()
        .envs(spec.environment.iter().map(|(name, value)| (name, value)))
        // In a plugin's folder a file of the plugin's would choose what a shim starts.
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = timeout(SHIM, command.output()).await.ok()?.ok()?;
    let mut lines = std::str::from_utf8(&output.stdout).ok()?.lines();
    let real = PathBuf::from(lines.next()?.trim());
    let version = lines.next()?.trim().to_owned();
    (output.status.success() && real.is_absolute() && real.is_file()).then_some(Interpreter { real, version })
}
