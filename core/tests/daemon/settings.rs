//! Settings that change while the daemon runs, and those that commands set.

use std::{
    fs,
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

use astros_core::daemon::Daemon;
use astros_protocol::{Error, ErrorCode};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike,
};
use serde_json::{Value, json};

use crate::harness::{Home, reloaded, shown};

const MANIFEST: &str = "
metadata: {name: weather, version: 1.0.0}
configuration:
  settings: {city: Oslo, days: 3, model: small}
  user_configurable: [city, days, largest, key]
  schema:
    properties:
      city: {type: string, description: Where}
      days: {type: integer, maximum: 14}
      largest: {type: integer, format: size}
      key: {type: string, writeOnly: true}
      model: {type: string}
";

/// Tells its settings, listens to others, and refuses `Nowhere`.
const LISTENS: &str = r#"
import time
from astros.errors import InvalidSettings
from astros.plugin import BasePlugin, plugin_handler
from astros.types import Response

begun = time.time()

class Weather(BasePlugin):
    changes = []

    async def on_settings_changed(self, old, new):
        if new["city"] == "Nowhere":
            raise InvalidSettings("`/city`: there is no such city")
        self.changes.append([old["city"], new["city"]])

    @plugin_handler("tell", effects="none")
    async def tell(self, intent):
        return Response(data={"settings": dict(self.settings), "changes": self.changes, "begun": begun})
"#;

/// Tells its settings, and knows nothing of other ones.
const DEAF: &str = r#"
import json, sys, time
begun = time.time()
for line in sys.stdin:
    message = json.loads(line)
    if message.get("method") == "initialize":
        settings = message["params"]["settings"]
        handlers = [{"name": "tell", "effects": "none"}]
        answer = {"result": {"protocol_version": "1.0", "plugin": {"name": "weather", "handlers": handlers}}}
    elif message.get("method") == "handle_intent":
        answer = {"result": {"data": {"settings": settings, "begun": begun}}}
    elif message.get("method") == "shutdown":
        answer = {"result": None}
    else:
        answer = {"error": {"code": -32601, "message": "unknown"}}
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **answer}), flush=True)
"#;

fn home(run: &str, code: &str) -> Home {
    let home = Home::new();
    home.write("plugins/weather/plugin.yaml", &format!("{MANIFEST}{run}"));
    home.write("plugins/weather/main.py", code);
    home
}

/// How many times as long work takes as it would on a machine that does nothing else.
fn slowed_by_others() -> f64 {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        usage.user_time() + usage.system_time()
    };
    let (begun, before) = (Instant::now(), used());
    while (used() - before).num_milliseconds() < 20 {}
    begun.elapsed().as_secs_f64() / 0.020
}

async fn told(daemon: &Daemon) -> Value {
    Value::Object(daemon.call("weather", "tell", json!({})).await.unwrap().data.as_object().unwrap().clone())
}

async fn set(daemon: &Daemon, key: &str, text: &str) -> Result<Value, Error> {
    let shown = daemon.set_setting("weather", key, text).await?;
    Ok(shown.settings.into_iter().find(|one| one.name == key).unwrap().value)
}

