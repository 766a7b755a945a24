//! Bad input, one message each: it names the subject, what was found, and what to do; everybody else goes on.

use std::{fs, os::unix::fs::PermissionsExt};

use astros_tests::{Plugin, World, adversary, folder, python};
use serde_json::json;

/// Calls `bad`, which has to fail with this code and all of these words; the others have to be untouched.
#[track_caller]
fn refuses(plugin: impl Into<Plugin>, code: i32, kind: &str, words: &[&str]) {
    let world = World::new().with(plugin).with(adversary("bystander"));
    let failed = world.call("bad", "echo", json!({})).fails(code, kind);
    let error = failed.error();
    assert_eq!(error["plugin"], "bad", "{error}");
    words.iter().fold(failed, |failed, words| failed.says(words));
    assert_untouched(&world);
}

/// The list is whole, and another plugin answers.
#[track_caller]
fn assert_untouched(world: &World) {
    let list = world.astros(["plugins", "list", "--json"]).run().succeeds().json();
    let count = list.as_array().map(Vec::len);
    assert_eq!(count, Some(7), "five bundled, the bad one and the bystander: {list:#}");
    world.call("bystander", "echo", json!({})).succeeds();
}

#[test]
fn understands_and_serves_people_among_plugins_that_are_all_broken() {
    let named = |name: &str, text: &str| folder(name).file("plugin.yaml", format!("name: {name}\n{text}"));
    let world = World::new()
        .with(named("empty", ""))
        .with(named("malformed", "run: [\n"))
        .with(named("gone", "run: {executable: no-such-program}\n"))
        .with(python("unloadable", "def broken(:\n"))
        .with(adversary("ended").that("exit-in-initialize"))
        .with(adversary("old").that("wrong-version"))
        .with(adversary("garbled").that("garbage"))
        .with(adversary("bystander"));
    world.ask("make bystander echo").succeeds().answered_by("bystander.echo");
    world.ask("say hello").succeeds().answered_by("hello-world.say_hello");
    let inbox = world.file("home/inbox/a.jpg", "a");
    let text = format!("organize the files in {} by type", inbox.parent().expect("a folder").display());
    world.ask(&text).succeeds().says("Organized 1 file");
    let list = world.astros(["plugins", "list"]).run().succeeds();
    for name in ["empty", "malformed", "gone", "unloadable", "ended", "old", "garbled", "bystander"] {
        assert!(list.stdout.contains(name), "`{name}` is not listed\n{}", list.stdout);
    }
}

fn manifest(text: &str) -> Plugin {
    folder("bad").file("plugin.yaml", text).file("src/main.py", "")
}

#[test]
fn refuses_a_folder_without_anything_to_run() {
    refuses(
        folder("bad").file("plugin.yaml", "name: bad\n"),
        6,
        "plugin_unavailable",
        &["nothing to run", "src/main.py", "`run`"],
    );
}

#[test]
fn runs_a_folder_without_a_manifest() {
    let code = "from astros.plugin import BasePlugin, plugin_handler\n\nclass P(BasePlugin):\n    @plugin_handler('hum')\n    async def hum(self, intent):\n        return 'mmm'\n";
    let world = World::new().with(folder("bare").file("main.py", code));
    assert_eq!(world.call("bare", "hum", json!({})).succeeds().message(), "mmm");
}

#[test]
fn refuses_a_manifest_that_is_malformed() {
    refuses(
        manifest("name: bad\nrun: [\n"),
        6,
        "plugin_unavailable",
        &["plugin.yaml:", "correct the manifest"],
    );
    refuses(manifest("name: bad\nname: worse\n"), 6, "plugin_unavailable", &["plugin.yaml:2", "name"]);
    refuses(manifest("- a\n- b\n"), 6, "plugin_unavailable", &["plugin.yaml:1"]);
}

#[test]
fn refuses_a_manifest_with_an_unknown_value() {
    refuses(
        manifest("name: bad\nsupervision:\n  restart: sometimes\n"),
        6,
        "plugin_unavailable",
        &["plugin.yaml:3", "`sometimes`", "permanent"],
    );
    refuses(
        manifest("name: bad\npermissions: [telepathy]\n"),
        6,
        "plugin_unavailable",
        &["plugin.yaml:2", "`telepathy`", "file_system"],
    );
}

