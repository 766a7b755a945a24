//! What a plugin may ask for.

mod cover;
mod line;
pub(super) mod scope;
mod words;

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

/// The names of all permissions.
pub const PERMISSIONS: [&str; 7] =
    ["file_system", "network", "system_control", "ai", "storage", "call_plugin", "bus"];

/// One thing that a plugin asks for; a scope that is absent stands for the plain name.
///
/// In the file it is a plain name, or a mapping of the name to its scope.
/// Displayed in one line, which can be parsed where it has one item: `network: api.example.org:443`; serialised as
/// the file has it, a name or a mapping.
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

/// Which files a plugin may reach; paths are absolute or begin with `~`, and a folder stands for all below it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of `read` and `write` to paths")]
pub struct FilePaths {
    /// To read.
    #[schemars(inner(regex(pattern = r"^(/|~(/|$))")))]
    pub read: Vec<String>,
    /// To read and write.
    #[schemars(inner(regex(pattern = r"^(/|~(/|$))")))]
    pub write: Vec<String>,
}

/// Which D-Bus services a plugin may talk to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of `bus` and `names`")]
pub struct DBus {
    /// `session` or `system`.
    pub bus: BusKind,
    /// Names of services, for example `org.freedesktop.Notifications`.
    pub names: Vec<String>,
}

/// A D-Bus that there is on every desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BusKind {
    /// The person's own.
    Session,
    /// The machine's.
    System,
}

impl BusKind {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::System => "system",
        }
    }
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

    /// The same as permissions of one item each: `network: a`, `file_system: read ~/x`; a plain one stays plain.
    pub fn atoms(&self) -> Vec<Self> {
        let each = |list: &[String], one: fn(Option<Vec<String>>) -> Self| {
            list.iter().map(|item| one(Some(vec![item.clone()]))).collect()
        };
        match self {
            Self::FileSystem(Some(FilePaths { read, write })) => {
                let read = read.iter().map(|path| FilePaths { read: vec![path.clone()], write: Vec::new() });
                let write =
                    write.iter().map(|path| FilePaths { read: Vec::new(), write: vec![path.clone()] });
                read.chain(write).map(|paths| Self::FileSystem(Some(paths))).collect()
            }
            Self::SystemControl(Some(DBus { bus, names })) => {
                let one = |name: &String| DBus { bus: *bus, names: vec![name.clone()] };
                names.iter().map(|name| Self::SystemControl(Some(one(name)))).collect()
            }
            Self::Network(Some(list)) => each(list, Self::Network),
            Self::CallPlugin(Some(list)) => each(list, Self::CallPlugin),
            Self::Bus(Some(list)) => each(list, Self::Bus),
            plain => vec![plain.clone()],
        }
    }

    /// The same with paths in the folder `home` written with `~`, so that they compare with those that are.
    pub fn at_home(&self, home: &Path) -> Self {
        let Self::FileSystem(Some(FilePaths { read, write })) = self else { return self.clone() };
        let short = |paths: &[String]| paths.iter().map(|path| scope::at_home(path, home)).collect();
        Self::FileSystem(Some(FilePaths { read: short(read), write: short(write) }))
    }

    /// Whether it can be granted as it is: `system_control` has to say what it is about.
    ///
    /// # Errors
    /// It cannot; the words say what to write instead.
    pub fn grantable(&self) -> Result<(), PermissionError> {
        match self {
            Self::SystemControl(None) => Err(PermissionError(
                "`system_control` alone cannot be granted: it has to name a bus and a service, \
                 such as `system_control: session org.freedesktop.Notifications`"
                    .to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Why a text is no permission, or one cannot be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PermissionError(pub(super) String);

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let scope = match self {
            Self::FileSystem(Some(paths)) => json!(paths),
            Self::SystemControl(Some(names)) => json!(names),
            Self::Network(Some(list)) | Self::CallPlugin(Some(list)) | Self::Bus(Some(list)) => json!(list),
            _ => return serializer.serialize_str(self.name()),
        };
        json!({ self.name(): scope }).serialize(serializer)
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
            Self::SystemControl(Some(DBus { bus, names })) => {
                let names = names.iter().map(|name| format!("{} {name}", bus.as_str()));
                write!(f, ": {}", names.collect::<Vec<_>>().join(", "))
            }
            Self::Network(Some(list)) | Self::CallPlugin(Some(list)) | Self::Bus(Some(list)) => {
                write!(f, ": {}", list.join(", "))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
