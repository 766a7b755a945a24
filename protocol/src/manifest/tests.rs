//! Reads manifests of both shapes, and says what is wrong with bad ones.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::*;

const ASTROS: &str = r#"
metadata:
  name: "awesome-plugin"
  version: "1.0.0"
  description: "Does much"
  author: "A. Author <a@example.org>"
  license: "Apache-2.0"
capabilities:
  handles: ["file_management", "automation"]
  requires_ai: true
  requires_permissions: ["file_system", "network", "system_control"]
  supports_voice: yes
configuration:
  settings:
    max_file_size: 100MB
    cache_duration: 3600
    model: "gpt-4"
    key:
  user_configurable:
    - "max_file_size"
dependencies:
  python: ">=3.12"
  astros: ">=1.0.0"
  external: ["requests>=2.28.0"]
  plugins: [file-manager, "web>=1.2,<2"]
run:
  python: src/main.py
  args: [-v]
supervision:
  start: eager
  idle_stop: 90s
  backoff_initial: 100
  no_restart_on: [78, SIGTERM]
permissions:
  - storage
  - network: ["api.example.org:443"]
x_vendor: {note: kept}
"#;

const LOCALAGENT: &str = r#"
name: "my-localagent-plugin"
version: "1.0.0"
description: "Analysis of projects"
compatibility:
  localagent_min_version: "1.0.0"
  python_min_version: "3.9"
plugin_types: ["command", "ui"]
entry_points:
  commands:
    - name: "my-plugin"
      class: "my_plugin.plugin:MyPlugin"
  ui:
    - {name: "my-ui", class: "my_plugin.ui:MyUI"}
dependencies:
  required: ["typer>=0.9.0"]
  optional: ["aiohttp>=3.8.0"]
configuration:
  schema_file: "config/schema.json"
  required_settings: []
  optional_settings: ["analysis_depth"]
features: ["Custom reports"]
tags: ["analysis"]
testing: {test_command: "pytest", coverage_threshold: 80, integration_tests: true}
documentation: {readme: "README.md"}
"#;

pub(super) fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text, Path::new("plugin.yaml"))
}

/// What is wrong with a manifest whose metadata are in order.
pub(super) fn error(rest: &str) -> String {
    parse(&format!("metadata: {{name: a, version: 1.0.0}}\n{rest}")).unwrap_err().to_string()
}

#[test]
fn reads_the_astros_shape() {
    let manifest = parse(ASTROS).unwrap();
    assert_eq!(manifest.metadata.name.as_str(), "awesome-plugin");
    assert_eq!(manifest.metadata.version.as_str(), "1.0.0");
    assert!(manifest.capabilities.requires_ai && manifest.capabilities.supports_voice);
    assert_eq!(manifest.configuration.settings["max_file_size"], "100MB");
    assert_eq!(manifest.configuration.settings["cache_duration"], 3600);
    assert_eq!(manifest.configuration.settings["key"], Value::Null);
    assert_eq!(manifest.kinds, [Kind::Intent]);
    assert_eq!(manifest.dependencies.plugins[1].name.as_str(), "web");
    assert!(manifest.dependencies.plugins[1].version.as_ref().unwrap().matches("1.9.4"));
    assert_eq!(manifest.run.program, Some(Program::Python(PythonTarget::File("src/main.py".into()))));
    assert_eq!(manifest.supervision.start, Start::Eager);
    assert_eq!(manifest.supervision.idle_stop, Duration::from_secs(90));
    assert_eq!(manifest.supervision.backoff_initial, Duration::from_millis(100));
    let exits = [Exit::Status(78), Exit::Signal("SIGTERM".to_owned())];
    assert_eq!(manifest.supervision.no_restart_on, exits);
    assert_eq!(manifest.supervision.max_in_flight.get(), 64);
    let permissions: Vec<_> = manifest.permissions.iter().map(ToString::to_string).collect();
    assert_eq!(permissions, ["storage", "network: api.example.org:443", "file_system", "system_control"]);
    assert_eq!(manifest.extra["x_vendor"], json!({ "note": "kept" }));
    assert_eq!(manifest.warnings, [""; 0]);
}

#[test]
fn reads_the_localagent_shape() {
    let manifest = Manifest::parse(LOCALAGENT, Path::new("plugin-manifest.yaml")).unwrap();
    assert_eq!(manifest.metadata.name.as_str(), "my-localagent-plugin");
    assert_eq!(manifest.kinds, [Kind::Command, Kind::Ui]);
    let class = "my_plugin.plugin:MyPlugin".to_owned();
    assert_eq!(manifest.entry_points[0], EntryPoint { kind: Kind::Command, name: "my-plugin".into(), class });
    assert_eq!(manifest.dependencies.external, ["typer>=0.9.0"]);
    assert!(manifest.dependencies.python.as_ref().unwrap().matches("3.11.4"));
    assert!(manifest.dependencies.localagent.as_ref().unwrap().matches("1.0"));
    assert_eq!(manifest.configuration.schema_file.as_ref().unwrap().as_str(), "config/schema.json");
    assert_eq!(manifest.testing.coverage_threshold, Some(80.0));
    assert_eq!(manifest.warnings, [""; 0]);
}

