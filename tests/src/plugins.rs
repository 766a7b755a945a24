//! Plugins made for a test: Python code, the adversary, or any folder of files.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use astros_protocol::manifest::{FilePaths, Permission};
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

/// The permission to write the [notes](crate::World::note) of a test; a sandbox lets nothing else out to it.
pub fn notes() -> Permission {
    notes_and(Vec::new())
}

fn notes_and(read: Vec<String>) -> Permission {
    Permission::FileSystem(Some(FilePaths { read, write: vec!["~/notes".to_owned()] }))
}

/// The plugin that misbehaves, in Rust; see `src/bin/adversary`.
pub fn adversary(name: &str) -> Adversary {
    Adversary {
        name: name.to_owned(),
        language: Language::Rust,
        switches: Vec::new(),
        supervision: json!({}),
        before: None,
    }
}

/// A provider `firm` and the components `count` and `sizes` by the Rust SDK; see `src/bin/kinds.rs`.
pub fn kinds() -> Plugin {
    let program = program("kinds").to_string_lossy().into_owned();
    let manifest = json!({
        "metadata": { "name": "kinds", "version": "1.0.0" },
        "plugin_types": ["provider", "ui"],
        "run": { "command": [program] },
        "permissions": [notes_and(vec![program.clone()])],
    });
    // JSON is YAML.
    folder("kinds").file("plugin.yaml", manifest.to_string())
}

/// What the adversary is written in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Language {
    Rust,
    Python,
}

impl Plugin {
    /// With this file in it.
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Plugin {
        self.files.push((path.into(), content.as_ref().to_vec(), 0o644));
        self
    }

    /// With these permissions in its manifest, which is YAML in lines.
    pub fn wants(mut self, permissions: Value) -> Plugin {
        for (path, manifest, _) in &mut self.files {
            if path.ends_with("plugin.yaml") {
                manifest.extend(format!("permissions: {permissions}\n").into_bytes());
            }
        }
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
    language: Language,
    switches: Vec<String>,
    supervision: Value,
    before: Option<String>,
}

impl Adversary {
    /// Its twin in another language.
    pub fn written_in(mut self, language: Language) -> Adversary {
        self.language = language;
        self
    }

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

    /// Started by a shell after this, such as `ulimit -n 64`: limits, and signals that are ignored, stay across exec.
    pub fn after(mut self, command: &str) -> Adversary {
        self.before = Some(command.to_owned());
        self
    }

    /// Started so that it ignores SIGTERM.
    pub fn that_ignores_sigterm(self) -> Adversary {
        self.after("trap '' TERM")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn supervision(&self) -> &Value {
        &self.supervision
    }

    /// What it may: what it is made of lies outside of its folder, and so do the notes.
    pub(crate) fn permissions(&self) -> Vec<Permission> {
        let mut code = self.code();
        if self.language == Language::Python {
            // With a shell before it, nobody else knows that it is needed.
            let installation = Path::new(python3()).ancestors().nth(2).expect("it is in a `bin`");
            code.push(installation.to_string_lossy().into_owned());
        }
        vec![Permission::CallPlugin(None), Permission::Bus(None), Permission::Ai, notes_and(code)]
    }

    /// The files that run.
    fn code(&self) -> Vec<String> {
        match self.language {
            Language::Rust => vec![program("adversary").to_string_lossy().into_owned()],
            Language::Python => vec![python3().to_owned(), TWIN.to_owned()],
        }
    }

    /// The command line that starts it.
    pub(crate) fn command(&self) -> Vec<String> {
        let shell =
            |before: &String| vec!["sh".to_owned(), "-c".to_owned(), format!("{before}; exec \"$0\" \"$@\"")];
        let mut words = self.before.as_ref().map(shell).unwrap_or_default();
        words.extend(self.code());
        words.extend(self.switches.iter().cloned());
        words
    }
}

const TWIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/adversary.py");

/// The interpreter itself: what is found on PATH may be a shim, which takes its time.
fn python3() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(|| {
        let code = "import os, sys; print(os.path.realpath(sys.executable))";
        let output = Command::new("python3").args(["-c", code]).output();
        String::from_utf8(output.expect("python3 runs").stdout).expect("a path").trim().to_owned()
    })
}

impl From<Adversary> for Plugin {
    fn from(adversary: Adversary) -> Plugin {
        let (name, supervision) = (adversary.name.clone(), adversary.supervision.clone());
        let manifest = json!({
            "metadata": { "name": name, "version": "6.6.6", "description": "Misbehaves." },
            "run": { "command": adversary.command() },
            "supervision": supervision,
            "permissions": adversary.permissions(),
        });
        // JSON is YAML.
        folder(&name).file("plugin.yaml", manifest.to_string())
    }
}
