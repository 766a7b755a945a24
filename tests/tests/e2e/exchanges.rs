//! The examples of the reference: every exchange has been made by real processes, and goes as it stands there.
//!
//! What the host sends and serves is told by a plugin that writes down what was said; what it does not send yet is
//! asked of that plugin by this test. What differs from run to run is masked. Run with `ASTROS_RECORD=1`, it writes
//! `protocol/exchanges.json` anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use astros_protocol::{
    catalog::{self, Method, Sender},
    schema,
};
use astros_tests::{World, folder};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What a plugin and the host have said to each other, as `{from, message}`.
fn with_the_host() -> Vec<Value> {
    let tour = fs::read(root().join("tests/plugins/tour.py")).unwrap();
    let manifest = json!({ "metadata": { "name": "tour", "version": "1.0.0" },
        "run": { "command": ["python3", "tour.py"] }, "permissions": ["ai", { "call_plugin": ["todo.add"] }] });
    let plugin = folder("tour").file("plugin.yaml", manifest.to_string()).file("tour.py", tour);
    let world = World::new().with(plugin);
    let ask = ["ask", "--json", "show me around Oslo", "--plugin-dir"];
    world.astros(ask).arg(root().join("plugins/examples")).run().succeeds().answered_by("tour.tour");
    let traffic = fs::read_to_string(world.home().join("data/plugin-data/tour/traffic"));
    let traffic = traffic.unwrap_or_else(|error| panic!("{error}: {:?}", walk(&world.home())));
    let home = world.path("home").display().to_string();
    traffic.lines().map(|line| serde_json::from_str(&line.replace(&home, "/home/ada")).unwrap()).collect()
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// What that plugin answers to these messages of a host.
fn with_this_test(messages: Vec<Value>) -> Vec<Value> {
    let mut plugin = Command::new("python3");
    plugin.arg(root().join("tests/plugins/tour.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = plugin.spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut said = Vec::new();
    for message in messages {
        writeln!(input, "{message}").unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        said.push(json!({ "from": "host", "message": message }));
        said.push(json!({ "from": "plugin", "message": serde_json::from_str::<Value>(&line).unwrap() }));
    }
    drop(input);
    assert!(child.wait().unwrap().success());
    said
}

/// The golden request of the method, which shows most.
fn golden(method: &str) -> Option<Value> {
    let files = fs::read_dir(root().join("protocol/golden")).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.map(|path| fs::read_to_string(path).unwrap());
    let messages = texts.flat_map(|text| serde_json::from_str::<Vec<Value>>(&text).unwrap());
    let messages =
        messages.map(|golden| golden["message"].clone()).filter(|message| message["method"] == method);
    messages.max_by_key(|message| message.to_string().len())
}

/// The first request of the method, and what was answered.
fn exchange(method: &Method, said: &[Value]) -> Option<Vec<Value>> {
    let first = said.iter().position(|one| one["message"]["method"] == method.name)?;
    let mut messages = vec![said[first].clone()];
    let answers = |one: &&Value| {
        one["from"] != said[first]["from"]
            && one["message"].get("method").is_none()
            && one["message"]["id"] == said[first]["message"]["id"]
    };
    if method.result.is_some() {
        messages.push(said[first..].iter().find(answers)?.clone());
    }
    Some(messages)
}

/// Ids of the host as they would be if it sent each request in the order of the reference, and nothing between.
fn ids(said: &[Value]) -> HashMap<String, u64> {
    let methods = catalog::methods().into_iter().filter(|method| method.from == Sender::Host);
    let of = |method: Method| {
        let asked = said.iter().filter(move |one| one["message"]["method"] == method.name);
        asked.take(2).map(|one| one["message"]["id"].to_string())
    };
    methods.flat_map(of).zip(1..).collect()
}

/// The plugin's own ids are strings, and the same in every run.
fn mask(value: &mut Value, name: &str, ids: &HashMap<String, u64>) {
    match (name, &mut *value) {
        ("id" | "parent", id) if ids.contains_key(&id.to_string()) => *id = ids[&id.to_string()].into(),
        ("correlation_id", id) => *id = "c-1f0a".into(),
        ("traceparent", id) => *id = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
        ("deadline_ms", time) if *time != 30000 => *time = 29950.into(),
        ("timestamp", time) => *time = "2026-01-31T09:30:00Z".into(),
        // As strong as this machine can.
        ("sandbox", level) => *level = "full".into(),
        ("cwd", folder) => *folder = "/home/ada".into(),
        (_, Value::Object(members)) => {
            members.iter_mut().for_each(|(name, member)| mask(member, name, ids));
        }
        (_, Value::Array(items)) => items.iter_mut().for_each(|item| mask(item, "", ids)),
        _ => {}
    }
}

#[test]
fn the_examples_of_the_reference_have_been_run() {
    let said = with_the_host();
    let recorded: Vec<_> = said.iter().filter_map(|one| one["message"]["method"].as_str()).collect();
    let unsent = catalog::methods().into_iter().filter(|method| !recorded.contains(&method.name));
    let unsent: Vec<Value> = unsent.filter_map(|method| golden(method.name)).collect();
    let (ids, answered) = (ids(&said), with_this_test(unsent));
    let mut exchanges = Vec::new();
    for method in catalog::methods() {
        let by_host = exchange(&method, &said);
        let served = by_host.is_some();
        let mut messages = by_host.or_else(|| exchange(&method, &answered)).unwrap_or_else(|| {
            panic!("`{}` was not said, or not answered: {said:#?}", method.name);
        });
        for one in &mut messages {
            fits(&method, &one["message"]);
            if served {
                mask(&mut one["message"], "", &ids);
            }
        }
        exchanges.push(json!({ "method": method.name, "by_host": served, "messages": messages }));
    }
    let path = root().join("protocol/exchanges.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&exchanges).unwrap());
    if std::env::var_os("ASTROS_RECORD").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let kept: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap_or_default()).unwrap();
    for (kept, made) in kept.iter().zip(&exchanges) {
        assert_eq!(kept, made, "`protocol/exchanges.json` is other; `ASTROS_RECORD=1` writes it anew");
    }
    assert_eq!(kept.len(), exchanges.len());
}

/// The message is what its schemas say.
fn fits(method: &Method, message: &Value) {
    let check = |name: &str, value: &Value| {
        let validator = jsonschema::validator_for(&schema::schema(name).unwrap()).unwrap();
        let errors: Vec<_> = validator.iter_errors(value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}: {value}");
    };
    check("message", message);
    for (member, name) in
        [("params", method.name), ("result", &format!("{}.result", method.name)), ("error", "error")]
    {
        message.get(member).into_iter().for_each(|value| check(name, value));
    }
}
