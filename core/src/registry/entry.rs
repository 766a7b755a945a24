//! One plugin as its folder shows it.

use std::path::{Path, PathBuf};

use astros_protocol::manifest::{Kind, Manifest, PluginName, Program, PythonTarget, Run};
use serde_json::{Map, Value};

use super::schema::{self, Schema};
use super::{fingerprint, parts, program};

/// A plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The manifest's name; the folder's where there is no manifest that can be read.
    pub name: String,
    /// Absolute.
    pub folder: PathBuf,
    /// The name of its entry point, where its folder holds several plugins.
    pub part: Option<String>,
    pub origin: Origin,
    /// With every default filled in; none where it cannot be read.
    pub manifest: Option<Manifest>,
    /// How it is started: as the manifest says or as was found; its program is there where the status is `Ok`.
    pub run: Run,
    /// What it is written in, as far as that can be seen.
    pub language: Option<String>,
    /// What kinds of plugin are in it; empty where nothing says it.
    pub kinds: Vec<Kind>,
    /// The manifest's schema of its settings.
    pub settings_schema: Option<Schema>,
    /// Defaults of its settings beside the manifest's.
    pub defaults: Map<String, Value>,
    pub status: Status,
}

impl Entry {
    /// Where it is, whatever links lead there: what a person allowed was allowed to the plugin there.
    pub fn place(&self) -> PathBuf {
        // What is installed has its version in its folder's name.
        let is_installed = self.folder.extension().is_some_and(|end| end == "dist-info");
        let folder = self.folder.parent().filter(|_| is_installed).unwrap_or(&self.folder);
        folder.canonicalize().unwrap_or_else(|_| folder.to_owned())
    }
}

/// Where a plugin comes from, in the order of rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A folder that the operator named.
    Operator,
    /// The person's data folder.
    User,
    /// The installation.
    Bundled,
}

/// Whether a plugin may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    Ok,
    /// Something is wrong with it.
    Blocked {
        reason: String,
        /// What helps.
        hint: String,
    },
    /// It is not wanted, or not yet.
    Disabled {
        reason: String,
    },
}

impl Entry {
    /// Nothing is known of it yet.
    pub(super) fn new(folder: &Path, origin: Origin) -> Entry {
        Entry {
            name: folder_name(folder),
            folder: folder.to_owned(),
            part: None,
            origin,
            manifest: None,
            run: Run::default(),
            language: None,
            kinds: Vec::new(),
            settings_schema: None,
            defaults: Map::new(),
            status: Status::Ok,
        }
    }

    /// Reads the plugins in `folder`: one as a rule.
    pub(super) fn read(folder: &Path, origin: Origin) -> Vec<Entry> {
        let mut entry = Entry::new(folder, origin);
        let manifest = Manifest::read(folder)
            .map_err(|error| (error.to_string(), "correct the manifest; other plugins are not affected"));
        let filled = manifest
            .and_then(|manifest| manifest.map_or_else(|| without_manifest(folder, &entry.name), Ok))
            .and_then(|manifest| entry.fill(folder, manifest));
        if let Err((reason, hint)) = filled {
            entry.block(reason, hint);
        }
        parts::split(entry)
    }

    /// Whether it may be a plugin of this kind: it says so, or says nothing.
    pub fn may_be(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind) || !self.manifest.as_ref().is_some_and(|manifest| manifest.says_kinds)
    }

    /// Names it among all: its folder, and what of it where that holds several.
    pub fn identity(&self) -> PathBuf {
        match &self.part {
            Some(part) => self.folder.join(format!("#{part}")),
            None => self.folder.clone(),
        }
    }

    /// What its code looks like from outside: another value means that it may offer something else.
    ///
    /// `program` is the file that runs it and may not be in its folder: its executable, its interpreter.
    pub fn fingerprint(&self, program: Option<&Path>, sdk_version: &str) -> String {
        fingerprint::fingerprint(&self.folder, program, sdk_version)
    }

    /// Fills in what its manifest, and the folder `base` that this stands in, show; stops at what is wrong, with its
    /// reason and what helps.
    pub(super) fn fill(&mut self, base: &Path, manifest: Manifest) -> Result<(), (String, &'static str)> {
        self.name = manifest.metadata.name.as_str().to_owned();
        self.kinds = manifest.kinds.clone();
        self.run = manifest.run.clone();
        let program = self.run.program.take().or_else(|| program::find(&self.folder, &manifest));
        self.language = program::language(&self.folder, &self.run, program.as_ref());
        let manifest = self.manifest.insert(manifest);
        check_host(manifest)?;
        self.settings_schema = schema::read(base, manifest)
            .map_err(|reason| (reason, "correct the schema; other plugins are not affected"))?;
        self.defaults = schema::defaults(base)
            .map_err(|reason| (reason, "correct the defaults; other plugins are not affected"))?;
        let program = program.ok_or_else(|| {
            let names = program::NAMES.join("`, `");
            let name = folder_name(&self.folder);
            let looked = format!("`{names}` nor an executable file `{name}`");
            let reason = format!("there is nothing to run: neither {looked} in `{}`", self.folder.display());
            (reason, "add one, or say how it is started under `run` in its manifest")
        })?;
        check_python(&self.folder, &program)?;
        self.run.program = Some(program);
        Ok(())
    }
}

fn folder_name(folder: &Path) -> String {
    folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned()
}

/// The manifest that a folder without one stands for.
fn without_manifest(folder: &Path, name: &str) -> Result<Manifest, (String, &'static str)> {
    let hint = "rename the folder, or name the plugin in a `plugin.yaml`";
    let valid = PluginName::try_from(name.to_owned());
    let valid = valid.map_err(|rule| (format!("`{name}` is no name of a plugin: {rule}"), hint))?;
    let manifest = Manifest::parse(&format!("name: \"{valid}\"\n"), folder);
    let mut manifest = manifest.map_err(|error| (error.to_string(), hint))?;
    manifest.warnings.clear();
    Ok(manifest)
}

/// Whether this AstrOS is the one that the plugin needs.
fn check_host(manifest: &Manifest) -> Result<(), (String, &'static str)> {
    /// The level of LocalAgent's interfaces that AstrOS serves.
    const LOCALAGENT: &str = "1.0";
    let astros = env!("CARGO_PKG_VERSION");
    let needs = &manifest.dependencies;
    for (name, wanted, have) in
        [("astros", &needs.astros, astros), ("LocalAgent", &needs.localagent, LOCALAGENT)]
    {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| !wanted.matches(have)) {
            let reason = format!("needs {name} `{wanted}`, this is {have}");
            return Err((reason, "update AstrOS, or take another version of the plugin"));
        }
    }
    Ok(())
}

/// A Python file that is named has to be there; executables are looked for in more places when they start.
fn check_python(folder: &Path, program: &Program) -> Result<(), (String, &'static str)> {
    match program {
        Program::Python(PythonTarget::File(file)) if !folder.join(file).is_file() => {
            let reason = format!("`run.python` names `{file}`, no such file is in `{}`", folder.display());
            Err((reason, "correct `run.python` in its manifest, or add the file"))
        }
        _ => Ok(()),
    }
}
