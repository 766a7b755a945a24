//! Paths that a person names, and what a plugin reaches of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, os::unix::fs::symlink, path::PathBuf, sync::Arc};

use astros_core::{
    control::{
        Embedded,
        api::{Answer, ControlClient, News, Person, Wanted},
        client::{answered, follow},
    },
    daemon::Options,
};
use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `look` tells what is in a folder, `change` makes a file in it.
const CODE: &str = r#"
import json, os, socket, sys
path = {"properties": {"folder": {"type": "string", "format": "path"}}}
handlers = [{"name": "look", "effects": "read", "parameters": path, "examples": ["look into {folder}"]},
            {"name": "change", "parameters": path, "examples": ["change {folder}"]},
            {"name": "move", "parameters": path}, {"name": "fetch"}, {"name": "pass", "effects": "read"}]
def asks(id, context):
    print(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "call_plugin", "params": {
        "plugin": "looker", "handler": "look", "params": context, "meta": {"parent": id}}}), flush=True)
    while "method" in (answer := json.loads(sys.stdin.readline())):
        pass
    return answer
def serve(handler, folder):
    if handler == "fetch":
        socket.socket()
    if handler == "move":
        os.rename(folder, folder + "-moved")
    if handler == "change":
        open(os.path.join(folder, "changed"), "w").close()
    return sorted(os.listdir(folder))
for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method == "initialize":
        result = {"protocol_version": "1.0", "plugin": {"name": "any", "handlers": handlers}}
    elif method == "handle_intent":
        try:
            if params["handler"] == "pass":
                context = params["intent"]["context"]
                answers = [asks(id, {"folder": folder}) for folder in context["folders"]]
                print(json.dumps({"jsonrpc": "2.0", "id": id, "result": {"data": answers}}), flush=True)
                continue
            data = {"pid": os.getpid(), "names": serve(params["handler"], params["intent"]["context"]["folder"])}
            result = {"data": data}
        except OSError as error:
            result = {"success": False, "message": f"{params['handler']} of a socket or folder: {error}"}
    else:
        result = None
    if id is not None:
        print(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}), flush=True)
"#;

struct World {
    folder: TempDir,
}

impl World {
    fn new() -> World {
        let world = World { folder: TempDir::new().unwrap() };
        for folder in ["home/Documents", "home/.hidden", "outside/inner", "plugins/looker"] {
            fs::create_dir_all(world.path(folder)).unwrap();
        }
        symlink(world.path("outside"), world.path("home/Documents/leads-out")).unwrap();
        world.plugin("looker", "file_system");
        world
    }

