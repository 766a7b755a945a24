//! What plugins may do: shown, granted, refused and taken back by command, and noted in the audit log.

use std::os::unix::fs::PermissionsExt;

use astros_tests::{Plugin, World, folder};
use serde_json::{Value, json};

const WEATHER: &str = r#"
from astros.plugin import BasePlugin, plugin_handler

class Weather(BasePlugin):
    @plugin_handler("forecast", examples=["how is the weather"])
    async def forecast(self, intent):
        return "Rain."
"#;

fn weather(asks: &str) -> Plugin {
    let manifest =
        format!("metadata: {{name: weather, version: 2.0.0, author: A. Author}}\npermissions: [{asks}]\n");
    folder("weather").file("plugin.yaml", manifest).file("main.py", WEATHER)
}

/// With the plugin where a person's own are.
fn waiting(asks: &str) -> World {
    let world = World::new();
    weather(asks).write(&world.home().join("data/plugins"));
    world
}

fn lines(outcome: &Value, member: &str) -> Vec<String> {
    outcome[member]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one.as_str().expect("a text").to_owned())
        .collect()
}

#[test]
fn shows_what_a_plugin_wants_before_it_is_enabled() {
    let world = waiting("network: ['api.example.org:443'], storage");
    let enable = || world.astros(["plugins", "enable", "weather"]);
    enable()
        .run_on_a_terminal("n\n")
        .exits(1)
        .says("`weather` 2.0.0 by A. Author wants to")
        .says("  reach   api.example.org:443")
        .says("  keep    up to 64 MiB of its own data")
        .says("Beyond that it will not see your files, other hosts, other plugins.   Allow? [y/N]")
        .says("stays as it was");
    world.astros(["plugins", "show", "weather"]).run().succeeds().says("wants to").says("(network: api.");
    enable().run_on_a_terminal("y\n").succeeds().says("`weather` is enabled");
    world.call("weather", "forecast", json!({})).succeeds();
    assert_eq!(world.listed("weather")["state"], "idle");
}

#[test]
fn blocks_a_version_that_wants_more_until_that_is_granted() {
    let world = waiting("storage");
    world.astros(["plugins", "enable", "weather", "--yes"]).run().succeeds();
    weather("storage, network: [api.example.org]").write(&world.home().join("data/plugins"));
    world
        .astros(["plugins", "list"])
        .run()
        .succeeds()
        .says("weather: needs the permission `network: api.example.org`; `astros plugins enable weather` shows and grants it");
    world
        .call("weather", "forecast", json!({}))
        .fails(6, "plugin_unavailable")
        .says("needs the permission `network: api.example.org`");
    let enabled = world.astros(["plugins", "enable", "weather", "--yes", "--json"]).run().succeeds().json();
    let expected = json!({ "name": "weather", "enabled": true, "granted": ["network: api.example.org"] });
    assert_eq!(enabled, expected);
    world.call("weather", "forecast", json!({})).succeeds();
}

#[test]
fn grants_and_revokes_what_an_error_would_name() {
    let world = World::new().with(weather("network: [api.example.org]"));
    let granted = world
        .astros([
            "plugins",
            "grant",
            "weather",
            "file_system: write ~/Pictures",
            "call_plugin:web.*",
            "--json",
        ])
        .run()
        .succeeds()
        .json();
    let expected = ["network: api.example.org", "file_system: write ~/Pictures", "call_plugin: web.*"];
    assert_eq!(lines(&granted, "granted"), expected);
    world
        .astros(["plugins", "revoke", "weather", "network: api.example.org"])
        .run()
        .succeeds()
        .says("  read and change   ~/Pictures")
        .says("It will not see other files, the network, other plugins.");
    let shown = world.astros(["plugins", "show", "weather"]).run().succeeds();
    shown.says("may not      reach api.example.org").says("may          read and change ~/Pictures");
    world.call("weather", "forecast", json!({})).succeeds();
    world
        .astros(["plugins", "revoke", "weather", "file_system: write ~/Picture"])
        .run()
        .exits(2)
        .warns("does not have the permission `file_system: write ~/Picture`")
        .warns("did you mean `file_system: write ~/Pictures`?");
    let left = world.astros(["plugins", "revoke", "weather", "--json"]).run().succeeds().json();
    assert_eq!(lines(&left, "granted"), [""; 0]);
    assert_eq!(lines(&left, "revoked"), ["network: api.example.org"]);
    world.astros(["plugins", "revoke", "weather"]).run().succeeds().says("`weather` has no permissions");
}

