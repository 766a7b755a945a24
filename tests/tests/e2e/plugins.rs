//! Which plugins there are and may run: list, show, enable, disable, places and ranks.

use astros_tests::{Plugin, World, adversary, folder};
use serde_json::{Value, json};

/// Writes a plugin where a person's own are.
fn installed(world: World, plugin: impl Into<Plugin>) -> World {
    plugin.into().write(&world.home().join("data/plugins"));
    world
}

#[test]
fn lists_plugins_with_the_members_that_scripts_rely_on() {
    let world = World::new().with(adversary("villain"));
    let list = world.astros(["plugins", "list", "--json"]).run().succeeds().json();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let bundled =
        ["file-manager", "hello-world", "notification-manager", "project-analyzer", "smart-organizer"];
    assert_eq!(names, [&bundled[..], &["villain"]].concat());
    for plugin in list.as_array().unwrap() {
        for member in
            ["name", "version", "state", "reason", "pids", "restarts", "in_flight", "language", "kinds"]
        {
            assert!(plugin.get(member).is_some(), "no `{member}` in {plugin}");
        }
        assert_eq!(plugin["pids"], json!([]));
        // Whether `project-analyzer` has the packages that it needs is another matter.
        let expected = match plugin["name"].as_str() {
            Some("project-analyzer") => (json!(["command"]), plugin["state"].clone()),
            // Its manifest does not say, and it was never asked.
            Some("villain") => (json!([]), json!("idle")),
            _ => (json!(["intent"]), json!("idle")),
        };
        assert_eq!((plugin["kinds"].clone(), plugin["state"].clone()), expected);
    }
    let of = |name: &str| {
        list.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["language"].clone()
    };
    assert_eq!((of("file-manager"), of("hello-world")), (json!("rust"), json!("python")));
    world.astros(["plugins", "list"]).run().succeeds().says("PLUGIN").says("idle (starts on use)");
    world.call("villain", "echo", json!({})).succeeds();
    assert_eq!(world.listed("villain")["kinds"], json!(["intent"]), "as it describes itself");
}

#[test]
fn shows_what_a_plugin_offers() {
    let world = World::new();
    let shown = world.astros(["plugins", "show", "file-manager"]).run().succeeds();
    shown
        .says("file-manager 1.0.0")
        .says("list_files")
        .says("undo")
        .says("may          read and change your files");
    world
        .astros(["plugins", "show", "file-manger", "--json"])
        .run()
        .fails(2, "plugin_not_found")
        .says("`file-manager`");
}

#[test]
fn lets_a_plugin_of_the_person_wait_until_it_is_enabled() {
    let world = installed(World::new(), adversary("newcomer"));
    assert_eq!(world.listed("newcomer")["state"], "disabled");
    world
        .call("newcomer", "echo", json!({}))
        .fails(6, "plugin_unavailable")
        .says("astros plugins enable newcomer");
    world.ask("make newcomer echo").exits(4);
    world.astros(["plugins", "enable", "newcomer", "--json"]).run().fails(2, "invalid_params").says("--yes");
    world.astros(["plugins", "enable", "newcomer", "--yes"]).run().succeeds().says("`newcomer` is enabled");
    world.call("newcomer", "echo", json!({})).succeeds();
    world.ask("make newcomer echo").succeeds().answered_by("newcomer.echo");
    let disabled = world.astros(["plugins", "disable", "newcomer", "--json"]).run().succeeds().json();
    assert_eq!(disabled, json!({ "name": "newcomer", "enabled": false }));
    world.call("newcomer", "echo", json!({})).fails(6, "plugin_unavailable").says("disabled");
}

#[test]
fn disables_and_enables_a_bundled_plugin() {
    let world = World::new();
    world.astros(["plugins", "disable", "hello-world"]).run().succeeds();
    world.ask("say hello").exits(4);
    world.astros(["plugins", "enable", "hello-world", "--yes"]).run().succeeds();
    world.ask("say hello").succeeds();
    world
        .astros(["plugins", "enable", "helo-world", "--yes", "--json"])
        .run()
        .fails(2, "plugin_not_found")
        .says("`hello-world`");
}

