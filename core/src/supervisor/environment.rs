//! Which of the daemon's environment a plugin gets: an allow-list, so that no secret gets there by inheritance.
//! Pure: the environment comes in.

use astros_protocol::RESERVED_VARIABLES;
use std::ffi::{OsStr, OsString};

/// What every plugin gets; `LC_` stands for all that begins so.
const ALLOWED: [&str; 8] = ["PATH", "HOME", "USER", "LANG", "LC_", "TZ", "TERM", "TMPDIR"];
/// What a terminal, a person's language and their taste are; in the foreground it is theirs.
const SHOWN: [&str; 13] = [
    "TERM",
    "COLORTERM",
    "TERM_PROGRAM",
    "TERM_PROGRAM_VERSION",
    "VTE_VERSION",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "LANG",
    "LC_",
];
const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";
/// Where the bus is looked for without an address.
const RUNTIME: &str = "XDG_RUNTIME_DIR";

/// The variables that `plugin` may see, of those of the daemon. `plugins` are the names of all plugins,
/// `secret` the variables that hold secrets: these go to the plugin with its settings alone.
pub(crate) fn allowed(
    environment: &[(OsString, OsString)],
    plugin: &str,
    plugins: &[String],
    session_bus: bool,
    secret: &[String],
) -> Vec<(OsString, OsString)> {
    let has_bus = environment.iter().any(|(name, _)| name == OsStr::new(BUS));
    let passes = |name: &str| {
        is_general(name)
            || is_own(name, plugin, plugins) && !secret.iter().any(|secret| secret == name)
            || session_bus && (name == BUS || name == RUNTIME && !has_bus)
    };
    let kept = environment.iter().filter(|(name, _)| name.to_str().is_some_and(passes));
    kept.cloned().collect()
}

/// Whether a variable says how a person's terminal and language are, or looks like a setting of some plugin.
pub(crate) fn is_of_person(name: &str) -> bool {
    is_shown(name) || setting(name).is_some()
}

/// What of a person's a plugin in their foreground gets instead of the daemon's.
pub(super) fn in_foreground<'a>(
    person: &'a [(String, String)],
    plugin: &str,
    plugins: &[String],
    secret: &[String],
) -> impl Iterator<Item = &'a (String, String)> {
    let passes = |name: &String| is_shown(name) || is_own(name, plugin, plugins) && !secret.contains(name);
    person.iter().filter(move |(name, _)| passes(name))
}

/// Whether it is the person's in the foreground, or nobody's.
pub(super) fn is_shown(name: &str) -> bool {
    is_among(&SHOWN, name)
}

fn is_general(name: &str) -> bool {
    is_among(&ALLOWED, name)
}

fn is_among(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| name == *one || one.ends_with('_') && name.starts_with(one))
}

/// Whether the name begins with this plugin's prefix, and with no other plugin's that is as long or longer.
fn is_own(name: &str, plugin: &str, plugins: &[String]) -> bool {
    let Some(rest) = setting(name) else { return false };
    let belongs = |plugin: &str| {
        let key = rest.strip_prefix(&upper(plugin)).and_then(|rest| rest.strip_prefix('_'));
        key.is_some_and(|key| !key.is_empty())
    };
    belongs(plugin)
        && !plugins.iter().any(|other| other != plugin && other.len() >= plugin.len() && belongs(other))
}

/// What stands behind the prefix of settings.
fn setting(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("ASTROS_").or_else(|| name.strip_prefix("LOCALAGENT_"))?;
    (!RESERVED_VARIABLES.contains(&name)).then_some(rest)
}

/// `file-manager` as variables have it: `FILE_MANAGER`.
fn upper(plugin: &str) -> String {
    plugin.to_ascii_uppercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(names: &[&str], plugin: &str, session_bus: bool) -> Vec<String> {
        let environment: Vec<_> = names.iter().map(|name| (name.into(), "1".into())).collect();
        let plugins = ["file", "file-manager", "home", "plugin"].map(str::to_owned);
        let kept = allowed(&environment, plugin, &plugins, session_bus, &["ASTROS_FILE_KEY".to_owned()]);
        kept.into_iter().map(|(name, _)| name.into_string().unwrap()).collect()
    }

    #[test]
    fn passes_what_is_allowed_and_no_secret() {
        let names =
            ["PATH", "LC_ALL", "LC_", "LANGUAGE", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "LD_PRELOAD"];
        assert_eq!(passed(&names, "file", false), ["PATH", "LC_ALL", "LC_"]);
    }

    #[test]
    fn passes_a_plugins_own_variables_to_the_longest_name_that_fits() {
        let names =
            ["ASTROS_FILE_ROOT", "ASTROS_FILE_MANAGER_KEY", "LOCALAGENT_FILE_X", "ASTROS_FILE", "FILE_X"];
        assert_eq!(passed(&names, "file", false), ["ASTROS_FILE_ROOT", "LOCALAGENT_FILE_X"]);
        assert_eq!(passed(&names, "file-manager", false), ["ASTROS_FILE_MANAGER_KEY"]);
    }

    #[test]
    fn passes_no_secret_of_the_plugins_own() {
        assert_eq!(passed(&["ASTROS_FILE_KEY", "ASTROS_FILE_KEYS"], "file", false), ["ASTROS_FILE_KEYS"]);
    }

    #[test]
    fn never_passes_what_is_the_daemons() {
        assert_eq!(passed(&["ASTROS_HOME", "ASTROS_HOME_CITY"], "home", false), ["ASTROS_HOME_CITY"]);
        assert_eq!(passed(&["ASTROS_PLUGIN_PATH", "ASTROS_PLUGIN_X"], "plugin", false), ["ASTROS_PLUGIN_X"]);
    }

    #[test]
    fn passes_the_session_bus_only_where_it_is_granted() {
        assert_eq!(passed(&[BUS, RUNTIME], "file", false), [""; 0]);
        assert_eq!(passed(&[BUS, RUNTIME], "file", true), [BUS]);
        assert_eq!(passed(&[RUNTIME], "file", true), [RUNTIME]);
    }
}
