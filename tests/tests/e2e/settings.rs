//! Settings: the manifest's defaults, then `astros.yaml`, then the environment; and what does not fit.

use std::os::unix::fs::symlink;

use astros_tests::{Plugin, World, folder, notes, python};
use serde_json::{Value, json};

const CODE: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Weather(BasePlugin):
    @plugin_handler("tell")
    async def tell(self, intent):
        return Response(data=dict(self.settings))
"#;

const MANIFEST: &str = "
metadata: {name: my-weather, version: 1.0.0}
configuration:
  settings: {city: Oslo, days: 3, verbose: false}
  schema:
    type: object
    properties:
      city: {type: string}
      days: {type: integer, minimum: 1, maximum: 14}
      verbose: {type: boolean}
";

fn weather() -> Plugin {
    folder("my-weather").file("plugin.yaml", MANIFEST).file("src/main.py", CODE)
}

fn told(world: &World) -> Value {
    world.call("my-weather", "tell", json!({})).succeeds().data()
}

#[test]
fn takes_the_later_of_manifest_file_and_environment() {
    let world = World::new().with(weather());
    assert_eq!(told(&world), json!({ "city": "Oslo", "days": 3, "verbose": false }));
    let world = world.configured("plugins:\n  my-weather:\n    settings: {city: Bergen, days: 5}\n");
    assert_eq!(told(&world), json!({ "city": "Bergen", "days": 5, "verbose": false }));
    let world = world.env("ASTROS_MY_WEATHER_DAYS", "7").env("ASTROS_MY_WEATHER_VERBOSE", "true");
    assert_eq!(told(&world), json!({ "city": "Bergen", "days": 7, "verbose": true }));
}

#[test]
fn names_the_setting_the_reason_and_the_place() {
    let world = World::new().with(weather());
    let world = world.configured("plugins:\n  my-weather:\n    settings:\n      days: 99\n");
    let refused = world.call("my-weather", "tell", json!({})).exits(6);
    let refused = refused.says("/days").says("99").says("14").says("astros.yaml:4").says("`my-weather`");
    assert_eq!(refused.error()["plugin"], "my-weather");
    assert_eq!(world.listed("my-weather")["state"], "blocked");
    world.ask("say hello").succeeds();
}

#[test]
fn names_the_variable_whose_value_does_not_fit() {
    let world = World::new().with(weather()).env("ASTROS_MY_WEATHER_DAYS", "many");
    world.call("my-weather", "tell", json!({})).exits(6).says("/days").says("ASTROS_MY_WEATHER_DAYS");
    world.call("hello-world", "say_hello", json!({})).succeeds();
}

#[test]
fn refuses_a_configuration_that_cannot_be_read() {
    let world = World::new().configured("plugins: [1, 2]\n");
    world
        .astros(["plugins", "list", "--json"])
        .run()
        .fails(2, "invalid_params")
        .says("astros.yaml:1")
        .says("plugins");
    let world = world.configured("plugins: {a: b: c}\n");
    world.astros(["plugins", "list", "--json"]).run().fails(2, "invalid_params").says("astros.yaml:1");
}

#[test]
fn starts_a_plugin_only_once_to_learn_the_schema_that_its_code_has() {
    const CODE: &str = r#"
import os
from astros.plugin import BasePlugin, plugin_handler

with open(os.path.expanduser("~/notes/starts"), "a") as starts:
    starts.write("x")

class Spinner(BasePlugin):
    settings_schema = {"type": "object", "properties": {"size": {"type": "integer"}}}

    @plugin_handler("spin", examples=["spin around"])
    async def spin(self, intent):
        return "spun"
"#;
    let spinner = python("spinner", CODE).wants(json!([notes()]));
    let world = World::new().with(spinner).env("ASTROS_SPINNER_SIZE", "big");
    for _ in 0..2 {
        let refused = world.ask("spin around").fails(6, "plugin_unavailable");
        refused.says("`/size`: is `big`, expected a whole number (ASTROS_SPINNER_SIZE)");
        assert_eq!(std::fs::read_to_string(world.note("starts")).unwrap_or_default(), "x");
    }
    world.env("ASTROS_SPINNER_SIZE", "7").ask("spin around").succeeds().says("spun");
}

