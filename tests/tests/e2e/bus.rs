//! Messages between plugins that are written with the SDK, under the real command.

use astros_tests::{World, adversary, python};
use serde_json::json;

/// Publishes, and asks the other one what it has heard.
const SPEAKER: &str = r#"
from astros.plugin import BasePlugin, plugin_handler

class Speaker(BasePlugin):
    @plugin_handler("speak")
    async def speak(self, intent):
        for word in intent.context["words"]:
            await self.publish("topic.words", word)
        heard = await self.call_plugin("listener", "heard", {"count": len(intent.context["words"])}, check=True)
        answer = await self.call_plugin("listener", "$message", {"text": "bye"}, check=True)
        return {"data": heard.data, "message": answer.message}

    @plugin_handler("overstep")
    async def overstep(self, intent):
        await self.publish(intent.context["subject"], None)

    @plugin_handler("write")
    async def write(self, intent):
        return await self.call_plugin(intent.context["to"], "$message", {}, check=True)
"#;

const LISTENER: &str = r#"
import asyncio
from astros.plugin import BasePlugin, message_handler, plugin_handler, subscribe

class Listener(BasePlugin):
    async def initialize(self):
        self.words = asyncio.Queue()

    @subscribe("topic.>", "topic.words")
    async def on_words(self, message):
        await self.words.put([message["sender"], message["data"]])

    @plugin_handler("heard")
    async def heard(self, intent):
        return {"data": [await self.words.get() for _ in range(intent.context["count"])]}

    @message_handler
    async def on_direct(self, intent):
        return f"{intent.meta['caller']} said {intent.context['text']}"
"#;

fn world() -> World {
    World::new()
        .with(
            python("speaker", SPEAKER)
                .wants(json!([{ "call_plugin": ["listener.*", "villain.*", "nobody.*"] }])),
        )
        .with(python("listener", LISTENER))
        .with(adversary("villain"))
}

#[test]
fn brings_messages_in_order_to_a_plugin_that_is_started_for_them() {
    let world = world();
    // What it subscribes to is known from then on.
    world.astros(["plugins", "show", "listener"]).run().succeeds();
    let answer = world.call("speaker", "speak", json!({ "words": [1, 2, 3] })).succeeds().json();
    assert_eq!(answer["data"], json!([["speaker", 1], ["speaker", 2], ["speaker", 3]]), "{answer:#}");
    assert_eq!(answer["message"], "speaker said bye");
}

#[test]
fn refuses_what_another_one_publishes_on() {
    let world = world();
    let overstep = |subject: &str| {
        let outcome = world.call("speaker", "overstep", json!({ "subject": subject }));
        outcome.fails(5, "handler_failed")
    };
    overstep("listener.words").says("`speaker` may not publish on `listener.words`");
    overstep("astros.plugin.listener.ready").says("`astros.…` is the host's own");
}

#[test]
fn says_that_nobody_takes_a_direct_message() {
    let world = world();
    let write = |to: &str| world.call("speaker", "write", json!({ "to": to }));
    write("nobody").fails(5, "handler_failed").says("there is no plugin `nobody`");
    write("villain").fails(2, "handler_not_found").says("no handler `$message`");
}
