//! Reading permissions: a list of names and mappings, or one mapping of names to scopes.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

use super::permission::{DBus, FilePaths, PERMISSIONS, Permission, scope};

/// A `permissions` section: a list of names and mappings, or one mapping of names to scopes; each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions(pub Vec<Permission>);

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PermissionsVisitor)
    }
}

struct PermissionsVisitor;

impl<'de> Visitor<'de> for PermissionsVisitor {
    type Value = Permissions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of names, or a mapping of names to scopes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Permissions, A::Error> {
        let mut all = Vec::new();
        while let Some(Item(permissions)) = items.next_element()? {
            for permission in permissions {
                add(&mut all, permission)?;
            }
        }
        Ok(Permissions(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, scopes: A) -> Result<Permissions, A::Error> {
        read_scopes(scopes).map(Permissions)
    }
}

/// An item of the list: a name, or a mapping of names to scopes.
struct Item(Vec<Permission>);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a permission's name, or a mapping of it to its scope")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Item, E> {
        Permission::from_parts(name, Value::Null).map(|one| Item(vec![one])).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, scopes: A) -> Result<Item, A::Error> {
        read_scopes(scopes).map(Item)
    }
}

fn read_scopes<'de, A: MapAccess<'de>>(mut scopes: A) -> Result<Vec<Permission>, A::Error> {
    let mut all = Vec::new();
    while let Some(name) = scopes.next_key::<String>()? {
        add(&mut all, scopes.next_value_seed(Scope(&name))?)?;
    }
    Ok(all)
}

/// Reads the scope of the permission of this name, so that an error has the scope's place.
struct Scope<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Scope<'_> {
    type Value = Permission;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Permission, D::Error> {
        Permission::from_parts(self.0, Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

fn add<E: Error>(all: &mut Vec<Permission>, permission: Permission) -> Result<(), E> {
    if all.iter().any(|earlier| earlier.name() == permission.name()) {
        return Err(E::custom(format!("has `{}` twice, expected it once", permission.name())));
    }
    all.push(permission);
    Ok(())
}

impl Permission {
    /// Reads a name and its scope (null for the plain name); an error says what was expected.
    pub(super) fn from_parts(name: &str, scope: Value) -> Result<Self, String> {
        match name {
            "file_system" => parse_scope(scope).and_then(files).map(Self::FileSystem),
            "network" => {
                let expected = "`host` or `host:port`; plain `network` is every host";
                list(scope, expected, scope::endpoint).map(Self::Network)
            }
            "system_control" => parse_scope(scope).and_then(services).map(Self::SystemControl),
            "call_plugin" => {
                list(scope, "`plugin.handler` or `plugin.*`", scope::handler).map(Self::CallPlugin)
            }
            "bus" => list(scope, "a subject such as `topic.weather`", scope::subject).map(Self::Bus),
            "ai" | "storage" if !matches!(scope, Value::Null | Value::Bool(true)) => {
                Err("has a scope, which it cannot; write the name alone".to_owned())
            }
            "ai" => Ok(Self::Ai),
            "storage" => Ok(Self::Storage),
            _ => Err(format!("asks for `{}`, expected {}", name.escape_debug(), known())),
        }
    }
}

fn parse_scope<T: DeserializeOwned>(scope: Value) -> Result<Option<T>, String> {
    match scope {
        Value::Null | Value::Bool(true) => Ok(None),
        scope => serde_json::from_value(scope).map(Some).map_err(|error| format!("has a bad scope: {error}")),
    }
}

fn list(scope: Value, expected: &str, read: Read) -> Result<Option<Vec<String>>, String> {
    parse_scope(scope)?.map(|list| each(list, expected, read)).transpose()
}

fn files(scope: Option<FilePaths>) -> Result<Option<FilePaths>, String> {
    let Some(FilePaths { read, write }) = scope else { return Ok(None) };
    let paths =
        |paths| each(paths, "an absolute path, or one such as `~/Pictures`, without `..`", scope::path);
    let paths = FilePaths { read: paths(read)?, write: paths(write)? };
    match paths.read.iter().chain(&paths.write).find(|path| scope::is_own(path)) {
        Some(path) => Err(format!(
            "has `{}`, expected files that somebody keeps: every plugin has a `/proc` and a `/dev` of its own",
            path.escape_debug()
        )),
        None => Ok(Some(paths)),
    }
}

fn services(scope: Option<DBus>) -> Result<Option<DBus>, String> {
    let Some(DBus { bus, names }) = scope else { return Ok(None) };
    let names = each(names, "a name of D-Bus such as `org.freedesktop.Notifications`", scope::service)?;
    Ok(Some(DBus { bus, names }))
}

/// An item as it is kept, where it is what it has to be.
type Read = fn(&str) -> Option<String>;

fn each(list: Vec<String>, expected: &str, read: Read) -> Result<Vec<String>, String> {
    /// More than a person reads.
    const MOST: usize = 256;
    if list.len() > MOST {
        return Err(format!("has {} items, expected at most {MOST}", list.len()));
    }
    let read = |item: String| {
        read(&item).ok_or_else(|| format!("has `{}`, expected {expected}", item.escape_debug()))
    };
    list.into_iter().map(read).collect()
}

fn known() -> String {
    format!("one of {}", PERMISSIONS.map(|name| format!("`{name}`")).join(", "))
}

impl JsonSchema for Permissions {
    fn schema_name() -> Cow<'static, str> {
        "Permissions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let strings = json_schema!({ "type": ["array", "null"], "items": { "type": "string" } });
        let nothing = json_schema!({ "type": ["null", "boolean"] });
        let mut scopes = Map::new();
        for name in PERMISSIONS {
            let scope = match name {
                "file_system" => generator.subschema_for::<Option<FilePaths>>(),
                "system_control" => generator.subschema_for::<Option<DBus>>(),
                "ai" | "storage" => nothing.clone(),
                _ => strings.clone(),
            };
            scopes.insert(name.to_owned(), scope.to_value());
        }
        let mapping = json_schema!({ "type": "object", "properties": scopes, "additionalProperties": false });
        json_schema!({
            "description": "What the plugin asks for: names, or names with a scope.",
            "anyOf": [
                { "type": "array", "items": { "anyOf": [{ "enum": PERMISSIONS }, &mapping] } },
                mapping,
            ],
        })
    }
}
