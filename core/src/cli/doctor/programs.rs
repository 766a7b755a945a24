//! Programs that plugins, the sandbox and secrets need.

use std::process::Command;

use super::Check;

/// The oldest Python that the SDK runs on.
const PYTHON: (u32, u32) = (3, 10);

pub(super) fn checks() -> Vec<Check> {
    vec![python(), node(), keyring()]
}

fn python() -> Check {
    const NAME: &str = "python3";
    let (major, minor) = PYTHON;
    let needs = format!("plugins in Python need {major}.{minor} or later");
    let Some(version) = version("python3") else {
        return Check::warning(NAME, format!("not found on PATH: {needs}"), install("python3"));
    };
    match of_python(&version) {
        Some(found) if found >= PYTHON => Check::ok(NAME, version),
        _ => Check::warning(NAME, format!("`{version}` is too old: {needs}"), install("python3")),
    }
}

/// The version in `Python 3.11.7`.
fn of_python(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("Python ")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn node() -> Check {
    let otherwise = || "not found on PATH: only plugins in Node.js need it".to_owned();
    Check::ok("node", version("node").unwrap_or_else(otherwise))
}

fn keyring() -> Check {
    const NAME: &str = "keyring";
    if which::which("secret-tool").is_err() {
        let what = "`secret-tool` is not found on PATH: secrets of plugins come from `secrets.yaml` or the environment";
        return Check::warning(NAME, what, install("libsecret-tools"));
    }
    if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() {
        let what = "no session bus here: secrets of plugins come from `secrets.yaml` or the environment";
        return Check::ok(NAME, what);
    }
    Check::ok(NAME, "`secret-tool` asks the keyring of your session")
}

/// What a program says of its version, on one line.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}

/// How a package is installed here; its name is that of Debian.
pub(super) fn install(package: &str) -> String {
    let fedora = if package == "libsecret-tools" { "libsecret" } else { package };
    let managers = [
        ("apt", format!("sudo apt install {package}")),
        ("dnf", format!("sudo dnf install {fedora}")),
        ("pacman", format!("sudo pacman -S {}", fedora.trim_end_matches('3'))),
        ("zypper", format!("sudo zypper install {package}")),
        ("apk", format!("sudo apk add {fedora}")),
    ];
    let here = managers.into_iter().find(|(manager, _)| which::which(manager).is_ok());
    here.map_or_else(|| format!("install the package {package}"), |(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_version_that_python_says() {
        assert_eq!(of_python("Python 3.11.7"), Some((3, 11)));
        assert_eq!(of_python("Python 3.14.0rc1"), Some((3, 14)));
        assert_eq!(of_python("pypy"), None);
    }
}