#[test]
fn refuses_a_manifest_that_is_unreadable() {
    let world = World::new().with(adversary("bystander"));
    // A folder of that name: root may read everything else.
    fs::create_dir_all(world.path("plugins/bad/plugin.yaml")).unwrap();
    let failed = world.call("bad", "echo", json!({})).fails(6, "plugin_unavailable");
    failed.says("plugin.yaml").says("correct the manifest");
    assert_untouched(&world);
    refuses(
        folder("bad").file("plugin.yaml", b"name: bad\xff\n"),
        6,
        "plugin_unavailable",
        &["plugin.yaml", "UTF-8"],
    );
}

#[test]
fn refuses_an_executable_that_does_not_exist() {
    refuses(
        folder("bad").file("plugin.yaml", "name: bad\nrun: {executable: no-such-program}\n"),
        6,
        "plugin_unavailable",
        &["`no-such-program`", "`bad`"],
    );
    refuses(
        folder("bad").file("plugin.yaml", "name: bad\nrun: {command: [no-such-interpreter, x]}\n"),
        6,
        "plugin_unavailable",
        &["`no-such-interpreter`"],
    );
    refuses(
        folder("bad").file("plugin.yaml", "name: bad\nrun: {python: src/gone.py}\n"),
        6,
        "plugin_unavailable",
        &["`src/gone.py`"],
    );
}

#[test]
fn refuses_a_file_that_is_not_executable() {
    let world = World::new().with(
        folder("bad").file("plugin.yaml", "name: bad\nrun: {executable: ./run}\n").file("run", "#!/bin/sh\n"),
    );
    let failed = world.call("bad", "echo", json!({})).fails(6, "plugin_unavailable").says("run");
    assert!(failed.error()["hint"].is_string(), "{failed:?}");
    let path = world.path("plugins/bad/run");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(&path, "this is no program\n\0").unwrap();
    world.call("bad", "echo", json!({})).exits(if cfg!(target_os = "linux") { 6 } else { 5 }).says("`bad`");
}

#[test]
fn refuses_a_wrong_version_of_the_protocol() {
    refuses(adversary("bad").that("wrong-version"), 6, "unsupported_version", &["9.0", "1.0", "update"]);
}

#[test]
fn tells_that_a_plugin_ended_before_it_was_ready() {
    refuses(
        adversary("bad").that("exit-before-initialize"),
        5,
        "plugin_crashed",
        &["status 3", "no licence was found"],
    );
    refuses(
        adversary("bad").that("exit-in-initialize"),
        5,
        "plugin_crashed",
        &["status 4", "the configuration is missing"],
    );
}

#[test]
fn tells_that_a_plugin_ended_right_after_it_was_ready() {
    refuses(
        adversary("bad").that("exit-after-initialize"),
        5,
        "plugin_crashed",
        &["status 5", "the port is taken"],
    );
}

#[test]
fn tells_that_a_plugin_does_not_answer_initialize() {
    let silent = adversary("bad")
        .that("silent")
        .supervised(json!({ "initialize_timeout": "300ms", "stop_grace": "100ms" }));
    refuses(
        silent,
        6,
        "plugin_unavailable",
        &["did not answer `initialize` within 300 ms", "initialize_timeout"],
    );
}

#[test]
fn tells_what_is_wrong_with_the_answer_to_initialize() {
    refuses(adversary("bad").that("garbage"), 5, "bad_response", &["`bad`", "could not be started"]);
    refuses(adversary("bad").that("shapeless"), 5, "bad_response", &["`protocol_version`"]);
    refuses(adversary("bad").that("refuses"), 5, "handler_failed", &["refused to start", "it is not my day"]);
}

#[test]
fn tells_that_python_code_does_not_load() {
    refuses(python("bad", "import no_such_module\n"), 5, "plugin_crashed", &["no_such_module"]);
    refuses(python("bad", "def broken(:\n"), 5, "plugin_crashed", &["main.py", "SyntaxError"]);
}

#[test]
fn tells_what_a_handler_raised() {
    let code = "from astros.plugin import BasePlugin, plugin_handler\n\nclass P(BasePlugin):\n    @plugin_handler('echo')\n    async def echo(self, intent):\n        return {}['the key']\n";
    refuses(python("bad", code), 5, "handler_failed", &["KeyError", "the key"]);
}

