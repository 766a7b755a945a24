//! The example of embedding does what its page says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

const PLUGIN: &str = r#"
from astros.plugin import BasePlugin, plugin_handler

class Greeter(BasePlugin):
    @plugin_handler("greet")
    async def greet(self, intent):
        return f"Hello {intent.context['name']}"
"#;

#[test]
fn the_example_calls_a_handler_and_hears_what_happens() {
    let folder = TempDir::new().unwrap();
    let plugin = folder.path().join("plugins/greeter");
    fs::create_dir_all(&plugin).unwrap();
    fs::write(plugin.join("main.py"), PLUGIN).unwrap();
    // Examples are built with the tests, beside the command.
    let example = Path::new(env!("CARGO_BIN_EXE_astros")).with_file_name("examples/embed");
    let run = Command::new(example)
        .args([folder.path().join("home"), folder.path().join("plugins")])
        .args(["greeter", "greet"])
        .output()
        .expect("the example is built by `cargo test` where no target is named");
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.starts_with("Hello Ada\n"), "{said}");
    for event in ["state: Ready", "Described", "Ended"] {
        assert!(said.contains(event), "{event}: {said}");
    }
}

#[test]
fn the_page_shows_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let example = fs::read_to_string(root.join("examples/embed.rs")).unwrap();
    let page = fs::read_to_string(root.join("../docs/src/embedding.md")).unwrap();
    let shown = page.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let code = &example[example.find("use ").unwrap()..];
    assert_eq!(shown.trim(), code.trim());
}
