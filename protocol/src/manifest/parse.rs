//! From text to a [`Manifest`]: YAML tree, typed sections, one truth of both shapes.

use std::mem::take;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

use super::grants::Permissions;
use super::metadata::Metadata;
use super::permission::Permission;
use super::sections::{Compatibility, Configuration, Dependencies, Kind};
use super::shape::{PluginManifestYaml, PluginYaml, Sections};
use super::source::Source;
use super::typos;
use super::yaml::{Content, Node, Position};
use super::{MAX_BYTES, Manifest, ManifestError};

static NESTED: LazyLock<Value> = LazyLock::new(schema_of::<PluginYaml>);
static FLAT: LazyLock<Value> = LazyLock::new(schema_of::<PluginManifestYaml>);

impl Manifest {
    /// Reads a manifest; `path` is the file that `text` came from, for errors.
    ///
    /// The metadata stand under `metadata`, or at the top level where there is a `name` instead.
    ///
    /// # Errors
    /// The text is no YAML, or a member is missing or not what it has to be.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let file = Source { text, path };
        if text.len() > MAX_BYTES {
            let problem =
                format!("the file is larger than {MAX_BYTES} bytes, expected a manifest of a few kilobytes");
            return Err(file.error(Position::START, problem));
        }
        let root = Node::parse(text).map_err(|(at, problem)| file.error(at, problem))?;
        if !matches!(root.content, Content::Map(_)) {
            let problem = format!("the file is {}, expected a mapping with `metadata`", root.describe(text));
            return Err(file.error(root.at, problem));
        }
        let nested = root.get("metadata").is_some() || root.get("name").is_none();
        let mut sections: Sections = file.section(&root, "")?;
        let metadata: Metadata = match root.get("metadata") {
            Some(node) => file.section(node, "metadata")?,
            None if nested => return Err(file.missing_metadata(&root)),
            None => file.section(&root, "")?,
        };
        let schema = if nested { &*NESTED } else { &*FLAT };
        let mut warnings = typos::warnings(&root, schema);
        if root.get("metadata").unwrap_or(&root).get("version").is_none() {
            warnings.push(format!("`{}` says no version; `0.0.0` is taken", metadata.name));
        }
        let entry_points = sections.entry_points.list();
        let says_kinds = !sections.plugin_types.is_empty() || !entry_points.is_empty();
        Ok(Self {
            path: path.to_owned(),
            kinds: kinds(
                sections.plugin_types.into_iter().chain(entry_points.iter().map(|point| point.kind)),
                &sections.capabilities.handles,
            ),
            says_kinds,
            permissions: permissions(
                sections.permissions,
                take(&mut sections.capabilities.requires_permissions),
            ),
            configuration: configuration(sections.configuration, &root),
            dependencies: dependencies(sections.dependencies, sections.compatibility),
            metadata,
            capabilities: sections.capabilities,
            entry_points,
            run: sections.run,
            supervision: sections.supervision,
            limits: sections.limits,
            features: sections.features,
            tags: sections.tags,
            testing: sections.testing,
            documentation: sections.documentation,
            extra: typos::unknown(&root, schema),
            warnings,
        })
    }
}

/// The kinds that are said or offered, each once; intent where categories of intents are named.
fn kinds(said: impl Iterator<Item = Kind>, handles: &[String]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for kind in said.chain((!handles.is_empty()).then_some(Kind::Intent)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// The permissions of both places; where both name one, the scope of the section `permissions` holds.
fn permissions(Permissions(mut all): Permissions, Permissions(plain): Permissions) -> Vec<Permission> {
    for permission in plain {
        if all.iter().all(|one| one.name() != permission.name()) {
            all.push(permission);
        }
    }
    all
}

/// One truth of LocalAgent's spellings and ours.
fn dependencies(mut section: Dependencies, compatibility: Compatibility) -> Dependencies {
    section.external.append(&mut section.required);
    section.python = section.python.or(compatibility.python_min_version);
    section.localagent = compatibility.localagent_min_version;
    section
}

/// Settings and schema as they were written: an empty default is a default.
fn configuration(mut section: Configuration, root: &Node) -> Configuration {
    let written = |key| Some(root.get("configuration")?.get(key)?.value());
    if let Some(Value::Object(settings)) = written("settings") {
        section.settings = settings;
    }
    if let Some(Value::Object(schema)) = written("schema") {
        section.schema = Some(schema);
    }
    section
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    let inline =
        schemars::generate::SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    inline.into_generator().into_root_schema_for::<T>().to_value()
}
