//! The packages that a plugin in Python needs: looked for before it is started, by files alone.

use std::path::{Path, PathBuf};

use astros_protocol::Error;

use super::{
    Launch, Spec,
    program::{on_path, unavailable},
    python::OWN,
};
use crate::python::{Environment, Installed, Unmet};

/// What helps a plugin whose packages are missing.
const SETUP: &str = "astros plugins setup";

/// Whether what helps a plugin that may not run is its packages alone: nothing is wrong with it.
pub(crate) fn needs_setup(hint: Option<&str>) -> bool {
    hint.and_then(|hint| hint.strip_prefix('`')).is_some_and(|hint| hint.starts_with(SETUP))
}

/// The environment that a plugin would run in, where its interpreter can be told without starting one.
pub(crate) fn environment_of(spec: &Spec) -> Option<Environment> {
    let Launch::Python { interpreter, .. } = &spec.launch else { return None };
    if let Some(wanted) = interpreter {
        let path = spec.folder.join(wanted);
        let is_path = Path::new(wanted).components().count() > 1 && path.exists();
        return Environment::at(&if is_path {
            path
        } else {
            on_path(spec, Path::new(wanted)).map(behind_pyenv)?
        });
    }
    if let Some(own) = own_interpreter(spec) {
        return Environment::at(&own);
    }
    let found = on_path(spec, Path::new("python3")).and_then(|path| Environment::at(&behind_pyenv(path)))?;
    let version = found.version.clone().unwrap_or_default();
    let fits = spec.python_version.as_ref().is_none_or(|wanted| wanted.matches(&version));
    fits.then_some(found)
}

/// What a shim of pyenv's leads to, where its files say it: what it would itself read there. The path as it is elsewhere.
fn behind_pyenv(path: PathBuf) -> PathBuf {
    let behind = || {
        let shims = path.parent().filter(|folder| folder.ends_with("shims"))?;
        let root = shims.parent()?;
        let versions = std::fs::read_to_string(root.join("version")).ok()?;
        let first = versions.split_whitespace().next()?;
        let real = root.join("versions").join(first).join("bin").join(path.file_name()?);
        real.is_file().then_some(real)
    };
    behind().unwrap_or(path)
}

/// The interpreter of the plugin's own virtual environment, where it has one.
pub(crate) fn own_interpreter(spec: &Spec) -> Option<PathBuf> {
    let own = OWN.map(|path| spec.folder.join(path)).into_iter();
    let made = spec.python_environment.iter().map(|folder| folder.join("bin/python"));
    own.chain(made).find(|path| path.exists())
}

/// What a plugin lacks and what helps; none where nothing is unmet.
pub(crate) fn lacking(spec: &Spec, environment: &Environment, unmet: &[Unmet]) -> Option<(String, String)> {
    let name = |one: &Unmet| match &one.found {
        Some(found) => format!("`{}`, found {found}", one.wanted),
        None => format!("`{}`", one.wanted),
    };
    let names = unmet.iter().map(name).collect::<Vec<_>>().join(", ");
    let what = match unmet {
        [] => return None,
        [_] => format!("needs the Python package {names}"),
        _ => format!("needs the Python packages {names}"),
    };
    let place = environment.interpreter.display();
    let hint = format!(
        "`{SETUP} {}` makes an environment of its own with what it needs; `{place}` is looked at so far",
        spec.name
    );
    Some((what, hint))
}

/// What helps a plugin whose last words are that a module is not there.
pub(crate) fn missing_module(plugin: &str, said: &str) -> Option<String> {
    let module = said.split("ModuleNotFoundError: No module named '").nth(1)?.split(['\'', '.']).next()?;
    Some(format!(
        "`astros plugins setup {plugin}` installs what its `plugin.yaml` names, into an environment of its own; it has to \
         stand there, such as `dependencies: {{external: [{module}]}}`"
    ))
}

/// Refuses to start a plugin whose packages were not looked for yet, and are not there.
pub(crate) fn check(spec: &Spec, interpreter: &Path) -> Result<(), Error> {
    if spec.packages.is_empty() {
        return Ok(());
    }
    let Some(environment) = Environment::at(interpreter) else { return Ok(()) };
    let installed = Installed::of(&environment);
    let unmet: Vec<_> = spec.packages.iter().filter_map(|one| one.unmet(&installed)).collect();
    match lacking(spec, &environment, &unmet) {
        Some((what, hint)) => Err(unavailable(spec, format!("it {what}")).with_hint(hint)),
        None => Ok(()),
    }
}
