//! A virtual environment of a plugin's own: what `astros plugins setup` would install, and where.

use std::{io, path::PathBuf};

use astros_protocol::{Error, ErrorCode, manifest::Folder};
use serde::{Deserialize, Serialize};

use super::{Daemon, needs::is_sdk, setup::Installed};
use crate::{
    python::Requirement,
    services::printable::line,
    supervisor::{self, Launch},
};

/// Packages beside a manifest that names none.
const REQUIREMENTS: &str = "requirements.txt";
/// The most that a person is shown, in bytes.
const MAX_SHOWN: usize = 16 << 10;

/// What is to be done for a plugin to have its packages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupPlan {
    pub plugin: String,
    /// The folder of the environment, whether it is there or not.
    pub environment: PathBuf,
    /// The interpreter that makes it.
    pub python: PathBuf,
    /// What `pip install` is given: packages by name, or the folder of the plugin's own project.
    pub packages: Vec<String>,
}

impl Daemon {
    /// What a plugin in Python needs to be installed; nothing is done yet.
    ///
    /// # Errors
    /// There is no such plugin, it is not in Python or names no packages, or no interpreter fits.
    pub async fn setup_plan(&self, name: &str) -> Result<SetupPlan, Error> {
        let installed = self.on_disk(name).await?;
        let refuse = |what: String| Err(Error::new(ErrorCode::INVALID_PARAMS, what).with_plugin(name));
        if !matches!(installed.spec.launch, Launch::Python { interpreter: None, .. }) {
            return refuse(format!("`{name}` does not run with an interpreter that AstrOS chooses"));
        }
        let packages = packages(&installed)?;
        if packages.is_empty() {
            let error = refuse(format!("`{name}` names no packages that it needs"));
            let hint = "name them in its `plugin.yaml`, such as `dependencies: {external: [typer]}`";
            return error.map_err(|error| error.with_hint(hint));
        }
        let python = supervisor::interpreter_outside(&installed.spec).await?;
        let environment = self.base.paths.environment(name);
        Ok(SetupPlan { plugin: name.to_owned(), environment, python, packages })
    }
}

/// What the manifest names; else `requirements.txt`, else the plugin's own project.
fn packages(installed: &Installed) -> Result<Vec<String>, Error> {
    let Installed { entry, .. } = installed;
    let manifest = entry.manifest.as_ref();
    let external = manifest.map(|manifest| &manifest.dependencies.external[..]).unwrap_or_default();
    if !external.is_empty() {
        return named("`dependencies.external`", external.iter().map(String::as_str));
    }
    match Folder::open(&entry.folder).and_then(|folder| folder.text(REQUIREMENTS)) {
        Ok(text) => {
            // A comment begins a line, or stands after a space.
            let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
            named("`requirements.txt`", lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_project =
                ["pyproject.toml", "setup.py"].iter().any(|file| entry.folder.join(file).is_file());
            Ok(is_project.then(|| entry.folder.display().to_string()).into_iter().collect())
        }
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", entry.folder.join(REQUIREMENTS).display());
            Err(Error::new(ErrorCode::INVALID_PARAMS, message))
        }
    }
}

/// Packages by name: a person sees all that pip is given, and pip no options, other files or folders.
fn named<'a>(origin: &str, texts: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Error> {
    let refuse = |what: String| {
        let hint = "correct it, or make a `.venv` in the plugin's folder yourself";
        Err(Error::new(ErrorCode::INVALID_PARAMS, format!("{origin} {what}")).with_hint(hint))
    };
    let mut packages = Vec::new();
    for text in texts {
        match Requirement::parse(text) {
            Err(expected) => return refuse(format!("names `{}`, {expected}", line(text))),
            Ok(one) if one.text.contains(char::is_control) || one.is_on_disk() => {
                return refuse(format!("names `{}`, expected no folder: its code would run", line(text)));
            }
            Ok(one) if is_sdk(&one) => {}
            Ok(one) => packages.push(one.text),
        }
    }
    let size: usize = packages.iter().map(String::len).sum();
    if size > MAX_SHOWN {
        return refuse(format!("has {size} bytes, expected at most {MAX_SHOWN}: a person has to read them"));
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_packages_by_name_and_neither_options_nor_folders() {
        let lines = ["requests>=2.28", "astros", "a @ https://example.org/a-1.0.tar.gz"];
        let expected = ["requests>=2.28", "a @ https://example.org/a-1.0.tar.gz"];
        assert_eq!(named("`requirements.txt`", lines.into_iter()).unwrap(), expected);
        let long = format!("a{}", "b".repeat(MAX_SHOWN));
        for (text, words) in [
            ("--index-url https://example.org", "`requirements.txt` names `--index-url https://example.org`"),
            ("-r more.txt", "expected a package"),
            ("-e .", "expected a package"),
            ("./pk", "expected a package"),
            ("a @ file:///plugins/p/pk", "expected no folder"),
            ("a @ https://example.org/a.whl\n  b", "expected no folder"),
            (&*long, "has 16385 bytes, expected at most 16384"),
        ] {
            let refused = named("`requirements.txt`", [text].into_iter()).unwrap_err();
            assert!(refused.message.contains(words), "{refused}");
        }
    }
}