#[test]
fn takes_plugins_from_every_folder_that_is_named() {
    let world = World::new();
    let one = Plugin::from(adversary("one")).write(&world.path("a"));
    Plugin::from(adversary("two")).write(&world.path("b"));
    Plugin::from(adversary("three")).write(&world.path("c"));
    let paths = format!("{}:{}", world.path("c").display(), world.path("nowhere").display());
    let list = world
        .astros(["plugins", "list", "--json", "--plugin-dir", "b", "--plugin-dir", &one.to_string_lossy()])
        .env("ASTROS_PLUGIN_PATH", &paths)
        .run()
        .succeeds()
        .json();
    let names: Vec<_> = list.as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    for name in ["one", "two", "three", "hello-world"] {
        assert!(names.contains(&name), "{name} is not among {names:?}");
    }
    let missing = world.astros(["plugins", "list", "--json", "--plugin-dir", "nowhere"]).run();
    missing.fails(2, "invalid_params").says("nowhere").says("does not exist");
}

#[test]
fn shadows_a_bundled_plugin_by_one_that_is_named() {
    let world = World::new().with(adversary("hello-world"));
    assert_eq!(world.listed("hello-world")["version"], "6.6.6");
    world.call("hello-world", "echo", json!({})).succeeds();
    let twice =
        world.with(folder("another").file("plugin.yaml", "name: hello-world\nrun: {executable: x}\n"));
    twice.call("hello-world", "echo", json!({})).fails(6, "plugin_unavailable").says("stands there twice");
    twice.call("file-manager", "list_files", json!({ "path": twice.path("home/notes") })).succeeds();
}

#[test]
fn never_lets_a_plugin_that_nobody_enabled_replace_a_bundled_one() {
    let world = installed(World::new(), adversary("hello-world"));
    assert_eq!(world.listed("hello-world")["version"], "1.0.0");
    world.ask("say hello").succeeds().says("Hello, friend!");
}

#[test]
fn reads_what_a_plugin_offers_anew_when_its_code_changes() {
    let code = |handler: &str| {
        format!(
            "from astros.plugin import BasePlugin, plugin_handler\n\nclass P(BasePlugin):\n    @plugin_handler(\"{handler}\")\n    async def h(self, intent):\n        return \"{handler}\"\n"
        )
    };
    let world = World::new().with(astros_tests::python("fickle", &code("water_plants")));
    world.ask("water the plants").succeeds().answered_by("fickle.water_plants");
    let world = world.with(astros_tests::python("fickle", &code("feed_cat")));
    world.ask("feed the cat").succeeds().answered_by("fickle.feed_cat");
    world.ask("water the plants").exits(4);
}

#[test]
fn keeps_everything_of_a_run_under_its_home() {
    let world = World::new();
    world.ask("say hello").succeeds();
    let mut beside: Vec<_> =
        std::fs::read_dir(world.path("home")).unwrap().flatten().map(|one| one.file_name()).collect();
    beside.sort();
    assert_eq!(beside, ["astros", "notes"], "nothing but ASTROS_HOME is made beside what was there");
    assert_eq!(std::fs::read_dir(world.path("tmp")).unwrap().count(), 0, "nothing is left in TMPDIR");
}

#[test]
fn follows_the_xdg_folders_without_a_home_of_its_own() {
    let world = World::new();
    let config = world.file("xdg/astros/astros.yaml", "plugins: {hello-world: {enabled: false}}\n");
    let xdg = config.parent().unwrap().parent().unwrap();
    let list =
        world.astros(["plugins", "list", "--json"]).without_env("ASTROS_HOME").env("XDG_CONFIG_HOME", xdg);
    let list = list.run().succeeds().json();
    let hello = list.as_array().unwrap().iter().find(|one| one["name"] == "hello-world").unwrap();
    assert_eq!(hello["state"], Value::from("disabled"));
    assert!(world.path("home/.local/share/astros/astros.db").is_file());
}
