//! From a plugin's entry in the registry to what its supervisor starts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use astros_protocol::{
    Extra, PluginDescription,
    manifest::{Kind, Program, PythonTarget, Supervision},
};
use serde_json::json;

use super::{
    config::Config,
    default_deadline_ms,
    grants::{Grants, Said},
    limits::limits,
    needs::Looked,
    python_sdk,
    settle::{self, claims, takers},
    setup::{Base, Installed, Remembered},
    text_variables,
};
use crate::{
    registry::{Entry, Registry, Status, spread},
    services::{
        secrets::Reading,
        settings::{self, Claims, Override, Overrides, SettingsError, Settled},
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
    /// The packages of Python environments.
    looked: Looked,
    /// Where they are, and where others would be found.
    folders: Arc<[PathBuf]>,
}

impl Maker<'_> {
    /// Every plugin that was found, with what it is started with, by name.
    pub(super) fn installed(
        &self,
        registry: Registry,
        remembered: &Remembered,
        warnings: &mut Vec<String>,
    ) -> BTreeMap<String, Installed> {
        let claims = claims(takers(registry.entries.values()));
        let Overrides { of: mut overrides, unclear } = self.overrides(&registry, &claims);
        warnings.extend(unclear);
        let all = Shared {
            remembered,
            environment: Arc::new(self.base.options.environment.clone()),
            names: takers(registry.entries.values()).map(|entry| entry.name.clone()).collect(),
            claims,
            looked: Looked::default(),
            folders: self.folders(&registry),
        };
        let entries = registry.entries.into_iter();
        let entries = entries.map(|(name, entry)| (overrides.remove(&name).unwrap_or_default(), name, entry));
        let installed =
            spread(entries.collect(), |(overrides, name, entry)| (name, self.one(entry, overrides, &all)));
        for_one_only(installed.into_iter().collect())
    }

    fn one(&self, entry: Entry, overrides: Vec<Override>, all: &Shared<'_>) -> Installed {
        let grants = self.grants(&entry, all.remembered);
        let mut spec = Spec { granted: grants.granted.clone(), ..self.spec(&entry, all) };
        let by_operator = self.config.plugin(&entry.name).is_some_and(|own| own.permissions.is_some());
        spec.granted_in = by_operator.then(|| self.config.path.clone());
        let refusal = grants.refusal(&entry.name);
        let fingerprint = fingerprint(&entry, &spec);
        let described = all.remembered.descriptions.get(&entry.identity());
        // Nobody can ask it before somebody agrees; what it offered before tells what it is wanted for.
        let description = described.and_then(|described| match refusal {
            Some(_) => described.last(),
            None => described.valid(&fingerprint),
        });
        let description = description.map(Arc::new);
        let given = self.given(&entry.name, overrides, &all.remembered.settings);
        let (Settled { settings, places }, misfit) = self.settings(&entry, &given, description.as_deref());
        spec.settings = settings;
        spec.providers = self.providers(&entry, description.as_deref());
        let mut needs = false;
        if let (Admission::Enabled, Some(misfit)) = (&spec.admission, &misfit) {
            spec.admission = blocked(misfit);
            needs = true;
        }
        if let (Admission::Enabled, Some(refusal)) = (&spec.admission, refusal) {
            spec.admission = refusal;
        }
        if let (Admission::Enabled, Some(error)) =
            (&spec.admission, supervisor::refusal(&spec, self.base.machine))
        {
            let hint = error.hint().unwrap_or_default().to_owned();
            // Who is told that it is blocked is told whom that is about.
            let about = format!("plugin `{}` cannot be started: ", entry.name);
            let reason = error.message.strip_prefix(&about).unwrap_or(&error.message).to_owned();
            spec.admission = Admission::Blocked { reason, hint };
        }
        let packages = all.looked.refusal(&entry, &mut spec);
        if let Some((reason, hint)) = packages
            && (needs || spec.admission == Admission::Enabled)
        {
            spec.admission = spec.admission.and_blocked(&reason, &hint);
            needs = true;
        }
        spec.secrets = self.hidden(&entry, description.as_deref(), &given.overrides, &all.claims, &spec);
        if let Some(recorder) = &spec.recorder {
            recorder.hide(spec.secrets.texts());
        }
        Installed {
            entry,
            spec,
            fingerprint,
            grants,
            needs,
            lacks: false,
            given,
            places,
            misfit,
            description,
        }
    }

    /// What `astros.yaml` says of the providers that the plugin brings: as far as that is known, which is by its manifest
    /// and what it said before. A plugin that is as yet unknown may bring one of its own name.
    fn providers(&self, entry: &Entry, description: Option<&PluginDescription>) -> BTreeMap<String, Extra> {
        let points = entry.manifest.iter().flat_map(|manifest| &manifest.entry_points);
        let listed = points.filter(|point| point.kind == Kind::Provider).map(|point| &point.name);
        let described = description.map(|it| it.providers.iter().map(|provider| &provider.name));
        let own = description.is_none().then_some(&entry.name);
        let names = listed.chain(described.into_iter().flatten()).chain(own);
        let configured = &self.config.providers.configured;
        names.filter_map(|name| Some((name.clone(), configured.get(name)?.clone()))).collect()
    }

    fn grants(&self, entry: &Entry, remembered: &Remembered) -> Grants {
        let home = self.base.home();
        Said {
            declared: entry.manifest.as_ref().map_or(&[], |manifest| &manifest.permissions),
            origin: entry.origin,
            decisions: &remembered.decided(entry),
            operator: self.config.plugin(&entry.name).and_then(|own| own.permissions.as_deref()),
            home: home.as_deref(),
        }
        .decide()
    }

    /// What of the settings is secret: what the schema says, and what stands among secrets.
    pub(super) fn hidden(
        &self,
        entry: &Entry,
        description: Option<&PluginDescription>,
        overrides: &[Override],
        claims: &Claims,
        spec: &Spec,
    ) -> Secrets {
        let mut names = settings::secret_names(settle::schema(entry, description).map(|(schema, _)| schema));
        names.extend(self.secrets.in_file(&entry.name));
        names.sort();
        names.dedup();
        let mut variables = settings::secret_variables(overrides, &names);
        variables.extend(claims.keys().cloned());
        let secrets = Secrets::new(names, variables, &spec.settings);
        spec.providers.values().fold(secrets, Secrets::and)
    }

    fn folders(&self, registry: &Registry) -> Arc<[PathBuf]> {
        let named = self.base.options.plugin_dirs.iter().cloned().chain(self.base.configured(self.config));
        let found = registry.entries.values().map(|entry| entry.folder.clone());
        let environments = self.config.python_environments.iter().cloned();
        named.chain(Base::bundled()).chain(environments).chain(found).collect()
    }

    /// What the environment sets of each plugin's settings.
    fn overrides(&self, registry: &Registry, claims: &Claims) -> Overrides {
        let names = takers(registry.entries.values()).map(|entry| &*entry.name);
        settings::overrides(names, claims, text_variables(&self.base.options.environment))
    }

    /// Without its settings, and what it may do.
    fn spec(&self, entry: &Entry, all: &Shared<'_>) -> Spec {
        let manifest = entry.manifest.as_ref();
        let configured = self.config.plugin(&entry.name);
        let supervision = manifest.map_or_else(Supervision::default, |manifest| manifest.supervision.clone());
        let schema = entry.settings_schema.as_ref().map(|schema| (&schema.value, &*schema.origin));
        let recorder = self.base.options.recorder.clone().filter(|recorder| recorder.plugin() == entry.name);
        if let (Some(recorder), Some((schema, _))) = (&recorder, schema) {
            recorder.set_schema(schema);
        }
        let own_limits = configured.map(|own| own.limits).unwrap_or_default();
        let declared_limits = manifest.map(|manifest| manifest.limits).unwrap_or_default();
        Spec {
            args: entry.run.args.clone(),
            supervision: configured.map_or(supervision.clone(), |own| own.supervision(&supervision)),
            admission: admission(entry),
            look_in: look_in(),
            python_sdk: Some(self.base.python_sdk.clone()),
            python_environment: Some(self.base.paths.environment(&entry.name)),
            python_version: manifest.and_then(|manifest| manifest.dependencies.python.clone()),
            environment: all.environment.clone(),
            plugins: all.names.clone(),
            sandboxed: configured.map(|own| own.sandbox).unwrap_or_default(),
            limits: limits(declared_limits, self.config.limits, own_limits),
            hidden: self.base.paths.hidden(self.base.home().as_deref()),
            protected: all.folders.clone(),
            runtime: Some(self.base.paths.runtime.clone()),
            directories: self.base.paths.of_plugin(&entry.name),
            dev_mode: self.base.options.development.is_on,
            recorder,
            default_deadline_ms: Some(default_deadline_ms()),
            ..Spec::new(&*entry.name, &*entry.folder, launch(entry))
        }
    }
}

/// What is configured of a provider is for the plugin that brings it: of several that say so, nobody gets it.
fn for_one_only(mut installed: BTreeMap<String, Installed>) -> BTreeMap<String, Installed> {
    let mut claims: BTreeMap<String, usize> = BTreeMap::new();
    let may_run = installed.values().filter(|one| one.spec.admission == Admission::Enabled);
    for name in may_run.flat_map(|one| one.spec.providers.keys()) {
        *claims.entry(name.clone()).or_default() += 1;
    }
    for one in installed.values_mut() {
        one.spec.providers.retain(|name, _| claims.get(name) == Some(&1));
    }
    installed
}

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
