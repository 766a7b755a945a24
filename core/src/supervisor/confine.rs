//! From what a plugin was granted to what its launcher holds it to.
//!
//! Every plugin may read the system's programs and libraries, what runs it, its own folder and the SDK, and may write
//! its data and its cache. All else is a grant, and nothing reaches AstrOS's own folders.

mod files;
mod interpreter;
mod reach;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use astros_protocol::{Error, lifecycle::Sandbox, manifest::Permission};

use self::files::Files;
pub(crate) use self::files::expand;
pub(super) use self::files::{MOST_ENTRIES, resolved};
pub use self::reach::{FileAccess, OutOfReach};
use super::{Launch, SANDBOX_REFUSED, Sandboxed, Spec, program};
use crate::launcher::{Confinement, Containment, Machine, Means, Network};

/// The version of Landlock that knows every way to change a file.
const LANDLOCK: u32 = 3;
/// The one that keeps a plugin from signalling others, where nothing else does.
const LANDLOCK_ALONE: u32 = 6;

/// What a plugin is held to; nothing where the operator said so.
///
/// # Errors
/// This machine cannot enforce what was not granted: the plugin is not started.
pub(super) fn confine(spec: &Spec, program: &Path, machine: &Machine) -> Result<Option<Confinement>, Error> {
    if spec.sandboxed == Sandboxed::Off {
        return Ok(None);
    }
    let network = network(&spec.granted);
    let Some(means) = means(spec, machine, network)? else { return Ok(None) };
    Ok(Some(Confinement {
        files: Files::of(spec, program).rules(),
        // Reduced: there is no network of its own where a proxy could be all that it finds.
        network: if network == Network::Proxy && !means.namespaces { Network::Host } else { network },
        limits: spec.limits,
        reaches_sockets: reaches_sockets(spec, machine, network),
        means,
        ..Confinement::default()
    }))
}

/// Why a plugin cannot be started on this machine with what it was granted.
pub(crate) fn refusal(spec: &Spec, machine: &Machine) -> Option<Error> {
    if spec.sandboxed == Sandboxed::Off {
        return None;
    }
    means(spec, machine, network(&spec.granted)).err()
}

/// How far this machine enforces that a plugin has this permission and no other.
///
/// # Errors
/// It cannot: such a plugin is not started.
pub(crate) fn enforced(permission: &Permission, machine: &Machine) -> Result<Sandbox, Error> {
    let any = Spec::new("any", "/", Launch::Command(Vec::new()));
    let spec = Spec { granted: vec![permission.clone()], ..any };
    let means = means(&spec, machine, network(&spec.granted))?;
    let confinement = means.map(|means| Confinement { means, ..Confinement::default() });
    Ok(confinement.map_or(Sandbox::None, |confinement| confinement.sandbox()))
}

fn network(granted: &[Permission]) -> Network {
    let hosts = granted.iter().filter_map(|permission| match permission {
        Permission::Network(hosts) => Some(hosts.as_deref()),
        _ => None,
    });
    // Whoever may reach every host needs nobody to hold each against a list.
    hosts.fold(Network::None, |most, hosts| match (most, hosts) {
        (Network::Host, _) | (_, None) => Network::Host,
        (most, Some([])) => most,
        (_, Some(_)) => Network::Proxy,
    })
}

/// What enforces it here; `None` where nothing can, and the operator lets the plugin run even so.
fn means(spec: &Spec, machine: &Machine, network: Network) -> Result<Option<Means>, Error> {
    let namespaces = machine.namespaces && spec.containment == Containment::Namespace;
    let landlock = machine.landlock.is_some_and(|abi| abi >= LANDLOCK);
    let scopes = machine.landlock.is_some_and(|abi| abi >= LANDLOCK_ALONE);
    let system_control = spec.granted.iter().any(|one| matches!(one, Permission::SystemControl(Some(_))));
    let means = Means { namespaces, landlock };
    // Without a network of its own a plugin reaches more than its proxies.
    let alone = scopes && network != Network::Proxy && !system_control;
    let open = reaches_sockets(spec, machine, network);
    match (namespaces, landlock) {
        (true, _) if !open => Ok(Some(means)),
        (false, _) if alone => Ok(Some(means)),
        // Half of it holds nobody: what is left is what the machine can do at all.
        _ if spec.sandboxed == Sandboxed::Reduced => Ok((namespaces || landlock).then_some(means)),
        _ => Err(refused(spec, machine, scopes, network, system_control)),
    }
}

/// In the network of all others a socket of a bus could reach theirs too, where nothing scopes it.
fn reaches_sockets(spec: &Spec, machine: &Machine, network: Network) -> bool {
    let scopes = machine.landlock.is_some_and(|abi| abi >= LANDLOCK_ALONE);
    let system_control = spec.granted.iter().any(|one| matches!(one, Permission::SystemControl(Some(_))));
    system_control && network == Network::Host && !scopes
}

fn refused(spec: &Spec, machine: &Machine, scopes: bool, network: Network, system_control: bool) -> Error {
    let why = machine.why_no_namespaces.as_deref().unwrap_or("they cannot be made here");
    // That is said once.
    let why = why.replace(&format!("{SANDBOX_REFUSED}: "), "");
    let what = if scopes && network == Network::Proxy {
        format!("`network` with hosts needs namespaces: {why}")
    } else if scopes && system_control {
        format!("`system_control` needs namespaces: {why}")
    } else if machine.namespaces && system_control {
        "`system_control` beside all of `network` needs Landlock of version 6 or later".to_owned()
    } else {
        format!("there is neither Landlock nor a namespace: {why}")
    };
    program::unavailable(spec, format!("{SANDBOX_REFUSED}: {what}")).with_hint(format!(
        "`astros doctor` says how this machine gets them; `plugins.{}.sandbox: reduced` in `astros.yaml` runs it \
         with less",
        spec.name
    ))
}

/// The home of the person whose files they are: absolute, and there.
pub(super) fn home(spec: &Spec) -> Option<PathBuf> {
    let (_, home) = spec.environment.iter().find(|(name, _)| name == "HOME")?;
    let home = Path::new(home).canonicalize().ok()?;
    // A service's home may be the whole machine.
    (home.parent().is_some()).then_some(home)
}
