//! The bus with real processes that speak the protocol without an SDK.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{fs, num::NonZeroU32, sync::Arc, time::Duration};

use astros_core::{
    bus::{MAX_MESSAGES, Pattern, Stream, Subject},
    router::{
        Above, Call, Known, Listener, Publisher, Router, Services,
        tree::Root,
        wire::{IntentRef, Work},
    },
    services::{log::Log, storage::Store},
    supervisor::{Launch, Spec, StateName, Supervisor},
};
use astros_protocol::{Error, ErrorCode, PluginDescription, manifest::Permission};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

const PLUGIN: &str = include_str!("plugin.py");

struct Host {
    folder: TempDir,
    router: Arc<Router>,
}

impl Host {
    fn new() -> Host {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("plugin.py"), PLUGIN).unwrap();
        let store = Store::open(&folder.path().join("astros.db")).unwrap();
        let log = Log::open(folder.path().join("logs")).unwrap();
        Host { folder, router: Router::new(Services::new(store, log)) }
    }

    fn plugin(self, name: &str, config: Value) -> Host {
        self.plugin_with(name, config, |_| {})
    }

    fn plugin_with(self, name: &str, config: Value, change: impl FnOnce(&mut Spec)) -> Host {
        let (known, mut spec) = self.version(name, config);
        change(&mut spec);
        self.router.add(name, known, |host| Supervisor::start(spec, host));
        self
    }

    /// A version of a plugin: what is known of it, and how it is started.
    fn version(&self, name: &str, config: Value) -> (Known, Spec) {
        let words = ["python3", "plugin.py", &config.to_string()].map(str::to_owned).to_vec();
        let mut spec = Spec::new(name, self.folder.path(), Launch::Command(words));
        spec.supervision.backoff_initial = Duration::from_millis(20);
        spec.supervision.stop_grace = Duration::from_millis(100);
        spec.granted = vec![Permission::CallPlugin(None)];
        // As from the cache: what the plugin declares is known before it runs.
        let subscriptions = serde_json::from_value(config["declares"].clone()).unwrap_or_default();
        let description = PluginDescription { subscriptions, ..PluginDescription::default() };
        (Known { description: Some(Arc::new(description)), ..Known::default() }, spec)
    }

    async fn started(self, name: &str) -> Host {
        self.supervisor(name).ready().await.unwrap();
        self
    }

    fn supervisor(&self, name: &str) -> Supervisor {
        self.router.plugin(name).unwrap().supervisor()
    }

    fn listen(&self, subject: &str) -> Heard {
        Heard(self.router.bus().stream(Pattern::parse(subject).unwrap()))
    }

    fn publish(&self, subject: &str, data: Value) {
        let data = RawValue::from_string(data.to_string()).unwrap();
        self.router.publish_message(Publisher::Person, subject, data).unwrap();
    }

    async fn call(&self, plugin: &str, handler: &str, context: Value) -> Result<Value, Error> {
        let context = RawValue::from_string(context.to_string()).unwrap();
        let root = Root { user_id: Some("ada".to_owned()), ..Root::anonymous() };
        let intent = IntentRef::of_call(handler, "2026-01-01T00:00:00Z", &context);
        let call = Call {
            plugin,
            handler,
            work: Work::Handler(intent),
            root: Arc::new(root),
            above: Above::default(),
            timeout: Some(PATIENCE),
            progress: Listener::Nobody,
            followup: false,
        };
        let result = self.router.call(call).await?;
        Ok(serde_json::from_str::<Value>(result.get()).unwrap()["data"].take())
    }

    /// What the host answers to a request of the plugin's.
    async fn ask(&self, plugin: &str, method: &str, params: Value) -> Value {
        self.call(plugin, "ask", json!({ "method": method, "params": params })).await.unwrap()
    }
}

struct Heard(Stream);

impl Heard {
    /// The data of the next message.
    async fn next(&mut self) -> Value {
        let delivery = tokio::time::timeout(PATIENCE, self.0.next()).await.expect("a message").unwrap();
        serde_json::from_str(delivery.message.data.get()).unwrap()
    }

    /// What reached a plugin, up to the message whose data is this.
    async fn until(&mut self, last: Value) -> Vec<Value> {
        let mut data = Vec::new();
        while data.last() != Some(&last) {
            data.push(self.next().await["data"].take());
        }
        data
    }
}

const PATIENCE: Duration = Duration::from_secs(15);

