//! Folders and files of AstrOS: whose they are, and who else may look or write.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sys::statfs::{PROC_SUPER_MAGIC, SYSFS_MAGIC, statfs},
    unistd::{AccessFlags, access, geteuid},
};

use super::{Check, State};
use crate::{
    daemon::{config::Config, paths::Paths},
    supervisor::Sandboxed,
};

pub(super) fn checks(paths: &Paths) -> Vec<Check> {
    let folders = [
        ("configuration", &paths.config, State::Warning),
        ("data", &paths.data, State::Problem),
        ("cache", &paths.cache, State::Problem),
        ("runtime", &paths.runtime, State::Warning),
        ("logs", &paths.logs, State::Problem),
    ];
    let mut checks: Vec<Check> = folders
        .map(|(name, folder, state)| {
            cannot_be_made(name, folder, state).unwrap_or_else(|| own(name, folder, 0o700))
        })
        .into();
    checks.extend(configuration(&paths.config_file()));
    checks.push(own("secrets.yaml", &paths.config.join("secrets.yaml"), 0o600));
    checks
}

/// A folder that is not there, and will not be when it is needed.
fn cannot_be_made(name: &str, folder: &Path, state: State) -> Option<Check> {
    let above = folder.ancestors().find(|above| above.symlink_metadata().is_ok())?;
    if above == folder {
        return None;
    }
    let elsewhere = || "export ASTROS_HOME=~/.astros".to_owned();
    let kind = statfs(above).ok().map(|about| about.filesystem_type());
    let (why, fix) = if !above.is_dir() {
        ("is no folder", elsewhere())
    } else if kind.is_some_and(|kind| [PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&kind)) {
        ("is the kernel's", elsewhere())
    } else {
        let user = geteuid().as_raw();
        match access(above, AccessFlags::W_OK | AccessFlags::X_OK) {
            Ok(()) => return None,
            Err(Errno::EROFS) => ("is on a disk that can only be read", elsewhere()),
            Err(_) => {
                ("is not yours to change", format!("sudo install -d -m 700 -o {user} {}", quoted(folder)))
            }
        }
    };
    let what = format!("`{}` cannot be made: `{}` {why}", folder.display(), above.display());
    Some(Check { state, ..Check::problem(name, what, fix) })
}

/// A folder or a file that is for its owner alone.
fn own(name: &str, path: &Path, mode: u32) -> Check {
    let shown = path.display();
    match path.metadata() {
        Ok(about) => judged(name, path, &about, mode),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Check::ok(name, format!("`{shown}` is not there yet"))
        }
        Err(error) => Check::problem(name, format!("`{shown}` cannot be looked at: {error}"), look(path)),
    }
}

fn judged(name: &str, path: &Path, about: &Metadata, mode: u32) -> Check {
    let shown = path.display();
    let (user, found) = (geteuid().as_raw(), about.mode() & 0o777);
    if about.uid() != user {
        let what = format!("`{shown}` belongs to user {}, expected you, user {user}", about.uid());
        return Check::problem(name, what, format!("sudo chown -R {user} {}", quoted(path)));
    }
    if found & 0o077 != 0 {
        let do_what = if found & 0o022 != 0 { "change" } else { "look into" };
        let what = format!("others may {do_what} `{shown}`: its mode is {found:04o}, expected {mode:04o}");
        return Check::problem(name, what, format!("chmod {mode:o} {}", quoted(path)));
    }
    Check::ok(name, format!("`{shown}`, for you alone"))
}

/// What nobody may look at may lie in a folder that nobody may enter.
fn look(path: &Path) -> String {
    format!("ls -ld {}", quoted(path.parent().unwrap_or(path)))
}

fn configuration(file: &Path) -> Vec<Check> {
    const NAME: &str = "astros.yaml";
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let edit = || format!("${{EDITOR:-vi}} {}", quoted(file));
    let config = match Config::read(file, home.as_deref()) {
        Err(error) => return vec![Check::problem(NAME, error.to_string(), edit())],
        Ok(config) => config,
    };
    let read = match config.warnings.first() {
        Some(warning) => Check::warning(NAME, warning, edit()),
        None if file.exists() => Check::ok(NAME, format!("`{}` can be read", file.display())),
        None => Check::ok(NAME, "none: everything has a default"),
    };
    let off =
        config.plugins.iter().filter(|(_, plugin)| plugin.sandbox == Sandboxed::Off).map(|(name, _)| {
            let what = format!("`plugins.{name}.sandbox` is `off`: it sees and changes all that you can");
            Check::warning(format!("plugin {name}"), what, edit())
        });
    [read].into_iter().chain(off).collect()
}

/// A path as a shell takes it.
pub(in crate::cli) fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions, set_permissions},
        os::unix::fs::PermissionsExt,
    };

    use super::*;

    #[test]
    fn names_the_mode_that_lets_others_in_and_the_command_that_keeps_them_out() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("some data");
        assert_eq!(own("data", &folder, 0o700).state, State::Ok, "what is not there is nobody's");
        fs::create_dir(&folder).unwrap();
        for (mode, words) in [(0o755, "others may look into"), (0o770, "others may change")] {
            set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
            let check = own("data", &folder, 0o700);
            assert_eq!(check.state, State::Problem);
            assert!(check.what.starts_with(words), "{}", check.what);
            assert_eq!(check.fix.unwrap(), format!("chmod 700 '{}'", folder.display()));
        }
        set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        assert_eq!(own("data", &folder, 0o700).state, State::Ok);
    }

    #[test]
    fn tells_of_folders_that_cannot_be_made() {
        let base = tempfile::tempdir().unwrap();
        let state = |folder: &Path| cannot_be_made("data", folder, State::Problem).map(|check| check.state);
        assert_eq!(state(&base.path().join("a/b")), None);
        assert_eq!(state(base.path()), None, "it is there");
        fs::write(base.path().join("file"), "").unwrap();
        for folder in [base.path().join("file/a"), PathBuf::from("/proc/a/b")] {
            assert_eq!(state(&folder), Some(State::Problem), "{}", folder.display());
        }
    }

    #[test]
    fn names_the_user_whom_a_folder_belongs_to() {
        if geteuid().is_root() {
            let base = tempfile::tempdir().unwrap();
            std::os::unix::fs::chown(base.path(), Some(65_534), None).unwrap();
            let check = own("data", base.path(), 0o700);
            assert!(check.what.contains("belongs to user 65534"), "{}", check.what);
        } else {
            assert!(own("data", Path::new("/"), 0o700).what.contains("belongs to user 0"));
        }
    }

    #[test]
    fn warns_of_a_sandbox_that_is_off() {
        let base = tempfile::tempdir().unwrap();
        let file = base.path().join("astros.yaml");
        fs::write(&file, "plugins: {bare: {sandbox: off}, other: {sandbox: reduced}}\n").unwrap();
        let [read, bare] = &configuration(&file)[..] else { panic!("{:?}", configuration(&file)) };
        assert_eq!((read.state, bare.state, &*bare.check), (State::Ok, State::Warning, "plugin bare"));
        assert!(bare.what.contains("`plugins.bare.sandbox` is `off`"), "{}", bare.what);
    }

    #[test]
    fn quotes_what_a_shell_would_take_apart() {
        assert_eq!(quoted(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(quoted(Path::new("/it's here")), r"'/it'\''s here'");
    }
}
