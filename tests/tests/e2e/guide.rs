//! The plugins of the AstrOS guide, in our own words and of its shapes: laid out, found and run as the guide says.

use astros_tests::{Plugin, World, folder};
use serde_json::json;

/// The layout of the guide: `plugin.yaml` with its sections, and the class in `src/main.py`.
fn as_in_the_guide(name: &str, code: &str) -> Plugin {
    let manifest = format!(
        r#"
metadata:
  name: "{name}"
  version: "1.0.0"
  description: "Written along the guide"
  author: "Ada Example <ada@example.org>"
  license: "Apache-2.0"
  homepage: "https://example.org/{name}"

capabilities:
  handles:
    - "automation"

  requires_ai: false
  requires_permissions:
    - "file_system"

  supports_voice: true
  supports_gui: true

configuration:
  settings:
    max_file_size: 100MB
    cache_duration: 3600

  user_configurable:
    - "max_file_size"
    - "cache_duration"

dependencies:
  python: ">=3.10"
  astros: ">=1.0.0"
  external:
    - "astros>=1.0.0"
"#
    );
    folder(name)
        .file("plugin.yaml", manifest)
        .file("src/__init__.py", "")
        .file("src/main.py", code)
        .file("requirements.txt", "")
}

/// The smallest plugin: no examples, so that names and docstrings are all that recognition has.
const GREETER: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class HelloWorldPlugin(BasePlugin):
    """Says hello."""

    name = "hello-world"
    version = "1.0.0"
    description = "Greets whoever greets it"
    author = "Ada Example <ada@example.org>"

    handles = ["greetings", "introductions"]
    requires_ai = False

    @plugin_handler("say_hello")
    async def say_hello(self, intent: Intent) -> Response:
        """Greet the person."""
        user_name = intent.context.get("user_name", "friend")

        return Response(
            success=True,
            message=f"Greetings, {user_name}, from the guide",
            data={"greeting": "hello", "timestamp": intent.timestamp},
        )

    @plugin_handler("introduce_astros")
    async def introduce_astros(self, intent: Intent) -> Response:
        """Introduce AstrOS and what it does."""
        return Response(success=True, message="AstrOS, at your service", data={"introduction": True})
"#;

/// Keeps preferences; the two helpers that it calls are the base class's.
const STATEFUL: &str = r#"
from datetime import datetime

from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class StatefulPlugin(BasePlugin):
    def __init__(self):
        super().__init__()
        self.state = {}

    async def initialize(self):
        """Runs at the start."""
        self.state["initialized_at"] = datetime.now()
        await self.load_user_preferences()

    async def shutdown(self):
        """Runs at the end."""
        await self.save_user_preferences()

    @plugin_handler("remember_preference")
    async def remember_preference(self, intent: Intent) -> Response:
        """Keep what the person prefers."""
        key = intent.context.get("preference_key")
        value = intent.context.get("preference_value")

        await self.storage.set(f"user_pref_{key}", value)

        return Response(success=True, message=f"Noted what you prefer for {key}")

    @plugin_handler("tell_preferences")
    async def tell_preferences(self, intent: Intent) -> Response:
        """Not in the guide: shows what was loaded at the start, and when that was."""
        return Response(data={"loaded": self.preferences, "state": self.state})
"#;

/// Calls two others, as the guide does.
const COMMUNICATING: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Intent, Response


class CommunicatingPlugin(BasePlugin):

    @plugin_handler("coordinate_action")
    async def coordinate_action(self, intent: Intent) -> Response:
        """Work together with other plugins."""

        file_result = await self.call_plugin("file-manager", "list_files", {"path": "FOLDER"})

        if not file_result.success:
            return Response(success=False, message="There is no list of files")

        files = file_result.data.get("files", [])

        await self.call_plugin(
            "notification-manager",
            "send_notification",
            {"title": "The files are done", "message": f"{len(files)} files were seen", "type": "info"},
        )

        return Response(success=True, message=f"Coordinated over {len(files)} files")
"#;

/// What it has others do it has to ask for, which the guide does not know.
fn communicating(code: &str) -> Plugin {
    let others = ["file-manager.list_files", "notification-manager.send_notification"];
    as_in_the_guide("communicating", code).wants(json!([{ "call_plugin": others }]))
}

#[test]
fn finds_a_handler_that_declares_no_examples() {
    let world = World::new().with(as_in_the_guide("hello-world", GREETER));
    let greeted = world.ask("say hello").succeeds().answered_by("hello-world.say_hello");
    assert_eq!(greeted.message(), "Greetings, friend, from the guide", "it stands in for the bundled one");
    let timestamp = greeted.data()["timestamp"].as_str().expect("a datetime becomes text").to_owned();
    assert!(timestamp.contains('T') && timestamp.starts_with("20"), "RFC 3339: {timestamp}");
    for text in ["please introduce astros", "introduce AstrOS to me", "introduce astros"] {
        world
            .ask(text)
            .succeeds()
            .answered_by("hello-world.introduce_astros")
            .says("AstrOS, at your service");
    }
    let named = world.call("hello-world", "say_hello", json!({ "user_name": "Ada" })).succeeds();
    assert_eq!(named.message(), "Greetings, Ada, from the guide");
}

#[test]
fn keeps_preferences_over_restarts() {
    let world = World::new().with(as_in_the_guide("stateful", STATEFUL));
    let params = json!({ "preference_key": "theme", "preference_value": "dark" });
    let kept = world.call("stateful", "remember_preference", params).succeeds();
    assert_eq!(kept.message(), "Noted what you prefer for theme");
    let told = world.call("stateful", "tell_preferences", json!({})).succeeds().data();
    assert_eq!(told["loaded"]["theme"], "dark", "{told}");
    assert!(told["state"]["initialized_at"].is_string(), "a datetime in data: {told}");
    world.ask("remember my preference").succeeds().answered_by("stateful.remember_preference");
}

#[test]
fn lets_a_plugin_list_files_and_notify_through_others() {
    let world = World::new();
    let documents = world.path("home/Documents");
    world.file("home/Documents/one.txt", "1");
    world.file("home/Documents/two words.txt", "2");
    let code = COMMUNICATING.replace("FOLDER", &documents.to_string_lossy());
    let world = world.with(communicating(&code));
    world
        .ask("coordinate action")
        .succeeds()
        .answered_by("communicating.coordinate_action")
        .says("Coordinated over 2 files");
}

#[test]
fn passes_the_callees_failure_on_as_a_response() {
    let world = World::new();
    let code = COMMUNICATING.replace("FOLDER", "/no/such/folder");
    let world = world.with(communicating(&code));
    world.call("communicating", "coordinate_action", json!({})).exits(1).says("There is no list of files");
}

#[test]
fn shows_what_the_guides_manifest_says() {
    let world = World::new().with(as_in_the_guide("hello-world", GREETER));
    let shown = world.astros(["plugins", "show", "hello-world", "--json"]).run().succeeds().json();
    assert_eq!(shown["version"], "1.0.0");
    assert_eq!(shown["author"], "Ada Example <ada@example.org>");
    assert_eq!(shown["settings"], json!({ "max_file_size": "100MB", "cache_duration": 3600 }));
    assert_eq!(shown["permissions"][0]["permission"], "file_system");
    let handlers: Vec<_> =
        shown["handlers"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(handlers, ["say_hello", "introduce_astros"]);
}