#[tokio::test]
async fn delivers_in_order_once_and_says_who_sent_it() {
    let overlapping = json!({ "asks": ["topic.*", "topic.news", "topic.>", "one.>"] });
    let host = Host::new().plugin("one", overlapping).started("one").await;
    let mut heard = host.listen("one.got");
    for number in 0..100 {
        host.publish("topic.news", json!(number));
    }
    assert_eq!(heard.until(json!(99)).await, (0..100).map(|number| json!(number)).collect::<Vec<_>>());
    host.ask("one", "bus/publish", json!({ "subject": "topic.news", "data": "own", "sender": "two" })).await;
    let expected = json!({ "data": "own", "subject": "topic.news", "sender": "one", "dropped": 0 });
    // It hears what it publishes itself, its own reports too.
    let mut got = heard.next().await;
    while got["data"] != "own" {
        got = heard.next().await;
    }
    assert_eq!(got, expected);
}

#[tokio::test]
async fn refuses_what_is_no_subject_or_not_the_plugins() {
    let host = Host::new().plugin("one", json!({}));
    let large = "x".repeat((1 << 20) - 1);
    for (method, subject, data, code, says) in [
        ("bus/subscribe", "a..b", "", -32602, "token 2 of the subject `a..b` is empty"),
        ("bus/unsubscribe", "", "", -32602, "the subject is empty"),
        ("bus/publish", "topic.*", "", -32602, "has a wildcard"),
        ("bus/publish", "astros.plugin.one.ready", "", -32006, "`astros.…` is the host's own"),
        ("bus/publish", "two.x", "", -32006, "`one` may not publish on `two.x`"),
        ("bus/publish", "topic.x", &*large, -32009, "has 1048577 bytes, the limit is 1048576"),
    ] {
        let answer = host.ask("one", method, json!({ "subject": subject, "data": data })).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(says), "{answer}");
    }
    let answer = host.ask("one", "bus/publish", json!({ "subject": "topic.x", "data": &large[1..] })).await;
    assert_eq!(answer["result"], Value::Null, "{answer}");
    let null = || RawValue::NULL.to_owned();
    let error = host.router.publish_message(Publisher::Person, "astros.x", null()).unwrap_err();
    assert_eq!(error.code, ErrorCode::PERMISSION_DENIED);
    host.router.publish_message(Publisher::Person, "one.x", null()).unwrap();
}

#[tokio::test]
async fn opens_to_a_plugin_the_subjects_that_it_was_granted() {
    let some = ["news.*", "deep.>", "astros.fake"].map(str::to_owned).to_vec();
    let host = Host::new()
        // These two hear also what they publish themselves: they would go on for ever.
        .plugin("poor", json!({ "declares": ["two.x", "topic.x"], "quiet": true }))
        .plugin_with("all", json!({ "quiet": true }), |spec| spec.granted = vec![Permission::Bus(None)])
        .plugin_with("one", json!({}), |spec| spec.granted = vec![Permission::Bus(Some(some))]);
    let told = async |plugin: &str, method: &str, subject: &str| {
        let answer = host.ask(plugin, method, json!({ "subject": subject })).await;
        match answer["error"]["data"]["permission"].as_str() {
            Some(permission) => permission.to_owned(),
            None => answer["error"]["message"].as_str().unwrap_or("fine").to_owned(),
        }
    };
    for subject in ["poor.>", "topic.>", "topic", "astros.>", "astros.plugin.*.ready"] {
        assert_eq!(told("poor", "bus/subscribe", subject).await, "fine", "{subject}");
    }
    for subject in [">", "*.x", "two.>", "user.x", "*"] {
        assert_eq!(told("poor", "bus/subscribe", subject).await, format!("bus: {subject}"));
        assert_eq!(told("all", "bus/subscribe", subject).await, "fine", "{subject}");
    }
    for (subject, fits) in [
        ("news.x", true),
        ("news.*", true),
        ("news.>", false),
        ("news.x.y", false),
        ("deep.>", true),
        ("deep.*.x.>", true),
        ("*.x", false),
        ("deep", false),
    ] {
        let expected = if fits { "fine".to_owned() } else { format!("bus: {subject}") };
        assert_eq!(told("one", "bus/subscribe", subject).await, expected);
    }
    for (plugin, subject, expected) in [
        ("one", "news.x", "fine"),
        ("one", "deep.x.y", "fine"),
        ("one", "two.x", "bus: two.x"),
        ("all", "two.x", "fine"),
        ("poor", "topic.x", "fine"),
        ("poor", "poor", "fine"),
    ] {
        assert_eq!(told(plugin, "bus/publish", subject).await, expected, "{plugin}");
    }
    for subject in ["astros.fake", "astros.plugin.one.ready"] {
        assert!(told("all", "bus/publish", subject).await.ends_with("is the host's own"));
        assert!(told("one", "bus/publish", subject).await.ends_with("is the host's own"));
    }
    // What it declares and was not granted starts nobody, and reaches nobody.
    let poor: Arc<str> = Arc::from("poor");
    let holders = |subject: &str| host.router.bus().holders(&poor, &Subject::parse(subject).unwrap()).len();
    assert_eq!((holders("two.x"), holders("topic.x")), (0, 2));
    assert_eq!(host.router.metrics().plugin("poor").snapshot().denials["bus"], 7);
    // The same for AI.
    assert_eq!(told("poor", "ai/complete", "").await, "ai");
}

