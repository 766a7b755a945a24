//! D-Bus by name: a filtering proxy (`xdg-dbus-proxy`) for each process of a plugin that may talk to some services.
//!
//! Its sockets lie in a folder that nobody else enters, and the launcher shows the plugin nothing but the relays before
//! them. All of it ends with the plugin's process, and with the daemon.

mod relay;

use std::{
    ffi::OsString,
    fs::Permissions,
    io,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use astros_protocol::{
    Error,
    manifest::{BusKind, DBus, Permission},
};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::timeout,
};

use self::relay::Relay;
use super::{Spec, program};
use crate::launcher::Confinement;

const PROGRAM: &str = "xdg-dbus-proxy";
/// How long it may take to listen.
const READY: Duration = Duration::from_secs(5);
/// Where a plugin with a mount namespace finds its sockets.
const INSIDE: &str = "/run/astros";
/// A socket's path may be no longer; the folder's name and the socket's are part of it.
const LONGEST: usize = 107 - "/astros-bus-XXXXXX/session-filter".len();

/// The proxy of one process. Dropped, it ends and its sockets are gone.
#[derive(Debug, Default)]
pub(crate) struct Buses {
    _relays: Vec<Relay>,
    _proxy: Option<(Child, TempDir)>,
}

/// A bus that the plugin may use, and the names of services there.
struct Bus {
    kind: BusKind,
    /// Where the daemon reaches it.
    address: OsString,
    names: Vec<String>,
}

/// Starts the proxy where names were granted and their bus is there, has its sockets shown to the plugin, and gives
/// the variables that name them.
///
/// # Errors
/// There is no `xdg-dbus-proxy`, it does not start, or what was granted is no name.
pub(crate) async fn start(
    spec: &Spec,
    confinement: &mut Confinement,
) -> Result<(Buses, Vec<(OsString, OsString)>), Error> {
    let mut buses = Vec::new();
    for kind in [BusKind::Session, BusKind::System] {
        buses.extend(bus(spec, kind)?);
    }
    if buses.is_empty() {
        return Ok((Buses::default(), Vec::new()));
    }
    let failed = |why: String| program::unavailable(spec, format!("its D-Bus proxy does not start: {why}"));
    let folder = folder(spec).map_err(|error| failed(error.to_string()))?;
    let child = run(spec, &buses, folder.path()).await?.map_err(failed)?;
    let (mut relays, mut variables) = (Vec::new(), Vec::new());
    for bus in &buses {
        let outside = folder.path().join(bus.socket());
        let relay =
            bind(&outside).and_then(|listener| relay::serve(listener, folder.path().join(bus.filter())));
        relays.push(relay.map_err(|error| failed(error.to_string()))?);
        let inside = match confinement.means.namespaces {
            true => Path::new(INSIDE).join(bus.socket()),
            false => outside.clone(),
        };
        let mut address = OsString::from("unix:path=");
        address.push(&inside);
        variables.push((bus.variable().into(), address));
        confinement.buses.push((outside, inside));
    }
    Ok((Buses { _relays: relays, _proxy: Some((child, folder)) }, variables))
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    let listener = UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What was granted of this bus; none where the daemon does not know where it is.
fn bus(spec: &Spec, kind: BusKind) -> Result<Option<Bus>, Error> {
    let granted = spec.granted.iter().filter_map(|permission| match permission {
        Permission::SystemControl(Some(DBus { bus, names })) if *bus == kind => Some(names),
        _ => None,
    });
    let names: Vec<String> = granted.flatten().cloned().collect();
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        let why = format!("`system_control` has `{}`, which is no D-Bus name", bad.escape_debug());
        return Err(
            program::unavailable(spec, why).with_hint("expected such as `org.freedesktop.Notifications`")
        );
    }
    let address = address(spec, kind).filter(|_| !names.is_empty());
    Ok(address.map(|address| Bus { kind, address, names }))
}

