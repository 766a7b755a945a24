//! Settings: the manifest's defaults, then `astros.yaml`, then the environment; and what does not fit.

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