#[tokio::test]
async fn counts_what_a_slow_plugin_misses_and_slows_nobody_else() {
    let slow = json!({ "asks": ["topic.x", "slow.gate"] });
    let host = Host::new().plugin("slow", slow).plugin("fast", json!({ "asks": ["topic.x"] }));
    let host = host.started("slow").await.started("fast").await;
    let (mut slow, mut fast) = (host.listen("slow.got"), host.listen("fast.got"));
    let gate = host.folder.path().join("gate");
    host.publish("slow.gate", json!({ "wait": gate }));
    // The fast one takes all of it while the slow one has not answered the first.
    let count = MAX_MESSAGES + 10;
    for first in (0..count).step_by(MAX_MESSAGES / 2) {
        let last = count.min(first + MAX_MESSAGES / 2);
        (first..last).for_each(|number| host.publish("topic.x", json!(number)));
        fast.until(json!(last - 1)).await;
    }
    fs::write(&gate, "").unwrap();
    assert_eq!(slow.next().await["dropped"], 0);
    let second = slow.next().await;
    assert_eq!(second["data"], second["dropped"], "{second}");
    assert_eq!(second["dropped"], 10, "{second}");
    let seen = || host.router.metrics().plugin("slow").snapshot().bus;
    let counted = async {
        while seen().get("dropped") != Some(&10) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, counted).await.expect("what it missed is counted");
    assert!(seen()["published"] >= 2 && seen()["delivered"] >= 2, "{:?}", seen());
}

#[tokio::test]
async fn starts_an_idle_plugin_for_what_it_declares() {
    let host = Host::new().plugin("one", json!({ "declares": ["topic.x"] }));
    let mut heard = host.listen("one.got");
    (0..3).for_each(|number| host.publish("topic.x", json!(number)));
    assert_eq!(heard.until(json!(2)).await, [0, 1, 2], "what is published meanwhile waits");
    host.supervisor("one").restart().await.unwrap();
    host.publish("topic.x", json!("again"));
    assert_eq!(heard.next().await["data"], "again", "they hold for the next process too");
}

#[tokio::test]
async fn ends_a_subscription_with_the_process_that_asked_for_it() {
    let host = Host::new().plugin("one", json!({})).started("one").await;
    let mut heard = host.listen("one.got");
    host.ask("one", "bus/subscribe", json!({ "subject": "topic.x" })).await;
    host.publish("topic.x", json!("first"));
    assert_eq!(heard.next().await["data"], "first");
    host.supervisor("one").restart().await.unwrap();
    host.publish("topic.x", json!("lost"));
    host.ask("one", "bus/subscribe", json!({ "subject": "topic.*" })).await;
    host.publish("topic.x", json!("second"));
    assert_eq!(heard.next().await["data"], "second");
    host.ask("one", "bus/unsubscribe", json!({ "subject": "topic.*" })).await;
    host.publish("topic.x", json!("unwanted"));
    host.ask("one", "bus/subscribe", json!({ "subject": "topic.y" })).await;
    host.publish("topic.y", json!("third"));
    assert_eq!(heard.next().await["data"], "third");
}

#[tokio::test]
async fn holds_messages_back_until_the_plugin_is_ready() {
    let host = Host::new().plugin("one", json!({ "asks": ["topic.x"], "publishes": true }));
    let mut heard = host.listen("one.got");
    // It publishes while it subscribes, and gets that after its start.
    host.supervisor("one").ready().await.unwrap();
    assert_eq!(heard.next().await["data"], "early");
}

#[tokio::test]
async fn goes_on_after_an_error_and_a_crash() {
    let host = Host::new().plugin("one", json!({ "declares": ["topic.x"] }));
    let mut heard = host.listen("one.got");
    for order in [json!({ "code": -32601 }), json!({ "code": -32012 }), json!({ "die": true }), json!("last")]
    {
        host.publish("topic.x", order);
    }
    let reached = heard.until(json!("last")).await;
    assert_eq!(reached, [json!({ "code": -32601 }), json!({ "code": -32012 }), json!("last")]);
    assert_eq!(host.supervisor("one").status().restarts, 1, "what crashed it is not delivered again");
}

