//! Plugins made for a test: Python code, the adversary, or any folder of files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::astros::program;

/// A plugin's folder, not written yet.
pub struct Plugin {
    name: String,
    files: Vec<(PathBuf, Vec<u8>, u32)>,
}

/// An empty folder, to be filled.
pub fn folder(name: &str) -> Plugin {
    Plugin { name: name.to_owned(), files: Vec::new() }
}

/// A plugin of Python code in `src/main.py`, which may use the SDK.
pub fn python(name: &str, code: &str) -> Plugin {
    folder(name)
        .file("plugin.yaml", format!("metadata:\n  name: {name}\n  version: 1.0.0\n"))
        .file("src/main.py", code)
}

/// The plugin that misbehaves; see `src/bin/adversary`.
pub fn adversary(name: &str) -> Adversary {
    Adversary { name: name.to_owned(), switches: Vec::new(), supervision: json!({}), stubborn: false }
}

impl Plugin {
    /// With this file in it.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Plugin {
        self.files.push((path.into(), content.as_ref().to_vec(), 0o644));
        self
    }

    /// With this program in it.
    pub fn executable(mut self, path: &str, content: impl AsRef<[u8]>) -> Plugin {
        self.files.push((path.into(), content.as_ref().to_vec(), 0o755));
        self
    }

    /// Writes it below `plugins`, and gives its folder.
    pub fn write(&self, plugins: &Path) -> PathBuf {
        let folder = plugins.join(&self.name);
        for (path, content, mode) in &self.files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&folder)).expect("the folder of a plugin");
            fs::write(&path, content).expect("a file of a plugin");
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).expect("its mode");
        }
        folder
    }
}

/// The adversary, with what goes wrong with its process.
pub struct Adversary {
    name: String,
    switches: Vec<String>,
    supervision: Value,
    stubborn: bool,
}

impl Adversary {
    /// With a switch of the process: `exit-in-initialize`, `deaf` and so on.
    pub fn that(mut self, switch: &str) -> Adversary {
        self.switches.push(switch.to_owned());
        self
    }

    /// With this `supervision` in its manifest.
    pub fn supervised(mut self, supervision: Value) -> Adversary {
        self.supervision = supervision;
        self
    }

    /// Started so that it ignores SIGTERM.
    pub fn that_ignores_sigterm(mut self) -> Adversary {
        self.stubborn = true;
        self
    }
}

impl From<Adversary> for Plugin {
    fn from(adversary: Adversary) -> Plugin {
        let program = program("adversary").to_string_lossy().into_owned();
        // What is ignored stays ignored across exec, and no unsafe call is needed for it.
        let run = if adversary.stubborn {
            json!({ "command": ["sh", "-c", "trap '' TERM; exec \"$0\" \"$@\"", program], "args": adversary.switches })
        } else {
            json!({ "executable": program, "args": adversary.switches })
        };
        let manifest = json!({
            "metadata": { "name": adversary.name, "version": "6.6.6", "description": "Misbehaves." },
            "run": run,
            "supervision": adversary.supervision,
        });
        // JSON is YAML.
        folder(&adversary.name).file("plugin.yaml", manifest.to_string())
    }
}
