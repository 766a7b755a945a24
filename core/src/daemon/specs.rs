//! From a plugin's entry in the registry to what its supervisor starts.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use astros_protocol::{
    Extra, PluginDescription,
    manifest::{Kind, Manifest, Program, PythonTarget, Supervision},
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
        storage::{Described, Descriptions},
    },
    supervisor::{self, Admission, Launch, Secrets, Spec},
};

/// Makes what plugins are started with of what is on disk.
pub(super) struct Maker<'a> {
    pub base: &'a Base,
    pub config: &'a Config,
    pub secrets: &'a Reading<'a>,
    pub looks: &'a Looks,
}

/// Which plugins' code is looked at: what they said that they offer holds while that stays the same. Of others, what
/// they said last is taken.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Looks {
    /// All that may run.
    All,
    /// Those that said something.
    Described,
    /// Those that said that they have a command of this name; others are left out where nobody needs them.
    Having(String),
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
    /// What no plugin sees.
    hidden: Arc<[PathBuf]>,
    look_in: Vec<PathBuf>,
    /// What runs all that are in Python, looked for once: they have one PATH.
    python: OnceLock<Option<PathBuf>>,
}

impl Shared<'_> {
    fn fingerprint(&self, entry: &Entry, spec: &Spec) -> String {
        match &spec.launch {
            Launch::Python { .. } => look(entry, self.python.get_or_init(|| spec.program_file()).as_deref()),
            _ => fingerprint(entry, spec),
        }
    }
}

impl Looks {
    fn at(&self, entry: &Entry, described: Option<&Described>) -> bool {
        match self {
            // Nobody asks one that is disabled, nor starts it.
            _ if matches!(entry.status, Status::Disabled { .. }) => false,
            Looks::All => true,
            Looks::Described => described.is_some(),
            Looks::Having(word) => described.is_some_and(|described| described.may_name(word)),
        }
    }
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
            hidden: self.base.paths.hidden(self.base.home().as_deref()).into(),
            look_in: look_in(),
            python: OnceLock::new(),
        };
        let mut entries = registry.entries;
        if let Looks::Having(word) = self.looks {
            leave_others_out(&mut entries, word, &remembered.descriptions);
        }
        let entries = entries
            .into_iter()
            .map(|(name, entry)| (overrides.remove(&name).unwrap_or_default(), name, entry));
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
        let described = all.remembered.descriptions.get(&entry.identity());
        let is_looked_at = self.looks.at(&entry, described);
        let fingerprint = if is_looked_at { all.fingerprint(&entry, &spec) } else { String::new() };
        // Nobody can ask it before somebody agrees; what it offered before tells what it is wanted for.
        let description = described.and_then(|described| match refusal {
            None if is_looked_at => described.valid(&fingerprint),
            _ => described.last(),
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
            look_in: all.look_in.clone(),
            python_sdk: Some(self.base.python_sdk.clone()),
            python_environment: Some(self.base.paths.environment(&entry.name)),
            python_version: manifest.and_then(|manifest| manifest.dependencies.python.clone()),
            environment: all.environment.clone(),
            plugins: all.names.clone(),
            sandboxed: configured.map(|own| own.sandbox).unwrap_or_default(),
            limits: limits(declared_limits, self.config.limits, own_limits),
            hidden: all.hidden.clone(),
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

/// Leaves those out that did not say that they have a command of this name, where those that did need nobody else.
fn leave_others_out(entries: &mut BTreeMap<String, Entry>, word: &str, descriptions: &Descriptions) {
    let described =
        |entry: &Entry| descriptions.get(&entry.identity()).filter(|described| described.may_name(word));
    let is_alone = |entry: &Entry| {
        let by_code = described(entry).and_then(Described::last).unwrap_or_default();
        let manifest = entry.manifest.as_ref();
        let needs = |manifest: &Manifest| {
            manifest.capabilities.requires_ai || !manifest.dependencies.plugins.is_empty()
        };
        !manifest.is_some_and(needs) && !by_code.requires_ai && by_code.dependencies.is_empty()
    };
    if entries.values().filter(|entry| described(entry).is_some()).all(is_alone) {
        entries.retain(|_, entry| described(entry).is_some());
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
    look(entry, spec.program_file().as_deref())
}

fn look(entry: &Entry, program: Option<&Path>) -> String {
    entry.fingerprint(program, python_sdk::fingerprint())
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
