//! What plugins do every day, with nothing but what they were granted, inside of the sandbox: all of it has to work, on a
//! machine with everything and on those that have less.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path, process::Command};

use astros_tests::{Plugin, Running, World, folder};
use serde_json::{Value, json};

const PYTHON: &str = include_str!("../../plugins/allowed/main.py");
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/examples");

/// What Landlock alone cannot allow without more: it knows neither modes nor a `/dev/shm` of the plugin's own, and a
/// watch would tell what others do. `docs/src/security.md` says so.
const WITH_NAMESPACES: [&str; 5] = ["processes", "memory", "git", "rearrange", "watch"];

/// Each use, and what it answers.
fn uses() -> [(&'static str, Value); 16] {
    [
        ("tls", json!(true)),
        ("database", json!([4950, 4950])),
        ("programs", json!([["1", "2", "3"], "2", "42"])),
        ("processes", json!([8, 8, [2, 4, 6]])),
        ("memory", json!(42)),
        ("loop", json!(["meow", 10])),
        ("own_loop", json!("slept")),
        ("library", json!([1, 2, 3])),
        ("temporary", json!("many")),
        ("threads", json!([9900, true])),
        ("time", json!(["2025-06-01T12:00:00+02:00", "UTF-8"])),
        ("git", json!(["more", "first"])),
        ("large", json!([64 << 20, 64])),
        ("rearrange", json!(["here", 2])),
        ("watch", json!("watched")),
        ("interpreter", json!(["only here", true])),
    ]
}

#[test]
fn everything_that_was_granted_works_in_python() {
    works(&[], |_| false);
}

#[test]
fn everything_that_was_granted_works_without_landlock() {
    works(&["landlock"], |_| false);
}

#[test]
fn what_was_granted_works_without_namespaces() {
    works(&["namespaces"], |name| WITH_NAMESPACES.contains(&name));
}

fn works(without: &[&str], passed_over: impl Fn(&str) -> bool) {
    let world = World::new();
    let plugin = allowed(&world);
    let world = world.with(plugin).on_a_machine_without(without);
    virtual_environment(&world.path("plugins/allowed"));
    repository(&world.path("home/granted/origin"));
    let daemon = world.daemon([""; 0]);
    let mut failed = Vec::new();
    for (name, expected) in uses().into_iter().filter(|(name, _)| !passed_over(name)) {
        let outcome = world.call("allowed", name, json!({ "granted": world.path("home/granted") }));
        if outcome.code != Some(0) || outcome.data() != expected {
            failed.push(format!("`{name}`: {}{}", outcome.stdout, outcome.stderr));
        }
    }
    assert!(failed.is_empty(), "on a machine without {without:?}:\n{}", failed.join("\n"));
    stop(daemon);
}

#[test]
fn examples_in_other_languages_work_with_what_they_are_granted() {
    let world = World::new();
    let file = world.file("home/granted/greeting", "hello\n");
    let world = ["checksum", "room", "todo"].into_iter().fold(world, |world, name| {
        let plugin = example(name, &world);
        world.with(plugin)
    });
    let daemon = world.daemon([""; 0]);
    let sum = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
    let folder = world.path("home/granted");
    world.call("checksum", "sha256", json!({ "path": file })).succeeds().says(sum);
    world.call("room", "folder_size", json!({ "path": folder })).succeeds();
    world.call("todo", "add", json!({ "item": "buy tea" })).succeeds();
    world.call("todo", "show", json!({})).succeeds().says("buy tea");
    stop(daemon);
}

fn stop(daemon: Running) {
    daemon.stop().succeeds();
}

fn allowed(world: &World) -> Plugin {
    let manifest = json!({
        "metadata": { "name": "allowed", "version": "1.0.0" },
        "run": { "python": "main.py" },
        "permissions": [{ "file_system": { "write": [world.path("home/granted")] } }],
    });
    folder("allowed").file("plugin.yaml", manifest.to_string()).file("main.py", PYTHON)
}

/// An example, with a folder that it may read.
fn example(name: &str, world: &World) -> Plugin {
    let source = Path::new(EXAMPLES).join(name);
    let text = fs::read_to_string(source.join("plugin.yaml")).unwrap();
    let scope = json!([{ "file_system": { "read": [world.path("home/granted")] } }]);
    let files = fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path());
    let manifest =
        if text.contains("permissions:") { text } else { format!("{text}\npermissions: {scope}\n") };
    files.filter(|path| !path.ends_with("plugin.yaml")).fold(
        folder(name).file("plugin.yaml", manifest),
        |plugin, path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap().to_owned();
            plugin.executable(&name, fs::read(path).unwrap())
        },
    )
}

/// Made as people make it, with a module that nobody else has.
fn virtual_environment(plugin: &Path) {
    succeeds(Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(plugin.join(".venv")));
    let libraries = fs::read_dir(plugin.join(".venv/lib")).unwrap().next().unwrap().unwrap().path();
    fs::write(libraries.join("site-packages/only_here.py"), "WORD = 'only here'\n").unwrap();
}

fn repository(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("file"), "first").unwrap();
    let git = |words: &[&str]| {
        let who =
            ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"];
        succeeds(Command::new("git").arg("-C").arg(folder).args(who).args(words));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-qm", "first"]);
}

fn succeeds(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