#[test]
fn says_what_is_wrong_with_yaml_and_metadata() {
    let cases = [
        ("", "1:1: the file is empty, expected a mapping with `metadata`"),
        ("- a", "1:1: the file is a list, expected a mapping with `metadata`"),
        (
            "meta_data: {name: a}",
            "1:1: `metadata` is missing, expected a mapping with `name` and `version`; \
             is `meta_data` a misspelling of it?",
        ),
        (
            "metadata: {nam: a}",
            "1:11: `metadata.name` is missing, expected a value; is `nam` a misspelling of it?",
        ),
        ("metadata:", "1:9: `metadata` is empty, expected a mapping"),
        ("metadata: [a]", "1:11: `metadata` is a list, expected a mapping"),
        (
            "metadata:\n  name: My Plugin\n",
            "2:9: `metadata.name` is `My Plugin`, expected up to 64 lowercase letters, digits, `_` and `-`, \
             a letter or digit first, for example `my-plugin`",
        ),
        (
            "metadata: {name: no}",
            "1:18: `metadata.name` is the boolean `no`, expected a string; write it in quotes: `\"no\"`",
        ),
        (
            "metadata: {name: 007}",
            "1:18: `metadata.name` is the number `007`, expected a string; write it in quotes: `\"007\"`",
        ),
        (
            "metadata: {name: a, version: 1.0}",
            "1:30: `metadata.version` is the number `1.0`, expected a string; write it in quotes: `\"1.0\"`",
        ),
        (
            "metadata: {name: a, version: one}",
            "1:30: `metadata.version` is `one`, expected a version such as `1.2.0`",
        ),
        ("metadata: {name: a, author: [b]}", "1:29: `metadata.author` is a list, expected a string"),
        (
            "name: ''",
            "1:7: `name` is empty, expected up to 64 lowercase letters, digits, `_` and `-`, a letter or digit first",
        ),
        ("metadata: {name: a}\nmetadata: {name: b}", "2:1: `metadata` stands there twice, expected it once"),
        ("metadata: {name: a", "1:11: unclosed bracket '{'"),
        ("metadata:\n\tname: a", "2:2: tabs disallowed within this context (block indentation)"),
        ("a: *c\n", "1:4: alias references unknown anchor"),
        ("metadata: {name: a}\n---\nb: 1", "2:1: a second document begins, expected one"),
        ("metadata: {~: 1}", "1:12: a key is empty or `null`, expected a name"),
    ];
    for (text, expected) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), format!("plugin.yaml:{expected}"), "{text:?}");
    }
}

