//! `astros record` and `astros replay`, with the real command and real plugins.

#![allow(clippy::unwrap_used, reason = "a test may fail there")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use astros_tests::{Outcome, World, folder, python};
use serde_json::{Value, json};

const GREETER: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Greeter(BasePlugin):
    @plugin_handler("greet", effects="none")
    async def greet(self, intent):
        await self.storage.set("greeted", intent.context.get("name"))
        print("not a message")
        return Response(message="Good day", data={"name": intent.context.get("name"), "extra": 1})
"#;

/// Records a command, and gives the file.
fn record(world: &World, plugin: &str, command: &[&str]) -> PathBuf {
    let file = world.path(&format!("{plugin}.jsonl"));
    let output = file.to_string_lossy().into_owned();
    let words = ["record", plugin, "--output", &output, "--"].into_iter().chain(command.iter().copied());
    world.astros(words).run().succeeds().warns("recorded in");
    file
}

fn replay(world: &World, file: &Path, more: &[&str]) -> Outcome {
    let file = file.to_string_lossy().into_owned();
    world.astros(["replay", &file].into_iter().chain(more.iter().copied())).run()
}

fn lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).expect("the recording");
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn a_bundled_plugin_does_again_what_was_recorded() {
    let world = World::new();
    let file = record(&world, "hello-world", &["ask", "say hello"]);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let lines = lines(&file);
    assert_eq!(lines[0]["plugin"], "hello-world");
    assert_eq!(lines[0]["command"], json!(["ask", "say hello"]));
    assert_eq!(lines.last().unwrap()["end"], json!({ "lines": lines.len() - 1, "status": 0 }));
    assert_eq!(lines[2]["line"]["method"], "initialize");
    replay(&world, &file, &[]).succeeds().says("does what the recording says");
}

#[test]
fn a_plugin_with_services_and_requests_of_its_own_does_again_what_was_recorded() {
    let world = World::new();
    world.file("home/inbox/a.txt", "1");
    world.file("home/inbox/b.jpg", "2");
    let inbox = world.path("home/inbox").to_string_lossy().into_owned();
    let ask = format!("list the files in {inbox}");
    let listed = record(&world, "file-manager", &["ask", &ask]);
    let reads = ["--grant", "file_system: read ~/inbox"];
    replay(&world, &listed, &reads).succeeds();
    // What the file says that it may is not a person's word.
    replay(&world, &listed, &[]).exits(1).says("does not exist");
    fs::remove_file(world.path("home/inbox/b.jpg")).unwrap();
    let other = replay(&world, &listed, &[&reads[..], &["--json"]].concat()).exits(1).json();
    let pointers = other["differences"].as_array().unwrap().iter().map(|one| one["pointer"].clone());
    assert!(pointers.clone().any(|one| one.as_str().unwrap().starts_with("/result/data")), "{other:#}");
}

