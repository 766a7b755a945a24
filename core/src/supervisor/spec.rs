//! All that is needed to start a plugin, made by the daemon from the manifest, the person's configuration and its
//! own environment. The supervisor reads nothing else.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use astros_protocol::{
    Extra, MAX_FRAME_BYTES,
    lifecycle::{Directories, Identity, InitializeParams, Limits, Product, Sandbox},
    manifest::{Permission, Supervision, VersionReq},
    version::SUPPORTED,
};
use serde::Deserialize;
use serde_json::json;

use super::{Admission, Containment, Foreground, Secrets, program, watchdog::Watch};
use crate::{launcher, python::Requirement, recording::Recorder};

/// How long the requests of a version that was superseded may go on.
const DRAIN: Duration = Duration::from_secs(10 * 60);

/// What is started.
#[derive(Clone, Debug, PartialEq)]
pub enum Launch {
    /// A file: absolute; or below the plugin's folder or one of [`Spec::look_in`]; or a name on PATH.
    Executable(PathBuf),
    /// Python code for the SDK's runner.
    Python {
        /// A file, or `module:Class`.
        target: String,
        /// A name or a path; none: the virtual environment in the plugin's folder, else `python3` on PATH.
        interpreter: Option<String>,
    },
    /// A command line, its program on PATH or in the plugin's folder.
    Command(Vec<String>),
}

/// What is said first of a plugin that this machine cannot confine.
pub const SANDBOX_REFUSED: &str = "its sandbox cannot be set up";

/// How much of what a plugin was not granted has to be enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandboxed {
    /// All of it, or the plugin is not started.
    #[default]
    Enforced,
    /// What this machine can; the operator's decision alone.
    Reduced,
    /// Nothing; the operator's decision alone.
    Off,
}

/// One plugin, ready to be started.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The name that the host knows it by.
    pub name: String,
    /// The plugin's folder: its working directory.
    pub folder: PathBuf,
    pub launch: Launch,
    /// Arguments after the program.
    pub args: Vec<String>,
    pub supervision: Supervision,
    /// Whether it may run, at first.
    pub admission: Admission,
    /// How it is watched while it is ready.
    pub watch: Watch,
    /// After a reload: how long the version before may go on with requests that have longer deadlines, or none.
    pub drain: Duration,

    /// Folders where executables are looked for after the plugin's own: beside the daemon, libexec.
    pub look_in: Vec<PathBuf>,
    /// The folder that holds the Python SDK's package.
    pub python_sdk: Option<PathBuf>,
    /// The folder of a virtual environment that was made for it, whether it is there or not.
    pub python_environment: Option<PathBuf>,
    /// Packages that are looked for as it starts: it was not known before with which interpreter.
    pub packages: Vec<Requirement>,
    /// The version that an interpreter found on PATH has to have.
    pub python_version: Option<VersionReq>,
    /// The daemon's environment; the plugin gets what is allowed of it.
    pub environment: Arc<Vec<(OsString, OsString)>>,
    /// The names of all plugins: a variable belongs to the longest that fits.
    pub plugins: Arc<[String]>,
    /// What it may do, beside what every plugin may.
    pub granted: Vec<Permission>,
    /// The file that says all of this, where the operator wrote it there; else commands grant and revoke.
    pub granted_in: Option<PathBuf>,
    pub sandboxed: Sandboxed,
    pub limits: launcher::Limits,
    /// Folders that no grant reaches: those of AstrOS.
    pub hidden: Arc<[PathBuf]>,
    /// Folders that no plugin changes: where plugins are.
    pub protected: Arc<[PathBuf]>,
    /// Where sockets are made for its processes; none: among temporary files.
    pub runtime: Option<PathBuf>,
    /// What keeps its processes together, at most: what cannot be had here is done without.
    pub containment: Containment,
    /// The `astros` that starts it, for a program that embeds AstrOS and neither is one nor has one beside it.
    pub launcher: Option<PathBuf>,

    pub host: Product,
    pub settings: Extra,
    /// What its providers of AI models are configured with, by their names.
    pub providers: BTreeMap<String, Extra>,
    /// Which of them nobody else is to see.
    pub secrets: Secrets,
    pub directories: Directories,
    /// The time of a request that says none, in milliseconds.
    pub default_deadline_ms: Option<u64>,
    pub dev_mode: bool,
    /// Where its traffic is recorded.
    pub recorder: Option<Recorder>,
    /// Where a person runs one of its processes; none: in the background, as most.
    pub foreground: Option<Foreground>,
}

