//! What there is to say of the plugins, without starting any.

use std::sync::Arc;

use astros_protocol::{
    Error, PluginDescription,
    lifecycle::Sandbox,
    manifest::{Kind, Manifest, Permission, Program, PythonTarget},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Catalog, Daemon, Options,
    commands::on_disk,
    setup::Installed,
    specs::{Looks, kind_name},
};
use crate::{
    registry::Entry,
    router::Plugin,
    services::settings::secret_names,
    supervisor::{self, SANDBOX_REFUSED, Sandboxed, Spec, Status},
};

/// One plugin in `astros plugins list`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    pub name: String,
    pub version: String,
    /// One of the closed set of states.
    pub state: String,
    /// Why it is so.
    pub reason: Option<String>,
    /// What helps.
    pub hint: Option<String>,
    pub pids: Vec<u32>,
    pub restarts: u32,
    pub in_flight: usize,
    /// Of its calls since the start of the daemon; none where there were none.
    pub p99_ms: Option<f64>,
    pub language: String,
    pub kinds: Vec<String>,
    /// How far the kernel confines it: `full`, `reduced`, `off`, or `refused` where the machine cannot; none before
    /// it ran.
    pub sandbox: Option<String>,
    pub author: Option<String>,
    pub folder: String,
    /// The settings that its schema marks as secret; none where no schema is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Vec<String>>,
    /// What is wrong with what it offers, though it runs; one sentence each.
    #[serde(default)]
    pub problems: Vec<String>,
}

impl Listed {
    /// The state in words.
    pub fn shown_state(&self) -> &str {
        if self.state == "idle" { "idle (starts on use)" } else { &self.state }
    }
}

/// All plugins by name as they are on disk, where no daemon runs and none is needed: nothing is started. And what a
/// person should look at in what they set up, one sentence each.
///
/// # Errors
/// As [`Daemon::start`].
pub async fn list_on_disk(options: Options) -> Result<(Vec<Listed>, Vec<String>), Error> {
    let machine = supervisor::machine(None).await;
    let (setup, catalog) = on_disk(options, machine, Looks::Described).await?;
    let listed = |installed: &Arc<Installed>| {
        let Installed { entry, spec, description, .. } = &**installed;
        let status = Status::unstarted(&entry.name, &spec.admission);
        let seen =
            Seen { sandbox: unseen(spec, &status), described: description.clone(), status, p99_ms: None };
        seen.list(installed, &catalog)
    };
    Ok((setup.plugins.values().map(listed).collect(), setup.warnings))
}

/// What of a plugin is not on disk.
struct Seen {
    status: Status,
    described: Option<Arc<PluginDescription>>,
    p99_ms: Option<f64>,
    sandbox: Option<&'static str>,
}

impl Seen {
    fn list(self, installed: &Installed, catalog: &Catalog) -> Listed {
        let Seen { status, described, p99_ms, sandbox } = self;
        let entry = &installed.entry;
        let manifest = entry.manifest.as_ref();
        let by_code = || described.as_ref()?.settings_schema.as_ref();
        let schema = entry.settings_schema.as_ref().map(|schema| &schema.value).or_else(by_code);
        let secrets = schema.map(|schema| secret_names(Some(schema)));
        let kinds = match (&entry.kinds[..], &described) {
            ([], Some(described)) => described_kinds(described),
            (said, _) => said.to_vec(),
        };
        Listed {
            name: entry.name.clone(),
            version: version(manifest, described.as_deref()),
            state: status.state.to_string(),
            reason: status.reason,
            hint: status.hint,
            pids: status.pids,
            restarts: status.restarts,
            in_flight: status.in_flight,
            p99_ms,
            language: entry
                .language
                .clone()
                .or_else(|| described.map(|described| described.language.clone()))
                .unwrap_or_default(),
            kinds: kinds.iter().map(|kind| kind_name(*kind)).collect(),
            sandbox: sandbox.map(str::to_owned),
            author: manifest.and_then(|manifest| manifest.metadata.author.clone()),
            folder: entry.folder.display().to_string(),
            secrets,
            problems: catalog.problems(&entry.name).to_vec(),
        }
    }
}

impl Daemon {
    /// All plugins, by name.
    pub fn list(&self) -> Vec<Listed> {
        let catalog = self.commands();
        let setup = self.setup();
        setup.plugins.values().filter_map(|installed| self.listed(installed, &catalog).ok()).collect()
    }

    fn listed(&self, installed: &Installed, catalog: &Catalog) -> Result<Listed, Error> {
        let plugin = self.router.plugin(&installed.entry.name)?;
        let status = plugin.status();
        let seen = Seen {
            sandbox: sandbox(&plugin, &installed.spec, &status),
            described: plugin.description(),
            status,
            p99_ms: plugin.metrics().snapshot().latency.map(|latency| latency.p99_ms),
        };
        Ok(seen.list(installed, catalog))
    }

