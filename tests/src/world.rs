//! A person's machine in a temporary folder: a home, plugins, and what is said to `astros` there.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Astros, Outcome, Plugin, Running, processes};

/// A condition that has to come true does so within this, on a slow machine too.
const PATIENCE: Duration = Duration::from_secs(20);

/// A home, and the plugins beside it.
pub struct World {
    folder: TempDir,
    environment: Vec<(String, String)>,
    /// What the machine of the daemon is to be without.
    without: Vec<String>,
}

impl World {
    /// A home that nobody has used yet. The bundled plugins are there, as always.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> World {
        let folder = tempfile::Builder::new().prefix("astros-e2e-").tempdir().expect("a temporary folder");
        let world = World { folder, environment: Vec::new(), without: Vec::new() };
        for name in ["home/notes", "plugins", "tmp"] {
            fs::create_dir_all(world.path(name)).expect("a folder in the world");
        }
        world
    }

    /// With a plugin in the folder that `ASTROS_PLUGIN_PATH` names.
    pub fn with(self, plugin: impl Into<Plugin>) -> World {
        plugin.into().write(&self.path("plugins"));
        self
    }

    /// With this `astros.yaml`.
    pub fn configured(self, yaml: &str) -> World {
        fs::create_dir_all(self.home()).expect("the home of AstrOS");
        fs::write(self.home().join("astros.yaml"), yaml).expect("astros.yaml");
        self
    }

    /// With this variable in the environment of every command.
    pub fn env(mut self, name: &str, value: &str) -> World {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With its daemon on a machine without these: `landlock`, `namespaces`.
    pub fn on_a_machine_without(mut self, without: &[&str]) -> World {
        self.without = without.iter().map(|&what| what.to_owned()).collect();
        self
    }

    /// A path in this world.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that plugins of [`notes`](crate::notes) may write, to tell a test what they do.
    pub fn note(&self, name: &str) -> PathBuf {
        self.path("home/notes").join(name)
    }

    /// Where `ASTROS_HOME` is.
    pub fn home(&self) -> PathBuf {
        self.path("home/astros")
    }

    /// A file of this content; its folder is made where it is missing.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder in the world");
        fs::write(&path, content).expect("a file in the world");
        path
    }

    /// The command with these arguments, to be run.
    pub fn astros<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Astros {
        let command = Astros::new(self.folder.path(), arguments);
        self.variables().into_iter().fold(command, |command, (name, value)| command.env(&name, value))
    }

    /// What is in the environment of this world beside PATH.
    pub(crate) fn variables(&self) -> Vec<(String, OsString)> {
        let own = [("HOME", self.path("home")), ("ASTROS_HOME", self.home()), ("TMPDIR", self.path("tmp"))];
        // A folder without a plugin is worth a warning, so it is named only where one is in it.
        let plugins = self.path("plugins");
        let some = fs::read_dir(&plugins).is_ok_and(|mut inside| inside.next().is_some());
        let own = own.into_iter().chain(some.then_some(("ASTROS_PLUGIN_PATH", plugins)));
        let own = own.map(|(name, path)| (name.to_owned(), path.into_os_string()));
        own.chain(self.environment.iter().map(|(name, value)| (name.clone(), value.into()))).collect()
    }

    /// A daemon that stays, with more arguments; the commands of this world use it as long as it is kept.
    pub fn daemon<S: AsRef<str>>(&self, arguments: impl IntoIterator<Item = S>) -> Running {
        let arguments = arguments.into_iter().map(|one| one.as_ref().to_owned());
        let command = self.astros(["daemon".to_owned()].into_iter().chain(arguments));
        let daemon = command.on_a_machine_without(&self.without).spawn();
        eventually("the daemon answers", || {
            assert!(daemon.is_running(), "the daemon ended: {}", daemon.stderr());
            (self.astros(["status"]).run().code == Some(0)).then_some(())
        });
        daemon
    }

    /// The folder of the daemon's socket.
    pub fn runtime(&self) -> PathBuf {
        self.home().join("run")
    }

    /// Asks in plain words, for JSON.
    pub fn ask(&self, text: &str) -> Outcome {
        self.astros(["ask", "--json", text]).run()
    }

    /// Calls a handler by its name, for JSON.
    pub fn call(&self, plugin: &str, handler: &str, params: Value) -> Outcome {
        self.calling(plugin, handler, params).run()
    }

    /// That call, to be run with more.
    pub fn calling(&self, plugin: &str, handler: &str, params: Value) -> Astros {
        self.astros(["plugins", "call", plugin, handler, "--json", "--params", &params.to_string()])
    }

    /// A plugin's entry in `plugins list`.
    pub fn listed(&self, plugin: &str) -> Value {
        let list = self.astros(["plugins", "list", "--json"]).run().succeeds().json();
        let mut entries = list.as_array().into_iter().flatten();
        entries.find(|entry| entry["name"] == plugin).cloned().unwrap_or_else(|| {
            panic!("`plugins list` does not name `{plugin}`: {list:#}");
        })
    }

    /// How often plugins with the switch `counted` were started.
    pub fn starts(&self) -> usize {
        fs::read(self.note("starts")).map_or(0, |marks| marks.len())
    }

    /// The ids of the processes that were started in this world and run.
    pub fn processes(&self) -> Vec<u32> {
        processes::with_environment("HOME", &self.path("home"))
    }

    fn check_that_nobody_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut left = self.processes();
        // Who was killed may take a moment to be gone.
        while !left.is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
            left = self.processes();
        }
        let described: Vec<_> = left.iter().map(|pid| processes::describe(*pid)).collect();
        left.iter().for_each(|pid| processes::kill(*pid));
        assert!(left.is_empty(), "processes are left behind: {described:#?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.processes().into_iter().for_each(processes::kill);
        } else {
            self.check_that_nobody_is_left();
        }
    }
}

/// Waits until something is so; `what` says what does not come where it never is.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[should_panic(expected = "processes are left behind")]
    fn notices_a_process_that_is_left() {
        let world = World::new();
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 >&- 2>&- & exit 0"]).env("HOME", world.path("home"));
        assert!(shell.status().unwrap().success());
        // While it becomes another program, its environment cannot be seen.
        eventually("it sleeps", || (world.processes().len() == 1).then_some(()));
    }
}