/// Two or more elements; `*` as the last stands for all below.
fn is_name(name: &str) -> bool {
    let element = |element: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        !element.is_empty() && !element.starts_with(|c: char| c.is_ascii_digit()) && element.bytes().all(good)
    };
    let own = name.strip_suffix(".*").unwrap_or(name);
    name.len() < 256 && own.contains('.') && own.split('.').all(element)
}

fn address(spec: &Spec, kind: BusKind) -> Option<OsString> {
    let variable = |name: &str| {
        let found = spec.environment.iter().find(|(own, value)| own == name && !value.is_empty());
        found.map(|(_, value)| value.clone())
    };
    let socket = match kind {
        BusKind::Session if variable(SESSION).is_some() => return variable(SESSION),
        BusKind::System if variable(SYSTEM).is_some() => return variable(SYSTEM),
        BusKind::Session => Path::new(&variable("XDG_RUNTIME_DIR")?).join("bus"),
        BusKind::System => PathBuf::from("/run/dbus/system_bus_socket"),
    };
    let mut address = OsString::from("unix:path=");
    address.push(&socket);
    socket.exists().then_some(address)
}

const SESSION: &str = "DBUS_SESSION_BUS_ADDRESS";
const SYSTEM: &str = "DBUS_SYSTEM_BUS_ADDRESS";

impl Bus {
    fn socket(&self) -> &'static str {
        match self.kind {
            BusKind::Session => "session-bus",
            BusKind::System => "system-bus",
        }
    }

    /// The proxy's own socket, which the plugin does not see.
    fn filter(&self) -> &'static str {
        match self.kind {
            BusKind::Session => "session-filter",
            BusKind::System => "system-filter",
        }
    }

    fn variable(&self) -> &'static str {
        match self.kind {
            BusKind::Session => SESSION,
            BusKind::System => SYSTEM,
        }
    }
}

/// For its owner alone; elsewhere where the runtime folder's path is too long for a socket's.
fn folder(spec: &Spec) -> io::Result<TempDir> {
    let temporary = std::env::temp_dir();
    let runtime = spec.runtime.as_deref().filter(|path| path.as_os_str().len() <= LONGEST);
    let at = runtime.unwrap_or(&temporary);
    std::fs::create_dir_all(at)?;
    tempfile::Builder::new().prefix("astros-bus-").permissions(Permissions::from_mode(0o700)).tempdir_in(at)
}

/// Starts the proxy and waits until it listens.
async fn run(spec: &Spec, buses: &[Bus], folder: &Path) -> Result<Result<Child, String>, Error> {
    let found = program::on_path(spec, Path::new(PROGRAM))
        .filter(|path| program::is_trusted(spec, path))
        .ok_or_else(|| {
            program::unavailable(
                spec,
                format!("`{PROGRAM}` is missing, which lets it talk to what it was granted only"),
            )
            .with_hint(format!("install the package `{PROGRAM}`"))
        })?;
    let mut command = Command::new(found);
    // It says there when it is ready, and ends when nobody holds the other end.
    command.arg("--fd=1").env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for bus in buses {
        command.arg(&bus.address).arg(folder.join(bus.filter())).arg("--filter");
        command.args(bus.names.iter().map(|name| format!("--talk={name}")));
    }
    Ok(listening(command.process_group(0).kill_on_drop(true)).await)
}

async fn listening(command: &mut Command) -> Result<Child, String> {
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let ready = match &mut child.stdout {
        Some(ready) => timeout(READY, ready.read_u8()).await,
        None => return Err("it has no output".to_owned()),
    };
    match ready {
        Ok(Ok(_)) => {
            // Nobody reads what it might say later, and it shall not wait for that.
            drop(child.stderr.take());
            Ok(child)
        }
        Ok(Err(_)) => {
            let mut said = String::new();
            if let Some(errors) = child.stderr.take() {
                let _ = timeout(READY, errors.take(1024).read_to_string(&mut said)).await;
            }
            Err(if said.trim().is_empty() { "it ended".to_owned() } else { said.trim().to_owned() })
        }
        Err(_) => Err(format!("it was not ready within {} s", READY.as_secs())),
    }
}

#[cfg(test)]
mod tests;