    /// All that is known of one plugin; it is started where it was never asked what it offers.
    pub async fn show(&self, name: &str) -> Result<Value, Error> {
        let installed = self.installed(name)?;
        let entry = &installed.entry;
        let plugin = self.router.plugin(name)?;
        let unknown = plugin.description().is_none();
        // A plugin that does not start is shown all the same, with the reason.
        let failed = if unknown { self.describe(name).await.err() } else { None };
        let mut shown = json!(self.listed(&installed, &self.commands())?);
        let described = plugin.description().unwrap_or_default();
        let status = plugin.status();
        let manifest = entry.manifest.as_ref();
        let metadata = manifest.map(|manifest| &manifest.metadata);
        let or_described = |own: Option<&String>, described: &str| match own {
            Some(own) if !own.is_empty() => own.clone(),
            _ => described.to_owned(),
        };
        shown["description"] =
            or_described(metadata.map(|one| &one.description), &described.description).into();
        shown["author"] =
            or_described(metadata.and_then(|one| one.author.as_ref()), &described.author).into();
        shown["run"] = run(entry).into();
        shown["handles"] = json!(described.handles);
        shown["handlers"] = json!(described.handlers);
        shown["commands"] = json!(described.commands);
        shown["components"] = json!(described.ui_components);
        shown["providers"] = json!(described.providers);
        shown["workflow_parts"] = json!(described.workflow_parts);
        shown["settings"] = json!(installed.spec.secrets.masked(&installed.spec.settings));
        let sockets = manifest.and_then(|_| reaches_sockets(&installed.spec.granted));
        shown["warnings"] = json!(manifest.map(|manifest| {
            warnings(manifest).into_iter().chain(sockets.map(str::to_owned)).collect::<Vec<_>>()
        }));
        shown["reload_error"] = json!(self.reload_error(name));
        shown["last_exit"] = json!(status.last_exit);
        shown["last_words"] = json!(status.last_words);
        shown["since_ms"] = json!(status.since_ms);
        shown["until_ms"] = json!(status.until_ms);
        shown["instances"] = json!(status.instances);
        shown["queued"] = json!(plugin.queued());
        shown["metrics"] = json!(plugin.metrics().snapshot());
        shown["permissions"] = json!(installed.wishes());
        if let Some(error) = failed
            && shown["reason"].is_null()
        {
            shown["reason"] = error.message.clone().into();
            shown["hint"] = json!(error.hint());
        }
        Ok(shown)
    }
}

fn sandbox(plugin: &Plugin, spec: &Spec, status: &Status) -> Option<&'static str> {
    match plugin.supervisor().session() {
        Some(session) => match session.sandbox {
            Sandbox::Full => Some("full"),
            Sandbox::Reduced => Some("reduced"),
            Sandbox::None | Sandbox::Unknown => Some("off"),
        },
        None => unseen(spec, status),
    }
}

/// What is known of the sandbox of a plugin that does not run.
fn unseen(spec: &Spec, status: &Status) -> Option<&'static str> {
    if spec.sandboxed == Sandboxed::Off {
        return Some("off");
    }
    status.reason.as_ref().is_some_and(|reason| reason.contains(SANDBOX_REFUSED)).then_some("refused")
}

/// The kinds of what a plugin offers.
fn described_kinds(described: &PluginDescription) -> Vec<Kind> {
    let offers = [
        (Kind::Intent, !described.handlers.is_empty()),
        (Kind::Command, !described.commands.is_empty()),
        (Kind::Provider, !described.providers.is_empty()),
        (Kind::Ui, !described.ui_components.is_empty()),
        (Kind::Workflow, !described.workflow_parts.is_empty()),
    ];
    offers.into_iter().filter_map(|(kind, offered)| offered.then_some(kind)).collect()
}

/// The manifest's, or the code's where there is no manifest that says one.
pub(super) fn version(manifest: Option<&Manifest>, described: Option<&PluginDescription>) -> String {
    let own = manifest.map(|manifest| manifest.metadata.version.to_string());
    let by_code =
        || described.map(|described| described.version.clone()).filter(|version| !version.is_empty());
    own.filter(|version| version != "0.0.0").or_else(by_code).unwrap_or_default()
}

/// What comes of two permissions together: to talk to D-Bus takes sockets with paths.
fn reaches_sockets(granted: &[Permission]) -> Option<&'static str> {
    let has = |one: fn(&Permission) -> bool| granted.iter().any(one);
    let both = has(|one| matches!(one, Permission::SystemControl(Some(_))))
        && has(|one| matches!(one, Permission::FileSystem(_)));
    both.then_some(
        "it may use D-Bus and files: sockets of other programs that lie in folders it was granted are open to it",
    )
}

/// What its author should look at.
fn warnings(manifest: &Manifest) -> Vec<String> {
    let refused = manifest.permissions.iter().filter_map(|one| one.grantable().err());
    manifest.warnings.iter().cloned().chain(refused.map(|error| error.to_string())).collect()
}

fn run(entry: &Entry) -> String {
    match &entry.run.program {
        Some(Program::Executable(name)) => name.clone(),
        Some(Program::Command(words)) => words.join(" "),
        Some(Program::Python(target)) => match target {
            PythonTarget::File(file) => format!("python {file}"),
            PythonTarget::Class { module, class } => {
                format!("python {module}:{class}")
            }
        },
        None => String::new(),
    }
}
