//! From folders to one entry a name: ranks, shadows, names that stand there twice, enablement.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::{
    Enablement, Entry, Origin, Places, Registry, RegistryError, Status, installed, program, spread::spread,
};
use crate::python::Environment;

pub(super) fn discover(places: &Places<'_>, enablement: &Enablement<'_>) -> Result<Registry, RegistryError> {
    let mut registry = Registry::default();
    let mut operator = Vec::new();
    for path in places.named {
        let found = plugins_in(path);
        let found =
            found.map_err(|error| RegistryError::Folder { path: path.clone(), reason: words(&error) })?;
        warn_if_empty(path, &found, &mut registry.warnings);
        operator.extend(found);
    }
    for path in places.configured {
        match plugins_in(path) {
            Ok(found) => {
                warn_if_empty(path, &found, &mut registry.warnings);
                operator.extend(found);
            }
            Err(error) => registry.warnings.push(unusable(path, &error)),
        }
    }
    for folder in places.development {
        operator.extend(optional(Some(folder), &mut registry.warnings));
    }
    let installed = places.environments.iter().flat_map(|path| installed(path, &mut registry.warnings));
    let installed = installed.collect();
    let ranks = [
        (Origin::Operator, operator, Vec::new()),
        (Origin::User, optional(Some(places.user), &mut registry.warnings), installed),
        (Origin::Bundled, optional(places.bundled, &mut registry.warnings), Vec::new()),
    ];
    for (origin, folders, installed) in ranks {
        for entry in rank(origin, folders, installed, &mut registry.warnings) {
            place(&mut registry, entry, enablement);
        }
    }
    for entry in registry.entries.values_mut() {
        let Some(reason) = enablement.refusal(entry) else { continue };
        // What is wrong with one that waits to be enabled is said first; one that the person disabled has no problem.
        if entry.status == Status::Ok || enablement.said(entry) == Some(false) {
            entry.status = Status::Disabled { reason };
        }
    }
    let file = enablement.path.display();
    let in_file = enablement.file.keys().map(|name| (name, format!("{file}: `plugins.{name}`")));
    let in_environment =
        enablement.environment.iter().map(|name| (name, format!("`{name}` in `LOCALAGENT_PLUGINS_ENABLED`")));
    let unknown = in_file.chain(in_environment).filter(|(name, _)| !registry.entries.contains_key(*name));
    let unknown: Vec<String> = unknown
        .map(|(name, place)| {
            let near = registry.nearest(name).map(|near| format!("; did you mean `{near}`?"));
            format!("{place} names no plugin that is there{}", near.unwrap_or_default())
        })
        .collect();
    registry.warnings.extend(unknown);
    Ok(registry)
}

/// The plugins' folders that `folder` is or holds, in the order of their names.
fn plugins_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = folder.canonicalize()?;
    let children = std::fs::read_dir(&folder)?;
    if program::is_plugin(&folder) {
        return Ok(vec![folder]);
    }
    let mut found: Vec<PathBuf> = children
        .flatten()
        .filter(|child| !child.file_name().to_string_lossy().starts_with(['.', '_']))
        .map(|child| child.path())
        .filter(|path| path.is_dir() && program::is_plugin(path))
        .collect();
    found.sort();
    Ok(found)
}

/// A folder that nobody has to have.
fn optional(folder: Option<&Path>, warnings: &mut Vec<String>) -> Vec<PathBuf> {
    let Some(folder) = folder else { return Vec::new() };
    match plugins_in(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !folder.is_symlink() => Vec::new(),
        Err(error) => {
            warnings.push(unusable(folder, &error));
            Vec::new()
        }
    }
}

/// The plugins that were installed into a Python environment.
fn installed(path: &Path, warnings: &mut Vec<String>) -> Vec<Entry> {
    match Environment::at(path) {
        Some(environment) => installed::entries(&environment),
        None => {
            let (path, expected) = (path.display(), "the folder of a virtual environment, or an interpreter");
            warnings.push(format!("the Python environment `{path}` cannot be used: expected {expected}"));
            Vec::new()
        }
    }
}

/// The plugins of one rank, each name once.
fn rank(
    origin: Origin,
    mut folders: Vec<PathBuf>,
    installed: Vec<Entry>,
    warnings: &mut Vec<String>,
) -> Vec<Entry> {
    // The same folder may be reached in two ways; only a link is not there where its name says.
    let real = |folder: &PathBuf| if folder.is_symlink() { folder.canonicalize().ok() } else { None };
    let mut seen = HashSet::new();
    folders.retain(|folder| seen.insert(real(folder).unwrap_or_else(|| folder.clone())));
    let mut named: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in spread(folders, |folder| Entry::read(&folder, origin)).into_iter().flatten().chain(installed)
    {
        named.entry(entry.name.clone()).or_default().push(entry);
    }
    named.into_values().filter_map(|entries| one_of(entries, warnings)).collect()
}

/// Of plugins of one name those hold whose manifest says so; where that are two, none of them runs.
fn one_of(entries: Vec<Entry>, warnings: &mut Vec<String>) -> Option<Entry> {
    let (mut sure, mut unsure): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.manifest.is_some());
    if sure.is_empty() {
        sure.extend(unsure.pop());
    }
    // One that cannot be read has only its folder's name, and must not take another's place.
    for entry in unsure {
        if let Status::Blocked { reason, .. } = entry.status {
            warnings.push(format!("the plugin in `{}` is blocked: {reason}", entry.folder.display()));
        }
    }
    let others: Vec<String> = sure.iter().skip(1).map(|one| one.folder.display().to_string()).collect();
    let mut entry = sure.into_iter().next()?;
    if !others.is_empty() {
        let (name, first) = (&entry.name, entry.folder.display());
        entry.status = Status::Blocked {
            reason: format!(
                "the name `{name}` stands there twice: in `{first}` and in `{}`",
                others.join("`, `")
            ),
            hint: "rename one of them in its manifest, or remove it".to_owned(),
        };
    }
    Some(entry)
}

/// Adds a plugin unless one of an earlier rank has its name.
fn place(registry: &mut Registry, entry: Entry, enablement: &Enablement<'_>) {
    let waits = |first: &Entry| {
        first.origin == Origin::User && enablement.said(first).is_none() && entry.origin > Origin::User
    };
    match registry.entries.get(&entry.name) {
        // What nobody asked for yet must not take the place of what runs.
        Some(first) if waits(first) => {
            let (name, folder) = (&entry.name, first.folder.display());
            registry.warnings.push(format!(
                "`{folder}` has the name of the bundled plugin `{name}` and is left out; \
                 `astros plugins enable {name}` puts it in its place, another name keeps both"
            ));
            registry.entries.insert(entry.name.clone(), entry);
        }
        Some(_) => {}
        None => _ = registry.entries.insert(entry.name.clone(), entry),
    }
}

fn warn_if_empty(folder: &Path, found: &[PathBuf], warnings: &mut Vec<String>) {
    if found.is_empty() {
        warnings.push(format!("no plugin is in the plugin folder `{}`", folder.display()));
    }
}

fn unusable(folder: &Path, error: &io::Error) -> String {
    format!("the plugin folder `{}` cannot be used: {}", folder.display(), words(error))
}

fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist; name the folder of a plugin, or of several".to_owned(),
        io::ErrorKind::NotADirectory => {
            "it is no folder; name the folder of a plugin, or of several".to_owned()
        }
        _ => error.to_string(),
    }
}