#[test]
fn shows_sets_and_checks_settings() {
    let world = World::new().with(weather()).env("ASTROS_MY_WEATHER_VERBOSE", "true");
    let settings = |arguments: &[&str]| world.astros([&["settings"], arguments].concat());
    settings(&["set", "my-weather", "days", "5"])
        .run()
        .succeeds()
        .says("`days` of `my-weather` is 5, from `astros settings set`");
    settings(&["set", "my-weather", "days", "99"]).run().exits(2).warns("/days").warns("14");
    settings(&["set", "my-weather", "dayz", "1"]).run().exits(2).warns("did you mean `days`?");
    settings(&["set", "my-weathr", "days", "1"]).run().exits(2).warns("there is no plugin");
    assert_eq!(told(&world), json!({ "city": "Oslo", "days": 5, "verbose": true }));
    let shown = settings(&["show", "my-weather"]).run().succeeds();
    let shown =
        shown.says("city").says("\"Oslo\"").says("default of the manifest").says("ASTROS_MY_WEATHER_VERBOSE");
    shown.says("`astros settings set`");
    let listed = settings(&["show", "--json"]).run().succeeds().json();
    let listed = listed.as_array().unwrap().iter().find(|one| one["plugin"] == "my-weather").unwrap().clone();
    assert_eq!(listed["settings"][1]["name"], "days");
    assert_eq!(listed["settings"][1]["value"], 5);
    settings(&["unset", "my-weather", "days"]).run().succeeds().says("`days` of `my-weather` is 3");
    settings(&["check"]).run().succeeds().says("all settings fit");
    let world = world.configured("plugins:\n  my-weather:\n    settings: {days: 99}\n");
    world.astros(["settings", "check"]).run().exits(2).says("my-weather").says("/days").says("astros.yaml:3");
}

/// Answers with what the module says that it needs.
const NEEDY: &str = r#"
from astros.plugin import BasePlugin, plugin_handler

class Needy(BasePlugin):
    @plugin_handler("tell")
    async def tell(self, intent):
        import demo
        return demo.WORD
"#;

/// A wheel with the module `demo`, as a URL.
fn wheel(world: &World) -> String {
    let path = world.path("astros_demo_package-1.0-py3-none-any.whl");
    let make = r#"
import sys, zipfile
info = "astros_demo_package-1.0.dist-info/"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("demo.py", "WORD = 'it is there'")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: astros-demo-package\nVersion: 1.0\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "")
"#;
    let made =
        std::process::Command::new("python3").args(["-c", make]).arg(&path).status().expect("Python runs");
    assert!(made.success());
    format!("file://{}", path.display())
}

#[test]
fn installs_what_a_plugin_needs_into_an_environment_of_its_own() {
    let manifest = "metadata: {name: needy, version: 1.0.0}\ndependencies: {external: ['astros-demo-package @ WHEEL']}\n";
    let world = World::new();
    let wheel = wheel(&world);
    let manifest = manifest.replace("WHEEL", &wheel);
    let world = world.with(folder("needy").file("plugin.yaml", manifest).file("main.py", NEEDY));
    let setup = |arguments: &[&str]| world.astros([&["plugins", "setup", "needy"], arguments].concat());
    world.call("needy", "tell", json!({})).exits(6).says("`astros plugins setup needy`");
    setup(&["--json"]).run().fails(2, "invalid_params").says("--yes");
    setup(&[])
        .run_on_a_terminal("n\n")
        .exits(1)
        .says("astros-demo-package @ file://")
        .says("outside of the sandbox");
    world.call("needy", "tell", json!({})).exits(6);
    // What a plugin has beside its code is none of what installs.
    let here = world.path("plugins/needy");
    for module in ["venv", "pip", "ensurepip"] {
        let code = format!("open({:?}, 'w')\n", world.path("owned"));
        std::fs::write(here.join(format!("{module}.py")), code).unwrap();
    }
    let installs = setup(&["--yes"]).within(&here).env("PYTHONPATH", here.to_str().unwrap());
    installs.run().succeeds().says("environments/needy");
    assert!(!world.path("owned").exists(), "code of the plugin's folder was run");
    world.call("needy", "tell", json!({})).succeeds().says("it is there");

    let broken = "metadata: {name: needy, version: 1.0.0}\ndependencies: {external: ['gone @ file:///nowhere/gone-1.0-py3-none-any.whl']}\n";
    let world = world.with(folder("needy").file("plugin.yaml", broken).file("main.py", NEEDY));
    let failed = world.astros(["plugins", "setup", "needy", "--yes"]).run().exits(6);
    failed.warns("not everything was installed").warns("gone-1.0-py3-none-any.whl");
}

