//! The command as scripts and people meet it: JSON, exit codes, streams, help.

use astros_tests::{Tree, World, adversary, python};
use serde_json::{Value, json};

fn members(value: &Value) -> Vec<String> {
    let mut names: Vec<_> = value.as_object().expect("an object").keys().cloned().collect();
    names.sort();
    names
}

#[test]
fn prints_exactly_the_members_that_scripts_rely_on() {
    let world = World::new().with(adversary("villain"));
    let expected =
        ["correlation_id", "data", "elapsed_ms", "handler", "hint", "intent", "message", "plugin", "success"];
    let asked = world.ask("make villain echo").succeeds().json();
    let called = world.call("villain", "echo", json!({ "a": 1 })).succeeds().json();
    for answer in [&asked, &called] {
        assert_eq!(members(answer), expected);
        assert_eq!(members(&answer["intent"]), ["confidence", "context", "intent_type"]);
        assert!(answer["elapsed_ms"].is_u64() && answer["correlation_id"].is_string(), "{answer}");
    }
    assert_eq!(called["intent"], json!({ "intent_type": "echo", "confidence": 1.0, "context": { "a": 1 } }));
    assert_eq!(
        called["correlation_id"], called["data"]["meta"]["correlation_id"],
        "the plugin saw the same one"
    );
    assert!(asked["intent"]["confidence"].as_f64().unwrap() > 0.55);
}

#[test]
fn keeps_further_members_of_a_response_but_not_in_place_of_its_own() {
    let code = r#"
from astros.plugin import BasePlugin, plugin_handler

class Extra(BasePlugin):
    @plugin_handler("extra")
    async def extra(self, intent):
        return {"message": "m", "from_cache": True, "plugin": "somebody-else"}
"#;
    let world = World::new().with(python("extra", code));
    let answer = world.call("extra", "extra", json!({})).succeeds().json();
    assert_eq!((&answer["from_cache"], &answer["plugin"]), (&json!(true), &json!("extra")));
}

#[test]
fn tells_outcomes_apart_by_exit_code() {
    let world = World::new().with(adversary("villain"));
    world.call("villain", "echo", json!({})).exits(0);
    world.call("villain", "fail", json!({})).exits(1).says("I would rather not");
    world.call("villain", "no_such", json!({})).fails(2, "handler_not_found");
    world.call("nobody", "x", json!({})).fails(2, "plugin_not_found");
    world.ask("fold my laundry").fails(4, "not_understood");
    world.call("villain", "crash", json!({})).fails(5, "plugin_crashed");
    world.astros(["plugins", "disable", "villain"]).run().succeeds();
    world.call("villain", "echo", json!({})).fails(6, "plugin_unavailable").says("disabled");
}

#[test]
fn gives_up_when_the_time_is_over() {
    let world = World::new().with(adversary("villain"));
    let late = world.calling("villain", "hang", json!({})).arg("--timeout").arg("300ms").run();
    let late = late.fails(7, "deadline_exceeded").says("`hang`");
    assert_eq!(late.error()["retryable"], true);
    world
        .astros(["ask", "--json", "--timeout", "300ms", "make villain hang"])
        .run()
        .fails(7, "deadline_exceeded");
}

#[test]
fn reads_text_and_params_from_standard_input() {
    let world = World::new().with(adversary("villain"));
    let asked = world.astros(["ask", "--json", "-"]).stdin("make villain echo\n").run().succeeds();
    assert!(asked.data()["intent"]["text"].as_str().unwrap().starts_with("make villain echo"));
    let call = ["plugins", "call", "villain", "echo", "--json", "--params", "-"];
    let called = world.astros(call).stdin("{\n  \"a\": [1, 2]\n}\n").run().succeeds();
    assert_eq!(called.data()["intent"]["context"], json!({ "a": [1, 2] }));
}

#[test]
fn explains_how_it_was_decided() {
    let world = World::new();
    let inbox = world.path("inbox");
    std::fs::create_dir(&inbox).unwrap();
    let rehearsed =
        world.astros(["ask", "--explain", "--dry-run", "sort the stuff in ./inbox"]).run().succeeds();
    let rehearsed = rehearsed
        .says("organize_files")
        .says("smart-organizer")
        .says("would call smart-organizer.organize_files");
    rehearsed.says(&format!("\"path\":\"{}\"", inbox.display()));
    let explained = world.astros(["ask", "--explain", "say hello"]).run().succeeds();
    let explained = explained.warns("say_hello").warns("hello-world");
    assert!(
        explained.stdout.starts_with("Hello") && !explained.stdout.contains("intent "),
        "the answer alone is on stdout"
    );
    world.astros(["ask", "--explain", "fold my laundry"]).run().exits(4).prints_nothing();
}

#[test]
fn runs_nothing_on_a_dry_run() {
    let world = World::new().with(adversary("villain").that("counted"));
    let photo = world.file("home/inbox/a.jpg", "a");
    let inbox = photo.parent().expect("a folder");
    // What the plugins offer is learnt once, here.
    world.ask("say hello").succeeds();
    assert_eq!(world.starts(), 1);
    let before = Tree::of(inbox);
    for text in ["make villain echo", &format!("organize the files in {} by type", inbox.display())] {
        let planned = world.astros(["ask", "--dry-run", "--json", text]).run().succeeds().json();
        assert_eq!(planned["dry_run"], true);
        assert!(planned["chosen"]["handler"].is_string(), "{planned}");
    }
    Tree::of(inbox).is_again(&before);
    world.astros(["ask", "--dry-run", "fold my laundry"]).run().exits(4);
    assert_eq!(world.starts(), 1, "what is known is not asked for again");
    world.ask("make villain echo").succeeds();
    assert_eq!(world.starts(), 2);
}

