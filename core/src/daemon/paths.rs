//! Where a run keeps its files: all under `ASTROS_HOME`, else in the XDG folders.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use astros_protocol::lifecycle::Directories;

use crate::services::secrets;

/// The variable that puts all folders of a run under one.
pub const HOME_VARIABLE: &str = "ASTROS_HOME";

/// The folders of a run, absolute. None of them has to exist: [`create`] makes what is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The person's configuration; AstrOS writes nothing there, and makes the folders of plugins only.
    pub config: PathBuf,
    /// The database, and the plugins that the person installed.
    pub data: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
    /// Sockets.
    pub runtime: PathBuf,
    /// A file a plugin.
    pub logs: PathBuf,
}

/// Neither `ASTROS_HOME` nor `HOME` names a folder.
#[derive(Debug, thiserror::Error)]
#[error("neither `ASTROS_HOME` nor `HOME` is set, expected one of them to name a folder; set `ASTROS_HOME`")]
pub struct NoHome;

impl Paths {
    /// The folders that the environment names; `env` looks up a variable.
    ///
    /// # Errors
    /// No variable names a home.
    pub fn from_env(env: impl Fn(&str) -> Option<OsString>) -> Result<Paths, NoHome> {
        let set = |name: &str| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(home) = set(HOME_VARIABLE) {
            // It fails for the empty path only, and where the current folder is gone.
            let home = std::path::absolute(&home).unwrap_or(home);
            return Ok(Paths {
                data: home.join("data"),
                cache: home.join("cache"),
                runtime: home.join("run"),
                logs: home.join("logs"),
                config: home,
            });
        }
        let home = set("HOME").filter(|home| home.is_absolute());
        // The XDG specification says that a relative one is ignored.
        let xdg = |name: &str| set(name).filter(|path| path.is_absolute());
        let folder = |name: &str, default: &str| {
            let base = xdg(name).or_else(|| Some(home.as_ref()?.join(default)));
            base.map(|base| base.join("astros")).ok_or(NoHome)
        };
        let data = folder("XDG_DATA_HOME", ".local/share")?;
        Ok(Paths {
            config: folder("XDG_CONFIG_HOME", ".config")?,
            cache: folder("XDG_CACHE_HOME", ".cache")?,
            runtime: xdg("XDG_RUNTIME_DIR").map_or_else(|| data.join("run"), |base| base.join("astros")),
            logs: data.join("logs"),
            data,
        })
    }

    /// The file that a person configures AstrOS in.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("astros.yaml")
    }

    /// Where secrets are that are in no keyring.
    pub fn secrets_file(&self) -> PathBuf {
        self.config.join(secrets::FILE)
    }

    /// Where a person may configure one plugin beside that.
    pub fn own_config(&self, plugin: &str) -> PathBuf {
        self.own_configs().join(plugin).join(format!("{plugin}.yaml"))
    }

    /// The folder of those files.
    pub fn own_configs(&self) -> PathBuf {
        self.config.join("plugins")
    }

    /// The database of plugins' data and of the daemon's memory.
    pub fn database(&self) -> PathBuf {
        self.data.join("astros.db")
    }

    /// The virtual environment that is made for a plugin in Python.
    pub fn environment(&self, plugin: &str) -> PathBuf {
        self.data.join("environments").join(plugin)
    }

    /// The plugins that the person put there, or installed.
    pub fn plugins(&self) -> PathBuf {
        self.data.join("plugins")
    }

    /// The workflows of the person's own.
    pub fn workflows(&self) -> PathBuf {
        self.config.join("workflows")
    }

    /// A folder for each run of a workflow.
    pub fn runs(&self) -> PathBuf {
        self.data.join("workflows")
    }

    /// Every folder of a run: what lies in them is no plugin's, but for its own there.
    pub fn all(&self) -> Vec<PathBuf> {
        [&self.config, &self.data, &self.cache, &self.runtime, &self.logs].map(PathBuf::clone).to_vec()
    }

    /// What no plugin sees: these folders, and what their files link to. `home` is the person's.
    pub fn hidden(&self, home: Option<&Path>) -> Vec<PathBuf> {
        let files = [self.config_file(), self.secrets_file(), self.database()];
        let linked =
            files.iter().filter(|file| file.is_symlink()).filter_map(|file| file.canonicalize().ok());
        // With its folder: what covers a file alone is gone when an editor puts another in its place.
        let home = home.and_then(|home| home.canonicalize().ok());
        let linked = linked.map(|file| match file.parent() {
            Some(folder) if !home.as_deref().unwrap_or(Path::new("/")).starts_with(folder) => {
                folder.to_owned()
            }
            _ => file,
        });
        self.all().into_iter().chain(linked).collect()
    }

    /// The folders of a plugin's own, as `initialize` names them.
    pub fn of_plugin(&self, name: &str) -> Directories {
        let own = |base: &Path, kind: &str| base.join(kind).join(name).to_string_lossy().into_owned();
        Directories {
            data: own(&self.data, "plugin-data"),
            cache: own(&self.cache, "plugins"),
            config: own(&self.config, "plugins"),
        }
    }
}