#[test]
fn says_what_is_wrong_with_a_permission_or_a_plugin() {
    let world = World::new().with(weather("network, system_control"));
    let grant = |permission: &str| world.astros(["plugins", "grant", "weather", permission, "--json"]).run();
    for (permission, words) in [
        ("netwrk: a.org", "did you mean `network`?"),
        ("network: http://a.org", "`network` has `http://a.org`, expected `host` or `host:port`"),
        ("file_system: write Pictures", "expected an absolute path, or one such as `~/Pictures`"),
        ("file_system: read ~/a/../../etc", "without `..`"),
        ("system_control", "such as `system_control: session org.freedesktop.Notifications`"),
        ("", "there is no permission ``"),
        ("storage: 1\u{1b}[2J", "`storage` has a scope, which it cannot"),
    ] {
        grant(permission).fails(2, "invalid_params").says(words).never_says("\u{1b}");
    }
    world.astros(["plugins", "grant", "weather"]).run().exits(2).warns("PERMISSION");
    for command in [&["grant", "wether", "ai"][..], &["revoke", "wether"]] {
        let outcome = world.astros([&["plugins"], command, &["--json"]].concat()).run();
        outcome.fails(2, "plugin_not_found").says("did you mean `weather`?");
    }
    let revoke =
        |permission: &str| world.astros(["plugins", "revoke", "weather", permission, "--json"]).run();
    revoke("ai").fails(2, "invalid_params").says("`weather` does not have the permission `ai`");
    world.astros(["plugins", "show", "weather"]).run().succeeds().says("warning      `system_control` alone");
    revoke("network: a.org").fails(2, "invalid_params").says("a part of it that cannot be taken out");
    let audit = world.astros(["audit", "--json"]).run().succeeds().json();
    assert_eq!(audit, json!([]), "what was refused was not granted");
}

#[test]
fn takes_the_operators_configuration_for_the_last_word() {
    let world = World::new().with(weather("network, storage"));
    let world = world.configured("plugins:\n  weather:\n    permissions: [storage]\n    sandbox: off\n");
    let show = world.astros(["plugins", "show", "weather", "--json"]).run().succeeds().json();
    let of = |state: &str| {
        let all = show["permissions"].as_array().unwrap().iter();
        all.filter(|one| one["state"] == state).map(|one| one["permission"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of("granted"), of("revoked")), (vec![json!("storage")], vec![json!("network")]));
    assert_eq!(show["sandbox"], "off");
    world
        .astros(["plugins", "grant", "weather", "network", "--json"])
        .run()
        .fails(2, "invalid_params")
        .says("astros.yaml` says all that `weather` may do");
    let world = world.configured("plugins: {weather: {permissions: [telepathy]}}\n");
    world.astros(["plugins", "list", "--json"]).run().fails(2, "invalid_params").says("telepathy");
}

#[test]
fn notes_what_was_decided_for_its_owner_alone() {
    let world = waiting("storage");
    world.astros(["plugins", "enable", "weather", "--yes"]).run().succeeds();
    world.astros(["plugins", "grant", "weather", "ai"]).run().succeeds();
    world.astros(["plugins", "revoke", "weather", "ai"]).run().succeeds();
    world.astros(["plugins", "disable", "weather"]).run().succeeds();
    let events = world.astros(["audit", "--json"]).run().succeeds().json();
    let told: Vec<_> =
        events.as_array().unwrap().iter().map(|one| json!([one["event"], one["what"]])).collect();
    let expected = [
        json!(["granted", "storage"]),
        json!(["enabled", null]),
        json!(["granted", "ai"]),
        json!(["revoked", "ai"]),
        json!(["disabled", null]),
    ];
    assert_eq!(told, expected);
    world.astros(["audit", "-n", "1"]).run().succeeds().says("disabled    weather").never_says("revoked");
    let file = world.home().join("logs/audit.jsonl");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

const LIMITED: &str = r#"
import resource
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

class Limited(BasePlugin):
    @plugin_handler("limits")
    async def limits(self, intent):
        names = ["RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_CPU", "RLIMIT_FSIZE"]
        return Response(data={name: resource.getrlimit(getattr(resource, name))[1] for name in names})
"#;

#[test]
fn holds_a_plugin_to_its_limits_within_the_operators_bounds() {
    let limited = |name: &str| {
        let manifest = format!(
            "metadata: {{name: {name}}}\nlimits: {{open_files: 700, memory: 512MB, cpu_seconds: 100, file_size: 1GiB}}\n"
        );
        folder(name).file("plugin.yaml", manifest).file("main.py", LIMITED)
    };
    let world = World::new().with(limited("bounded")).with(limited("favoured"));
    let world = world.configured(
        "limits: {open_files: 600, memory: 1GiB}\nplugins: {favoured: {limits: {open_files: 800}}}\n",
    );
    let limits = |name: &str| world.call(name, "limits", json!({})).succeeds().data();
    let expected = |files: u64| json!({ "RLIMIT_NOFILE": files, "RLIMIT_DATA": 512_000_000, "RLIMIT_CPU": 100, "RLIMIT_FSIZE": 1 << 30 });
    assert_eq!((limits("bounded"), limits("favoured")), (expected(600), expected(800)));
}