#[tokio::test]
async fn tells_a_plugin_that_runs_within_300_ms_however_the_file_is_saved() {
    let home = home("", LISTENS);
    home.write("home/elsewhere.yaml", "plugins: {weather: {settings: {city: Oslo}}}\n");
    let daemon = home.stay().await;
    let before = told(&daemon).await;
    let mut events = daemon.events();
    let own = "home/plugins/weather/weather.yaml";
    let file = home.path("home/astros.yaml");
    let text = |city: &str| format!("plugins: {{weather: {{settings: {{city: {city}}}}}}}\n");
    let (mut times, mut slowness) = (Vec::new(), 1.0_f64);
    for (number, city) in ["Bergen", "Rome", "Paris", "Turku", "Kyiv"].into_iter().enumerate() {
        let begun = Instant::now();
        match number {
            // Written in its place; moved there; removed and made anew; a link; the plugin's own file.
            0 => fs::write(&file, text(city)).unwrap(),
            1 => home.write("home/astros.yaml", &text(city)),
            2 => {
                fs::remove_file(&file).unwrap();
                fs::write(&file, text(city)).unwrap();
            }
            3 => {
                fs::remove_file(&file).unwrap();
                home.write("home/linked/astros.yaml", &text(city));
                symlink(home.path("home/linked/astros.yaml"), &file).unwrap();
            }
            _ => {
                home.write("home/linked/astros.yaml", "{}\n");
                while told(&daemon).await["settings"]["city"] != "Oslo" {
                    reloaded(&mut events, "weather").await;
                }
                home.write(own, &format!("city: {city}\n"));
            }
        }
        while told(&daemon).await["settings"]["city"] != city {
            reloaded(&mut events, "weather").await;
        }
        times.push(begun.elapsed());
        slowness = slowness.max(slowed_by_others());
        if city == "Paris" {
            let after = told(&daemon).await;
            assert_eq!(after["begun"], before["begun"], "it was told, not started anew");
            assert_eq!(after["changes"], json!([["Oslo", "Bergen"], ["Bergen", "Rome"], ["Rome", "Paris"]]));
        }
    }
    times.sort();
    let limit = Duration::from_millis(300).mul_f64(slowness);
    assert!(times[2] < limit, "{times:?}, with {slowness} times the time that its work takes alone");
    daemon.stop().await;
}

#[tokio::test]
async fn keeps_the_old_settings_where_the_new_ones_do_not_fit_or_are_refused() {
    let home = home("", LISTENS);
    let daemon = home.stay().await;
    let before = told(&daemon).await;
    let mut events = daemon.events();
    for (wrong, words) in [
        ("days: 99", "keeps the settings that it has: the settings of `weather` do not fit: `/days`: 99"),
        ("city: Nowhere", "keeps the settings that it has: `/city`: there is no such city"),
    ] {
        home.write("home/astros.yaml", &format!("plugins:\n  weather:\n    settings:\n      {wrong}\n"));
        let error = reloaded(&mut events, "weather").await.expect(wrong);
        assert!(error.contains(words), "{error}");
        assert_eq!(told(&daemon).await, before);
        assert_eq!(shown(&daemon, "weather", "reload_error").await, error.as_str());
    }
    assert!(daemon.check_settings(None).await.unwrap().is_empty(), "only the plugin knows what it refuses");
    home.write("home/astros.yaml", "plugins:\n  weather:\n    settings:\n      days: many\n");
    let misfits = daemon.check_settings(Some("weather")).await.unwrap();
    let problem = misfits[0].problem.as_deref().unwrap();
    assert!(problem.contains("`/days`") && problem.contains("astros.yaml:4"), "{problem}");
    reloaded(&mut events, "weather").await.expect("many are no days");
    home.write("home/astros.yaml", "plugins: {weather: {settings: {city: Rome}}}\n");
    assert_eq!(reloaded(&mut events, "weather").await, None);
    assert_eq!(told(&daemon).await["settings"]["city"], "Rome");
    daemon.stop().await;
}

#[tokio::test]
async fn starts_a_plugin_anew_that_cannot_be_told() {
    let home = home("run: {command: [python3, main.py]}", DEAF);
    let daemon = home.stay().await;
    let before = told(&daemon).await;
    let mut events = daemon.events();
    home.write("home/astros.yaml", "plugins: {weather: {settings: {city: Rome}}}\n");
    assert_eq!(reloaded(&mut events, "weather").await, None);
    let after = told(&daemon).await;
    assert_eq!(after["settings"]["city"], "Rome");
    assert_ne!(after["begun"], before["begun"]);
    daemon.stop().await;
}

