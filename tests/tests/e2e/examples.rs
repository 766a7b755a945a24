//! The plugins without an SDK of `plugins/examples`: in shell, Node.js and Perl, each as a person uses it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};

use astros_tests::{Outcome, World};
use serde_json::json;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../plugins/examples")
        .canonicalize()
        .expect("plugins/examples")
}

/// Asks in a world where these plugins are, in the words of a person.
fn ask(world: &World, text: &str) -> Outcome {
    world.astros(["ask", "--json", text, "--plugin-dir"]).arg(examples()).run()
}

/// Says what is missing, where a plugin would only say that it cannot be started.
fn needs(program: &str) {
    let found =
        std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|dir| dir.join(program).is_file());
    assert!(
        found,
        "`{program}` is not on PATH, and a plugin is written for it; `tests/run` installs what is needed"
    );
}

/// Holds a plugin to the rules; it reaches gold.
fn is_gold(command: [&str; 2]) {
    let [program, file] = command;
    let file = examples().join(file);
    let report = World::new().astros(["conformance", "--json", "--", program]).arg(file).run().json();
    let rules = report["rules"].as_array().into_iter().flatten();
    let failed: Vec<_> = rules.filter(|rule| rule["outcome"] == "failed").collect();
    assert_eq!(report["grade"], "gold", "{failed:#?}");
}

#[test]
fn the_plugins_without_an_sdk_are_gold() {
    ["jq", "node", "perl"].into_iter().for_each(needs);
    is_gold(["sh", "room/room.sh"]);
    is_gold(["node", "checksum/checksum.js"]);
    is_gold(["perl", "todo/todo.pl"]);
}

#[test]
fn the_shell_plugin_says_how_much_room_a_folder_takes() {
    needs("jq");
    let world = World::new();
    let folder = world.file("home/a b/ü\t\"1\"/large", vec![1; 200_000]).parent().unwrap().to_owned();
    let answer = ask(&world, &format!("how much room does \"{}\" take", world.path("home/a b").display()));
    let answer = answer.succeeds().answered_by("room.folder_size");
    assert!(answer.data()["kib"].as_u64().unwrap() >= 196, "{answer:?}");
    ask(&world, "how much room is left in ~/notes").succeeds().answered_by("room.free_space");
    let call = |path: &Path| world.calling("room", "folder_size", json!({ "path": path }));
    call(&folder).arg("--plugin-dir").arg(examples()).run().succeeds();
    let nowhere = call(&world.path("home/nowhere")).arg("--plugin-dir").arg(examples()).run();
    assert_eq!(nowhere.json()["success"], false, "{nowhere:?}");
}

#[test]
fn the_node_plugin_computes_a_checksum_and_says_how_far_it_is() {
    needs("node");
    let world = World::new();
    // More pieces than may be told of without an answer of the host's.
    let file = world.file("home/large", vec![b'a'; 100 << 16]);
    let answer = ask(&world, &format!("what is the sha256 of {}", file.display())).succeeds();
    let answer = answer.answered_by("checksum.sha256");
    assert_eq!(answer.data()["bytes"], 100 << 16);
    let expected = std::process::Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    assert_eq!(answer.message(), String::from_utf8(expected).unwrap()[..64]);
}

#[test]
fn the_perl_plugin_keeps_a_list_over_its_restarts() {
    needs("perl");
    let world = World::new();
    ask(&world, "add oat milk to my todo list").succeeds().answered_by("todo.add");
    ask(&world, "i have to call Zoë").succeeds().answered_by("todo.add");
    let list = ask(&world, "show my todo list").succeeds().answered_by("todo.show").data();
    assert_eq!(list, json!({ "list": ["oat milk", "call Zoë"] }));
    ask(&world, "i have done oat milk").succeeds().answered_by("todo.remove").says("call Zoë");
}

#[test]
fn the_examples_of_each_kind_do_what_they_say() {
    let world = World::new();
    let run = |words: &[&str]| {
        words
            .iter()
            .fold(world.astros(["--plugin-dir"]).arg(examples()), |astros, word| astros.arg(word))
            .run()
    };
    let notes = world.file("home/notes/poem.md", "the cat and the hat [and](gone.md) TODO\n");
    let notes = notes.parent().unwrap().display().to_string();
    // Commands.
    run(&["tally", &format!("{notes}/poem.md"), "-n", "1"]).exits(0).says("2 and");
    // Providers: a rule-based one in Rust, a chain of words in Python.
    run(&["providers", "list"]).succeeds().says("eliza").says("markov");
    // Components.
    run(&["ui", "render", "machine", "--props", r#"{"pictures": 1}"#]).succeeds().says("memory in GB");
    // Workflows: each comes with its plugin.
    let input = format!("folder={notes}");
    let check = |name| run(&["workflow", "run", name, "--task", "look", "--input", &input, "--json"]);
    let links = check("check-links").exits(1);
    assert_eq!(links.json()["evidence"][0]["evidence"], format!("{notes}/poem.md: gone.md"), "{links:?}");
    let tidy = check("tidy").exits(1);
    assert_eq!(tidy.json()["phases"][1]["result"], json!({ "todos": 1, "long-lines": 0 }), "{tidy:?}");
}

#[test]
fn a_command_whose_packages_are_missing_names_what_brings_them() {
    let world = World::new();
    let bare = world.path("bare");
    let made =
        std::process::Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&bare).status();
    assert!(made.unwrap().success());
    let path = std::env::join_paths([bare.join("bin"), "/usr/bin".into(), "/bin".into()]).unwrap();
    let run = |words: &[&str]| world.astros(words).env("PATH", &path).run();
    let refused = run(&["analyze-project", "."]).exits(2);
    refused.warns("needs the Python packages `typer").warns("`astros plugins setup project-analyzer`");
    run(&["ask", "fly me to the moon"]).exits(4).never_says("project-analyzer");
}