#[test]
fn names_a_handler_that_does_not_exist() {
    let world = World::new().with(adversary("villain"));
    let failed = world.call("villain", "ecko", json!({})).fails(2, "handler_not_found");
    failed.says("`ecko`").says("`villain`").says("did you mean `echo`?");
    world.call("villian", "echo", json!({})).fails(2, "plugin_not_found").says("did you mean `villain`?");
    world.call("hello-world", "zzz", json!({})).fails(2, "handler_not_found").says("say_hello");
}

#[test]
fn refuses_params_that_are_no_object() {
    let world = World::new().with(adversary("villain"));
    for (given, found) in [("[1]", "an array"), ("nonsense", "no JSON"), ("", "no JSON"), ("7", "`7`")] {
        let call = ["plugins", "call", "villain", "echo", "--json", "--params", given];
        let failed = world.astros(call).run().fails(2, "invalid_params").says("--params").says(found);
        failed.says("expected a JSON object");
    }
    let call = ["plugins", "call", "villain", "echo", "--json", "--params", "-"];
    world.astros(call).stdin(b"\xff\xff".to_vec()).run().fails(2, "invalid_params").says("UTF-8");
}

#[test]
fn refuses_a_timeout_that_is_none() {
    let world = World::new();
    for given in ["soon", "0s", "-1s"] {
        world
            .astros(["ask", "--json", "hello", &format!("--timeout={given}")])
            .run()
            .fails(2, "invalid_params")
            .says("--timeout");
    }
}

#[test]
fn refuses_empty_text() {
    let world = World::new();
    for text in ["", "   ", "\n\t"] {
        world.ask(text).fails(2, "invalid_params").says("empty").says("astros ask");
    }
    world.astros(["ask", "--json", "-"]).stdin("").run().fails(2, "invalid_params").says("empty");
}

#[test]
fn refuses_a_mebibyte_of_text_that_nobody_understands() {
    let world = World::new();
    let text = "laundry basket ironing board ".repeat((1 << 20) / 29);
    let refused = world.astros(["ask", "--json", "-"]).stdin(text).run().fails(4, "not_understood");
    assert!(refused.stdout.len() < 4_000, "the text is not repeated whole: {} bytes", refused.stdout.len());
    world
        .astros(["ask", "--json", "-"])
        .stdin(b"\xff\xfe".to_vec())
        .run()
        .fails(2, "invalid_params")
        .says("UTF-8");
}

#[test]
fn refuses_a_home_that_cannot_be_one() {
    let world = World::new();
    let file = world.file("a file", "");
    let list = || world.astros(["plugins", "list", "--json"]);
    list().env("ASTROS_HOME", &file).run().fails(2, "invalid_params").says("a file");
    list()
        .without_env("ASTROS_HOME")
        .without_env("HOME")
        .run()
        .fails(2, "invalid_params")
        .says("ASTROS_HOME");
}

#[test]
fn refuses_a_store_that_is_no_database() {
    let world = World::new();
    world.file(
        "home/astros/data/astros.db",
        "this is no database, and long enough to be looked at as one.".repeat(20),
    );
    let failed = world.astros(["plugins", "list", "--json"]).run().exits(8);
    assert!(failed.error()["message"].as_str().unwrap().contains("astros.db"), "{failed:?}");
}

#[test]
fn mentions_who_could_not_be_asked() {
    let world = World::new().with(adversary("bad").that("exit-in-initialize"));
    let refused = world.ask("make bad echo").fails(4, "not_understood");
    refused.says("`bad` could not be asked").says("the configuration is missing");
}

#[test]
fn waits_for_no_plugin_that_hangs_at_its_start() {
    let silent = adversary("bad").that("silent").supervised(json!({ "stop_grace": "100ms" }));
    let world = World::new().with(silent);
    // Longer than it may say nothing, shorter than it may take to start.
    let refused = world.astros(["ask", "--json", "--timeout", "25s", "make bad echo"]).run();
    let refused = refused.fails(4, "not_understood").says("`bad` could not be asked");
    refused.says("`astros plugins show bad`");
}