#[tokio::test]
async fn sets_by_command_what_the_manifest_leaves_to_the_person_and_remembers_it() {
    let home = home("", LISTENS);
    home.write("home/astros.yaml", "# mine\nplugins: {weather: {settings: {city: Rome}}}\n");
    let daemon = home.start().await;
    let before = told(&daemon).await;
    assert_eq!(set(&daemon, "city", "Bergen").await.unwrap(), "Bergen");
    assert_eq!(set(&daemon, "largest", "2MB").await.unwrap(), 2_000_000);
    let after = told(&daemon).await;
    assert_eq!(
        after["settings"],
        json!({"city": "Bergen", "days": 3, "model": "small", "largest": 2_000_000})
    );
    assert_eq!(after["begun"], before["begun"]);
    for (key, text, words) in [
        ("days", "99", "`/days`: 99 is greater than the maximum of 14 (`astros settings set`)"),
        ("days", "many", "`days` of `weather` is `many`, expected a whole number"),
        ("city", "Nowhere", "there is no such city"),
        ("model", "large", "`model` of `weather` may not be changed, expected one of `city`, `days`"),
        ("key", "1234", "`key` of `weather` is a secret"),
    ] {
        let error = set(&daemon, key, text).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::INVALID_SETTINGS);
        assert!(error.message.contains(words), "{error}");
        assert_eq!(told(&daemon).await, after, "{key}={text}");
    }
    daemon.stop().await;

    let mut options = home.options();
    options.environment.push(("ASTROS_WEATHER_LARGEST".into(), "1MB".into()));
    options.environment.push(("ASTROS_WEATHER_KEY".into(), "hidden".into()));
    let daemon = Daemon::start(options).await.unwrap();
    let shown = daemon.settings(Some("weather")).await.unwrap().remove(0);
    let file = home.path("home/astros.yaml").display().to_string();
    let rows: Vec<_> =
        shown.settings.iter().map(|one| (&*one.name, &one.value, one.source.as_deref())).collect();
    let expected = [
        ("city", &json!("Bergen"), Some("`astros settings set`")),
        ("days", &json!(3), Some("default of the manifest")),
        ("largest", &json!(1_000_000), Some("ASTROS_WEATHER_LARGEST")),
        ("key", &json!("***"), Some("ASTROS_WEATHER_KEY")),
        ("model", &json!("small"), Some("default of the manifest")),
    ];
    assert_eq!(rows, expected);
    let unset = daemon.unset_setting("weather", "city").await.unwrap();
    assert_eq!(unset.settings[0].source, Some(format!("{file}:2")));
    let error = daemon.unset_setting("weather", "city").await.unwrap_err();
    assert!(
        error.message.contains(&format!("no command set `city` of `weather`; it comes from {file}:2")),
        "{error}"
    );
    assert_eq!(
        fs::read_to_string(file).unwrap().lines().next(),
        Some("# mine"),
        "the person's file stays as it is"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn reads_schema_and_defaults_where_plugins_keep_them() {
    let home = Home::new();
    for (name, file) in [("one", "config_schema.json"), ("two", "config/schema.json")] {
        let plugin = format!("plugins/{name}");
        home.write(&format!("{plugin}/plugin.yaml"), &format!("metadata: {{name: {name}}}\n"));
        home.write(&format!("{plugin}/main.py"), "");
        home.write(
            &format!("{plugin}/{file}"),
            "# a comment\n{\"properties\": {\"depth\": {\"type\": \"integer\", \"default\": 1}, \"limit\": {\"default\": 5}}}",
        );
        home.write(&format!("{plugin}/config/defaults.yaml"), "depth: 2\n");
    }
    let daemon = home.start().await;
    for name in ["one", "two"] {
        let shown = daemon.settings(Some(name)).await.unwrap().remove(0);
        let rows: Vec<_> = shown.settings.iter().map(|one| (&one.value, one.source.as_deref())).collect();
        let sources = [Some("default of `config/defaults.yaml`"), Some("default of the schema")];
        assert_eq!(rows, [(&json!(2), sources[0]), (&json!(5), sources[1])]);
    }
    let error = daemon.set_setting("one", "depth", "deep").await.unwrap_err();
    assert!(error.message.contains("expected a whole number"), "{error}");
    let error = daemon.set_setting("one", "dept", "3").await.unwrap_err();
    assert!(error.hint().unwrap().contains("did you mean `depth`?"), "{error}");
    daemon.stop().await;
}

#[tokio::test]
async fn starts_nothing_for_what_is_saved_of_plugins_that_do_not_run() {
    let home = home("", LISTENS);
    let daemon = home.stay().await;
    daemon.learn().await;
    daemon.router().plugin("weather").unwrap().supervisor().stop("it is to be idle").await;
    daemon.reset("weather").unwrap();
    let mut events = daemon.events();
    for text in ["limits: {memory: 1GB}\n", "plugins: {weather: {settings: {city: Rome}}}\n"] {
        home.write("home/astros.yaml", text);
        assert_eq!(reloaded(&mut events, "weather").await, None);
        assert!(daemon.list().iter().all(|one| one.name != "weather" || one.pids.is_empty()), "{text}");
    }
    assert_eq!(told(&daemon).await["settings"]["city"], "Rome");
    daemon.stop().await;
}

#[tokio::test]
async fn sets_one_of_several_that_are_missing_or_fit_no_more() {
    let home = Home::new();
    let manifest = |types: &str| {
        format!(
            "metadata: {{name: many}}\nconfiguration:\n  required_settings: [url, user]\n  schema: {{properties: \
             {{url: {{type: {types}}}, user: {{type: {types}}}}}}}\n"
        )
    };
    home.write("plugins/many/plugin.yaml", &manifest("string"));
    home.write("plugins/many/main.py", LISTENS);
    let daemon = home.start().await;
    let set = async |key, text| daemon.set_setting("many", key, text).await.unwrap();
    let first = set("url", "there").await;
    assert_eq!(
        (&first.settings[0].value, first.problem.as_deref()),
        (&json!("there"), Some("needs settings: `user`"))
    );
    assert_eq!(set("user", "ada").await.problem, None);
    let error = daemon.set_setting("many", "user", "null").await;
    assert_eq!(error.unwrap().settings[1].value, "null");
    // A new version that wants other types.
    home.write("plugins/many/plugin.yaml", &manifest("boolean"));
    daemon.reload("many").await.unwrap_err();
    daemon.stop().await;
    let daemon = home.start().await;
    let error = daemon.set_setting("many", "url", "7").await.unwrap_err();
    assert!(!error.message.contains("user"), "{error}");
    // Nothing is set that could be forgotten.
    assert_eq!(error.hint(), Some("`astros settings show many` says what it is now"));
    let one = daemon.set_setting("many", "url", "true").await.unwrap();
    assert!(one.problem.as_ref().unwrap().contains("/user"), "{one:?}");
    assert_eq!(one.hint.as_deref(), Some("`astros settings unset many user` forgets what was set"));
    let other = daemon.unset_setting("many", "user").await.unwrap();
    assert_eq!(other.problem.as_deref(), Some("needs settings: `user`"));
    daemon.set_setting("many", "user", "false").await.unwrap();
    // What a plugin needs can be forgotten, too.
    let without = daemon.unset_setting("many", "url").await.unwrap();
    assert!(without.problem.unwrap().contains("needs settings: `url`"));
    daemon.stop().await;
}

#[tokio::test]
async fn says_why_the_settings_of_a_plugin_are_not_known() {
    let home = Home::new();
    home.write("plugins/quiet/plugin.yaml", "metadata: {name: quiet}\n");
    home.write("plugins/quiet/main.py", LISTENS);
    home.write("home/astros.yaml", "plugins: {quiet: {enabled: false}}\n");
    let daemon = home.start().await;
    let shown = daemon.settings(Some("quiet")).await.unwrap().remove(0);
    let problem = shown.problem.unwrap();
    assert!(problem.starts_with("its settings are known once it was asked: "), "{problem}");
    assert!(problem.contains("disabled") && shown.hint.is_some(), "{problem}: {:?}", shown.hint);
    daemon.stop().await;
}

#[tokio::test]
async fn says_of_a_manifest_that_cannot_be_read_that_nobody_knows_its_settings() {
    let home = home("", LISTENS);
    home.write("plugins/weather/plugin.yaml", &MANIFEST.replace("[city,", "[on, city,"));
    let daemon = home.start().await;
    let error = daemon.set_setting("weather", "days", "four").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_SETTINGS);
    assert!(error.message.contains("user_configurable"), "{error}");
    for all in [daemon.settings(None).await.unwrap(), daemon.check_settings(None).await.unwrap()] {
        let weather = all.iter().find(|one| one.plugin == "weather").unwrap();
        assert!(weather.problem.as_ref().unwrap().contains("user_configurable"), "{all:?}");
    }
    daemon.stop().await;
}
