//! Units as systemd reads them, and what a service manager hears, on a real socket.

use std::{
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::*;

#[test]
fn writes_a_unit_once_and_overwrites_what_was_changed_only_when_forced() {
    let home = TempDir::new().unwrap();
    let config = home.path().join("config");
    let path = place(|name| (name == "XDG_CONFIG_HOME").then(|| config.clone().into())).unwrap();
    assert_eq!(path, config.join("systemd/user/astros.service"));
    assert!(write(&path, "one\n", false).unwrap().contains("systemctl --user enable --now astros"));
    assert!(write(&path, "one\n", false).unwrap().contains("already"));
    let refused = write(&path, "two\n", false).unwrap_err();
    assert!(refused.message.contains("is other than") && refused.hint().unwrap().contains("--force"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\n");
    write(&path, "two\n", true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
}

#[test]
fn quotes_what_systemd_would_read_otherwise() {
    let text = unit(Path::new("/my apps/100%/$x/\"astros\""), Some(Path::new("/a home/$y"))).unwrap();
    assert!(text.contains("\nExecStart=\"/my apps/100%%/$$x/\\\"astros\\\"\" daemon\n"), "{text}");
    assert!(text.contains("\nEnvironment=\"ASTROS_HOME=/a home/$y\"\n"), "{text}");
    assert!(unit(Path::new("/a\nb"), None).is_err(), "a path must not add lines of its own");
}

#[test]
fn writes_a_unit_that_systemd_accepts() {
    let folder = TempDir::new().unwrap();
    // The program has to be there and to be executable.
    let program = folder.path().join("a program 100%");
    fs::copy("/bin/true", &program).unwrap();
    let path = folder.path().join("astros.service");
    fs::write(&path, unit(&program, Some(folder.path())).unwrap()).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let verified =
        verify.args(["--user", "verify"]).arg(&path).env("XDG_RUNTIME_DIR", folder.path()).output();
    match verified {
        // Who has no systemd does not need the unit.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        verified => {
            let verified = verified.unwrap();
            let said = String::from_utf8_lossy(&verified.stderr);
            assert!(verified.status.success() && !said.contains("astros.service"), "{said}");
        }
    }
}

/// Tells the service manager of its environment all there is to tell.
#[tokio::test]
#[ignore = "runs as a child of `tells_the_service_manager_how_it_is`"]
async fn service_that_tells() {
    ready();
    reloading();
    status("three plugins run,\nnone waits");
    stopping();
    watchdog().await;
}

#[test]
fn tells_the_service_manager_how_it_is() {
    let folder = TempDir::new().unwrap();
    let address = folder.path().join("notify");
    let socket = UnixDatagram::bind(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "daemon::service::tests::service_that_tells"])
        .env("NOTIFY_SOCKET", &address)
        .env("WATCHDOG_USEC", "40000")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let bytes = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    };
    assert_eq!(hear(), "READY=1\nSTATUS=serves\n");
    assert!(hear().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(hear(), "STATUS=three plugins run, none waits\n");
    assert!(hear().starts_with("STOPPING=1\n"));
    for _ in 0..3 {
        assert_eq!(hear(), "WATCHDOG=1\n");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}
