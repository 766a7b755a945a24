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

/// `call` calls another one, `ask` asks the person, `do` does something; all say what came of it.
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
        offers = {"name": "any", "handlers": [{"name": "call"}, {"name": "ask"}, {"name": "do"}]}
        say(id=id, result={"protocol_version": "1.0", "plugin": offers})
    elif method == "handle_intent" and params["handler"] != "do":
        last += 1
        waiting[f"own-{last}"] = id
        method = {"call": "call_plugin", "ask": "user/ask"}[params["handler"]]
        say(id=f"own-{last}", method=method, params={**params["intent"]["context"], "meta": {"parent": id}})
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
    let Value::Object(context) = context else { panic!("{context}") };
    let wanted = Wanted { questions: true, ..Wanted::default() };
    let client = daemon.client();
    let begun = client.call("caller".to_owned(), handler.to_owned(), Some(context), None, Some(wanted)).await;
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
