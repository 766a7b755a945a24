//! From text to a [`Manifest`]: YAML tree, typed sections, and the words for what does not fit.

use std::mem::take;
use std::path::Path;
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::permission::{Permission, Permissions};
use super::sections::{Compatibility, Configuration, Dependencies, Kind, Metadata};
use super::shape::{PluginManifestYaml, PluginYaml, Sections};
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
        Ok(Self {
            path: path.to_owned(),
            kinds: kinds(
                sections.plugin_types.into_iter().chain(entry_points.iter().map(|point| point.kind)),
                &sections.capabilities.handles,
            ),
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
            features: sections.features,
            tags: sections.tags,
            testing: sections.testing,
            documentation: sections.documentation,
            extra: typos::unknown(&root, schema),
            warnings,
        })
    }
}

/// The kinds that are said or offered, each once; intent where nothing is, or categories of intents are named.
fn kinds(said: impl Iterator<Item = Kind>, handles: &[String]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for kind in said.chain((!handles.is_empty()).then_some(Kind::Intent)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { vec![Kind::Intent] } else { kinds }
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

/// The text and its file: what errors need.
struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Source<'_> {
    fn error(&self, at: Position, problem: String) -> ManifestError {
        ManifestError::Invalid { path: self.path.to_owned(), line: at.line, column: at.column, problem }
    }

    /// Reads a section that stands under `prefix`.
    fn section<T: DeserializeOwned>(&self, node: &Node, prefix: &str) -> Result<T, ManifestError> {
        let value = without_empty(node.value());
        serde_path_to_error::deserialize(value).map_err(|error| {
            let (place, name) = follow(node, prefix, error.path());
            self.error(place.at, self.words(place, &name, &error.inner().to_string()))
        })
    }

    /// Puts serde's words, and those of our own types, into one form: subject, found, expected.
    fn words(&self, node: &Node, name: &str, message: &str) -> String {
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            let name = if name.is_empty() { field.to_owned() } else { format!("{name}.{field}") };
            let near = typos::nearest(field, node.members().iter().map(|(key, _)| key.as_str()));
            let near = near.map(|key| format!("; is `{key}` a misspelling of it?")).unwrap_or_default();
            return format!("`{name}` is missing, expected a value{near}");
        }
        let Some(expected) = expectation(message) else { return format!("`{name}` {message}") };
        let quote = if expected == "a string" { node.quoted(self.text) } else { None };
        let hint = quote.map(|quoted| format!("; write it in quotes: `{quoted}`")).unwrap_or_default();
        format!("`{name}` is {}, expected {}{hint}", node.describe(self.text), plain(expected))
    }

    fn missing_metadata(&self, root: &Node) -> ManifestError {
        let near = typos::nearest("metadata", root.members().iter().map(|(key, _)| key.as_str()));
        let near = near.map(|key| format!("; is `{key}` a misspelling of it?")).unwrap_or_default();
        let problem = format!("`metadata` is missing, expected a mapping with `name` and `version`{near}");
        self.error(root.at, problem)
    }
}

/// The node that an error's path leads to, as far as it exists, and the path in words.
fn follow<'a>(node: &'a Node, prefix: &str, path: &serde_path_to_error::Path) -> (&'a Node, String) {
    let mut place = node;
    let mut name = prefix.to_owned();
    for segment in path.iter() {
        let next = match segment {
            Segment::Map { key } => {
                name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                place.get(key)
            }
            Segment::Seq { index } => {
                name = format!("{name}[{index}]");
                place.item(*index)
            }
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        place = next.unwrap_or(place);
    }
    (place, name)
}

/// What serde or one of our types expected, where the message says no more than that and what it found.
fn expectation(message: &str) -> Option<&str> {
    if let Some(expected) = message.strip_prefix("expected ") {
        return Some(expected);
    }
    let (found, expected) = message.split_once(", expected ")?;
    let plain = ["invalid type", "invalid value", "invalid length", "unknown variant"];
    plain.iter().any(|prefix| found.starts_with(prefix)).then_some(expected)
}

/// Serde's names of types in an author's words.
fn plain(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a mapping",
        "variant identifier" | "string or map" => "a word",
        "a boolean" => "`true` or `false`",
        "a nonzero u32" => "a whole number from 1",
        "u32" | "u64" => "a whole number",
        "f64" => "a number",
        other => other,
    }
}

/// A member that stands there without a value is as good as absent; a permission without a scope is not.
fn without_empty(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let kept = members.into_iter().filter(|(_, value)| !value.is_null());
    let inner = |(key, value): (String, Value)| match key.as_str() {
        "permissions" | "requires_permissions" => (key, value),
        _ => (key, without_empty(value)),
    };
    Value::Object(kept.map(inner).collect::<Map<_, _>>())
}
