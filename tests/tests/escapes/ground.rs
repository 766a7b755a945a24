//! A home with all that a plugin could want of it, a neighbour with services and memory of its own, a daemon on a machine
//! of some kind, and plugins that try to get out.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use astros_core::control::{
    Client,
    api::{ControlClient, Person},
    client::answered,
};
use astros_protocol::{Error, ErrorCode};
use astros_tests::{Plugin, Running, Tree, World, adversary, folder, processes};
use serde_json::{Map, Value, json};

use crate::{GRANTS, LANGUAGES, table::Attempt};

/// A secret that no plugin may learn.
const CANARY: &str = "canary-5f1d";
const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/escape");

/// What stands around the plugins.
pub(crate) struct Ground {
    pub(crate) world: World,
    daemon: Running,
    neighbour: Child,
    places: Value,
    /// What the other plugin writes into its temporary folder.
    temporary: PathBuf,
    /// The person's files as they have to stay.
    before: Tree,
}

/// What came of one attempt.
pub(crate) struct Try {
    pub(crate) attempt: String,
    pub(crate) plugin: String,
    /// Whether it got out, and how; or why it was not even tried.
    pub(crate) outcome: Result<(bool, String), Error>,
}

impl Try {
    pub(crate) fn escaped(&self) -> bool {
        self.outcome.as_ref().is_ok_and(|(escaped, _)| *escaped)
    }

    /// One line.
    pub(crate) fn told(&self) -> String {
        let how = match &self.outcome {
            Ok((_, how)) => how.clone(),
            Err(error) => error.to_string(),
        };
        format!("`{}.{}`: {how}", self.plugin, self.attempt)
    }
}

impl Ground {
    /// On a machine without these, with this sandbox.
    pub(crate) fn new(without: &[&str], sandbox: &str) -> Ground {
        let world = World::new();
        let world = plugins().fold(world, |world, name| {
            let plugin = written(&name, &world);
            world.with(plugin)
        });
        let world = world.with(adversary("other")).env("ASTROS_OTHER_TOKEN", CANARY).env("PASSWORD", CANARY);
        let all = plugins().chain(["other".to_owned()]);
        let sections = all.map(|plugin| (plugin, json!({ "sandbox": sandbox })));
        let world = world.configured(&json!({ "plugins": sections.collect::<Map<_, _>>() }).to_string());
        furnish(&world);
        let (neighbour, places) = neighbour(&world);
        let world = world.on_a_machine_without(without);
        let daemon = world.daemon(["--listen", "127.0.0.1:0"]);
        let before = Tree::of(&world.path("home/mine"));
        let temporary = Path::new("/tmp").join(format!("note-{}", daemon.pid()));
        Ground { world, daemon, neighbour, places, temporary, before }
    }

    /// Lets every plugin try what is for it, all plugins at once.
    pub(crate) fn try_all(&self, attempts: &[Attempt]) -> Vec<Try> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = Client::connect(&self.world.runtime()).await.unwrap().expect("the daemon runs");
            // Where it has no folder of its own for that, it may not write there.
            let note = Map::from_iter([("note".to_owned(), json!(self.temporary))]);
            let _ = client.invoke("other".into(), "echo".into(), Some(note), None).await;
            let echo = answered(client.invoke("other".into(), "echo".into(), None, None).await);
            echo.expect("the other plugin runs");
            let one = async |plugin: String| {
                let mut tries = Vec::new();
                for attempt in
                    attempts.iter().filter(|one| one.granted.iter().any(|grant| plugin.starts_with(grant)))
                {
                    let outcome = self.attempt(&client, &plugin, &attempt.name).await;
                    if outcome.as_ref().is_err_and(|error| error.code == ErrorCode::HANDLER_NOT_FOUND) {
                        // The other language makes it.
                        continue;
                    }
                    tries.push(Try { attempt: attempt.name.clone(), plugin: plugin.clone(), outcome });
                }
                tries
            };
            futures_util::future::join_all(plugins().map(one)).await.into_iter().flatten().collect()
        })
    }

    async fn attempt(&self, client: &Client, plugin: &str, name: &str) -> Result<(bool, String), Error> {
        // As one text: paths by themselves would be held against the grants before the plugin has them.
        let places = json!(self.of_plugin(plugin, client.hello().pid)).to_string();
        let places = Map::from_iter([("places".to_owned(), json!(places))]);
        let person = Person { timeout_ms: Some(30_000), ..Person::default() };
        let answer = client.invoke(plugin.into(), name.into(), Some(places), Some(person)).await;
        let data = answered(answer)?.response.data;
        let escaped = data["escaped"].as_bool().unwrap_or_else(|| panic!("`{plugin}.{name}`: {data}"));
        Ok((escaped, data["how"].to_string()))
    }

    /// Where everything is that this plugin could want.
    fn of_plugin(&self, plugin: &str, daemon: u32) -> Map<String, Value> {
        let path = |name: &str| self.world.path(name);
        let own = |kind: &str| path(&format!("home/mine/{kind}-{plugin}"));
        let other =
            self.world.processes().into_iter().find(|pid| processes::describe(*pid).contains("adversary"));
        let mut places = json!({
            "me": plugin, "canary": CANARY, "pids": { "daemon": daemon, "other": other },
            "home": path("home/mine"), "granted": path("home/granted"),
            "readable": path("home/readable"), "setuid": path("home/granted/whoami"),
            "file": path("home/mine/notes.txt"), "victim": own("victim"), "removable": own("removable"),
            "movable": own("movable"), "replaceable": own("replaceable"),
            "other_temporary": self.temporary,
            "own_data": path(&format!("home/astros/data/plugin-data/{plugin}")),
            "own_code": path(&format!("plugins/{plugin}/{}", if plugin.ends_with("rust") { "escape" } else { "main.py" })),
        });
        let places = places.as_object_mut().unwrap();
        places.extend(KEPT.map(|(name, kept)| (name.to_owned(), json!(path(kept)))));
        places.insert("control".to_owned(), json!(path("home/astros/run/control.sock")));
        places.extend(self.places.as_object().unwrap().clone());
        places.clone()
    }

    /// Nothing of the person's is other than before.
    pub(crate) fn is_untouched(&self) {
        Tree::of(&self.world.path("home/mine")).is_again(&self.before);
    }

    pub(crate) fn end(mut self) {
        self.daemon.stop().succeeds();
        drop(self.neighbour.stdin.take());
        let _ = fs::remove_file(&self.temporary);
        assert!(self.neighbour.wait().unwrap().success());
    }
}

