//! What the kernel lets the sandbox do here, what follows for each permission, and how to get the rest.

use std::{fs, path::Path};

use astros_protocol::{
    lifecycle::Sandbox,
    manifest::{BusKind, DBus, Permission},
};

use super::{Check, State, programs::install};
use crate::supervisor::{Machine, SANDBOX_REFUSED, enforced, machine};

/// A setting of the kernel that forbids user namespaces: its file, the value that does, the name, the value that does not.
const FORBIDS: [(&str, &str, &str, &str); 3] = [
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "kernel.apparmor_restrict_unprivileged_userns",
        "0",
    ),
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone", "1"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces", "15000"),
];

pub(super) async fn checks() -> Vec<Check> {
    let machine = machine(None).await;
    let mut checks = vec![namespaces(machine, Path::new("/proc/sys")), landlock(machine), bus()];
    checks.extend(permissions().map(|(name, permission)| level(name, &permission, machine)));
    checks
}

fn namespaces(machine: &Machine, settings: &Path) -> Check {
    const NAME: &str = "namespaces";
    if machine.namespaces {
        return Check::ok(NAME, "plugins have files, processes and a network of their own");
    }
    let why = without_refusal(machine.why_no_namespaces.as_deref().unwrap_or("they cannot be made here"));
    let forbids = FORBIDS.iter().find(|(file, value, ..)| {
        fs::read_to_string(settings.join(file)).is_ok_and(|found| found.trim() == *value)
    });
    match forbids {
        Some((_, value, name, wanted)) => {
            let fix = format!(
                "echo {name}={wanted} | sudo tee /etc/sysctl.d/60-astros.conf && sudo sysctl --system"
            );
            Check::warning(NAME, format!("{why}; `{name}` is {value}"), fix)
        }
        None => {
            let fix = "where this is a container: let its seccomp profile allow user namespaces";
            Check::warning(NAME, why, fix)
        }
    }
}

fn landlock(machine: &Machine) -> Check {
    const NAME: &str = "landlock";
    match machine.landlock {
        Some(abi @ 6..) => Check::ok(NAME, format!("version {abi}")),
        Some(abi) => {
            let what = format!("version {abi}, expected 6 or later: without namespaces it does not do");
            Check::warning(NAME, what, "upgrade to Linux 6.12 or later")
        }
        None => {
            let order = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
            let fix = match order.trim() {
                "" => {
                    "start the kernel with `landlock,` before what `lsm=` and /sys/kernel/security/lsm list"
                        .to_owned()
                }
                order => format!("start the kernel with lsm=landlock,{order}"),
            };
            Check::warning(NAME, "this kernel does not use it", fix)
        }
    }
}

fn bus() -> Check {
    const NAME: &str = "xdg-dbus-proxy";
    match which::which(NAME) {
        Ok(path) => Check::ok(NAME, format!("`{}`", path.display())),
        Err(_) => {
            let what = "not found on PATH: plugins that want `system_control` are not started";
            Check::warning(NAME, what, install(NAME))
        }
    }
}

