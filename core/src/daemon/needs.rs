//! What plugins need beside themselves: other plugins, Python packages, an AI provider. What is not there blocks the
//! plugin before anything is started, with what helps.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use astros_protocol::{
    PluginDescription,
    manifest::{Kind, Manifest, PluginDependency},
};

use super::{listing::version, setup::Installed};
use crate::{
    python::{Environment, Installed as Packages, Requirement, normalised},
    registry::{Entry, Lack, Node, Nodes, lacks, order},
    supervisor::{Admission, Launch, Spec, environment_of, lacking},
};

/// What the SDK is called in requirements: the host brings it.
const SDK: [&str; 3] = ["astros", "localagent", "localagent-cli"];

/// Blocks those that lack something, and gives all names in the order in which they are added.
pub(super) fn check(plugins: &mut BTreeMap<String, Installed>) -> Vec<String> {
    let has_ai = plugins.values().any(|plugin| provides(plugin) || may_provide(plugin));
    for plugin in plugins.values_mut().filter(|plugin| !has_ai && requires_ai(plugin)) {
        let reason = "needs an AI provider, and there is none".to_owned();
        plugin.lack(reason, "put a plugin of the kind `provider` where plugins are looked for".to_owned());
    }
    let nodes: Nodes = plugins.iter().map(|(name, plugin)| (name.clone(), node(plugin))).collect();
    for (name, lacks) in lacks(&nodes) {
        let Some(plugin) = plugins.get_mut(&name) else { continue };
        lacks.into_iter().for_each(|Lack { reason, hint }| plugin.lack(reason, hint));
    }
    order(&nodes)
}

impl Installed {
    fn lack(&mut self, reason: String, hint: String) {
        if self.spec.admission == Admission::Enabled || self.needs {
            self.spec.admission = self.spec.admission.and_blocked(&reason, &hint);
            (self.needs, self.lacks) = (true, true);
        }
    }
}

fn provides(plugin: &Installed) -> bool {
    let by_code = plugin.description.as_ref().is_some_and(|described| !described.providers.is_empty());
    plugin.may_run() && (plugin.entry.kinds.contains(&Kind::Provider) || by_code)
}

/// Nothing says what it is, and nobody has asked it yet.
fn may_provide(plugin: &Installed) -> bool {
    let handles = |manifest: &Manifest| !manifest.capabilities.handles.is_empty();
    let is_unknown = plugin.description.is_none() && !plugin.entry.manifest.as_ref().is_some_and(handles);
    is_unknown && plugin.entry.may_be(Kind::Provider) && plugin.may_run() && !requires_ai(plugin)
}

fn requires_ai(plugin: &Installed) -> bool {
    let manifest = plugin.entry.manifest.as_ref();
    let by_code = |described: &Arc<PluginDescription>| described.requires_ai;
    manifest.is_some_and(|manifest| manifest.capabilities.requires_ai)
        || plugin.description.as_ref().is_some_and(by_code)
}

fn node(plugin: &Installed) -> Node {
    let Installed { entry, spec, description, .. } = plugin;
    let manifest = entry.manifest.as_ref();
    let mut needs = manifest.map(|manifest| manifest.dependencies.plugins.clone()).unwrap_or_default();
    let by_code = description.iter().flat_map(|described| &described.dependencies);
    for needed in by_code.filter_map(|text| PluginDependency::try_from(text.clone()).ok()) {
        if needs.iter().all(|known| known.name != needed.name) {
            needs.push(needed);
        }
    }
    let enable = || format!("`astros plugins enable {}` enables it", entry.name);
    let refusal = match &spec.admission {
        Admission::Enabled => None,
        Admission::Disabled { reason } => Some((format!("disabled: {reason}"), enable())),
        Admission::Blocked { reason, hint } => Some((format!("blocked: {reason}"), hint.clone())),
    };
    Node { version: version(manifest, description.as_deref()), needs, refusal }
}

/// Whether it is what the host brings.
pub(super) fn is_sdk(wanted: &Requirement) -> bool {
    SDK.contains(&&*normalised(&wanted.name))
}

/// The packages of environments, each looked at once.
#[derive(Default)]
pub(super) struct Looked(Mutex<HashMap<PathBuf, Arc<Packages>>>);

impl Looked {
    /// Why a plugin in Python cannot run as it is, and what helps, where packages are missing that its manifest names.
    /// What can be told of its interpreter only by starting that is left to the start.
    pub(super) fn refusal(&self, entry: &Entry, spec: &mut Spec) -> Option<(String, String)> {
        let external = &entry.manifest.as_ref()?.dependencies.external;
        if external.is_empty() || !matches!(spec.launch, Launch::Python { .. }) {
            return None;
        }
        let mut wanted = Vec::new();
        for text in external {
            match Requirement::parse(text) {
                Ok(one) if is_sdk(&one) => {}
                Ok(one) => wanted.push(one),
                Err(expected) => {
                    let reason = format!("`dependencies.external` names `{text}`, {expected}");
                    return Some((reason, "correct its manifest".to_owned()));
                }
            }
        }
        let Some(environment) = environment_of(spec) else {
            spec.packages = wanted;
            return None;
        };
        let installed = self.installed(&environment);
        let unmet: Vec<_> = wanted.iter().filter_map(|one| one.unmet(&installed)).collect();
        lacking(spec, &environment, &unmet)
    }

    fn installed(&self, environment: &Environment) -> Arc<Packages> {
        let mut looked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = || Arc::new(Packages::of(environment));
        looked.entry(environment.interpreter.clone()).or_insert_with(of).clone()
    }
}