#[test]
fn says_what_is_wrong_with_a_section() {
    let cases = [
        ("capabilities: {handles: one}", "2:25: `capabilities.handles` is `one`, expected a list"),
        (
            "capabilities:\n  handles:\n  - one\n  - 2",
            "5:5: `capabilities.handles[1]` is the number `2`, expected a string; write it in quotes: `\"2\"`",
        ),
        (
            "capabilities: {requires_ai: perhaps}",
            "2:29: `capabilities.requires_ai` is `perhaps`, expected `true` or `false`",
        ),
        (
            "supervision: {restart: always}",
            "2:24: `supervision.restart` is `always`, expected one of `permanent`, `transient`, `temporary`",
        ),
        ("supervision: {start: 3}", "2:22: `supervision.start` is the number `3`, expected a word"),
        (
            "supervision: {idle_stop: 5 minutes}",
            "2:26: `supervision.idle_stop` is `5 minutes`, expected a duration such as `250ms`, `30s` or `5m`, \
             or a whole number of milliseconds",
        ),
        (
            "supervision: {instances: 0}",
            "2:26: `supervision.instances` is the number `0`, expected a whole number from 1",
        ),
        (
            "supervision: {max_restarts: -1}",
            "2:29: `supervision.max_restarts` is the number `-1`, expected a whole number",
        ),
        (
            "supervision: {no_restart_on: [SIGFOO]}",
            "2:31: `supervision.no_restart_on[0]` is `SIGFOO`, expected an exit status from 0 to 255, \
             or the name of a signal such as `SIGTERM`",
        ),
        (
            "run: {python: a.py, executable: b}",
            "2:6: `run` names more than one program, expected one of `executable`, `python` and `command`",
        ),
        ("run: {command: []}", "2:6: `run` has an empty `command`, expected words such as `[node, main.js]`"),
        ("run: {command: node x.js}", "2:16: `run.command` is `node x.js`, expected a list"),
        ("run: {python: 'a:'}", "2:6: `run` has a bad `python`, expected `src/main.py` or `module:Class`"),
        ("run: python", "2:6: `run` is `python`, expected a mapping"),
        (
            "plugin_types: [comand]",
            "2:16: `plugin_types[0]` is `comand`, \
             expected one of `intent`, `command`, `provider`, `ui`, `workflow`",
        ),
        (
            "entry_points: {commands: [{name: a}]}",
            "2:27: `entry_points.commands[0].class` is missing, expected a value",
        ),
        ("configuration: {settings: [a]}", "2:27: `configuration.settings` is a list, expected a mapping"),
        (
            "configuration: {schema_file: ../x.json}",
            "2:30: `configuration.schema_file` is `../x.json`, expected a path inside the plugin's folder",
        ),
        (
            "dependencies: {python: newest}",
            "2:24: `dependencies.python` is `newest`, expected a requirement such as `>=3.12` or `>=1.0,<2`",
        ),
        (
            "compatibility: {python_min_version: 3.10}",
            "2:37: `compatibility.python_min_version` is the number `3.10`, expected a string; \
             write it in quotes: `\"3.10\"`",
        ),
        (
            "testing: {coverage_threshold: high}",
            "2:31: `testing.coverage_threshold` is `high`, expected a number",
        ),
        ("tags: analysis", "2:7: `tags` is `analysis`, expected a list"),
        (
            "limits: {memory: much}",
            "2:18: `limits.memory` is `much`, expected a size such as `512MB` or `2GiB`, \
             or a whole number of bytes, above 0",
        ),
        (
            "limits: {processes: 0}",
            "2:21: `limits.processes` is the number `0`, expected a whole number from 1",
        ),
    ];
    for (rest, expected) in cases {
        assert_eq!(error(rest), format!("plugin.yaml:{expected}"), "{rest:?}");
    }
}

#[test]
fn suggests_what_a_misspelled_member_could_mean() {
    let text = "metadata: {name: a, licence: MIT}\ncapabilities:\n  handels: [x]\nsupervison: {}\nvendor: 1";
    let manifest = parse(text).unwrap();
    let expected = [
        "line 1: `metadata.licence` is not known and was ignored; did you mean `license`?",
        "line 3: `capabilities.handels` is not known and was ignored; did you mean `handles`?",
        "line 4: `supervison` is not known and was ignored; did you mean `supervision`?",
        "`a` says no version; `0.0.0` is taken",
    ];
    assert_eq!(manifest.warnings, expected);
    assert_eq!(manifest.extra.keys().collect::<Vec<_>>(), ["supervison", "vendor"]);
}

#[test]
fn says_nothing_that_would_disturb_a_terminal() {
    let warnings = parse("name: a\n\"capabilit\\ties\": {}\n").unwrap().warnings;
    assert!(warnings[0].contains(r"`capabilit\ties` is not known"), "{warnings:?}");
    let twice = "name: a\n\"\\e[2J\": 1\n\"\\e[2J\": 2\n";
    let error = parse(twice).unwrap_err().to_string();
    assert!(error.contains(r"`\u{1b}[2J` stands there twice"), "{error}");
}