/// Makes a folder and those above it, for nobody else to see.
///
/// # Errors
/// Names the folder: it is a file, or cannot be made.
pub fn create(folder: &Path) -> io::Result<()> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| {
        let words = format!(
            "cannot make the folder `{}`: {error}; `ASTROS_HOME` may name a folder of your own",
            folder.display()
        );
        io::Error::new(error.kind(), words)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn paths(env: &[(&str, &str)]) -> Result<Paths, NoHome> {
        Paths::from_env(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn puts_everything_under_the_home_of_astros() {
        let found = paths(&[("ASTROS_HOME", "/a"), ("HOME", "/h"), ("XDG_DATA_HOME", "/d")]).unwrap();
        assert_eq!(found.config_file(), Path::new("/a/astros.yaml"));
        assert_eq!(found.database(), Path::new("/a/data/astros.db"));
        for folder in [&found.cache, &found.runtime, &found.logs, &found.plugins()] {
            assert!(folder.starts_with("/a"), "{}", folder.display());
        }
        assert_eq!(found.of_plugin("x").data, "/a/data/plugin-data/x");
    }

    #[test]
    fn makes_a_relative_home_absolute() {
        let found = paths(&[("ASTROS_HOME", "some/home")]).unwrap();
        assert!(found.config.is_absolute() && found.config.ends_with("some/home"));
    }

    #[test]
    fn follows_xdg_and_ignores_relative_folders() {
        let found = paths(&[
            ("ASTROS_HOME", ""),
            ("HOME", "/h"),
            ("XDG_CONFIG_HOME", "/c"),
            ("XDG_CACHE_HOME", "relative"),
            ("XDG_RUNTIME_DIR", "/run/user/1"),
        ])
        .unwrap();
        assert_eq!(found.config, Path::new("/c/astros"));
        assert_eq!(found.data, Path::new("/h/.local/share/astros"));
        assert_eq!(found.cache, Path::new("/h/.cache/astros"));
        assert_eq!(found.runtime, Path::new("/run/user/1/astros"));
        assert_eq!(paths(&[("HOME", "/h")]).unwrap().runtime, Path::new("/h/.local/share/astros/run"));
    }

    #[test]
    fn says_so_where_there_is_no_home() {
        assert!(paths(&[("HOME", "")]).unwrap_err().to_string().contains("set `ASTROS_HOME`"));
    }

    #[test]
    fn makes_folders_that_only_their_owner_enters() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("a/b");
        create(&folder).unwrap();
        create(&folder).unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let file = base.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(create(&file.join("c")).unwrap_err().to_string().contains(file.to_str().unwrap()));
    }
}
