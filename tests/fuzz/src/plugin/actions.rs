//! What the plugin does, and what is done to it.

use std::{sync::Arc, time::Duration};

use arbitrary::{Result, Unstructured};
use astros_core::router::{
    Call, Listener,
    tree::Root,
    wire::{IntentRef, Work},
};
use astros_protocol::Id;
use serde_json::{json, value::RawValue};
use tokio::{sync::mpsc, time::sleep};

use super::{super::json::value, Stage};

/// What a plugin may ask, the likeliest to matter more often than others.
const METHODS: [&str; 14] = [
    "call_plugin",
    "call_plugin",
    "call_plugin",
    "storage/get",
    "storage/set",
    "storage/delete",
    "storage/list",
    "bus/subscribe",
    "bus/publish",
    "bus/unsubscribe",
    "user/ask",
    "ai/complete",
    "ping",
    "x/y",
];

/// What it may answer, after the id.
const OUTCOMES: [&str; 9] = [
    r#""result":{"success":true,"message":"m"}"#,
    r#""result":{"success":true,"message":"m"}"#,
    r#""result":null"#,
    r#""result":{"x":NaN}"#,
    r#""error":{"code":-32012,"message":"no\nreally"}"#,
    r#""error":{"code":-32015,"message":"not begun"}"#,
    r#""error":{"code":-32003,"message":"a lie","data":{"last_words":["x"]}}"#,
    r#""error":{"code":"x"}"#,
    r#""result":1,"error":{"code":1,"message":"both"}"#,
];

const LINES: [&str; 7] =
    ["nonsense", "[]", r#"{"jsonrpc":"2.0""#, r#"{"jsonrpc":"2.0","id":null,"result":1}"#, "\r", "", "\0"];

impl Stage {
    pub(super) async fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=15_u8)? {
            0..=2 => self.call(u)?,
            // Its caller gives up.
            3 if !self.calls.is_empty() => {
                let at = u.choose_index(self.calls.len())?;
                self.calls.swap_remove(at).abort();
            }
            4..=6 => self.answer(u).await?,
            7..=9 => self.ask(u).await?,
            10 => self.tell(u).await?,
            11 => self.write(format!("{}\n", u.choose(&LINES)?).as_bytes()).await,
            12 => {
                let length = u.int_in_range(0..=60)?;
                self.write(&[u.bytes(length)?, b"\n"].concat()).await;
            }
            13 => sleep(Duration::from_millis(*u.choose(&[1, 50, 1_000, 20_000])?)).await,
            14 if u.ratio(1, 3)? => self.wire = None,
            _ => self.hear().await,
        }
        Ok(())
    }

    /// Somebody calls one of the plugins.
    fn call(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let (plugin, handlers): (_, &[_]) = match u.ratio(3, 4)? {
            true => ("p", &["echo", "quick", "other", "$message", "nobody"]),
            false => ("q", &["back", "echo", "sleep"]),
        };
        let handler = *u.choose(handlers)?;
        let times =
            [None, Some(Duration::ZERO), Some(Duration::from_millis(50)), Some(Duration::from_secs(40))];
        let timeout = *u.choose(&times)?;
        let (listens, hears) = (u.arbitrary::<bool>()?, u.arbitrary::<bool>()?);
        let router = self.router.clone();
        self.calls.push(tokio::spawn(async move {
            let context = RawValue::from_string(r#"{"handler":"other"}"#.to_owned()).expect("it is JSON");
            let intent = IntentRef::of_call(handler, "2026-01-01T00:00:00Z", &context);
            let (sender, mut receiver) = mpsc::channel(1);
            if hears {
                tokio::spawn(async move { while receiver.recv().await.is_some() {} });
            }
            let progress = if listens { Listener::Channel(sender) } else { Listener::Nobody };
            let (root, above) = (Arc::new(Root::anonymous()), Default::default());
            router
                .call(Call {
                    plugin,
                    handler,
                    work: Work::Handler(intent),
                    root,
                    above,
                    timeout,
                    progress,
                    followup: false,
                })
                .await
        }));
        Ok(())
    }

    /// Answers something that the host asked, or something that it did not.
    async fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let known = if u.ratio(1, 8)? { &self.heard } else { &self.open };
        let id = if known.is_empty() { Id::Number(1) } else { u.choose(known)?.clone() };
        self.open.retain(|open| *open != id);
        let (id, outcome) = (json!(id), u.choose(&OUTCOMES)?);
        let times = if u.ratio(1, 6)? { 2 } else { 1 };
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{outcome}}}\n");
        self.write(line.repeat(times).as_bytes()).await;
        Ok(())
    }

    /// Asks the host for something, by an id of its own or one that was there before.
    async fn ask(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        // The connection first: with a new one everything begins anew.
        self.wire().await;
        let method = *u.choose(&METHODS)?;
        let mut meta = json!({ "progress": u.arbitrary::<bool>()? });
        match u.int_in_range(0..=2)? {
            0 if !self.heard.is_empty() => meta["parent"] = json!(u.choose(&self.heard)?),
            1 => meta["parent"] = json!(null),
            _ => {}
        }
        let params = match u.ratio(1, 8)? {
            true => value(u)?,
            false => json!({
                "plugin": u.choose(&["q", "q", "p", "nobody"])?,
                "handler": u.choose(&["echo", "back", "sleep", "other", ""])?,
                "params": { "handler": u.choose(&["echo", "other"])? },
                "meta": meta,
                "key": u.choose(&["a", "", "b"])?,
                "value": 1,
                "subject": u.choose(&["topic.a", "p.a", "astros.a", "topic.>", "q.a", "x y"])?,
                "data": {},
                "question": "?",
            }),
        };
        let known: Vec<&String> = self.own.keys().collect();
        let id = match !known.is_empty() && u.ratio(1, 12)? {
            true => (*u.choose(&known)?).clone(),
            false => format!("\"o{}\"", self.next),
        };
        self.next += 1;
        self.own.entry(id.clone()).or_default().0 += 1;
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#);
        self.write(format!("{line}\n").as_bytes()).await;
        Ok(())
    }

    /// Progress, few or a flood of it; cancellations, acknowledgements, logs.
    async fn tell(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let own: Vec<&String> = self.own.keys().collect();
        let id = match u.int_in_range(0..=2)? {
            0 if !own.is_empty() => serde_json::from_str(u.choose(&own)?).expect("it was an id"),
            1 | 2 if !self.heard.is_empty() => json!(u.choose(&self.heard)?),
            _ => json!(7),
        };
        let method = *u.choose(&["$/progress", "$/progress", "$/cancel", "$/ack", "log", "x/z"])?;
        let times = *u.choose(&[1, 5, 40])?;
        let params =
            json!({ "id": id, "value": { "done": 1 }, "count": times, "level": "info", "message": "m" });
        let line = json!({ "jsonrpc": "2.0", "method": method, "params": params });
        self.write(format!("{line}\n").repeat(times).as_bytes()).await;
        Ok(())
    }
}