#[test]
fn a_changed_plugin_is_told_where_it_differs() {
    let world = World::new().with(python("greeter", GREETER));
    let call = ["plugins", "call", "greeter", "greet", "--params", r#"{"name": "Ada"}"#];
    let file = record(&world, "greeter", &call);
    replay(&world, &file, &[]).succeeds();
    // The person's storage and folders are not touched: answers come from the recording.
    let world = world
        .with(python("greeter", &GREETER.replace("Good day", "Hullo").replace("\"greeted\"", "\"seen\"")));
    let shown = replay(&world, &file, &[]).exits(1);
    let shown = shown.says("its request `storage/set` at /params/key").says(r#"expected "greeted""#);
    shown.says("the answer to `handle_intent` at /result/message").says(r#"got      "Hullo""#);
    replay(&world, &file, &["--mask", "/result/message", "--mask", "/params/key"]).succeeds();
    let world = world.with(python("greeter", "raise SystemExit(3)"));
    replay(&world, &file, &[]).exits(1).says("did not come before its end").says("how its process ended");
}

#[test]
fn what_is_no_message_is_marked_and_a_crash_is_told() {
    const CODE: &str = r#"#!/bin/sh
while read -r line; do
    id=${line#*\"id\":}; id=${id%%,*}
    case $line in
        *'"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocol_version":"1.0","limits":{"max_frame_bytes":65536},"plugin":{"name":"odd","version":"1.0.0","handlers":[{"name":"break","effects":"none"}]}}}' ;;
        *) echo hello; echo warning >&2; printf '\377\n'; echo '{"jsonrpc":"2.0","id":'"$id"',"result":{'; exit 7 ;;
    esac
done
"#;
    let odd =
        folder("odd").executable("odd", CODE).file("plugin.yaml", "metadata: {name: odd, version: 1.0.0}\n");
    let world = World::new().with(odd);
    let output = world.path("odd.jsonl");
    let words =
        ["record", "odd", "--output", &output.to_string_lossy(), "--", "plugins", "call", "odd", "break"];
    world.astros(words).run().exits(5).warns("recorded in");
    let lines = lines(&output);
    let find = |name: &str| lines.iter().filter_map(|line| line.get(name).cloned()).collect::<Vec<_>>();
    assert_eq!(find("stray"), [json!("hello"), json!({ "base64": "/w==" })]);
    assert_eq!(find("malformed").len(), 1);
    assert_eq!(find("text"), [json!("warning")]);
    assert_eq!(find("exit")[0], 7);
    assert_eq!(lines.last().unwrap()["end"]["status"], 5);
    replay(&world, &output, &[]).succeeds();
}

#[test]
fn requests_at_the_same_time_may_come_in_another_order() {
    const CODE: &str = r#"
import asyncio, random
from astros.plugin import BasePlugin, plugin_handler

class Many(BasePlugin):
    @plugin_handler("keep", effects="none")
    async def keep(self, intent):
        numbers = list(range(12))
        random.shuffle(numbers)
        await asyncio.gather(*(self.storage.set(f"key-{number}", number) for number in numbers))
        return str(await self.storage.get("key-7"))
"#;
    let world = World::new().with(python("many", CODE));
    let file = record(&world, "many", &["plugins", "call", "many", "keep"]);
    (0..3).for_each(|_| drop(replay(&world, &file, &[]).succeeds()));
    let world = world.with(python("many", &CODE.replace("range(12)", "range(11)")));
    let shown = replay(&world, &file, &["--timeout", "1s"]).exits(1);
    shown.says("its request `storage/set` did not come within 1 s").says(r#""key":"key-11""#);
}

#[test]
fn another_command_is_held_against_the_recording() {
    let world = World::new();
    let file = record(&world, "hello-world", &["ask", "say hello"]);
    replay(&world, &file, &["--", "cat"]).exits(1).says("the answer to `initialize`");
    replay(&world, &file, &["--", "./not-there"]).exits(2).warns("not-there");
    // Who says ever more is not heard for ever.
    let chatter = ["--timeout", "1s", "--", "sh", "-c", "while echo x; do sleep 0.1; done"];
    replay(&world, &file, &chatter).exits(1).says("the answer to `initialize` did not come within 1 s");
}

#[test]
fn a_recording_makes_no_folder_but_those_that_are_thrown_away() {
    let world = World::new();
    let file = record(&world, "hello-world", &["ask", "say hello"]);
    let (text, outside) = (fs::read_to_string(&file).unwrap(), world.path("outside"));
    let named = format!("{:?}:", outside.display().to_string());
    let file = world.file("moved.jsonl", text.replace("\"cache\":", &named));
    replay(&world, &file, &["--", "true"]).exits(1);
    assert!(!outside.exists());
}

#[test]
fn a_file_that_is_no_whole_recording_is_refused() {
    let world = World::new();
    let file = record(&world, "hello-world", &["ask", "say hello"]);
    let whole = fs::read_to_string(&file).unwrap();
    let cases = [
        (&whole[..whole.len() - 20], "cannot be read"),
        (&whole[..whole.trim_end().rfind('\n').unwrap() + 1], "it breaks off"),
        (&whole.replacen("\"astros_recording\":1", "\"astros_recording\":9", 1), "the format 9, expected 1"),
        ("{}\n", "it is no recording"),
        ("", "it is no recording"),
        ("\u{0}\u{1}", "it is no recording"),
    ];
    for (text, said) in cases {
        let file = world.file("bad.jsonl", text);
        replay(&world, &file, &["--json"]).fails(2, "invalid_params").says(said);
    }
    let without = whole.lines().enumerate().filter(|(index, _)| *index != 3);
    let without: Vec<&str> = without.map(|(_, line)| line).collect();
    let file = world.file("bad.jsonl", without.join("\n"));
    replay(&world, &file, &[]).exits(2).warns("some are missing");
    replay(&world, &world.path("nowhere"), &[]).exits(2).warns("cannot be read");
}

#[test]
fn secrets_are_not_recorded() {
    const CODE: &str = r#"
from astros.plugin import BasePlugin, plugin_handler
import sys

class Safe(BasePlugin):
    settings_schema = {"properties": {"pin": {"type": "string", "writeOnly": True}, "city": {"type": "string"}}}

    @plugin_handler("tell", effects="none")
    async def tell(self, intent):
        print("my pin", self.settings["pin"], file=sys.stderr)
        return "it is " + self.settings["pin"] + " in " + self.settings["city"]
"#;
    let by_manifest = folder("locked").file("src/main.py", CODE.replace("settings_schema =", "unused =")).file(
        "plugin.yaml",
        "metadata: {name: locked, version: 1.0.0}\nconfiguration:\n  schema:\n    properties: {pin: {writeOnly: true}}\n",
    );
    let settings =
        |name| format!("  {name}:\n    settings: {{pin: hunter-7, city: Oslo, api_key: k-12345}}\n");
    let yaml = format!("plugins:\n{}{}", settings("safe"), settings("locked"));
    let world = World::new().with(python("safe", CODE)).with(by_manifest).configured(&yaml);
    for plugin in ["safe", "locked"] {
        let file = record(&world, plugin, &["plugins", "call", plugin, "tell"]);
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("hunter-7") && !text.contains("k-12345"), "{text}");
        assert!(text.contains("(hidden: a secret setting)") && text.contains("Oslo"), "{text}");
        replay(&world, &file, &[]).succeeds();
    }
}

#[test]
fn no_file_is_overwritten_and_none_is_left_where_nothing_was_recorded() {
    let world = World::new();
    let file = record(&world, "hello-world", &["ask", "say hello"]);
    let output = file.to_string_lossy().into_owned();
    let again = world.astros(["record", "hello-world", "--output", &output, "--", "ask", "say hello"]).run();
    again.exits(2).warns("is there already");
    let unused = world.path("unused.jsonl");
    let output = unused.to_string_lossy().into_owned();
    for (command, code) in [(&["plugins", "list"][..], 0), (&["status"], 3), (&["schema"], 2), (&["what"], 2)]
    {
        let words =
            ["record", "hello-world", "--output", &output, "--"].into_iter().chain(command.iter().copied());
        world.astros(words).run().exits(code);
        assert!(!unused.exists(), "{command:?}");
    }
    world.astros(["record", "nobody", "--", "ask", "say hello"]).run().exits(2).warns("`nobody`");
}

#[test]
fn a_recording_says_that_a_daemon_runs_beside_it() {
    let world = World::new();
    let daemon = world.daemon([""; 0]);
    let file = world.path("beside.jsonl").to_string_lossy().into_owned();
    let recorded =
        world.astros(["record", "hello-world", "--output", &file, "--", "ask", "say hello", "--json"]).run();
    let pid = format!("a daemon runs (pid {})", daemon.pid());
    recorded.succeeds().warns(&pid).answered_by("hello-world.say_hello");
    daemon.stop().succeeds();
}
