//! The daemon as a service of systemd's: the unit that `astros daemon install` writes, and what the service manager
//! is told. Without one (`NOTIFY_SOCKET` is not set) telling it does nothing.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use astros_protocol::{Error, ErrorCode};
use sd_notify::NotifyState;

use super::{internal, misconfigured, paths::HOME_VARIABLE};

/// What starts the service from now on.
const START: &str = "systemctl --user daemon-reload && systemctl --user enable --now astros";

/// Writes the unit of the person's own service manager, and says what to do next; with `print` it only shows the
/// unit. A file that is other than it would write is left alone without `force`.
///
/// # Errors
/// There is such a file, it cannot be written, or no home is there to write it in.
pub fn install(force: bool, print: bool) -> Result<String, Error> {
    let exe = std::env::current_exe()
        .map_err(|error| internal(format!("the path of this program cannot be told: {error}")))?;
    let home = std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty());
    let home = home.map(std::path::absolute).transpose().map_err(misconfigured)?;
    let text = unit(&exe, home.as_deref())?;
    if print {
        return Ok(text);
    }
    write(&place(|name| std::env::var_os(name))?, &text, force)
}

/// Requests are taken.
pub fn ready() {
    tell(&[NotifyState::Ready, NotifyState::Status("serves")]);
}

/// Configuration and plugins are read anew, until [`ready`].
pub fn reloading() {
    let time = NotifyState::monotonic_usec_now().ok();
    tell(&[Some(NotifyState::Reloading), time].into_iter().flatten().collect::<Vec<_>>());
}

/// No request is taken any more.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ends what is open")]);
}

/// One line that `systemctl status` shows.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(&line.replace('\n', " "))]);
}

/// Tells the service manager that the runtime turns, twice as often as it has to be told. Never ends.
pub async fn watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval(limit / 2);
    loop {
        ticks.tick().await;
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "the service manager cannot be told");
    }
}

/// The folder of a person's units, and the file in it.
fn place(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, Error> {
    let set = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let config = config.ok_or_else(|| misconfigured("`HOME` is not set, expected it to name a folder"))?;
    Ok(config.join("systemd/user/astros.service"))
}

fn write(path: &Path, text: &str, force: bool) -> Result<String, Error> {
    let shown = path.display();
    match fs::read(path) {
        Ok(found) if found == text.as_bytes() => {
            return Ok(format!("`{shown}` is there already\nstart it with: {START}"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Ok(_) | Err(_) if force => {}
        Ok(_) => {
            let message = format!("`{shown}` is other than what would be written");
            let error = Error::new(ErrorCode::INVALID_PARAMS, message);
            let hint = "`astros daemon install --print` shows the new one, `--force` puts it in its place";
            return Err(error.with_hint(hint));
        }
        Err(error) => return Err(misconfigured(format!("cannot read `{shown}`: {error}"))),
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| misconfigured(format!("cannot write `{shown}`: {error}")))?;
    Ok(format!("wrote `{shown}`\nstart it with: {START}"))
}

fn unit(exe: &Path, home: Option<&Path>) -> Result<String, Error> {
    let exe = quoted(text(exe)?).replace('$', "$$");
    let home = home.map(text).transpose()?.map(|home| quoted(&format!("{HOME_VARIABLE}={home}")));
    let environment = home.map(|home| format!("Environment={home}\n")).unwrap_or_default();
    Ok(format!(
        "\
# Written by `astros daemon install`.
[Unit]
Description=AstrOS: say what you want, and a plugin does it

[Service]
Type=notify
NotifyAccess=main
{environment}ExecStart={exe} daemon
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=1
WatchdogSec=30
TimeoutStopSec=30
KillMode=mixed

[Install]
WantedBy=default.target
"
    ))
}

/// A word as units have it: specifiers begin with `%`. In a command line variables begin with `$` as well.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

/// A line of a unit is text, and has no end of line in it.
fn text(path: &Path) -> Result<&str, Error> {
    let text = path.to_str().filter(|text| !text.contains(char::is_control));
    text.ok_or_else(|| misconfigured(format!("`{}` cannot stand in a unit of systemd's", path.display())))
}

#[cfg(test)]
mod tests;
