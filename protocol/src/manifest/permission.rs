//! What a plugin may ask for, and how that is told to a person.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

/// The names of all permissions.
pub const PERMISSIONS: [&str; 7] =
    ["file_system", "network", "system_control", "ai", "storage", "call_plugin", "bus"];

/// One thing that a plugin asks for; a scope that is absent stands for the plain name.
///
/// In the file it is a plain name, or a mapping of the name to its scope.
/// Displayed in one line: `network: api.example.org:443`; serialised as the file has it, a name or a mapping.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, expecting = "a mapping of `read` and `write` to paths")]
pub struct FilePaths {
    /// To read.
    pub read: Vec<String>,
    /// To read and write.
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
}

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
            Self::SystemControl(Some(scope)) => write!(f, ": {}", scope.names.join(", ")),
            Self::Network(Some(list)) | Self::CallPlugin(Some(list)) | Self::Bus(Some(list)) => {
                write!(f, ": {}", list.join(", "))
            }
            _ => Ok(()),
        }
    }
}

fn and(items: &[String]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