impl Spec {
    /// A plugin of this name, with the daemon's own environment and everything else at its default.
    pub fn new(name: impl Into<String>, folder: impl Into<PathBuf>, launch: Launch) -> Spec {
        Spec {
            name: name.into(),
            folder: folder.into(),
            launch,
            args: Vec::new(),
            supervision: Supervision::default(),
            admission: Admission::Enabled,
            watch: Watch::default(),
            drain: DRAIN,
            look_in: Vec::new(),
            python_sdk: None,
            python_environment: None,
            packages: Vec::new(),
            python_version: None,
            environment: Arc::new(std::env::vars_os().collect()),
            plugins: Arc::default(),
            granted: Vec::new(),
            granted_in: None,
            sandboxed: Sandboxed::default(),
            limits: launcher::Limits::default(),
            hidden: Arc::default(),
            protected: Arc::default(),
            runtime: None,
            containment: Containment::default(),
            launcher: None,
            host: Product { name: "astros".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            settings: Extra::new(),
            providers: BTreeMap::new(),
            secrets: Secrets::default(),
            directories: Directories::default(),
            default_deadline_ms: None,
            dev_mode: false,
            recorder: None,
            foreground: None,
        }
    }

    /// The file that is started, where it can be told without running anything: an interpreter may be a shim.
    pub fn program_file(&self) -> Option<PathBuf> {
        match &self.launch {
            Launch::Executable(path) => program::executable(self, path).ok(),
            Launch::Command(words) => program::command(self, Path::new(words.first()?)).ok(),
            Launch::Python { .. } => program::on_path(self, Path::new("python3")),
        }
    }

    /// Where its process starts. The Python SDK goes to the person's folder itself, once its code is loaded: before that
    /// Python would take what lies there for modules.
    pub(crate) fn working_directory(&self) -> PathBuf {
        match (&self.foreground, &self.launch) {
            (Some(foreground), Launch::Executable(_) | Launch::Command(_)) => foreground.cwd.clone(),
            _ => self.folder.clone(),
        }
    }

    /// An argument of its command line: what names a file of its folder still does so from elsewhere.
    pub(crate) fn word(&self, word: &str) -> OsString {
        let file = self.folder.join(word);
        let is_file = self.foreground.is_some() && !word.starts_with('-') && file.exists();
        if is_file { file.into() } else { word.into() }
    }

    /// The hosts of its permission `network`.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let hosts = self.granted.iter().filter_map(|permission| match permission {
            Permission::Network(hosts) => hosts.clone(),
            _ => None,
        });
        hosts.flatten().collect()
    }

    /// What the plugin is told first.
    pub(crate) fn initialize_params(&self, instance: u32, sandbox: Sandbox) -> InitializeParams {
        InitializeParams {
            protocol_versions: SUPPORTED.to_vec(),
            features: Vec::new(),
            host: self.host.clone(),
            plugin: Identity { name: self.name.clone(), instance },
            settings: self.settings.clone(),
            providers: self.providers.clone(),
            permissions: self.granted.iter().map(|permission| json!(permission)).collect(),
            sandbox,
            directories: self.directories.clone(),
            limits: Limits {
                max_frame_bytes: MAX_FRAME_BYTES as u64,
                max_in_flight: Some(self.supervision.max_in_flight.get()),
                default_deadline_ms: self.default_deadline_ms,
            },
            dev_mode: self.dev_mode,
            extra: Extra::new(),
        }
    }
}
