//! From a plugin's entry in the registry to what its supervisor starts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use astros_protocol::{
    Extra, PluginDescription,
    manifest::{Kind, Manifest, Program, PythonTarget, Supervision},
};
use serde_json::{Value, json};

use super::{
    config::Config,
    default_deadline_ms,
    grants::{Grants, Said},
    limits::limits,
    python_sdk,
    setup::{Base, Installed, Remembered},
    text_variables,
};
use crate::{
    registry::{Entry, Registry, Status, spread},
    services::{
        secrets::Reading,
        settings::{self, Claims, Override, SettingsError, Sources},
    },
    supervisor::{self, Admission, Launch, Secrets, Spec},
};

/// Makes what plugins are started with of what is on disk.
pub(super) struct Maker<'a> {
    pub base: &'a Base,
    pub config: &'a Config,
    pub secrets: &'a Reading<'a>,
}

/// What is the same in every spec.
struct Shared<'a> {
    remembered: &'a Remembered,
    environment: Arc<Vec<(OsString, OsString)>>,
    /// The names of all plugins.
    names: Arc<[String]>,
    /// The variables that hold their secrets.
    claims: Claims,
    /// Where they are, and where others would be found.
    folders: Arc<[PathBuf]>,
}

impl Maker<'_> {
    /// Every plugin that was found, with what it is started with, by name.
    pub(super) fn installed(
        &self,
        registry: Registry,
        remembered: &Remembered,
    ) -> BTreeMap<String, Arc<Installed>> {
        let claims = claims(&registry);
        let mut overrides = self.overrides(&registry, &claims);
        let all = Shared {
            remembered,
            environment: Arc::new(self.base.options.environment.clone()),
            names: takers(&registry).map(|entry| entry.name.clone()).collect(),
            claims,
            folders: self.folders(&registry),
        };
        let entries = registry.entries.into_iter();
        let entries = entries.map(|(name, entry)| (overrides.remove(&name).unwrap_or_default(), name, entry));
        let installed = spread(entries.collect(), |(overrides, name, entry)| {
            (name, Arc::new(self.one(entry, overrides, &all)))
        });
        installed.into_iter().collect()
    }

    fn one(&self, entry: Entry, overrides: Vec<Override>, all: &Shared<'_>) -> Installed {
        let grants = self.grants(&entry, all.remembered);
        let mut spec = Spec { granted: grants.granted.clone(), ..self.spec(&entry, &overrides, all) };
        if let (Admission::Enabled, Some(refusal)) = (&spec.admission, grants.refusal(&entry.name)) {
            spec.admission = refusal;
        }
        if let (Admission::Enabled, Some(error)) =
            (&spec.admission, supervisor::refusal(&spec, self.base.machine))
        {
            let hint = error.hint().unwrap_or_default().to_owned();
            spec.admission = Admission::Blocked { reason: error.message, hint };
        }
        let fingerprint = fingerprint(&entry, &spec);
        let described = all.remembered.descriptions.get(&entry.folder);
        let description = described.and_then(|described| described.valid(&fingerprint));
        let by_code = description.as_ref().and_then(|known| self.settings_by_code(&entry, &overrides, known));
        match by_code {
            Some(Ok(settings)) => spec.settings = settings,
            Some(Err(error)) if spec.admission == Admission::Enabled => spec.admission = blocked(&error),
            _ => {}
        }
        let schema = entry.settings_schema.as_ref().map(|schema| &schema.value);
        let by_code = || description.as_ref()?.settings_schema.as_ref();
        self.hide(&entry, schema.or_else(by_code), &overrides, all, &mut spec);
        Installed { entry, spec, fingerprint, grants, overrides, description: description.map(Arc::new) }
    }

    fn grants(&self, entry: &Entry, remembered: &Remembered) -> Grants {
        let home = self.base.home();
        Said {
            declared: entry.manifest.as_ref().map_or(&[], |manifest| &manifest.permissions),
            origin: entry.origin,
            decisions: remembered.decisions.get(&entry.name).map_or(&[], Vec::as_slice),
            operator: self.config.plugin(&entry.name).and_then(|own| own.permissions.as_deref()),
            home: home.as_deref(),
        }
        .decide()
    }

    /// Marks what of the settings is secret: what the schema says, and what stands among secrets.
    fn hide(
        &self,
        entry: &Entry,
        schema: Option<&Value>,
        overrides: &[Override],
        all: &Shared<'_>,
        spec: &mut Spec,
    ) {
        let mut names = settings::secret_names(schema);
        names.extend(self.secrets.in_file(&entry.name));
        names.sort();
        names.dedup();
        let mut variables = settings::secret_variables(overrides, &names);
        variables.extend(all.claims.keys().cloned());
        spec.secrets = Secrets::new(names, variables, &spec.settings);
        if let Some(recorder) = &spec.recorder {
            recorder.hide(spec.secrets.texts());
        }
    }

    fn folders(&self, registry: &Registry) -> Arc<[PathBuf]> {
        let named = self.base.options.plugin_dirs.iter().cloned().chain(self.base.configured(self.config));
        let found = registry.entries.values().map(|entry| entry.folder.clone());
        named.chain(Base::bundled()).chain(found).collect()
    }

    /// What the environment sets of each plugin's settings.
    fn overrides(&self, registry: &Registry, claims: &Claims) -> Overrides {
        let names = takers(registry).map(|entry| &*entry.name);
        settings::overrides(names, claims, text_variables(&self.base.options.environment))
    }

    fn spec(&self, entry: &Entry, overrides: &[Override], all: &Shared<'_>) -> Spec {
        let manifest = entry.manifest.as_ref();
        let configured = self.config.plugin(&entry.name);
        let supervision = manifest.map_or_else(Supervision::default, |manifest| manifest.supervision.clone());
        let schema = entry.settings_schema.as_ref().map(|schema| (&schema.value, &*schema.origin));
        let (settings, admission) = match (self.settings(entry, overrides, schema, false), admission(entry)) {
            (Ok(settings), admission) => (settings, admission),
            (Err(error), Admission::Enabled) => (Extra::new(), blocked(&error)),
            (Err(_), admission) => (Extra::new(), admission),
        };
        let recorder = self.base.options.recorder.clone().filter(|recorder| recorder.plugin() == entry.name);
        if let (Some(recorder), Some((schema, _))) = (&recorder, schema) {
            recorder.set_schema(schema);
        }
        let own_limits = configured.map(|own| own.limits).unwrap_or_default();
        let declared_limits = manifest.map(|manifest| manifest.limits).unwrap_or_default();
        Spec {
            args: entry.run.args.clone(),
            supervision: configured.map_or(supervision.clone(), |own| own.supervision(&supervision)),
            admission,
            look_in: look_in(),
            python_sdk: Some(self.base.python_sdk.clone()),
            python_version: manifest.and_then(|manifest| manifest.dependencies.python.clone()),
            environment: all.environment.clone(),
            plugins: all.names.clone(),
            sandboxed: configured.map(|own| own.sandbox).unwrap_or_default(),
            limits: limits(declared_limits, self.config.limits, own_limits),
            hidden: self.base.paths.hidden(self.base.home().as_deref()),
            protected: all.folders.clone(),
            runtime: Some(self.base.paths.runtime.clone()),
            settings,
            directories: self.base.paths.of_plugin(&entry.name),
            dev_mode: self.base.options.dev,
            recorder,
            default_deadline_ms: Some(default_deadline_ms()),
            ..Spec::new(&*entry.name, &*entry.folder, launch(entry))
        }
    }

    /// A plugin's settings, held against a schema where there is one.
    fn settings(
        &self,
        entry: &Entry,
        overrides: &[Override],
        schema: Option<(&Value, &str)>,
        requires_config: bool,
    ) -> Result<Extra, SettingsError> {
        let Some(Manifest { configuration, .. }) = &entry.manifest else { return Ok(Extra::new()) };
        let nothing = BTreeMap::new();
        let names = settings::secret_names(schema.map(|(schema, _)| schema));
        let secrets = self.secrets.of(&entry.name, &names).map_err(|error| SettingsError::Secrets {
            plugin: entry.name.clone(),
            reason: error.to_string(),
            hint: error.hint(),
        })?;
        settings::resolve(&Sources {
            plugin: &entry.name,
            configuration,
            schema,
            requires_config,
            configured: self.config.plugin(&entry.name).map_or(&nothing, |own| &own.settings),
            file: &self.config.path,
            secrets: &secrets,
            environment: overrides,
        })
    }

    /// As [`Maker::settings`], with what only the plugin's code says: a schema, that it needs to be configured.
    /// `None` where that is nothing more than the manifest says.
    pub(super) fn settings_by_code(
        &self,
        entry: &Entry,
        overrides: &[Override],
        description: &PluginDescription,
    ) -> Option<Result<Extra, SettingsError>> {
        let own = entry.settings_schema.as_ref().map(|schema| (&schema.value, &*schema.origin));
        let by_code = description.settings_schema.as_ref().map(|schema| (schema, "its code"));
        if !description.requires_config && (own.is_some() || by_code.is_none()) {
            return None;
        }
        Some(self.settings(entry, overrides, own.or(by_code), description.requires_config))
    }
}