#[test]
fn installs_the_requirements_of_a_plugin_by_a_link_within_its_folder_and_by_no_other() {
    let world = World::new();
    let wheel = format!("astros-demo-package @ {}\n", wheel(&world));
    let outside = world.path("outside.txt");
    std::fs::write(&outside, &wheel).unwrap();
    let manifest = "metadata: {name: needy, version: 1.0.0}\n";
    let needy = folder("needy").file("plugin.yaml", manifest).file("main.py", NEEDY);
    let world = world.with(needy.file("needs/all.txt", &wheel));
    let setup = || world.astros(["plugins", "setup", "needy", "--yes"]);
    let link = world.path("plugins/needy/requirements.txt");
    symlink(outside, &link).unwrap();
    setup().run().exits(2).warns("requirements.txt` cannot be read");
    std::fs::remove_file(&link).unwrap();
    symlink("needs/all.txt", link).unwrap();
    setup().run().succeeds().says("environments/needy");
    world.call("needy", "tell", json!({})).succeeds().says("it is there");
}

#[test]
fn installs_a_plugin_that_is_a_project_and_leaves_nothing_in_its_folder() {
    const BACKEND: &str = r#"
import pathlib, zipfile
def build_wheel(folder, *_):
    pathlib.Path("build").mkdir()
    name, info = "demo_project-1.0-py3-none-any.whl", "demo_project-1.0.dist-info/"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("demo_project.py", "WORD = 'it was built'")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: demo-project\nVersion: 1.0\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(info + "RECORD", "")
    return name
"#;
    let code = "from astros.plugin import BasePlugin, plugin_handler\n\nclass Built(BasePlugin):\n    \
                @plugin_handler('tell')\n    async def tell(self, intent):\n        import demo_project\n        \
                return demo_project.WORD\n";
    let project = "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n\
                   [project]\nname = \"demo-project\"\nversion = \"1.0\"\n";
    let plugin = folder("built")
        .file("plugin.yaml", "metadata: {name: built, version: 1.0.0}\n")
        .file("pyproject.toml", project);
    let world = World::new().with(plugin.file("backend.py", BACKEND).file("main.py", code));
    let there = || {
        let entries = std::fs::read_dir(world.path("plugins/built")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = there();
    world.astros(["plugins", "setup", "built", "--yes"]).run().succeeds();
    assert_eq!(there(), before);
    world.call("built", "tell", json!({})).succeeds().says("it was built");
}

#[test]
fn finds_plugins_in_the_making_only_where_it_is_asked_to() {
    let world = World::new();
    folder("fresh").file("plugin.py", CODE).write(&world.path("project/dev-plugins"));
    let project = world.path("project");
    let call = || world.astros(["plugins", "call", "fresh", "tell"]).within(&project);
    call().run().exits(2).warns("there is no plugin");
    call().arg("--dev").run().succeeds();
    call().env("LOCALAGENT_DEV_MODE", "true").run().succeeds();
    call().env("LOCALAGENT_PLUGINS_ALLOW_DEV", "true").run().succeeds();
}
