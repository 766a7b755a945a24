//! Providers of AI models that plugins bring: who is asked, what comes back, and what a person sees of them.

use std::fs;

use astros_tests::{Plugin, World, eventually, kinds, notes, python};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A provider of this name, in Python: it streams the words of a text in capitals.
fn model(plugin: &str, provider: &str) -> Plugin {
    let code = r#"
import asyncio
from pathlib import Path
from astros.provider import BaseProvider, CompletionResponse, ProviderPlugin

class Model(BaseProvider):
    """Says it louder."""

    models = ("loud-1",)

    async def health_check(self):
        return {"healthy": not self.config.get("ill"), "message": self.config.get("ill", ""), "models": ["loud-1"]}

    async def complete(self, request):
        if request.prompt == "fail":
            raise ConnectionError(f"no answer with {self.config.get('api_key')}")
        if request.prompt.startswith("hang "):
            note = Path(request.prompt[5:])
            note.write_text("begun\n")
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                note.write_text("cancelled\n")
                raise
        return CompletionResponse(content=request.prompt.upper() + self.config.get("mark", ""), model="loud-1")

    async def stream_complete(self, request):
        for word in request.prompt.upper().split():
            yield word + " "

class Models(ProviderPlugin):
    provider_name = "PROVIDER"

    def get_provider_class(self):
        return Model

    def get_provider_config_schema(self):
        return {"type": "object", "properties": {"api_key": {"type": "string", "writeOnly": True}}}
"#;
    python(plugin, &code.replace("PROVIDER", provider)).wants(json!([notes()]))
}

/// A plugin that asks for a completion.
fn asker() -> Plugin {
    let code = r#"
from astros.ai import AIProvider
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Asker(BasePlugin):
    @plugin_handler("ask")
    async def ask(self, intent):
        wish, heard = dict(intent.context), []
        hear = heard.append if wish.pop("stream", False) else None
        answer = await AIProvider(wish.pop("provider", None)).complete(wish["prompt"], on_progress=hear)
        return Response(message=answer["content"], data={"answer": answer, "heard": heard})
"#;
    python("asker", code)
}

fn allowed() -> Plugin {
    asker().wants(json!(["ai"]))
}

fn ask(world: &World, params: Value) -> astros_tests::Outcome {
    world.call("asker", "ask", params)
}

#[test]
fn answers_for_any_plugin_in_streams_too() {
    let world = World::new().with(model("models", "loud")).with(allowed());
    let answer = ask(&world, json!({ "prompt": "be it so" })).succeeds();
    let members = json!({ "content": "BE IT SO", "provider": "loud", "model": "loud-1" });
    assert_eq!((answer.message().as_str(), &answer.data()["answer"]), ("BE IT SO", &members));
    let streamed = ask(&world, json!({ "prompt": "be it so", "stream": true })).succeeds().data();
    assert_eq!(streamed["heard"], json!(["BE ", "IT ", "SO "]));
    assert_eq!(streamed["answer"]["content"], "BE IT SO ");
}

#[test]
fn answers_in_streams_and_lets_go_in_rust_as_well() {
    let world = World::new().with(kinds()).with(allowed());
    let answer = ask(&world, json!({ "prompt": "be it so", "stream": true })).succeeds().data();
    assert_eq!(answer["heard"], json!(["BE ", "IT ", "SO"]));
    assert_eq!(
        (&answer["answer"]["content"], &answer["answer"]["provider"]),
        (&json!("BE IT SO"), &json!("firm"))
    );
    hangs_until_nobody_waits(&world);
    world.astros(["providers", "health", "firm"]).run().succeeds().says("✓ healthy  firm (kinds)");
}

#[test]
fn is_told_that_nobody_waits_any_more() {
    hangs_until_nobody_waits(&World::new().with(model("models", "loud")).with(allowed()));
}

fn hangs_until_nobody_waits(world: &World) {
    for (name, arguments, code, kind) in [
        ("interrupted", &[][..], 130, "cancelled"),
        ("late", &["--timeout", "2s"][..], 7, "deadline_exceeded"),
    ] {
        let note = world.note(name);
        let params = json!({ "prompt": format!("hang {}", note.display()) });
        let asked = world.calling("asker", "ask", params);
        let asked = arguments.iter().fold(asked, |asked, argument| asked.arg(argument)).spawn();
        eventually("it begins", || note.exists().then_some(()));
        if arguments.is_empty() {
            asked.signal(Signal::SIGINT);
        }
        asked.finish().fails(code, kind);
        assert_eq!(fs::read_to_string(note).ok().as_deref(), Some("cancelled\n"));
    }
}

#[test]
fn says_which_provider_cannot_be_asked_and_why() {
    let world = World::new().with(allowed());
    let none = ask(&world, json!({ "prompt": "x" })).fails(5, "ai_failed");
    none.says("there is no provider of AI models; a plugin brings one; `astros providers list`");
    let world = world.with(model("models", "loud")).with(model("others", "soft"));
    ask(&world, json!({ "prompt": "x" }))
        .fails(5, "ai_failed")
        .says("loud, soft")
        .says("providers: {default: NAME}");
    let unknown = ask(&world, json!({ "prompt": "x", "provider": "lout" })).fails(5, "ai_failed");
    unknown.says("there is no provider `lout`").says("did you mean `loud`?");
    let failed = ask(&world, json!({ "prompt": "fail", "provider": "loud" })).fails(5, "ai_failed");
    failed.says("`loud` failed: ConnectionError: no answer");
    let world = world.configured("providers: {default: soft}\n");
    let answer = ask(&world, json!({ "prompt": "x" })).succeeds().data();
    assert_eq!(answer["answer"]["provider"], "soft");
}