/// The permissions that the kernel enforces, each as a plugin would ask for it.
fn permissions() -> [(&'static str, Permission); 4] {
    let name = DBus { bus: BusKind::Session, names: vec!["org.example".to_owned()] };
    [
        ("file_system", Permission::FileSystem(None)),
        ("network", Permission::Network(None)),
        ("network: hosts", Permission::Network(Some(vec!["example.org".to_owned()]))),
        ("system_control", Permission::SystemControl(Some(name))),
    ]
}

fn level(name: &str, permission: &Permission, machine: &Machine) -> Check {
    let needs_proxy =
        matches!(permission, Permission::SystemControl(_)) && which::which("xdg-dbus-proxy").is_err();
    match enforced(permission, machine) {
        Ok(_) if needs_proxy => {
            Check { state: State::Warning, ..Check::ok(name, "refused: `xdg-dbus-proxy` is missing") }
        }
        Ok(Sandbox::Full) => Check::ok(name, "fully enforced"),
        Ok(_) => Check { state: State::Warning, ..Check::ok(name, reduced(machine)) },
        Err(error) => {
            // Why there are none stands above.
            let why = without_refusal(machine.why_no_namespaces.as_deref().unwrap_or_default());
            let what = without_refusal(&error.message);
            let what = format!("refused: {}", what.strip_suffix(&format!(": {why}")).unwrap_or(&what));
            let alone = Machine { landlock: Some(u32::MAX), ..Machine::default() };
            let fix = match enforced(permission, &alone) {
                Ok(_) => "make namespaces or Landlock available, as above",
                Err(_) => "make namespaces available, as above",
            };
            // Without these two nothing is started at all.
            let is_basic = matches!(permission, Permission::FileSystem(_) | Permission::Network(None));
            if is_basic { Check::problem(name, what, fix) } else { Check::warning(name, what, fix) }
        }
    }
}

/// What is said of a plugin that cannot be started, without saying so.
fn without_refusal(message: &str) -> String {
    let refused = format!("{SANDBOX_REFUSED}: ");
    let why = message.split_once(&refused).map_or(message, |(_, why)| why);
    why.replace(&refused, "")
}

fn reduced(machine: &Machine) -> &'static str {
    if machine.namespaces {
        "reduced: namespaces alone enforce it, without Landlock behind them"
    } else {
        "reduced: Landlock alone enforces it; names, times and modes of files can be seen"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(namespaces: bool, landlock: Option<u32>) -> Machine {
        Machine { namespaces, landlock, ..Machine::default() }
    }

    fn levels(machine: &Machine) -> Vec<State> {
        let levels = permissions().map(|(name, permission)| level(name, &permission, machine).state);
        // What a D-Bus proxy makes of the last depends on where this runs.
        levels[..3].to_vec()
    }

    #[test]
    fn tells_what_each_machine_enforces_of_each_permission() {
        use State::{Ok, Problem, Warning};
        assert_eq!(levels(&machine(true, Some(7))), [Ok, Ok, Ok]);
        assert_eq!(levels(&machine(true, None)), [Warning, Warning, Warning]);
        assert_eq!(levels(&machine(false, Some(6))), [Warning, Warning, Warning]);
        assert_eq!(levels(&machine(false, Some(5))), [Problem, Problem, Warning]);
        let hosts = level("network: hosts", &permissions()[2].1, &machine(false, Some(6)));
        assert_eq!(hosts.what, "refused: `network` with hosts needs namespaces: they cannot be made here");
        assert_eq!(hosts.fix.unwrap(), "make namespaces available, as above", "Landlock does not do");
        let files = level("file_system", &permissions()[0].1, &machine(false, None));
        assert_eq!(files.fix.unwrap(), "make namespaces or Landlock available, as above");
    }

    #[test]
    fn names_the_setting_that_forbids_namespaces_and_the_command_that_allows_them() {
        let settings = tempfile::tempdir().unwrap();
        fs::create_dir(settings.path().join("kernel")).unwrap();
        let unknown = namespaces(&machine(false, None), settings.path());
        assert!(unknown.fix.unwrap().contains("container"));
        fs::write(settings.path().join(FORBIDS[0].0), "1\n").unwrap();
        let check = namespaces(&machine(false, None), settings.path());
        assert_eq!(check.state, State::Warning);
        assert!(
            check.what.ends_with("`kernel.apparmor_restrict_unprivileged_userns` is 1"),
            "{}",
            check.what
        );
        let fix = "echo kernel.apparmor_restrict_unprivileged_userns=0 | sudo tee /etc/sysctl.d/60-astros.conf && \
                   sudo sysctl --system";
        assert_eq!(check.fix.unwrap(), fix);
        assert_eq!(namespaces(&machine(true, None), settings.path()).state, State::Ok);
    }
}
