//! Secrets on their way to a real plugin, and everywhere that they must not get to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use astros_core::daemon::{Daemon, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "s3cr3t-of-the-weather";

/// Tells what it was given, and says its secret wherever it can.
const PLUGIN: &str = r#"
import json, os, sys
def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    id, params = message.get("id"), message.get("params", {})
    if message["method"] == "initialize":
        settings = params["settings"]
        secret = settings.get("api_key", "none")
        offers = {"name": "weather", "handlers": [{"name": "tell"}, {"name": "fail"}]}
        send({"id": id, "result": {"protocol_version": "1.0", "plugin": offers}})
    elif message["method"] == "handle_intent":
        print("on stderr: " + secret, file=sys.stderr, flush=True)
        print("astray: " + secret, flush=True)
        print("within: " + settings.get("account", {}).get("token", ""), flush=True)
        send({"method": "log", "params": {"level": "info", "message": "logged: " + secret, "fields": {"url": "?k=" + secret}}})
        if params["intent"]["intent_type"] == "fail":
            send({"id": id, "error": {"code": -32000, "message": "no entry with " + secret, "data": {"kind": "handler_failed", "detail": "at " + secret}}})
        else:
            data = {"length": len(secret), "city": settings.get("city"), "environment": sorted(os.environ)}
            send({"id": id, "result": {"message": "here", "data": data}})
    elif id is not None:
        send({"id": id, "result": {}})
"#;

const MANIFEST: &str = r#"
metadata: {name: weather}
run: {command: [python3, code.py]}
configuration: {schema_file: schema.json}
"#;

struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Home {
        let home = Home { folder: TempDir::new().unwrap() };
        let plugin = home.path("plugins/weather");
        fs::create_dir_all(&plugin).unwrap();
        fs::create_dir(home.path("home")).unwrap();
        fs::write(plugin.join("plugin.yaml"), MANIFEST).unwrap();
        fs::write(plugin.join("code.py"), PLUGIN).unwrap();
        let schema = json!({
            "required": ["api_key"],
            "properties": {
                "api_key": { "type": "string", "writeOnly": true }, "city": { "type": "string" },
                "account": { "type": "object", "properties": { "token": { "writeOnly": true } } },
            },
        });
        fs::write(plugin.join("schema.json"), schema.to_string()).unwrap();
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    async fn daemon(&self, variables: &[(&str, &str)]) -> Daemon {
        let mut options =
            Options { plugin_dirs: vec![self.path("plugins")], ..Options::at(self.path("home")) };
        // Not the keyring of who runs the tests.
        options
            .environment
            .retain(|(name, _)| name != "DBUS_SESSION_BUS_ADDRESS" && name != "XDG_RUNTIME_DIR");
        options.environment.extend(variables.iter().map(|(name, value)| (name.into(), value.into())));
        Daemon::start(options).await.unwrap()
    }

    fn keep(&self, mode: u32) {
        let file = self.path("home/secrets.yaml");
        fs::write(&file, format!("weather: {{api_key: {SECRET}}}\n")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// `astros secrets …`, with this input.
    fn secrets(&self, arguments: &[&str], input: &str, keyring: bool) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_astros"));
        if !keyring {
            command.env_remove("DBUS_SESSION_BUS_ADDRESS").env_remove("XDG_RUNTIME_DIR");
        }
        command.arg("secrets").args(arguments).env("ASTROS_HOME", self.path("home"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn told(daemon: &Daemon) -> Value {
    json!(daemon.call("weather", "tell", json!({})).await.unwrap().data)
}

/// Every file below a folder that holds these bytes.
fn holding(folder: &Path, wanted: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            holding(&path, wanted, found);
        } else if path.is_file() {
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
                found.push(path);
            }
        }
    }
}

#[tokio::test]
async fn a_secret_reaches_its_plugin_and_nothing_that_is_written_or_shown() {
    let home = Home::new();
    home.keep(0o600);
    let daemon = home.daemon(&[]).await;
    assert_eq!(told(&daemon).await["length"], SECRET.len());
    let error = daemon.call("weather", "fail", json!({})).await.unwrap_err();
    let said = format!("{error:?}");
    assert!(
        said.contains("no entry with ***") && said.contains("at ***") && !said.contains(SECRET),
        "{said}"
    );
    let shown = daemon.show("weather").await.unwrap();
    assert_eq!(shown["settings"]["api_key"], "***");
    let logs = daemon.logs("weather", 50).await.unwrap();
    let logs = json!(logs).to_string();
    for line in ["on stderr: ***", "astray: ***", "logged: ***", "?k=***"] {
        assert!(logs.contains(line), "{line}: {logs}");
    }
    assert!(!format!("{shown}{logs}{:?}", daemon.list()).contains(SECRET));
    let audited = daemon.audited(10).await.unwrap();
    assert!(audited.iter().any(|event| json!(event)["event"] == "secret" && event.what == "api_key"));
    daemon.stop().await;
    let mut found = Vec::new();
    holding(&home.path("home"), SECRET, &mut found);
    assert_eq!(found, [home.path("home/secrets.yaml")]);
}

#[tokio::test]
async fn a_secret_deep_within_a_setting_is_hidden_with_all_of_it() {
    let home = Home::new();
    home.keep(0o600);
    let account = json!({ "account": { "token": "t0ken-within", "user": "adalovelace" } });
    let configuration = json!({ "plugins": { "weather": { "settings": account } } });
    fs::write(home.path("home/astros.yaml"), configuration.to_string()).unwrap();
    let daemon = home.daemon(&[]).await;
    told(&daemon).await;
    let warnings = daemon.warnings().join("\n");
    assert!(warnings.contains("`plugins.weather.settings.account` is a secret"), "{warnings}");
    let shown = daemon.show("weather").await.unwrap();
    assert_eq!(shown["settings"]["account"], "***");
    let logs = json!(daemon.logs("weather", 50).await.unwrap()).to_string();
    assert!(logs.contains("within: ***"), "{logs}");
    daemon.stop().await;
    let mut found = Vec::new();
    holding(&home.path("home"), "t0ken-within", &mut found);
    assert_eq!(found, [home.path("home/astros.yaml")]);
}

#[tokio::test]
async fn a_secret_of_the_environment_is_no_variable_of_the_plugins() {
    let home = Home::new();
    home.keep(0o600);
    let variables = [("ASTROS_WEATHER_API_KEY", "from-the-environment"), ("ASTROS_WEATHER_CITY", "Oslo")];
    let daemon = home.daemon(&variables).await;
    let data = told(&daemon).await;
    assert_eq!((&data["length"], &data["city"]), (&json!("from-the-environment".len()), &json!("Oslo")));
    let names = data["environment"].as_array().unwrap();
    assert!(
        names.contains(&json!("ASTROS_WEATHER_CITY")) && !names.contains(&json!("ASTROS_WEATHER_API_KEY"))
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_secret_in_the_open_works_with_a_warning_and_one_that_others_read_does_not() {
    let home = Home::new();
    fs::write(home.path("home/astros.yaml"), "plugins:\n  weather:\n    settings: {api_key: in-the-open}\n")
        .unwrap();
    let daemon = home.daemon(&[]).await;
    assert_eq!(told(&daemon).await["length"], "in-the-open".len());
    let warnings = daemon.warnings().join("\n");
    assert!(warnings.contains("astros.yaml:3: `plugins.weather.settings.api_key` is a secret"), "{warnings}");
    assert!(
        warnings.contains("`astros secrets set weather api_key`") && !warnings.contains("open"),
        "{warnings}"
    );
    daemon.stop().await;

    home.keep(0o644);
    let daemon = home.daemon(&[]).await;
    let error = daemon.call("weather", "tell", json!({})).await.unwrap_err();
    let said = format!("{error:?}");
    assert!(said.contains("its mode is 0644") && said.contains("`chmod 600 "), "{said}");
    assert!(!said.contains(SECRET) && !format!("{:?}", daemon.list()).contains(SECRET));
    daemon.stop().await;
}

#[tokio::test]
async fn the_command_keeps_names_and_forgets_secrets_and_a_reload_brings_them() {
    let home = Home::new();
    let daemon = home.daemon(&[]).await;
    let missing = daemon.call("weather", "tell", json!({})).await.unwrap_err();
    assert!(missing.hint().unwrap().contains("`astros secrets set weather api_key` keeps it"), "{missing:?}");

    let set = home.secrets(&["set", "weather", "api_key", "--json"], "first-secret\n", false);
    let place = home.path("home/secrets.yaml").display().to_string();
    let kept: Value = serde_json::from_slice(&set.stdout).unwrap();
    assert_eq!(kept, json!({ "plugin": "weather", "key": "api_key", "place": place }));
    daemon.reload("weather").await.unwrap();
    assert_eq!(told(&daemon).await["length"], "first-secret".len());

    home.secrets(&["set", "weather", "api_key"], "second", false);
    daemon.reload("weather").await.unwrap();
    assert_eq!(told(&daemon).await["length"], "second".len());
    let listed = text(&home.secrets(&["list"], "", false).stdout);
    assert_eq!(listed, format!("weather api_key  in `{place}`\n"));
    for output in [set, home.secrets(&["list", "--json"], "", false)] {
        assert!(!text(&[output.stdout, output.stderr].concat()).contains("secret\""), "it shows one");
    }
    assert!(home.secrets(&["remove", "weather", "api_key"], "", false).status.success());
    let again = home.secrets(&["remove", "weather", "api_key"], "", false);
    assert_eq!((again.status.code(), text(&again.stderr).contains("no secret `api_key`")), (Some(2), true));
    assert_eq!(home.secrets(&["set", "weather", "api_key"], "\n", false).status.code(), Some(2));
    daemon.stop().await;
}

/// On a session bus of its own, with a keyring that a password has opened; the test runs itself there.
#[test]
fn a_real_keyring_keeps_and_gives_what_it_was_given() {
    const INSIDE: &str = "ASTROS_TEST_KEYRING";
    if std::env::var_os(INSIDE).is_some() {
        return with_a_keyring();
    }
    for program in ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"] {
        if Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .unwrap()
            .stdout
            .is_empty()
        {
            eprintln!(
                "skipped: `{program}` is missing; `apt-get install gnome-keyring libsecret-tools dbus` brings it"
            );
            return;
        }
    }
    let folder = TempDir::new().unwrap();
    let script =
        "printf password | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1 && exec \"$@\"";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_real_keyring_keeps_and_gives_what_it_was_given", "--nocapture"])
        .env(INSIDE, "1")
        .env("HOME", folder.path())
        .env("XDG_RUNTIME_DIR", folder.path())
        .env_remove("XDG_DATA_HOME")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn with_a_keyring() {
    let home = Home::new();
    home.keep(0o600);
    let set = home.secrets(&["set", "weather", "api_key"], "of the\nkeyring\n", true);
    assert_eq!(
        text(&set.stdout),
        "the secret `api_key` of `weather` is in the keyring\n",
        "{}",
        text(&set.stderr)
    );
    // What stood in the file would have been found first.
    assert!(!fs::read_to_string(home.path("home/secrets.yaml")).unwrap().contains("weather"));
    assert_eq!(text(&home.secrets(&["list"], "", true).stdout), "weather api_key  in the keyring\n");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = Options { plugin_dirs: vec![home.path("plugins")], ..Options::at(home.path("home")) };
        let daemon = Daemon::start(options).await.unwrap();
        assert_eq!(told(&daemon).await["length"], "of the\nkeyring".len());
        daemon.stop().await;
    });
    assert!(home.secrets(&["remove", "weather", "api_key"], "", true).status.success());
    assert_eq!(text(&home.secrets(&["list", "--json"], "", true).stdout), "[]\n");
}