/// The plugins that the environment may speak of: one that waits to be enabled takes nothing from others.
fn takers(registry: &Registry) -> impl Iterator<Item = &Entry> {
    registry.entries.values().filter(|entry| !matches!(entry.status, Status::Disabled { .. }))
}

/// The variables that hold what their schemas call secret.
fn claims(registry: &Registry) -> Claims {
    let secrets =
        |entry: &Entry| settings::secret_names(entry.settings_schema.as_ref().map(|schema| &schema.value));
    let of = |entry: &Entry| {
        let variable = |key: String| (settings::variable(&entry.name, &key), entry.name.clone());
        secrets(entry).into_iter().map(variable).collect::<Vec<_>>()
    };
    takers(registry).flat_map(of).collect()
}

/// What the environment sets, by plugin.
type Overrides = BTreeMap<String, Vec<Override>>;

fn launch(entry: &Entry) -> Launch {
    match &entry.run.program {
        Some(Program::Executable(name)) => Launch::Executable(name.into()),
        Some(Program::Command(words)) => Launch::Command(words.clone()),
        Some(Program::Python(target)) => {
            let target = match target {
                PythonTarget::File(file) => file.clone(),
                PythonTarget::Class { module, class } => format!("{module}:{class}"),
            };
            Launch::Python { target, interpreter: entry.run.interpreter.clone() }
        }
        // Such an entry is blocked, and never started.
        None => Launch::Command(Vec::new()),
    }
}