#[tokio::test]
async fn gives_up_on_a_plugin_that_does_not_answer() {
    let unwatched = |spec: &mut Spec| spec.watch.ping_every = Duration::from_secs(3_600);
    let host = Host::new().plugin_with("one", json!({ "asks": ["topic.x"] }), unwatched);
    let host = host.started("one").await;
    let mut heard = host.listen("one.got");
    host.publish("topic.x", json!({ "hang": true }));
    heard.next().await;
    host.publish("topic.x", json!("later"));
    // The clock goes on by itself while nobody has anything to do: past the deadline.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(31)).await;
    tokio::time::resume();
    let later = heard.next().await;
    assert_eq!((&later["data"], &later["dropped"]), (&json!("later"), &json!(1)), "{later}");
}

#[tokio::test]
async fn waits_for_the_one_slot_of_a_serial_plugin() {
    let serial = |spec: &mut Spec| spec.supervision.max_in_flight = NonZeroU32::MIN;
    let host = Host::new().plugin_with("one", json!({ "asks": ["topic.x"] }), serial).started("one").await;
    let (mut heard, gate) = (host.listen("one.got"), host.folder.path().join("gate"));
    let asked = json!({ "method": "bus/publish", "params": { "subject": "one.held" } });
    let mut held = host.listen("one.held");
    host.publish("topic.x", json!({ "wait": gate }));
    let call = host.call("one", "ask", asked);
    let free = async {
        // Both are on their way; the request is not begun, so its plugin is not late with it.
        tokio::task::yield_now().await;
        fs::write(&gate, "").unwrap();
        heard.next().await;
        held.next().await
    };
    let (answer, _) = tokio::join!(call, free);
    answer.unwrap();
    assert_eq!(host.supervisor("one").status().restarts, 0);
}

