//! Reads `astros.yaml` as people write it, well and badly.

use std::time::Duration;

use serde_json::json;

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/a/astros.yaml"), Some(Path::new("/home/ada")))
}

#[test]
fn reads_every_member() {
    let config = parse(
        "plugins:\n  weather:\n    enabled: false\n    config: {city: Oslo, unit: C}\n    settings:\n      city: Bergen\n      days: 3\n      none:\n    permissions: [network, {file_system: {read: [~/x]}}]\n    sandbox: off\n    limits: {memory: 1GB}\n    supervision: {idle_stop: 10m, max_in_flight: 1}\n  empty:\n  other: {enabled: true}\nplugin_dirs: [~/mine, other, /abs, ~user]\nlimits: {processes: 64}\nuser_id: ada\nrecognition: {threshold: 60}\nobservability: {prometheus: \"localhost:9464\", otlp: \"http://127.0.0.1:4318\"}\n",
    )
    .unwrap();
    let weather = config.plugin("weather").unwrap();
    assert_eq!(weather.enabled, Some(false));
    assert_eq!(weather.settings["city"], Setting { value: json!("Bergen"), line: 6 });
    assert_eq!(weather.settings["unit"], Setting { value: json!("C"), line: 4 });
    assert_eq!(weather.settings["days"].value, json!(3));
    assert_eq!(weather.settings["none"].value, json!(null));
    let permissions = weather.permissions.iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(permissions, ["network", "file_system: read ~/x"]);
    assert_eq!((weather.sandbox, weather.limits.memory), (Sandboxed::Off, Some(1_000_000_000)));
    assert_eq!((config.limits.processes.map(Into::into), config.limits.memory), (Some(64_u64), None));
    let manifest = Supervision { max_restarts: 9, ..Supervision::default() };
    let supervision = weather.supervision(&manifest);
    assert_eq!((supervision.idle_stop, supervision.max_restarts), (Duration::from_secs(600), 9));
    assert_eq!(supervision.max_in_flight.get(), 1);
    assert_eq!(config.plugin("other").unwrap().supervision(&manifest), manifest);
    let dirs = ["/home/ada/mine", "/etc/a/other", "/abs", "/etc/a/~user"];
    assert_eq!(config.plugin_dirs, dirs.map(PathBuf::from));
    assert_eq!(config.user_id.as_deref(), Some("ada"));
    assert_eq!(config.recognition, Recognition { threshold: 60.0, margin: 5.0 });
    assert_eq!(config.observability.prometheus, Some(([127, 0, 0, 1], 9464).into()));
    assert_eq!(config.observability.otlp.as_deref(), Some("http://127.0.0.1:4318/v1/traces"));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn takes_an_empty_file_for_no_configuration() {
    for text in ["", "# nothing\n", "{}", "plugins:\n", "---\n"] {
        let config = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        assert!(config.plugins.is_empty() && config.warnings.is_empty(), "{text:?}");
    }
}

#[test]
fn points_at_what_is_wrong() {
    for (text, at, words) in [
        (
            "plugins:\n  a:\n    enabled: maybe\n",
            "3:14",
            "`plugins.a.enabled` is `maybe`, expected `true` or `false`",
        ),
        ("plugins: [a]\n", "1:10", "`plugins` is a list, expected a mapping"),
        (
            "plugins:\n  a: {settings: 5}\n",
            "2:17",
            "`plugins.a.settings` is the number `5`, expected a mapping",
        ),
        ("plugins:\n  a: {\n", "2:6", "unclosed bracket"),
        ("- a\n", "1:1", "the file is a list, expected a mapping"),
        ("user_id: a\nuser_id: b\n", "2:1", "`user_id` stands there twice, expected it once"),
        (
            "recognition: {threshold: 155}\n",
            "1:14",
            "`recognition` is beyond its range, expected `threshold`",
        ),
        ("plugins: {a: {supervision: {idle_stop: soon}}}\n", "1:28", "`idle_stop`: expected a duration"),
        (
            "plugins: {a: {supervision: {instances: 0}}}\n",
            "1:28",
            "`instances`: found integer `0`, expected a whole number from 1",
        ),
        (
            "observability:\n  prometheus: 9464\n",
            "2:15",
            "`observability.prometheus` is the number `9464`, expected an address and a port such as `127.0.0.1:9464`",
        ),
        (
            "observability: {otlp: \"https://collector\"}\n",
            "1:23",
            "`observability.otlp` begins with `https`, which this version does not speak; write",
        ),
        (
            "plugins: {a: {permissions: [netwrk]}}\n",
            "1:29",
            "`plugins.a.permissions[0]` asks for `netwrk`, expected one of `file_system`",
        ),
        (
            "plugins: {a: {permissions: [system_control]}}\n",
            "1:28",
            "`plugins.a.permissions` does not fit: `system_control` alone cannot be granted",
        ),
        (
            "plugins: {a: {sandbox: none}}\n",
            "1:24",
            "`plugins.a.sandbox` is `none`, expected `enforced`, `reduced` or `off`",
        ),
        (
            "limits: {memory: 0}\n",
            "1:18",
            "`limits.memory` is the number `0`, expected a size such as `512MB`",
        ),
        ("plugin_dirs: 5\n", "1:14", "`plugin_dirs` is the number `5`, expected a list"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with(&format!("/etc/a/astros.yaml:{at}: ")), "{text:?}: {error}");
        assert!(error.contains(words), "{text:?}: {error}");
    }
}

#[test]
fn warns_of_members_that_nobody_reads() {
    let config =
        parse("plugins: {a: {enabeld: true, x: 1, limits: {memry: 1}}}\nplugin_dir: [a]\nrecognition: {y: 1}\nobservability: {promethus: x}\n").unwrap();
    assert_eq!(
        config.warnings,
        [
            "/etc/a/astros.yaml:2: `plugin_dir` is not known and was ignored; did you mean `plugin_dirs`?",
            "/etc/a/astros.yaml:3: `recognition.y` is not known and was ignored",
            "/etc/a/astros.yaml:4: `observability.promethus` is not known and was ignored; did you mean `prometheus`?",
            "/etc/a/astros.yaml:1: `plugins.a.enabeld` is not known and was ignored; did you mean `enabled`?",
            "/etc/a/astros.yaml:1: `plugins.a.x` is not known and was ignored",
            "/etc/a/astros.yaml:1: `plugins.a.limits.memry` is not known and was ignored; did you mean `memory`?",
        ]
    );
}

#[test]
fn tells_a_missing_file_from_one_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("astros.yaml");
    assert_eq!(Config::read(&path, None).unwrap().path, path);
    let error = |path: &Path| Config::read(path, None).unwrap_err().to_string();
    assert!(error(folder.path()).contains("no regular file"));
    std::fs::write(&path, b"user_id: \xff").unwrap();
    assert!(error(&path).contains("not UTF-8"));
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("nowhere", &link).unwrap();
    assert!(error(&link).contains("a link to nothing"));
    std::fs::write(&path, "x".repeat(2 << 20)).unwrap();
    assert!(error(&path).contains("expected at most"));
}