/// Files that are somebody's, by what an attempt calls them.
const KEPT: [(&str, &str); 13] = [
    ("dot_file", "home/.profile"),
    ("ssh_key", "home/.ssh/id_ed25519"),
    ("database", "home/astros/data/astros.db"),
    ("token", "home/astros/run/token"),
    ("secrets", "home/astros/secrets.yaml"),
    ("audit_log", "home/astros/logs/audit.jsonl"),
    ("configuration", "home/astros/astros.yaml"),
    ("other_data", "home/astros/data/plugin-data/other/kept"),
    ("other_cache", "home/astros/cache/plugins/other/kept"),
    ("other_settings", "home/astros/plugins/other/kept"),
    ("other_code", "plugins/other/plugin.yaml"),
    ("other_log", "home/astros/logs/other.log"),
    ("kept", "home/granted/kept"),
];

/// A plugin for each grant and language.
pub(crate) fn plugins() -> impl Iterator<Item = String> {
    GRANTS.iter().flat_map(|grant| LANGUAGES.map(|language| format!("{grant}-{language}")))
}

/// Puts files where nothing is yet.
fn furnish(world: &World) {
    for (_, name) in KEPT.iter().filter(|(_, name)| !world.path(name).exists()) {
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(world.file(name, format!("{CANARY}\n")), mode).unwrap();
    }
    fs::remove_file(world.path("home/astros/data/astros.db")).unwrap();
    fs::remove_file(world.path("home/astros/run/token")).unwrap();
    fs::set_permissions(world.home().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(world.home().join("secrets.yaml"), format!("other: {{token: {CANARY}}}\n")).unwrap();
    world.file("home/mine/notes.txt", CANARY);
    world.file("home/readable/kept", "to be read");
    symlink(world.path("home/mine/notes.txt"), world.path("home/granted/a link out")).unwrap();
    for plugin in plugins() {
        for kind in ["victim", "removable", "movable", "replaceable"] {
            world.file(&format!("home/mine/{kind}-{plugin}"), kind);
        }
    }
    let whoami = world.path("home/granted/whoami");
    fs::copy("/usr/bin/id", &whoami).unwrap();
    // Only root can give a file away.
    if chown(&whoami, Some(65_534), None).is_ok() {
        fs::set_permissions(&whoami, fs::Permissions::from_mode(0o4755)).unwrap();
    }
}

/// Starts what else is on the machine; where it is.
fn neighbour(world: &World) -> (Child, Value) {
    let folder = world.path("neighbour");
    fs::create_dir(&folder).unwrap();
    let script = Path::new(PLUGIN).join("neighbour.py");
    let mut neighbour = Command::new("python3")
        .arg(script)
        .args([folder.as_os_str(), CANARY.as_ref(), world.path("home/mine/notes.txt").as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(neighbour.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (neighbour, serde_json::from_str(&line).expect("it says where everything is"))
}

/// A plugin that tries to get out, with what it is granted.
fn written(name: &str, world: &World) -> Plugin {
    let (grant, language) = name.split_once('-').unwrap();
    let permissions = match grant {
        "files" => json!([{ "file_system": {
            "read": [world.path("home/readable")], "write": [world.path("home/granted")],
        } }]),
        "hosts" => json!([{ "network": ["a.example:443", "a.example:80"] }]),
        "network" => json!(["network"]),
        _ => json!([]),
    };
    let limits = json!({ "memory": "256MB", "processes": 40, "open_files": 256, "file_size": "4MB" });
    let mut manifest = json!({
        "metadata": { "name": name, "version": "6.6.6" },
        "run": if language == "rust" { json!({ "executable": "escape" }) } else { json!({ "python": "main.py" }) },
        "permissions": permissions,
        "supervision": { "max_restarts": 1000, "backoff_initial": "10ms", "backoff_max": "10ms" },
    });
    if grant == "limits" {
        manifest["limits"] = limits;
    }
    let plugin = folder(name).file("plugin.yaml", manifest.to_string());
    if language == "rust" {
        return plugin.executable("escape", fs::read(astros_tests::program("escape")).unwrap());
    }
    let code = fs::read_dir(PLUGIN).unwrap().map(|entry| entry.unwrap().path());
    let code = code.filter(|path| path.extension().is_some_and(|extension| extension == "py"));
    code.fold(plugin, |plugin, path| plugin.file(name_of(&path), fs::read(&path).unwrap()))
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap()
}