#[test]
fn starts_nothing_to_list_and_to_show_plugins() {
    let world = World::new().with(adversary("villain").that("counted"));
    world.astros(["plugins", "list"]).run().succeeds();
    world.astros(["plugins", "logs", "villain"]).run().succeeds();
    world.astros(["plugins", "disable", "villain"]).run().succeeds();
    world.astros(["ask", "say hello"]).run().succeeds();
    assert_eq!(world.starts(), 0);
}

#[test]
fn names_what_could_be_meant_where_nobody_understands() {
    let world = World::new();
    let refused = world.ask("fold my laundry").fails(4, "not_understood").says("fold my laundry");
    assert!(refused.error()["candidates"].is_array(), "{refused:?}");
    let shown = world.astros(["ask", "fold my laundry"]).run().exits(4).prints_nothing();
    shown.warns("error: no plugin can do `fold my laundry`").warns("55 %").warns("`astros plugins list`");
}

#[test]
fn shows_suggested_actions_as_sentences() {
    let code = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Tea(BasePlugin):
    @plugin_handler("make_tea", examples=["make me a tea"])
    async def make_tea(self, intent):
        return Response(message="Here it is.", suggested_actions=["make_more_tea", "wash_the_cup", "a whole sentence"])

    @plugin_handler("make_more_tea", examples=["more tea for {guest}", "one more cup please"])
    async def make_more_tea(self, intent):
        return Response(message="More.")
"#;
    let world = World::new().with(python("tea", code));
    let shown = world.astros(["ask", "make me a tea"]).run().succeeds().says("Here it is.");
    shown
        .says("\"one more cup please\"")
        .says("\"wash the cup\"")
        .says("\"a whole sentence\"")
        .never_says("make_more_tea");
    let json = world.ask("make me a tea").succeeds().json();
    assert_eq!(json["suggested_actions"], json!(["make_more_tea", "wash_the_cup", "a whole sentence"]));
}

#[test]
fn prints_no_colour_into_a_pipe() {
    let world = World::new().with(adversary("villain"));
    for arguments in [
        vec!["plugins", "list"],
        vec!["ask", "fold my laundry"],
        vec!["--help"],
        vec!["plugins", "call", "villain", "crash"],
    ] {
        world.astros(&arguments).run().never_says("\u{1b}");
        world.astros(&arguments).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").run().never_says("\u{1b}");
    }
}

#[test]
fn helps_with_examples_and_exit_codes() {
    let world = World::new();
    let help = world.astros(["--help"]).run().succeeds().says("Usage: astros").says("Exit codes:");
    for command in ["ask", "plugins", "schema"] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
    }
    for arguments in [vec!["ask", "--help"], vec!["schema", "--help"], vec!["plugins", "call", "--help"]] {
        world.astros(&arguments).run().succeeds().says("Example").says("  astros ");
    }
    world.astros(["--version"]).run().succeeds().says("astros 1.");
    world.astros(["frobnicate"]).run().exits(2).prints_nothing().warns("frobnicate");
    world.astros(["ask", "--json"]).run().fails(2, "invalid_params");
    world.astros(["plugins", "list", "--json", "--colour"]).run().fails(2, "invalid_params").says("--colour");
}

#[test]
fn prints_schemas() {
    let world = World::new();
    let names = world.astros(["schema", "--list", "--json"]).run().succeeds().json();
    for name in names.as_array().expect("names") {
        let schema = world.astros(["schema", name.as_str().unwrap(), "--json"]).run().succeeds().json();
        assert!(schema.is_object(), "{name}");
        if name == "plugin.yaml" {
            assert!(schema["properties"]["metadata"].is_object(), "{schema}");
        }
    }
    world.astros(["schema", "initialise", "--json"]).run().fails(2, "invalid_params").says("`initialize`");
    let help = world.astros(["schema", "--help"]).run().succeeds().stdout;
    let examples = help.lines().filter_map(|line| line.trim().strip_prefix("astros schema "));
    for example in examples.filter(|example| !example.starts_with('[')) {
        world.astros(["schema", example.split(" >").next().unwrap()]).run().succeeds();
    }
}

#[test]
fn answers_in_one_line_where_a_message_has_many() {
    let code = r#"
from astros.plugin import BasePlugin, plugin_handler

class Poem(BasePlugin):
    @plugin_handler("recite")
    async def recite(self, intent):
        print("a stray line")
        return "roses are red\nviolets are \x1b[34mblue"
"#;
    let world = World::new().with(python("poem", code));
    let json = world.call("poem", "recite", json!({})).succeeds();
    assert_eq!(json.message(), "roses are red\nviolets are \u{1b}[34mblue");
    let shown = world.astros(["plugins", "call", "poem", "recite"]).run().succeeds();
    assert_eq!(shown.stdout.lines().count(), 2, "{shown:?}");
    shown.says("roses are red").says("blue").never_says("\u{1b}");
    world.astros(["plugins", "logs", "poem"]).run().succeeds().says("a stray line");
}
