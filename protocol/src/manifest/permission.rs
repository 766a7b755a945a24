//! What a plugin may ask for, and how that is told to a person.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{
    Deserialize, DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Map, Value};

/// The names of all permissions.
pub const PERMISSIONS: [&str; 7] =
    ["file_system", "network", "system_control", "ai", "storage", "call_plugin", "bus"];

/// One thing that a plugin asks for; a scope that is absent stands for the plain name.
///
/// In the file it is a plain name, or a mapping of the name to its scope.
/// Displayed as the file may say it: `network: api.example.org:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// Files: those of the scope, or the home folder without dot folders and secrets.
    FileSystem(Option<FilePaths>),
    /// The network: these hosts (`host` or `host:port`, `*.` in front for all below), or all.
    Network(Option<Vec<String>>),
    /// Desktop and system by D-Bus: these names, or none before a scope says which.
    SystemControl(Option<DBus>),
    /// AI models, by the daemon.
    Ai,
    /// Data of its own, kept by the daemon.
    Storage,
    /// Handlers of other plugins that change something: `plugin.handler` or `plugin.*`; or all.
    CallPlugin(Option<Vec<String>>),
    /// Subjects of the bus beside its own; or all that plugins may use.
    Bus(Option<Vec<String>>),
}

/// Which files a plugin may reach; paths may begin with `~`, and a folder stands for all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of `read` and `write` to paths")]
pub struct FilePaths {
    /// To read.
    pub read: Vec<String>,
    /// To read and write.
    pub write: Vec<String>,
}

/// Which D-Bus services a plugin may talk to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of `bus` and `names`")]
pub struct DBus {
    /// `session` or `system`.
    pub bus: BusKind,
    /// Names of services, for example `org.freedesktop.Notifications`.
    pub names: Vec<String>,
}

/// A D-Bus that there is on every desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// The person's own.
    Session,
    /// The machine's.
    System,
}

impl Permission {
    /// Its name, one of [`PERMISSIONS`].
    pub fn name(&self) -> &'static str {
        match self {
            Self::FileSystem(_) => "file_system",
            Self::Network(_) => "network",
            Self::SystemControl(_) => "system_control",
            Self::Ai => "ai",
            Self::Storage => "storage",
            Self::CallPlugin(_) => "call_plugin",
            Self::Bus(_) => "bus",
        }
    }

    /// What it lets a plugin do, to go on after "wants to": "reach api.example.org:443".
    pub fn sentence(&self) -> String {
        match self {
            Self::FileSystem(None) => {
                "read and change your files, except hidden folders and secrets".to_owned()
            }
            Self::FileSystem(Some(paths)) if paths.write.is_empty() => format!("read {}", and(&paths.read)),
            Self::FileSystem(Some(paths)) if paths.read.is_empty() => {
                format!("read and change {}", and(&paths.write))
            }
            Self::FileSystem(Some(paths)) => {
                format!("read {}; read and change {}", and(&paths.read), and(&paths.write))
            }
            Self::Network(None) => "reach every host of the network".to_owned(),
            Self::Network(Some(hosts)) => format!("reach {}", and(hosts)),
            Self::SystemControl(None) => "control your desktop and this machine by D-Bus".to_owned(),
            Self::SystemControl(Some(DBus { bus: BusKind::Session, names })) => {
                format!("talk to {} on your desktop", and(names))
            }
            Self::SystemControl(Some(DBus { bus: BusKind::System, names })) => {
                format!("talk to {} of this machine", and(names))
            }
            Self::Ai => "ask the AI models that you have set up".to_owned(),
            Self::Storage => "keep up to 64 MiB of its own data".to_owned(),
            Self::CallPlugin(None) => "use every other plugin".to_owned(),
            Self::CallPlugin(Some(handlers)) => format!("use {}", and(handlers)),
            Self::Bus(None) => "read and send messages of other plugins".to_owned(),
            Self::Bus(Some(subjects)) => format!("read and send messages on {}", and(subjects)),
        }
    }

    /// Reads a name and its scope (null for the plain name); an error says what was expected.
    fn from_parts(name: &str, scope: Value) -> Result<Self, String> {
        match name {
            "file_system" => parse_scope(scope).map(Self::FileSystem),
            "network" => each(scope, "`host` or `host:port`", is_endpoint).map(Self::Network),
            "system_control" => parse_scope(scope).map(Self::SystemControl),
            "call_plugin" => each(scope, "`plugin.handler` or `plugin.*`", is_handler).map(Self::CallPlugin),
            "bus" => each(scope, "a subject such as `topic.weather`", is_subject).map(Self::Bus),
            "ai" | "storage" if !matches!(scope, Value::Null | Value::Bool(true)) => {
                Err("has a scope, which it cannot; write the name alone".to_owned())
            }
            "ai" => Ok(Self::Ai),
            "storage" => Ok(Self::Storage),
            _ => Err(format!("asks for `{}`, expected {}", name.escape_debug(), known())),
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::FileSystem(Some(paths)) => {
                let read = paths.read.iter().map(|path| format!("read {path}"));
                let write = paths.write.iter().map(|path| format!("write {path}"));
                write!(f, ": {}", read.chain(write).collect::<Vec<_>>().join(", "))
            }
            Self::SystemControl(Some(scope)) => write!(f, ": {}", scope.names.join(", ")),
            Self::Network(Some(list)) | Self::CallPlugin(Some(list)) | Self::Bus(Some(list)) => {
                write!(f, ": {}", list.join(", "))
            }
            _ => Ok(()),
        }
    }
}

/// The `permissions` section: a list of names and mappings, or one mapping of names to scopes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Permissions(pub(super) Vec<Permission>);

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

fn parse_scope<T: DeserializeOwned>(scope: Value) -> Result<Option<T>, String> {
    match scope {
        Value::Null | Value::Bool(true) => Ok(None),
        scope => serde_json::from_value(scope).map(Some).map_err(|error| format!("has a bad scope: {error}")),
    }
}

fn each(scope: Value, expected: &str, good: fn(&str) -> bool) -> Result<Option<Vec<String>>, String> {
    let list: Option<Vec<String>> = parse_scope(scope)?;
    match list.iter().flatten().find(|item| !good(item)) {
        Some(bad) => Err(format!("has `{}`, expected {expected}", bad.escape_debug())),
        None => Ok(list),
    }
}

fn is_endpoint(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, Some(port)),
        _ => (text, None),
    };
    let name = host.strip_prefix("*.").unwrap_or(host);
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let good = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    !name.is_empty()
        && name.chars().all(good)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|p| p > 0))
}

fn is_handler(text: &str) -> bool {
    text.split_once('.').is_some_and(|(plugin, handler)| !plugin.is_empty() && !handler.is_empty())
}

fn is_subject(text: &str) -> bool {
    let token = |t: &str| {
        !t.is_empty()
            && (t == "*" || t == ">" || t.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'))
    };
    text.split('.').all(token)
}

fn known() -> String {
    format!("one of {}", PERMISSIONS.map(|name| format!("`{name}`")).join(", "))
}

fn and(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

impl JsonSchema for Permissions {
    fn inline_schema() -> bool {
        true
    }

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
                { "type": "array", "items": { "anyOf": [{ "enum": PERMISSIONS }, mapping.clone()] } },
                mapping,
            ],
        })
    }
}