#[tokio::test]
async fn reaches_a_plugin_of_several_processes_once() {
    let two = |spec: &mut Spec| spec.supervision.instances = NonZeroU32::new(2).unwrap();
    let host = Host::new().plugin_with("one", json!({ "asks": ["topic.x"] }), two);
    host.supervisor("one").ready().await.unwrap();
    let both = async {
        while host.supervisor("one").sessions().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    let mut heard = host.listen("one.got");
    (0..50).for_each(|number| host.publish("topic.x", json!(number)));
    assert_eq!(heard.until(json!(49)).await, (0..50).map(|number| json!(number)).collect::<Vec<_>>());
}

#[tokio::test]
async fn loses_and_doubles_nothing_over_a_reload() {
    let host = Host::new().plugin("one", json!({ "declares": ["topic.x"] })).started("one").await;
    let mut heard = host.listen("one.got");
    let (mut numbers, mut got) = (0.., Vec::new());
    for subject in ["topic.y", "topic.z"] {
        (0..30).for_each(|_| host.publish("topic.x", json!(numbers.next())));
        // What it declares, it hears with the switch.
        let (known, spec) = host.version("one", json!({ "declares": ["topic.x", subject] }));
        let reload = host.router.reload("one", known, spec);
        let meanwhile = async {
            for _ in 0..30 {
                host.publish("topic.x", json!(numbers.next()));
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        let (reloaded, ()) = tokio::join!(reload, meanwhile);
        reloaded.unwrap();
        let last = json!(numbers.next());
        host.publish(subject, last.clone());
        // What waits would be wanted no more with the next switch.
        got.extend(heard.until(last).await);
    }
    host.publish("topic.y", json!("wanted no more"));
    host.publish("topic.z", json!("last"));
    let mut expected: Vec<_> = (0..122).map(|number| json!(number)).collect();
    expected.push(json!("last"));
    got.extend(heard.until(json!("last")).await);
    assert_eq!(got, expected);
}

#[tokio::test]
async fn holds_up_who_publishes_without_waiting() {
    let host = Host::new().plugin("one", json!({}));
    let mut heard = host.listen("topic.x");
    let answers = host.call("one", "flood", json!({ "count": 1_000 })).await.unwrap();
    let answers = answers.as_array().unwrap();
    let taken = answers.iter().filter(|code| code.is_null()).count();
    let refused = answers.iter().filter(|code| **code == ErrorCode::OVERLOADED.0).count();
    assert!(refused > 0 && taken + refused == 1_000, "{taken} taken, {refused} refused");
    for _ in 0..taken {
        heard.next().await;
    }
}

#[tokio::test]
async fn calls_for_nobody_while_it_serves_a_delivery() {
    let host = Host::new().plugin("one", json!({ "asks": ["topic.x"] })).plugin("other", json!({}));
    let (mut held, mut heard) = (host.listen("one.held"), host.listen("one.got"));
    let calling = async {
        held.next().await;
        host.publish("topic.x", json!({ "call": "other" }));
        heard.next().await
    };
    // A request of a person is open meanwhile: the call is no part of it.
    let (outcome, got) = tokio::join!(host.call("one", "hold", json!({})), calling);
    outcome.unwrap();
    let expected = json!({ "user": null, "chain": ["one.bus/deliver"] });
    assert_eq!(got["answer"]["result"]["data"], expected, "{got}");
}

#[tokio::test]
async fn lets_a_plugin_be_idle_that_only_hears_messages() {
    let idle_soon = |spec: &mut Spec| spec.supervision.idle_stop = Duration::from_millis(300);
    let host = Host::new().plugin_with("one", json!({ "asks": ["topic.x"] }), idle_soon);
    let host = host.started("one").await;
    let mut idle = host.listen("astros.plugin.one.idle");
    let chatter = async {
        loop {
            host.publish("topic.x", json!(0));
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    };
    tokio::select! {
        () = chatter => {}
        news = idle.next() => assert_eq!(news["state"], "idle"),
    }
}

#[tokio::test]
async fn tells_what_happens_to_plugins_and_no_secrets() {
    let broken = |spec: &mut Spec| {
        let code = "import sys; sys.exit('the password is secret')";
        spec.launch = Launch::Command(["python3", "-c", code].map(str::to_owned).to_vec());
    };
    let host = Host::new().plugin("one", json!({})).plugin_with("broken", json!({}), broken);
    let mut heard = host.listen("astros.plugin.*.*");
    let session = host.supervisor("one").ready().await.unwrap();
    assert!(host.supervisor("broken").ready().await.is_err());
    host.supervisor("one").stop("it was enough").await;
    let (mut states, mut all) = (Vec::new(), Vec::new());
    while states.last() != Some(&json!("unloaded")) {
        let news = heard.next().await;
        if news["plugin"] == "one" {
            states.push(news.get("state").cloned().unwrap_or_else(|| news["exit"].clone()));
        }
        all.push(news);
    }
    states.retain(|state| state != "idle");
    let expected =
        ["loading", "initializing", "ready", "draining", "cleaning_up", "exited with status 0", "unloaded"];
    assert_eq!(states, expected);
    let ready = all.iter().find(|news| news["state"] == "ready").unwrap();
    assert_eq!(ready["pid"], session.pid);
    assert!(all.iter().any(|news| news["plugin"] == "broken" && news["state"] == "error"));
    assert!(!json!(all).to_string().contains("secret"), "{all:?}");
    assert!(all.iter().any(|news| news["state"] == "unloaded" && news["reason"] == "it was enough"));
}

#[tokio::test]
async fn starts_nobody_for_news_of_plugins() {
    let host = Host::new().plugin("one", json!({})).plugin("watcher", json!({ "declares": ["astros.>"] }));
    let mut heard = host.listen("astros.plugin.one.ready");
    host.supervisor("one").ready().await.unwrap();
    heard.next().await;
    assert_eq!(host.supervisor("watcher").status().state, StateName::Idle);
    let mut watched = host.listen("watcher.got");
    host.supervisor("watcher").ready().await.unwrap();
    host.supervisor("one").restart().await.unwrap();
    while watched.next().await["subject"] != "astros.plugin.one.ready" {}
}

#[tokio::test]
async fn brings_direct_messages_to_those_who_take_them() {
    let host = Host::new()
        .plugin("one", json!({}))
        .plugin("other", json!({}))
        .plugin("deaf", json!({ "deaf": true }));
    let message = |plugin: &str| json!({ "plugin": plugin, "handler": "$message", "params": { "a": 1 } });
    let answer = host.ask("one", "call_plugin", message("other")).await;
    assert_eq!(answer["result"]["data"], json!({ "heard": { "a": 1 }, "caller": "one" }), "{answer}");
    let answer = host.ask("one", "call_plugin", message("deaf")).await;
    assert_eq!(answer["error"]["code"], ErrorCode::HANDLER_NOT_FOUND.0, "{answer}");
    let answer = host.ask("one", "call_plugin", message("nobody")).await;
    assert_eq!(answer["error"]["code"], ErrorCode::PLUGIN_NOT_FOUND.0, "{answer}");
}
