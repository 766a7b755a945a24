//! Runs the plugins that README and book show, word by word.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::pages::{blocks, read, root};

/// A folder with one plugin, and a home of `astros` for it.
struct Shown {
    base: TempDir,
    plugin: PathBuf,
}

impl Shown {
    /// The plugin `name` whose file is this code.
    fn new(name: &str, file: &str, code: &str) -> Shown {
        let base = tempfile::tempdir().unwrap();
        let plugin = base.path().join(name);
        fs::create_dir(&plugin).unwrap();
        fs::write(plugin.join(file), code).unwrap();
        fs::set_permissions(plugin.join(file), fs::Permissions::from_mode(0o755)).unwrap();
        Shown { base, plugin }
    }

    /// What `astros ask` answers; its exit status has to be 0.
    fn ask(&self, text: &str) -> Value {
        astros(&self.base.path().join("home"), &["ask", text, "--plugin-dir", self.plugin.to_str().unwrap()])
    }
}

/// Runs `astros --json` with a home of its own.
fn astros(home: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
    let output = command.args(arguments).arg("--json").env("ASTROS_HOME", home).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn the_readmes_python_plugin_does_what_it_says() {
    let shown = Shown::new("shopping", "main.py", &blocks("README.md", "python")[0]);
    assert_eq!(shown.ask("put oat milk on the shopping list")["data"]["items"], json!(["oat milk"]));
    assert_eq!(shown.ask("put bread on the shopping list")["plugin"], "shopping");
    let answer = shown.ask("show me the shopping list");
    assert_eq!(answer["handler"], "show_list");
    assert_eq!(answer["data"]["items"], json!(["oat milk", "bread"]));
}

#[test]
fn the_books_python_plugin_does_what_it_says() {
    let shown = Shown::new("weather", "main.py", &blocks("docs/src/python.md", "python")[0]);
    assert_eq!(shown.ask("it is sunny in Oslo")["message"], "Thank you.");
    assert_eq!(shown.ask("weather in Oslo")["message"], "Oslo: sunny");
}

#[test]
fn the_books_python_test_passes() {
    let shown = Shown::new("weather", "main.py", &blocks("docs/src/python.md", "python")[0]);
    // Python of the system need not have pytest; what it adds here is a loop to run in.
    let test = blocks("docs/src/python.md", "python")[1].replace("import pytest\n", "");
    let test = test.replace("@pytest.mark.asyncio\n", "");
    let test = format!("{test}\nimport asyncio\nasyncio.run(test_tells_what_it_heard())\n");
    let sdk = root().join("sdk-python/src").canonicalize().unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", &test]).current_dir(shown.base.path()).env("PYTHONPATH", sdk);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_books_shell_plugin_does_what_it_says() {
    let shown = Shown::new("shout", "shout", &blocks("docs/src/protocol.md", "sh")[0]);
    assert_eq!(shown.ask("shout hello")["message"], "HELLO");
}

#[test]
fn the_sdk_authors_test_of_the_golden_messages_passes() {
    let mut node = Command::new("node");
    node.args(["-e", &blocks("docs/src/sdk-authors.md", "js")[0]]).current_dir(root());
    let output = node.output().expect("`node` is there; `tests/run` installs it");
    let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains(" messages survive"), "{said}{why}");
}

#[test]
fn the_recipes_for_ci_hold_a_plugin_to_the_rules() {
    let astros = Path::new(env!("CARGO_BIN_EXE_astros")).parent().unwrap();
    for recipe in ["docs/ci/github.yml", "docs/ci/gitlab.yml"] {
        let text = read(&root().join(recipe));
        let value = |start: &str| {
            let line = text
                .lines()
                .find_map(|line| line.split_once(start))
                .unwrap_or_else(|| panic!("{recipe}: {start}"));
            line.1.split(" #").next().unwrap().trim().to_owned()
        };
        let script = format!("astros conformance --junit {}", value("astros conformance --junit "));
        let repository = tempfile::tempdir().unwrap();
        let plugin = root().join("plugins/examples/todo/todo.pl");
        fs::copy(plugin, repository.path().join("todo.pl")).unwrap();
        let path = format!("{}:{}", astros.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-e", "-o", "pipefail", "-c", &script]).current_dir(&repository);
        let output = shell.env("PATH", path).env("PLUGIN", value("PLUGIN: ")).output().unwrap();
        assert!(output.status.success(), "{recipe}: {}", String::from_utf8_lossy(&output.stdout));
        let report = read(&repository.path().join("conformance.xml"));
        assert!(report.contains("<testcase") && report.contains("R57"), "{recipe}: {report}");
    }
}

#[test]
fn the_rust_plugin_that_is_shown_is_the_example_that_is_tested() {
    let example = read(&root().join("sdk-rust/examples/words.rs"));
    let (_, code) = example.split_once("\n\n").unwrap();
    let code = code.split("\n#[cfg(test)]").next().unwrap().trim();
    for page in ["README.md", "docs/src/rust.md"] {
        assert_eq!(blocks(page, "rust")[0].trim(), code, "{page}");
    }
}

#[test]
fn the_manifest_that_is_shown_is_read_without_a_warning() {
    let manifests = blocks("docs/src/manifest.md", "yaml");
    assert_eq!(manifests.len(), 3);
    for (file, manifest) in ["plugin.yaml", "plugin.yaml", "plugin-manifest.yaml"].iter().zip(&manifests) {
        let shown = Shown::new("weather", file, manifest);
        let code = &blocks("docs/src/python.md", "python")[0];
        for name in ["main.py", "src/main.py", "weather_plugin.py"] {
            fs::create_dir_all(shown.plugin.join("src")).unwrap();
            fs::write(shown.plugin.join(name), code).unwrap();
        }
        let folder = shown.plugin.to_str().unwrap();
        let about =
            astros(&shown.base.path().join("home"), &["plugins", "show", "weather", "--plugin-dir", folder]);
        let warnings = about["warnings"].as_array().unwrap();
        let unexpected = warnings.iter().filter(|one| !one.as_str().unwrap().contains("says no version"));
        assert_eq!(unexpected.count(), 0, "{warnings:?}");
        assert_eq!(about["handlers"][0]["name"], "weather_in", "{about}");
    }
}

#[test]
fn the_books_python_provider_does_what_it_says() {
    let shown = Shown::new("loud", "main.py", &blocks("docs/src/providers.md", "python")[0]);
    let folder = shown.plugin.to_str().unwrap();
    let health = astros(&shown.base.path().join("home"), &["providers", "health", "--plugin-dir", folder]);
    assert_eq!((&health[0]["provider"], &health[0]["healthy"]), (&json!("loud"), &json!(true)));
    assert_eq!(health[0]["models"], json!(["loud-1"]));
}

#[test]
fn the_books_python_components_do_what_they_say() {
    let shown = Shown::new("gauge", "main.py", &blocks("docs/src/ui.md", "python")[0]);
    let folder = shown.plugin.to_str().unwrap();
    let draw = |words: &[&str]| {
        let words: Vec<&str> = [&["ui", "render", "--plugin-dir", folder], words].concat();
        astros(&shown.base.path().join("home"), &words)["tree"].clone()
    };
    let load = draw(&["load", "--props", r#"{"title": "busy"}"#]);
    assert_eq!((&load["type"], &load["title"]), (&json!("panel"), &json!("busy")));
    assert_eq!(draw(&["ticks"])["text"], "1");
}
