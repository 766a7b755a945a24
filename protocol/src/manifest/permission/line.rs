//! One permission of one item, read from one line as it is displayed: what an error prints can be typed.

use std::str::FromStr;

use serde_json::{Value, json};

use super::{PERMISSIONS, Permission, PermissionError};
use crate::manifest::typos;

impl FromStr for Permission {
    type Err = PermissionError;

    /// Reads `network`, `network: api.example.org:443`, `file_system: write ~/Pictures`,
    /// `system_control: session org.freedesktop.Notifications`; the space after the colon may be missing.
    fn from_str(text: &str) -> Result<Self, PermissionError> {
        let (name, scope) = match text.split_once(':') {
            Some((name, scope)) => (name.trim(), Some(scope.trim_start())),
            None => (text.trim(), None),
        };
        if !PERMISSIONS.contains(&name) {
            return Err(unknown(name));
        }
        let scope = scope.map_or(Ok(Value::Null), |scope| item(name, scope));
        scope
            .and_then(|scope| Self::from_parts(name, scope))
            .map_err(|problem| PermissionError(format!("`{name}` {problem}")))
    }
}

/// The scope as a manifest would have it.
fn item(name: &str, scope: &str) -> Result<Value, String> {
    let two = |expected: &str| {
        let found = scope.split_once(' ').map(|(kind, what)| (kind, what.trim_start()));
        found.ok_or_else(|| format!("has the scope `{}`, expected {expected}", scope.escape_debug()))
    };
    match name {
        _ if scope.is_empty() => {
            Err("has a colon and no scope, expected one behind it, or no colon".to_owned())
        }
        "file_system" => match two("`read PATH` or `write PATH`")? {
            (kind @ ("read" | "write"), path) => Ok(json!({ kind: [path] })),
            (kind, _) => Err(format!("has `{}`, expected `read` or `write`", kind.escape_debug())),
        },
        "system_control" => match two("`session NAME` or `system NAME`")? {
            (bus @ ("session" | "system"), service) => Ok(json!({ "bus": bus, "names": [service] })),
            (bus, _) => Err(format!("has `{}`, expected `session` or `system`", bus.escape_debug())),
        },
        _ => Ok(json!([scope])),
    }
}

fn unknown(name: &str) -> PermissionError {
    let near = typos::nearest(name, PERMISSIONS.into_iter());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let known = PERMISSIONS.map(|name| format!("`{name}`")).join(", ");
    PermissionError(format!(
        "there is no permission `{}`, expected one of {known}{near}",
        name.escape_debug()
    ))
}
