//! What makes one daemon another: its home, and the folders of plugins that its operator named.

use std::path::{Path, PathBuf};

use astros_protocol::Error;

use super::{
    Daemon, Options,
    config::{Config, Start},
    misconfigured,
    paths::Paths,
    python_sdk,
};
use crate::registry;

impl Options {
    /// The folders that these options name.
    ///
    /// # Errors
    /// The environment names no home.
    pub fn paths(&self) -> Result<Paths, Error> {
        Paths::from_env(|name| self.variable(name)).map_err(misconfigured)
    }

    /// The folder of the Python SDK for PYTHONPATH; unpacked where it is not there yet.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn python_sdk(&self) -> Result<PathBuf, Error> {
        let data = self.paths()?.data;
        python_sdk::unpack(&data).map_err(|error| {
            let folder = data.display();
            misconfigured(format!("the Python SDK cannot be unpacked into `{folder}`: {error}"))
        })
    }

    /// Who starts the daemon that stays, as `astros.yaml` says it.
    ///
    /// # Errors
    /// The file cannot be read or understood.
    pub fn start(&self) -> Result<Start, Error> {
        let home = self.variable("HOME").map(PathBuf::from);
        let config = Config::read(&self.paths()?.config_file(), home.as_deref());
        Ok(config.map_err(misconfigured)?.daemon.start)
    }

    /// The operator's folders of plugins, as arguments and environment name them.
    pub fn named_folders(&self) -> Vec<PathBuf> {
        let variable = self.variable("ASTROS_PLUGIN_PATH");
        let configured = variable.as_deref().map(registry::plugin_path).unwrap_or_default();
        // One that comes later is that of a daemon that watches, and of none that is asked now.
        let development = self.development.folders.iter().filter(|folder| folder.is_dir()).cloned();
        self.plugin_dirs.iter().cloned().chain(configured).chain(development).collect()
    }
}

impl Daemon {
    pub fn paths(&self) -> &Paths {
        &self.base.paths
    }

    /// The folders of plugins that it was started with.
    pub fn named_folders(&self) -> Vec<PathBuf> {
        self.base.options.named_folders()
    }

    /// The home of the person whom it runs for.
    pub fn home(&self) -> Option<PathBuf> {
        self.base.options.variable("HOME").map(PathBuf::from).filter(|home| Path::is_absolute(home))
    }
}
