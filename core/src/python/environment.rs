//! An interpreter and where its packages are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use astros_protocol::manifest::Folder;

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
        let config = Folder::open(prefix).and_then(|prefix| prefix.text("pyvenv.cfg"));
        let (version, sites) = match &config {
            Ok(config) => virtual_environment(prefix, config),
            Err(_) => installation(&interpreter)?,
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
        // An installation: one that names another environment may name itself.
        let base = of("home").and_then(|home| installation(&Path::new(&home).join("python3")));
        sites.extend(base.map(|(_, sites)| sites).unwrap_or_default());
    }
    (of("version").or_else(|| of("version_info")), sites)
}

/// Of an interpreter's own file, whose name ends in its version, wherever links lead to it.
fn installation(interpreter: &Path) -> Option<(Option<String>, Vec<PathBuf>)> {
    let real = interpreter.canonicalize().ok()?;
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn takes_the_base_of_a_virtual_environment_for_an_installation_only() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for folder in
            ["own/bin", "own/lib/python3.11/site-packages", "base/bin", "base/lib/python3/dist-packages"]
        {
            fs::create_dir_all(path(folder)).unwrap();
        }
        fs::write(path("base/bin/python3.11"), "").unwrap();
        symlink("python3.11", path("base/bin/python3")).unwrap();
        symlink(path("base/bin/python3"), path("own/bin/python3")).unwrap();
        let sites = |home: &str| {
            let home = path(home).display().to_string();
            let config = format!("home = {home}\ninclude-system-site-packages = true\nversion = 3.11.2\n");
            fs::write(path("own/pyvenv.cfg"), config).unwrap();
            let environment = Environment::at(&path("own")).unwrap();
            assert_eq!(environment.version.as_deref(), Some("3.11.2"));
            environment.sites
        };
        let both = [path("own/lib/python3.11/site-packages"), path("base/lib/python3/dist-packages")];
        assert_eq!(sites("base/bin"), both);
        // Itself: read as an environment it would name itself for ever.
        assert_eq!(sites("own/bin"), both);
    }

    #[test]
    fn reads_no_file_elsewhere_as_an_environments_own() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::create_dir_all(path("own/lib/python3.11/site-packages")).unwrap();
        fs::write(path("private"), "version = hunter2\n").unwrap();
        symlink("../private", path("own/pyvenv.cfg")).unwrap();
        assert_eq!(Environment::at(&path("own")), None);
    }
}