fn admission(entry: &Entry) -> Admission {
    match &entry.status {
        Status::Blocked { reason, hint } => Admission::Blocked { reason: reason.clone(), hint: hint.clone() },
        Status::Disabled { reason } => Admission::Disabled { reason: reason.clone() },
        Status::Ok if !entry.kinds.iter().any(|kind| matches!(kind, Kind::Intent | Kind::Command)) => {
            let kinds: Vec<_> = entry.kinds.iter().map(|kind| format!("`{}`", kind_name(*kind))).collect();
            Admission::Blocked {
                reason: format!(
                    "it is a plugin of the kind {}, found neither `intent` nor `command`",
                    kinds.join(" and ")
                ),
                hint: "this version of AstrOS runs plugins of the kinds `intent` and `command`".to_owned(),
            }
        }
        Status::Ok => Admission::Enabled,
    }
}

pub(super) fn kind_name(kind: Kind) -> String {
    json!(kind).as_str().unwrap_or_default().to_owned()
}

/// What its code looks like from outside, now.
pub(super) fn fingerprint(entry: &Entry, spec: &Spec) -> String {
    let program = spec.program_file();
    entry.fingerprint(&program.iter().map(PathBuf::as_path).collect::<Vec<_>>(), python_sdk::fingerprint())
}

pub(super) fn blocked(error: &SettingsError) -> Admission {
    Admission::Blocked { reason: error.to_string(), hint: error.hint() }
}

/// Where executables of plugins are beside their own folders: with the daemon, and in its libexec.
fn look_in() -> Vec<PathBuf> {
    let exe = std::env::current_exe().ok();
    let Some(beside) = exe.as_deref().and_then(Path::parent) else { return Vec::new() };
    let mut folders = vec![beside.to_owned()];
    folders.extend(beside.parent().map(|prefix| prefix.join("libexec/astros")));
    folders
}
