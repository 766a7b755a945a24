//! A virtual environment of a plugin's own: what `astros plugins setup` would install, and where.

use std::path::PathBuf;

use astros_protocol::{Error, ErrorCode};
use serde::{Deserialize, Serialize};

use super::{Daemon, needs::is_sdk, setup::Installed};
use crate::{
    python::Requirement,
    supervisor::{self, Launch},
};

/// What is to be done for a plugin to have its packages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetupPlan {
    pub plugin: String,
    /// The folder of the environment, whether it is there or not.
    pub environment: PathBuf,
    /// The interpreter that makes it.
    pub python: PathBuf,
    /// What `pip install` is given.
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
    let folder = &installed.entry.folder;
    let manifest = installed.entry.manifest.as_ref();
    let external = manifest.map(|manifest| &manifest.dependencies.external[..]).unwrap_or_default();
    let read = |text: &String| {
        Requirement::parse(text).map_err(|expected| {
            let message = format!("`dependencies.external` names `{text}`, {expected}");
            Error::new(ErrorCode::INVALID_PARAMS, message).with_hint("correct its manifest")
        })
    };
    let external = external.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    if !external.is_empty() {
        return Ok(external.into_iter().filter(|one| !is_sdk(one)).map(|one| one.text).collect());
    }
    let requirements = folder.join("requirements.txt");
    if requirements.is_file() {
        return Ok(vec!["-r".to_owned(), requirements.display().to_string()]);
    }
    let is_project = ["pyproject.toml", "setup.py"].iter().any(|file| folder.join(file).is_file());
    Ok(is_project.then(|| folder.display().to_string()).into_iter().collect())
}
