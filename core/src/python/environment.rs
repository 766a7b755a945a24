//! An interpreter and where its packages are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::text_of;

/// A Python with its packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// As it is to be called: a virtual environment is one by this path.
    pub interpreter: PathBuf,
    /// Such as `3.11` or `3.11.7`, as far as the files say it.
    pub version: Option<String>,
    /// Where packages are, the first one first.
    pub sites: Vec<PathBuf>,
}

impl Environment {
    /// The one that an interpreter, or the folder of a virtual environment, stands for. None where its files do not
    /// tell: it is not there, or a script that starts another (pyenv's, say).
    pub fn at(path: &Path) -> Option<Environment> {
        let interpreter = if path.is_dir() { path.join("bin/python") } else { path.to_owned() };
        let prefix = interpreter.parent()?.parent()?;
        let config = text_of(&prefix.join("pyvenv.cfg"));
        let (version, sites) = match &config {
            Some(config) => virtual_environment(prefix, config),
            None => installation(&interpreter.canonicalize().ok()?)?,
        };
        (!sites.is_empty()).then_some(Environment { interpreter, version, sites })
    }
}

fn virtual_environment(prefix: &Path, config: &str) -> (Option<String>, Vec<PathBuf>) {
    let of = |key: &str| {
        let mut lines = config.lines().filter_map(|line| line.split_once('='));
        lines.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim().to_owned())
    };
    let mut sites = folders(&[prefix.join("lib"), prefix.join("lib64")], "site-packages");
    if of("include-system-site-packages").is_some_and(|value| value == "true") {
        let base = of("home").map(|home| Path::new(&home).join("python3"));
        sites.extend(base.and_then(|base| Environment::at(&base)).map(|base| base.sites).unwrap_or_default());
    }
    (of("version").or_else(|| of("version_info")), sites)
}

/// Of an interpreter's own file, whose name ends in its version.
fn installation(real: &Path) -> Option<(Option<String>, Vec<PathBuf>)> {
    let version = real.file_name()?.to_str()?.strip_prefix("python")?;
    if !version.contains('.') {
        return None;
    }
    let prefix = real.parent()?.parent()?;
    let own = |below: &str| format!("{below}/python{version}");
    let sites = [
        own("local/lib") + "/dist-packages",
        own("local/lib") + "/site-packages",
        "lib/python3/dist-packages".to_owned(),
        own("lib") + "/site-packages",
        own("lib64") + "/site-packages",
    ];
    let sites = sites.iter().map(|below| prefix.join(below)).filter(|site| site.is_dir());
    Some((Some(version.to_owned()), sites.collect()))
}

/// The folders `name` in the `python3.…` of these.
fn folders(libraries: &[PathBuf], name: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for entry in libraries.iter().filter_map(|library| fs::read_dir(library).ok()).flatten().flatten() {
        let site = entry.path().join(name);
        let is_versioned = entry.file_name().to_string_lossy().starts_with("python3");
        // `lib64` is a link to `lib` as a rule.
        if is_versioned
            && site.is_dir()
            && !found.iter().any(|one| one.canonicalize().ok() == site.canonicalize().ok())
        {
            found.push(site);
        }
    }
    found
}