    fn plugin(&self, name: &str, permission: &str) {
        let folder = self.path("plugins").join(name);
        fs::create_dir_all(&folder).unwrap();
        let manifest = format!(
            "metadata: {{name: {name}}}\nrun: {{command: [python3, code.py]}}\npermissions: [{permission}]\n"
        );
        fs::write(folder.join("plugin.yaml"), manifest).unwrap();
        fs::write(folder.join("code.py"), CODE).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    async fn start(&self) -> Arc<Embedded> {
        let mut options = Options::at(self.path("home/astros"));
        options.plugin_dirs = vec![self.path("plugins")];
        options.environment.retain(|(name, _)| name != "HOME");
        options.environment.push(("HOME".into(), self.path("home").into()));
        Arc::new(Embedded::start(options).await.unwrap())
    }

    /// `~` is the home.
    async fn call(&self, daemon: &Embedded, handler: &str, folder: &str) -> Result<Value, Error> {
        let folder = folder.replacen('~', &self.path("home").display().to_string(), 1);
        let Value::Object(params) = json!({ "folder": folder }) else { unreachable!() };
        let person = Person { cwd: Some(self.path("outside")), ..Person::default() };
        let client = daemon.client();
        let invoked =
            client.invoke("looker".to_owned(), handler.to_owned(), Some(params), Some(person)).await;
        answered(invoked).map(|answer: Answer| json!(answer.response))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_the_grant_for_a_path_that_is_out_of_reach() {
    let world = World::new();
    let daemon = world.start().await;
    let outside = world.path("outside").display().to_string();
    for (handler, folder, permission) in [
        ("look", "~/Documents/leads-out", format!("file_system: read {outside}")),
        ("look", "inner", format!("file_system: read {outside}/inner")),
        ("change", "~/Documents/leads-out/inner", format!("file_system: write {outside}/inner")),
        ("change", "~/Documents/leads-out/new", format!("file_system: write {outside}")),
        ("look", "~/.hidden", "file_system: read ~/.hidden".to_owned()),
    ] {
        let error = world.call(&daemon, handler, folder).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::PERMISSION_DENIED, "{folder}: {error}");
        let data = error.data.as_ref().unwrap();
        assert_eq!(data.extra["permission"], permission, "{folder}");
        let hint = format!("`astros plugins grant looker '{permission}'` allows it");
        assert_eq!(data.hint.as_deref(), Some(&*hint));
    }
    let error = world.call(&daemon, "look", "~/astros/data").await.unwrap_err();
    assert!(error.message.ends_with("is AstrOS's own: no plugin may be let in"), "{error}");
    assert_eq!(error.hint(), None);
    // A link may itself be meant: nothing is let in for that.
    let error = world.call(&daemon, "change", "~/Documents/leads-out").await.unwrap_err();
    assert_eq!(error.hint(), Some("it is a link: name what it leads to, where that is meant"));
    assert!(error.data.unwrap().extra.get("permission").is_none());
    assert!(!world.path("outside/changed").exists() && !world.path("outside/inner/changed").exists());
    // The same for a text, in which the folder is made absolute.
    let person = Person { home: Some(world.path("home")), ..Person::default() };
    let asked = daemon.client().answer("look into ~/.hidden".to_owned(), Some(person)).await;
    assert_eq!(answered(asked).unwrap_err().code, ErrorCode::PERMISSION_DENIED);
    // What is within reach is done, and what is nowhere is the plugin's to say.
    let done = world.call(&daemon, "change", "~/Documents").await.unwrap();
    assert!(done["data"]["names"].as_array().unwrap().contains(&json!("changed")), "{done}");
    assert_eq!(world.call(&daemon, "look", "/no/such/folder").await.unwrap()["success"], false);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replaces_a_process_for_what_came_to_the_home_after_its_start() {
    let world = World::new();
    let daemon = world.start().await;
    let pid = |answer: &Value| answer["data"]["pid"].as_u64();
    let first = world.call(&daemon, "look", "~/Documents").await.unwrap();
    let shown = |daemon: &Arc<Embedded>| {
        let daemon = daemon.clone();
        async move { daemon.client().list().await.unwrap().remove(0).pids }
    };
    let before = shown(&daemon).await;
    world.call(&daemon, "look", "~/Documents").await.unwrap();
    assert_eq!(before, shown(&daemon).await, "nothing came");
    fs::create_dir(world.path("home/New")).unwrap();
    fs::write(world.path("home/New/file"), "").unwrap();
    let second = world.call(&daemon, "look", "~/New").await.unwrap();
    assert_eq!(second["data"]["names"], json!(["file"]), "{second}");
    assert!(pid(&first).is_some() && pid(&second).is_some());
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_grants_a_path_for_good_or_not_at_all() {
    let world = World::new();
    let daemon = world.start().await;
    let call = async |say: &str| {
        let Value::Object(params) = json!({ "folder": world.path("outside") }) else { unreachable!() };
        let wanted = Wanted { questions: true, ..Wanted::default() };
        let client = daemon.client();
        let begun =
            client.call("looker".to_owned(), "change".to_owned(), Some(params), None, Some(wanted)).await;
        let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
        let follows = follow(begun, move |news| {
            if let News::Question(question) = news {
                asked.send(question).unwrap();
            }
        });
        let answers = async {
            let mut choices = Vec::new();
            while let Some(question) = questions.recv().await {
                answered(client.answer_question(question.id, say.into()).await).unwrap();
                choices.push(question.choices);
            }
            choices
        };
        tokio::join!(follows, answers)
    };
    let (refused, asked) = call("no").await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::PERMISSION_DENIED);
    assert_eq!(asked, [["always", "no"]], "a sandbox is made for good");
    assert!(!world.path("outside/changed").exists());
    let (done, asked) = call("always").await;
    assert_eq!((done.unwrap().response.success, asked.len()), (true, 1));
    assert!(world.path("outside/changed").exists());
    let (done, asked) = call("no").await;
    assert_eq!((done.unwrap().response.success, asked.len()), (true, 0), "it is kept");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tells_a_plugin_that_calls_another_nothing_of_what_is_there() {
    let world = World::new();
    world.plugin("asker", "{call_plugin: [looker.look]}");
    symlink(world.path("home/.hidden"), world.path("outside/link")).unwrap();
    // In a folder that the one that is called reaches.
    symlink(world.path("home/.hidden"), world.path("home/Documents/there")).unwrap();
    symlink(world.path("home/.gone"), world.path("home/Documents/dangling")).unwrap();
    let daemon = world.start().await;
    let folders = [
        "outside/inner",
        "outside/gone",
        "outside/gone/deep",
        "outside/link",
        "home/.hidden",
        "home/.gone",
        "home/Documents/there",
        "home/Documents/dangling",
    ];
    let folders = folders.map(|name| world.path(name).display().to_string());
    let own = [world.path("home/Documents"), world.path("home/gone")].map(|path| path.display().to_string());
    let all = [&folders[..], &own[..]].concat();
    let Value::Object(params) = json!({ "folders": all }) else { unreachable!() };
    let person = Person { cwd: Some(world.path("outside")), ..Person::default() };
    let passed = daemon.client().invoke("asker".to_owned(), "pass".to_owned(), Some(params), Some(person));
    let answer: Answer = answered(passed.await).unwrap();
    let told = json!(answer.response)["data"].clone();
    let home = world.path("home").display().to_string();
    for (answer, folder) in told.as_array().unwrap().iter().zip(&folders) {
        let (error, short) = (&answer["error"], folder.replacen(&home, "~", 1));
        assert_eq!(error["code"], ErrorCode::PERMISSION_DENIED.0, "{folder}: {answer}");
        assert_eq!(error["message"], format!("`looker` may not read `{folder}`"));
        assert_eq!(error["data"]["permission"], format!("file_system: read {short}"), "{folder}");
    }
    assert!(told[8]["result"]["data"]["names"].is_array(), "{told}");
    assert_eq!(told[9]["result"]["success"], false, "what would be reached is not there: {told}");
    // Who asked for it stands beside it.
    daemon.stop().await;
    let denied = fs::read_to_string(world.path("home/astros/logs/denials.jsonl")).unwrap();
    let first: Value = serde_json::from_str(denied.lines().next().unwrap()).unwrap();
    assert_eq!((&first["plugin"], &first["who"]), (&json!("looker"), &json!("asker.pass")), "{first}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_what_a_plugin_seems_to_lack_by_its_own_words() {
    let world = World::new();
    let daemon = world.start().await;
    for (handler, permission) in [("fetch", "network"), ("move", "file_system: write ~")] {
        let folder = world.path("home/Documents");
        let Value::Object(params) = json!({ "folder": folder }) else { unreachable!() };
        let invoked =
            daemon.client().invoke("looker".to_owned(), handler.to_owned(), Some(params), None).await;
        let answer = answered(invoked).unwrap();
        assert!(!answer.response.success);
        let hint = answer.hint.unwrap_or_default();
        let expected = format!("`astros plugins grant looker '{permission}'` allows it");
        assert!(hint.ends_with(&expected), "{handler}: {}: {hint}", answer.response.message);
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_paths_against_who_uses_them_and_not_against_who_hands_them_on() {
    let world = World::new();
    world.plugin("asker", "{call_plugin: [looker.look]}");
    let daemon = world.start().await;
    let client = daemon.client();
    let refused = async || {
        let folder = world.path("outside/inner").display().to_string();
        let Value::Object(params) = json!({ "folder": folder }) else { unreachable!() };
        answered(client.invoke("asker".to_owned(), "look".to_owned(), Some(params), None).await)
    };
    // It looks itself here, and finds nothing: the host has nothing to say of it.
    assert!(!refused().await.unwrap().response.success);
    let line = |line: &str| vec![line.to_owned()];
    answered(client.revoke("asker".to_owned(), Some(line("call_plugin: looker.look"))).await).unwrap();
    assert!(!refused().await.unwrap().response.success, "what was revoked is what it lacks");
    let other = format!("file_system: read {}", world.path("home/Documents").display());
    answered(client.grant("asker".to_owned(), line(&other)).await).unwrap();
    assert!(!refused().await.unwrap().response.success, "a folder makes it no other plugin");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_a_plugin_that_may_read_every_file_of_the_machine() {
    let world = World::new();
    world.plugin("auditor", "{file_system: {read: [/]}}");
    let daemon = world.start().await;
    for (folder, name) in [("/var", "lib"), ("/etc", "passwd")] {
        let Value::Object(params) = json!({ "folder": folder }) else { unreachable!() };
        let looked =
            daemon.client().invoke("auditor".to_owned(), "look".to_owned(), Some(params), None).await;
        let answer: Answer = answered(looked).unwrap();
        let names = answer.response.data["names"].as_array().cloned().unwrap_or_default();
        assert!(names.contains(&json!(name)), "{folder}: {answer:?}");
    }
    daemon.stop().await;
}
