//! Plugins that were installed into a Python environment: found by their entry points, without starting anything.

use std::path::PathBuf;

use astros_protocol::manifest::{Kind, Manifest, Program, PythonTarget};
use serde_json::json;

use super::{Entry, Origin};
use crate::python::{About, Environment, Offer, offers};

/// The groups of entry points that are plugins, and of what kind.
const GROUPS: [(&str, Kind); 5] = [
    ("astros.plugins", Kind::Intent),
    ("localagent.plugins.commands", Kind::Command),
    ("localagent.plugins.providers", Kind::Provider),
    ("localagent.plugins.ui", Kind::Ui),
    ("localagent.plugins.workflow", Kind::Workflow),
];

/// The plugins of an environment: one a class, whatever kinds it stands there as.
pub(super) fn entries(environment: &Environment) -> Vec<Entry> {
    let groups = GROUPS.map(|(group, _)| group);
    let mut plugins: Vec<(Offer, Vec<Kind>)> = Vec::new();
    for offer in offers(environment, &groups) {
        let kind = GROUPS.iter().find(|(group, _)| *group == offer.group).map(|(_, kind)| *kind);
        let of_same = |(one, _): &&mut (Offer, Vec<Kind>)| {
            one.target == offer.target && one.distribution == offer.distribution
        };
        match plugins.iter_mut().find(of_same) {
            Some((_, kinds)) => kinds.extend(kind),
            None => plugins.push((offer, kind.into_iter().collect())),
        }
    }
    let is_alone =
        |offer: &Offer| plugins.iter().filter(|(one, _)| one.distribution == offer.distribution).count() == 1;
    plugins.iter().map(|(offer, kinds)| entry(offer, kinds, is_alone(offer), environment)).collect()
}

fn entry(offer: &Offer, kinds: &[Kind], is_alone: bool, environment: &Environment) -> Entry {
    let distribution = &offer.distribution;
    // Not the folder of all packages: what is in the working directory can be imported before anything else.
    let folder = distribution.sources.clone().unwrap_or_else(|| distribution.info.clone());
    let mut entry = Entry::new(&folder, Origin::User);
    entry.part = Some(offer.name.clone());
    entry.set_name(&offer.name);
    let module = offer.target.split(':').next().unwrap_or_default();
    let package = distribution.package(module);
    let places: Vec<PathBuf> = distribution.sources.iter().cloned().chain(package).collect();
    let read = places.iter().map(|place| (place, Manifest::read(place)));
    let found =
        read.filter(|(_, read)| !matches!(read, Ok(None))).map(|(place, read)| (place.clone(), read)).next();
    let (base, manifest) = found.unwrap_or_else(|| (folder, Ok(None)));
    let is_named = is_alone && matches!(manifest, Ok(Some(_)));
    let filled = manifest
        .map_err(|error| (error.to_string(), "tell its author; other plugins are not affected"))
        .and_then(|manifest| match manifest {
            Some(manifest) => Ok(manifest),
            None => stand_in(&entry.name, &distribution.about()),
        })
        .and_then(|mut manifest| {
            manifest.kinds = kinds.to_vec();
            manifest.says_kinds = true;
            manifest.run.program = PythonTarget::parse(&offer.target).map(Program::Python);
            manifest.run.interpreter = Some(environment.interpreter.display().to_string());
            let name = entry.name.clone();
            let filled = entry.fill(&base, manifest);
            if !is_named {
                entry.name = name;
            }
            filled
        });
    if let Err((reason, hint)) = filled {
        entry.block(reason, hint);
    }
    entry
}

/// The manifest of a distribution that has none.
fn stand_in(name: &str, about: &About) -> Result<Manifest, (String, &'static str)> {
    let hint = "tell its author; other plugins are not affected";
    let text = json!({
        "name": name, "version": about.version, "description": about.summary, "author": about.author,
        "license": about.license, "homepage": about.homepage,
    });
    // YAML has JSON in it.
    let mut manifest = Manifest::parse(&text.to_string(), std::path::Path::new("METADATA"))
        .map_err(|error| (error.to_string(), hint))?;
    manifest.dependencies.python = about.requires_python.clone().and_then(|wanted| wanted.try_into().ok());
    manifest.warnings.clear();
    Ok(manifest)
}
