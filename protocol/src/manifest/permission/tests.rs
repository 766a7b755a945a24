//! What is read as a permission, and how it is told to a person.

use serde_json::json;

use super::Permission;
use crate::manifest::tests::{error, parse};

#[test]
fn says_what_is_wrong_with_a_permission() {
    let cases = [
        (
            "capabilities: {requires_permissions: [files]}",
            "2:39: `capabilities.requires_permissions[0]` asks for `files`, expected one of `file_system`, \
             `network`, `system_control`, `ai`, `storage`, `call_plugin`, `bus`",
        ),
        (
            "permissions: files",
            "2:14: `permissions` is `files`, expected a list of names, or a mapping of names to scopes",
        ),
        (
            "permissions: [1]",
            "2:15: `permissions[0]` is the number `1`, expected a permission's name, or a mapping of it to its scope",
        ),
        (
            "permissions: {network: [\"http://a\"]}",
            "2:24: `permissions.network` has `http://a`, expected `host` or `host:port`; plain `network` is every host",
        ),
        (
            "permissions: [ai: [x]]",
            "2:19: `permissions[0].ai` has a scope, which it cannot; write the name alone",
        ),
        ("permissions: [network, network: [a]]", "2:14: `permissions` has `network` twice, expected it once"),
        (
            "permissions: {file_system: {reed: [a]}}",
            "2:28: `permissions.file_system` has a bad scope: unknown field `reed`, expected `read` or `write`",
        ),
        (
            "permissions: {call_plugin: [web]}",
            "2:28: `permissions.call_plugin` has `web`, expected `plugin.handler` or `plugin.*`",
        ),
        (
            "permissions: {network: [\"*.0.0.1\"]}",
            "2:24: `permissions.network` has `*.0.0.1`, expected `host` or `host:port`; plain `network` is every host",
        ),
        (
            "permissions: {file_system: {read: [data]}}",
            "2:28: `permissions.file_system` has `data`, \
             expected an absolute path, or one such as `~/Pictures`, without `..`",
        ),
        (
            "permissions: {file_system: {write: [~/a/../.ssh]}}",
            "2:28: `permissions.file_system` has `~/a/../.ssh`, \
             expected an absolute path, or one such as `~/Pictures`, without `..`",
        ),
        (
            "permissions: {system_control: {bus: session, names: [--own=a.b]}}",
            "2:31: `permissions.system_control` has `--own=a.b`, \
             expected a name of D-Bus such as `org.freedesktop.Notifications`",
        ),
        (
            "permissions: {bus: [a.>.b]}",
            "2:20: `permissions.bus` has `a.>.b`, expected a subject such as `topic.weather`",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(error(rest), format!("plugin.yaml:{expected}"), "{rest:?}");
    }
}

#[test]
fn asks_a_person_in_plain_words() {
    let text = "metadata: {name: a}\npermissions:\n  file_system: {read: [~/In], write: [~/Out, /tmp]}\n  \
                network: [a.org:443, '*.b.org']\n  call_plugin: [web.get]\n  storage:\n  ai:\n  bus: [topic.>]\n  \
                system_control: {bus: session, names: [org.freedesktop.Notifications]}";
    let manifest = parse(text).unwrap();
    let sentences: Vec<_> = manifest.permissions.iter().map(Permission::sentence).collect();
    let expected = [
        "read ~/In; read and change ~/Out and /tmp",
        "reach a.org:443 and every host of b.org",
        "use web.get",
        "keep up to 64 MiB of its own data",
        "ask the AI models that you have set up",
        "read and send messages on topic.>",
        "talk to org.freedesktop.Notifications on your desktop",
    ];
    assert_eq!(sentences, expected);
    let again =
        parse(&format!("metadata: {{name: a}}\npermissions: {}", json!(manifest.permissions))).unwrap();
    assert_eq!(again.permissions, manifest.permissions);
    let whole: Permission = "file_system: read /".parse().unwrap();
    assert_eq!(whole.sentence(), "read every file of this machine");
}

#[test]
fn tells_a_person_what_is_kept_from_a_plugin() {
    let withheld = |lines: &[&str]| {
        Permission::withheld(&lines.iter().map(|line| line.parse().unwrap()).collect::<Vec<_>>())
    };
    let all = [
        (&[][..], Some("your files, the network, other plugins")),
        (&["network: a.org", "storage"], Some("your files, other hosts, other plugins")),
        (&["network", "file_system", "call_plugin: p.h"], Some("hidden folders, other plugins")),
        (&["network", "file_system: read ~/a", "call_plugin"], Some("other files")),
        (&["network", "file_system: write /", "call_plugin"], None),
    ];
    for (lines, expected) in all {
        assert_eq!(withheld(lines).as_deref(), expected, "{lines:?}");
    }
}

#[test]
fn reads_a_permission_from_the_line_that_shows_it() {
    let lines = [
        ("network", "network"),
        ("network:API.example.org:443", "network: api.example.org:443"),
        ("network: ::1", "network: [::1]"),
        ("file_system: write ~/Pictures/", "file_system: write ~/Pictures"),
        ("file_system:read /a//b/./c", "file_system: read /a/b/c"),
        (
            "system_control: session org.freedesktop.Notifications",
            "system_control: session org.freedesktop.Notifications",
        ),
        ("call_plugin: web.*", "call_plugin: web.*"),
        ("bus: topic.>", "bus: topic.>"),
    ];
    for (line, expected) in lines {
        assert_eq!(line.parse::<Permission>().unwrap().to_string(), expected);
    }
    let wrong = [
        ("netwrk: a", "; did you mean `network`?"),
        ("", "there is no permission ``, expected one of `file_system`"),
        ("network:", "`network` has a colon and no scope, expected one behind it, or no colon"),
        (
            "network: 127.1",
            "`network` has `127.1`, expected `host` or `host:port`; plain `network` is every host",
        ),
        (
            "network: a.org:0",
            "`network` has `a.org:0`, expected `host` or `host:port`; plain `network` is every host",
        ),
        ("file_system: ~/x", "`file_system` has the scope `~/x`, expected `read PATH` or `write PATH`"),
        ("file_system: reed ~/x", "`file_system` has `reed`, expected `read` or `write`"),
        ("file_system: read x", "`file_system` has `x`, expected an absolute path"),
        ("file_system: read /proc/1", "`file_system` has `/proc/1`, expected files that somebody keeps"),
        ("file_system: write //dev/", "`file_system` has `/dev`, expected files that somebody keeps"),
        ("file_system: read ~/\u{1b}[2J", "`file_system` has `~/\\u{1b}[2J`, expected an absolute path"),
        ("storage: 1", "`storage` has a scope, which it cannot"),
    ];
    for (line, expected) in wrong {
        let error = line.parse::<Permission>().unwrap_err().to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
    assert!("system_control".parse::<Permission>().unwrap().grantable().is_err());
}