#[test]
fn manifests_fit_their_schemas() {
    for (name, text) in [("plugin.yaml", ASTROS), ("plugin-manifest.yaml", LOCALAGENT)] {
        let validator = jsonschema::validator_for(&crate::schema::schema(name).unwrap()).unwrap();
        let value = yaml::Node::parse(text).unwrap().value();
        let errors: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

#[test]
fn takes_an_empty_member_as_absent() {
    let manifest =
        parse("metadata: {name: a, version: 1.0.0}\nsupervision:\ncapabilities:\n  handles:\n").unwrap();
    assert_eq!(manifest.supervision, Supervision::default());
}

#[test]
fn refuses_a_file_that_is_too_large_or_expands_too_far() {
    let large = "#".repeat(MAX_BYTES + 1);
    let expected = "the file is larger than 1048576 bytes, expected a manifest of a few kilobytes";
    assert_eq!(parse(&large).unwrap_err().to_string(), format!("plugin.yaml:1:1: {expected}"));
    let bomb: String =
        (1..9).map(|n| format!("a{n}: &a{n} [{}]\n", format!("*a{},", n - 1).repeat(9))).collect();
    let error = parse(&format!("a0: &a0 [x,x]\n{bomb}")).unwrap_err().to_string();
    let expected = "the file is too deep or its aliases stand for too much, expected a plain manifest";
    assert!(error.ends_with(expected), "{error}");
    let error = parse(&"[".repeat(5_000)).unwrap_err().to_string();
    assert_eq!(error, "plugin.yaml:1:256: recursion limit exceeded");
}

#[test]
fn takes_changes_of_supervision_from_the_configuration() {
    let changes = |value: Value| Supervision::default().with(value.as_object().unwrap());
    let changed =
        changes(json!({ "idle_stop": "1h", "no_restart_on": [3, "SIGKILL"], "instances": 2 })).unwrap();
    let no_restart_on = vec![Exit::Status(3), Exit::Signal("SIGKILL".to_owned())];
    let expected =
        Supervision { idle_stop: Duration::from_secs(3600), no_restart_on, ..Supervision::default() };
    assert_eq!(changed.instances.get(), 2);
    assert_eq!(Supervision { instances: std::num::NonZeroU32::MIN, ..changed }, expected);
    let error = changes(json!({ "restart": "always" })).unwrap_err();
    assert!(error.starts_with("`restart`: unknown variant `always`"), "{error}");
}

#[test]
fn reads_limits_and_puts_them_together() {
    let limits = |text: &str| parse(&format!("name: a\nlimits: {{{text}}}")).unwrap().limits;
    let own = limits("memory: 512MB, processes: 8, file_size: 1 GiB");
    assert_eq!((own.memory, own.file_size, own.cpu_seconds), (Some(512_000_000), Some(1 << 30), None));
    assert_eq!(limits("memory: 1024").memory, Some(1024));
    assert_eq!(limits(""), Limits::default());
    let bound = own.at_most(limits("memory: 64MiB, processes: 9, cpu_seconds: 5"));
    assert_eq!(bound, limits("memory: 64MiB, processes: 8, cpu_seconds: 5, file_size: 1GiB"));
    assert_eq!(limits("processes: 9").or(own), limits("memory: 512MB, processes: 9, file_size: 1GiB"));
}

#[test]
fn answers_any_text_without_a_panic() {
    for text in [ASTROS, LOCALAGENT] {
        for (index, _) in text.char_indices().step_by(17) {
            let _ = parse(&text[..index]);
            for insert in ["\n", ": ", "[", "}", "*a", "&a ", "\"", "\u{0}", "é", "- ", "!!int ", "<<: "] {
                let _ = parse(&format!("{}{insert}{}", &text[..index], &text[index..]));
            }
        }
    }
}

#[test]
fn compares_versions_with_requirements() {
    let holds = |requirement: &str, version: &str| {
        VersionReq::try_from(requirement.to_owned()).unwrap().matches(version)
    };
    assert!(holds(">=3.12", "3.12.1") && holds(">=3.12", "3.12") && !holds(">=3.12", "3.9"));
    assert!(holds(">=1.0,<2", "1.99") && !holds(">=1.0,<2", "2.0.0"));
    assert!(holds("~=1.4", "1.9") && !holds("~=1.4", "2.0") && !holds("~=1.4.2", "1.5"));
    assert!(holds("==3.11.*", "3.11.4") && holds("!=3.11", "3.12") && holds("3.9", "3.11"));
    assert!(!holds(">=1", "unknown"));
}

#[test]
fn reads_the_file_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Manifest::read(folder.path()).unwrap(), None);
    std::fs::write(folder.path().join("plugin-manifest.yaml"), LOCALAGENT).unwrap();
    assert_eq!(
        Manifest::read(folder.path()).unwrap().unwrap().metadata.name.as_str(),
        "my-localagent-plugin"
    );
    std::fs::write(folder.path().join("plugin.yaml"), ASTROS).unwrap();
    assert_eq!(Manifest::read(folder.path()).unwrap().unwrap().metadata.name.as_str(), "awesome-plugin");
}

#[test]
fn says_why_a_file_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plugin.yaml");
    let error = |path: &Path| {
        Manifest::read(path).unwrap_err().to_string().replace(folder.path().to_str().unwrap(), "DIR")
    };
    assert_eq!(
        error(&folder.path().join("gone")),
        "cannot read `DIR/gone`: there is no such folder; name the folder of a plugin"
    );
    std::fs::write(&file, b"name: \xff").unwrap();
    assert_eq!(error(folder.path()), "cannot read `DIR/plugin.yaml`: it is not UTF-8 text; save it as UTF-8");
    assert_eq!(error(&file), "cannot read `DIR/plugin.yaml`: it is no folder; name the folder of a plugin");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("nowhere", &file).unwrap();
    assert_eq!(
        error(folder.path()),
        "cannot read `DIR/plugin.yaml`: it is a link to nothing; mend or remove it"
    );
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert_eq!(error(folder.path()), "cannot read `DIR/plugin.yaml`: it is no regular file");
}
