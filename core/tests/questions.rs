//! What a person is asked through the control API, and what becomes of the answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, path::Path, sync::Arc};

use astros_core::{
    control::{
        Embedded,
        api::{Answer, ControlClient, News, Question, Wanted},
        client::{answered, follow},
    },
    daemon::Options,
};
use astros_protocol::{Error, ErrorCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// `call` calls another one, `ask` asks the person, `want` asks the host for anything, `do` does something; all say what came of it.
const CODE: &str = r#"
import json, sys
def say(**message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)
last, waiting = 0, {}
for line in sys.stdin:
    message = json.loads(line)
    id, method, params = message.get("id"), message.get("method"), message.get("params", {})
    if method is None:
        say(id=waiting.pop(id), result={"data": message.get("result", message.get("error"))})
    elif method == "initialize":
        offers = {"name": "any", "handlers": [{"name": "call"}, {"name": "ask"}, {"name": "want"}, {"name": "do"}]}
        say(id=id, result={"protocol_version": "1.0", "plugin": offers})
    elif method == "handle_intent" and params["handler"] != "do":
        last += 1
        waiting[f"own-{last}"] = id
        wanted = params["intent"]["context"]
        method = {"call": "call_plugin", "ask": "user/ask"}.get(params["handler"]) or wanted.pop("method")
        say(id=f"own-{last}", method=method, params={**wanted, "meta": {"parent": id}})
    elif id is not None:
        say(id=id, result={"message": "done"})
"#;

struct Home {
    folder: TempDir,
}

impl Home {
    fn new() -> Home {
        let home = Home { folder: TempDir::new().unwrap() };
        for name in ["caller", "worker"] {
            let plugin = home.plugins().join(name);
            fs::create_dir_all(&plugin).unwrap();
            let manifest = format!("metadata: {{name: {name}}}\nrun: {{command: [python3, code.py]}}\n");
            fs::write(plugin.join("plugin.yaml"), manifest).unwrap();
            fs::write(plugin.join("code.py"), CODE).unwrap();
        }
        home
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn plugins(&self) -> std::path::PathBuf {
        self.path().join("plugins")
    }

    async fn start(&self) -> Arc<Embedded> {
        let options = Options { plugin_dirs: vec![self.plugins()], ..Options::at(self.path().join("home")) };
        Arc::new(Embedded::start(options).await.unwrap())
    }
}

/// Calls `caller`, and gives what it was asked, each question answered by `say`.
async fn call(
    daemon: &Arc<Embedded>,
    handler: &str,
    context: Value,
    say: impl Fn(&Question) -> Value,
) -> (Result<Answer, Error>, Vec<Question>) {
    call_of(daemon, "caller", handler, context, say).await
}

/// The same of any plugin.
async fn call_of(
    daemon: &Arc<Embedded>,
    plugin: &str,
    handler: &str,
    context: Value,
    say: impl Fn(&Question) -> Value,
) -> (Result<Answer, Error>, Vec<Question>) {
    let Value::Object(context) = context else { panic!("{context}") };
    let wanted = Wanted { questions: true, ..Wanted::default() };
    let client = daemon.client();
    let begun = client.call(plugin.to_owned(), handler.to_owned(), Some(context), None, Some(wanted)).await;
    let (asked, mut questions) = mpsc::unbounded_channel();
    let answering = async {
        let mut all = Vec::new();
        while let Some(question) = questions.recv().await {
            let question: Question = question;
            let _ = client.answer_question(question.id.clone(), say(&question)).await;
            all.push(question);
        }
        all
    };
    let follows = follow(begun, move |news| {
        if let News::Question(question) = news {
            asked.send(question).unwrap();
        }
    });
    tokio::join!(follows, answering)
}

fn to_worker() -> Value {
    json!({ "plugin": "worker", "handler": "do" })
}

fn message(outcome: Result<Answer, Error>) -> Value {
    outcome.unwrap().response.data["message"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_allows_for_once_or_for_good() {
    let home = Home::new();
    let daemon = home.start().await;
    let (refused, asked) = call(&daemon, "call", to_worker(), |_| "no".into()).await;
    assert_eq!(message(refused), "`caller` may not call `worker.do`");
    let question = &asked[0];
    assert_eq!(question.question, "`caller` wants to use worker.do");
    assert_eq!(question.permission.as_deref(), Some("call_plugin: worker.do"));
    assert_eq!(question.choices, ["yes", "no", "always"]);
    for say in ["yes", "always"] {
        let (done, asked) = call(&daemon, "call", to_worker(), |_| say.into()).await;
        assert_eq!((message(done), asked.len()), ("done".into(), 1), "{say}");
    }
    let nobody = |_: &Question| -> Value { panic!("it was granted") };
    let (done, _) = call(&daemon, "call", to_worker(), nobody).await;
    assert_eq!(message(done), "done");
    daemon.stop().await;
    // It is kept.
    let daemon = home.start().await;
    let (done, asked) = call(&daemon, "call", to_worker(), nobody).await;
    assert_eq!((message(done), asked.len()), ("done".into(), 0));
    let granted = daemon.client().permissions("caller".to_owned()).await.unwrap();
    assert_eq!(granted.wishes[0].permission, "call_plugin: worker.do");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_cannot_ask_gets_the_denial_with_the_command_that_helps() {
    let home = Home::new();
    let daemon = home.start().await;
    let Value::Object(context) = to_worker() else { unreachable!() };
    let invoked = daemon.client().invoke("caller".to_owned(), "call".to_owned(), Some(context), None).await;
    assert_eq!(message(Ok(answered(invoked).unwrap())), "`caller` may not call `worker.do`");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugins_question_takes_what_fits_it() {
    let home = Home::new();
    let daemon = home.start().await;
    let client = daemon.client();
    let asked = json!({ "question": "Which way?", "choices": ["left", "right"] });
    let (answer, questions) = call(&daemon, "ask", asked, |_| "left".into()).await;
    assert_eq!(answer.unwrap().response.data, json!({ "answer": "left" }));
    assert_eq!((&*questions[0].plugin, &*questions[0].question), ("caller", "Which way?"));
    let again = answered(client.answer_question(questions[0].id.clone(), "left".into()).await).unwrap_err();
    assert_eq!(again.code, ErrorCode::INVALID_REQUEST, "it was answered");

    let (tell, mut told) = mpsc::unbounded_channel();
    let asked = json!({ "question": "How many?", "schema": { "type": "integer", "minimum": 1 } });
    let Value::Object(context) = asked else { unreachable!() };
    let wanted = Wanted { questions: true, ..Wanted::default() };
    let begun = client.call("caller".to_owned(), "ask".to_owned(), Some(context), None, Some(wanted)).await;
    let follows = follow(begun, move |news| {
        if let News::Question(question) = news {
            tell.send(question).unwrap();
        }
    });
    let answers = async {
        let question: Question = told.recv().await.unwrap();
        for bad in [json!("many"), json!(0)] {
            let error = answered(client.answer_question(question.id.clone(), bad).await).unwrap_err();
            assert_eq!(error.code, ErrorCode::INVALID_PARAMS, "{error}");
        }
        answered(client.answer_question(question.id, json!(3)).await).unwrap();
    };
    let (answer, ()) = tokio::join!(follows, answers);
    assert_eq!(answer.unwrap().response.data, json!({ "answer": 3 }));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_waits_is_enabled_at_its_first_use() {
    let home = Home::new();
    let waits = home.path().join("home/data/plugins/waits");
    fs::create_dir_all(&waits).unwrap();
    let manifest = |asks: &str| {
        let manifest = format!(
            "metadata: {{name: waits, version: 2.0.0}}\nrun: {{command: [python3, code.py]}}\npermissions: [{asks}]\n"
        );
        fs::write(waits.join("plugin.yaml"), manifest).unwrap();
    };
    manifest("ai");
    fs::write(waits.join("code.py"), CODE).unwrap();
    let daemon = home.start().await;
    let (refused, asked) = call_of(&daemon, "waits", "do", json!({}), |_| "no".into()).await;
    assert_eq!(refused.unwrap_err().code, ErrorCode::PLUGIN_UNAVAILABLE);
    assert_eq!(asked.len(), 1);
    let asks = asked[0].asks.as_ref().unwrap();
    assert_eq!((&*asks.version, &*asks.wishes[0].permission), ("2.0.0", "ai"));
    // Another plugin's call alone asks nobody.
    let waiting = json!({ "plugin": "waits", "handler": "do" });
    let allow = |_: &Question| -> Value { "yes".into() };
    let (_, asked) = call(&daemon, "call", waiting, allow).await;
    assert!(asked.iter().all(|question| question.asks.is_none()), "{asked:?}");
    let (done, asked) = call_of(&daemon, "waits", "do", json!({}), |_| "always".into()).await;
    assert_eq!((done.unwrap().response.message, asked.len()), ("done".to_owned(), 1));
    daemon.stop().await;
    // A version that wants more.
    manifest("ai, bus");
    let daemon = home.start().await;
    let (done, asked) = call_of(&daemon, "waits", "do", json!({}), |_| "always".into()).await;
    assert_eq!((done.unwrap().response.message, asked.len()), ("done".to_owned(), 1));
    assert_eq!(asked[0].question, "`waits` wants to read and send messages of other plugins");
    // Who disabled it knows why.
    answered(daemon.client().disable("waits".to_owned()).await).unwrap();
    let (refused, asked) = call_of(&daemon, "waits", "do", json!({}), |_| "always".into()).await;
    assert_eq!((refused.unwrap_err().code, asked.len()), (ErrorCode::PLUGIN_UNAVAILABLE, 0));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_allows_ai_and_subjects_too() {
    let home = Home::new();
    let daemon = home.start().await;
    for (wanted, permission, denied) in [
        (json!({ "method": "ai/chat" }), "ai", "`caller` may not ask the AI models"),
        (
            json!({ "method": "bus/publish", "subject": "news.today" }),
            "bus: news.today",
            "`caller` may not publish on `news.today`",
        ),
        (
            json!({ "method": "bus/subscribe", "subject": "news.>" }),
            "bus: news.>",
            "`caller` may not hear messages on `news.>`",
        ),
    ] {
        let (refused, asked) = call(&daemon, "want", wanted.clone(), |_| "no".into()).await;
        assert_eq!(message(refused), denied);
        assert_eq!(asked[0].permission.as_deref(), Some(permission));
        let (done, asked) = call(&daemon, "want", wanted, |_| "yes".into()).await;
        let said = done.unwrap().response.data;
        assert!(!said.to_string().contains("may not"), "{said}");
        assert_eq!(asked.len(), 1);
    }
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_asked_where_the_operator_says_all_that_a_plugin_may_do() {
    let home = Home::new();
    fs::create_dir_all(home.path().join("home")).unwrap();
    fs::write(home.path().join("home/astros.yaml"), "plugins: {caller: {permissions: []}}\n").unwrap();
    let daemon = home.start().await;
    let (refused, asked) = call(&daemon, "call", to_worker(), |_| "always".into()).await;
    assert_eq!((message(refused), asked.len()), ("`caller` may not call `worker.do`".into(), 0));
    daemon.stop().await;
}