#[test]
fn is_said_where_the_default_is_none() {
    let world = World::new().with(model("loud", "loud")).configured("providers: {default: quiet}\n");
    let missing = "`providers.default` in astros.yaml is `quiet`, which no plugin that may run brings";
    world.astros(["providers", "list"]).run().succeeds().warns(missing);
    world.astros(["providers", "health"]).run().exits(1).warns(missing).says("✓ healthy  loud");
}

#[test]
fn is_the_default_only_where_it_has_what_is_asked() {
    let code = r#"
from astros.provider import BaseProvider, ProviderPlugin

class Numbers(BaseProvider):
    """Embeds."""

    async def embed(self, request):
        return [[0.0]]

class Plugin(ProviderPlugin):
    provider_name = "numbers"

    def get_provider_class(self):
        return Numbers
"#;
    let world = World::new().with(python("numbers", code)).with(allowed());
    ask(&world, json!({ "prompt": "x" }))
        .fails(5, "ai_failed")
        .says("there is no provider of AI models that has `complete`");
    let defaults = |world: &World| {
        let listed = world.astros(["providers", "list", "--json"]).run().succeeds().json();
        let defaults = listed.as_array().unwrap().iter().filter(|one| one["default"] == true);
        defaults.map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(defaults(&world).is_empty());
    let world = world.with(model("models", "loud"));
    assert_eq!(defaults(&world), ["loud"]);
    assert_eq!(ask(&world, json!({ "prompt": "x" })).succeeds().data()["answer"]["provider"], "loud");
}

#[test]
fn is_asked_by_those_alone_who_may() {
    let world = World::new().with(model("models", "loud")).with(asker());
    let denied = ask(&world, json!({ "prompt": "x" })).fails(5, "ai_failed");
    denied.says("astros plugins grant asker 'ai'");
}

#[test]
fn gets_what_astros_yaml_says_of_it() {
    let yaml = "providers: {loud: {mark: '!', api_key: sesame-open}, other: {mark: '?'}}\n";
    let world = World::new()
        .with(model("loud", "loud"))
        .with(model("others", "soft"))
        .with(allowed())
        .configured(yaml);
    let says = |world: &World, provider: &str| {
        ask(world, json!({ "prompt": "x", "provider": provider })).succeeds().message()
    };
    assert_eq!((says(&world, "loud"), says(&world, "soft")), ("X!".to_owned(), "X".to_owned()));
    let failed = ask(&world, json!({ "prompt": "fail", "provider": "loud" })).fails(5, "ai_failed");
    failed.says("no answer with ***").never_says("sesame-open");
    let daemon = world.daemon([""; 0]);
    assert_eq!(says(&world, "soft"), "X");
    let world = world.configured("providers: {soft: {mark: '.'}}\n");
    for plugin in ["loud", "others"] {
        world.astros(["plugins", "reload", plugin]).run().succeeds();
    }
    assert_eq!((says(&world, "loud"), says(&world, "soft")), ("X".to_owned(), "X.".to_owned()));
    daemon.stop().succeeds();
}

#[test]
fn is_listed_and_checked() {
    let world = World::new();
    world.astros(["providers", "list"]).run().succeeds().says("no plugin that may run brings a provider");
    world.astros(["providers", "health"]).run().succeeds().says("no plugin that may run brings a provider");
    let world = world.with(model("loud", "loud"));
    let listed = world.astros(["providers", "list"]).run().succeeds();
    listed.says("PROVIDER").says("loud      loud    default  complete, chat  loud-1");
    let world =
        world.with(model("soft", "soft")).configured("providers: {default: loud, soft: {ill: no key}}\n");
    let listed = world.astros(["providers", "list", "--json"]).run().succeeds().json();
    let listed: Vec<_> =
        listed.as_array().unwrap().iter().map(|one| (&one["name"], &one["default"])).collect();
    assert_eq!(listed, [(&json!("loud"), &json!(true)), (&json!("soft"), &json!(false))]);
    world
        .astros(["providers", "health", "loud"])
        .run()
        .succeeds()
        .says("✓ healthy  loud (loud), ")
        .says(", 1 model\n");
    let both = world.astros(["providers", "health"]).run().exits(1);
    both.says("✓ healthy  loud").says("✗ unhealthy  soft (soft)").says("no key");
    let health = world.astros(["providers", "health", "soft", "--json"]).run().exits(1).json();
    assert_eq!((&health[0]["healthy"], &health[0]["message"]), (&json!(false), &json!("no key")));
    world
        .astros(["providers", "health", "lout", "--json"])
        .run()
        .fails(2, "handler_not_found")
        .says("did you mean `loud`?");
}
