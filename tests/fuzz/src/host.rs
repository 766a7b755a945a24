//! A host that says anything, against the Rust SDK: every request is answered once, and at the end of its input the
//! plugin ends.

use std::{collections::BTreeMap, time::Duration};

use arbitrary::{Result, Unstructured};
use astros_protocol::Id;
use astros_sdk::{prelude::*, testing};
use serde_json::Value;
use tokio::{io::duplex, time::timeout};

use super::wire::{Heard, Wire, play};

/// So much is done at most.
const ACTIONS: usize = 60;

pub(super) fn run(data: &[u8]) {
    play(async {
        let mut u = Unstructured::new(data);
        let (near, far) = duplex(1 << 16);
        let (input, output) = tokio::io::split(near);
        let plugin = tokio::spawn(testing::serve(plugin(), input, output));
        let mut host = Host { wire: Wire::new(far), next: 1, sent: BTreeMap::new(), asked: Vec::new() };
        for _ in 0..ACTIONS {
            // Who has no more bytes has said all.
            if u.is_empty() || host.act(&mut u).await.is_err() {
                break;
            }
        }
        host.is_answered().await;
        drop(host);
        let ended = timeout(Duration::from_secs(6), plugin).await;
        ended.expect("it ends within 5 s").expect("it does not panic");
    });
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    // Most begin by an `initialize` that is in order.
    (0..32_u8)
        .map(|seed| {
            let mut random = fastrand::Rng::with_seed(seed.into());
            let begin = if seed % 4 == 0 { 0 } else { 2 };
            std::iter::repeat_n(0, begin).chain(std::iter::repeat_with(|| random.u8(..)).take(300)).collect()
        })
        .collect()
}

fn plugin() -> Plugin {
    Plugin::new("p", "1.0.0")
        .max_in_flight(4)
        .handler(handler("echo", async |_, params: Extra| Ok(Response::default().with_data(params))))
        .handler(handler("call", async |ctx: Context, params: Extra| ctx.call_plugin("q", "h", params).await))
        .handler(handler("ask", async |ctx: Context, (): ()| {
            ctx.storage().set("key", &1).await?;
            let found: Option<Value> = ctx.storage().get("key").await?;
            Ok(Response::message(format!("{found:?}")))
        }))
        .handler(handler("stream", async |ctx: Context, (): ()| {
            for done in 0..100 {
                ctx.progress(done, 100, "").await?;
            }
            Ok(Response::default())
        }))
        .handler(handler("sleep", async |_, (): ()| {
            tokio::time::sleep(Duration::from_secs(20)).await;
            Ok(Response::default())
        }))
}

struct Host {
    wire: Wire,
    next: i64,
    /// How often each id was sent, and how often it was answered.
    sent: BTreeMap<String, (usize, usize)>,
    /// The plugin's own requests.
    asked: Vec<Id>,
}

impl Host {
    async fn act(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        match u.int_in_range(0..=11_u8)? {
            0 | 1 => {
                let versions: &[Value] =
                    &[json!(["1.0"]), json!(["1.0", "2.3"]), json!(["2.0"]), json!([]), json!(7)];
                let params = json!({ "protocol_versions": u.choose(versions)?, "features": [], "host": {"name": "h", "version": "1"},
                    "plugin": {"name": "p", "instance": 0}, "settings": {}, "permissions": [], "sandbox": "none",
                    "directories": {"data": "/d", "cache": "/c", "config": "/e"},
                    "limits": {"max_frame_bytes": *u.choose(&[1 << 24, 1 << 24, 1000, 0])?}, "dev_mode": false });
                self.ask(u, "initialize", params).await?;
            }
            2..=4 => {
                let handler =
                    *u.choose(&["echo", "call", "ask", "stream", "sleep", "nobody", "$message", ""])?;
                let context = super::json::value(u)?;
                let intent = json!({ "text": "t", "intent_type": handler, "confidence": 1, "context": context, "timestamp": "2026-01-01T00:00:00Z" });
                let meta = json!({ "correlation_id": "c", "deadline_ms": *u.choose(&[0, 1, 30_000])?, "progress": u.arbitrary::<bool>()? });
                self.ask(u, "handle_intent", json!({ "handler": handler, "intent": intent, "meta": meta }))
                    .await?;
            }
            5 => {
                let method = *u.choose(&[
                    "ping",
                    "describe",
                    "shutdown",
                    "settings/changed",
                    "bus/deliver",
                    "command/run",
                    "x/y",
                    "$/cancel",
                    "",
                ])?;
                let params = if u.arbitrary()? {
                    json!({ "protocol_versions": ["1.0"], "old": {}, "new": {}, "reason": "r", "grace_ms": 1 })
                } else {
                    super::json::value(u)?
                };
                self.ask(u, method, params).await?;
            }
            6 => {
                let (method, id) =
                    (*u.choose(&["$/cancel", "$/ack", "$/progress", "log", "x/z"])?, self.some_id(u)?);
                let count = *u.choose(&[1, 32, 0, u64::MAX])?;
                self.wire.say(&json!({ "jsonrpc": "2.0", "method": method, "params": { "id": id, "count": count, "value": {} } })).await;
            }
            7 => self.answer(u).await?,
            8 => {
                let line = *u.choose(&[
                    "nonsense",
                    "[]",
                    "{\"jsonrpc\":\"2.0\"",
                    "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
                    "\r",
                    "",
                    "\u{0}",
                ])?;
                self.wire.write(format!("{line}\n").as_bytes()).await;
            }
            9 => {
                let length = u.int_in_range(0..=60)?;
                let bytes = u.bytes(length)?;
                self.wire.write(&[bytes, b"\n"].concat()).await;
            }
            10 => tokio::time::sleep(Duration::from_millis(*u.choose(&[1, 500, 10_000])?)).await,
            _ => self.hear().await,
        }
        Ok(())
    }
}

impl Host {
    /// A request with an id of its own, or one that was there before.
    async fn ask(&mut self, u: &mut Unstructured<'_>, method: &str, params: Value) -> Result<()> {
        let id = if u.ratio(1, 8)? { self.some_id(u)? } else { self.new_id(u)? };
        self.sent.entry(id.to_string()).or_default().0 += 1;
        self.wire.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await;
        Ok(())
    }

    fn new_id(&mut self, u: &mut Unstructured<'_>) -> Result<Value> {
        self.next += 1;
        Ok(match u.int_in_range(0..=3)? {
            0 => json!(self.next.to_string()),
            1 => json!(-self.next),
            _ => json!(self.next),
        })
    }

    fn some_id(&self, u: &mut Unstructured<'_>) -> Result<Value> {
        let known: Vec<&String> = self.sent.keys().collect();
        if known.is_empty() {
            return Ok(json!(1));
        }
        Ok(serde_json::from_str(u.choose(&known)?).expect("it was an id"))
    }

    async fn answer(&mut self, u: &mut Unstructured<'_>) -> Result<()> {
        let id = if self.asked.is_empty() || u.ratio(1, 8)? {
            Id::Number(99)
        } else {
            self.asked.swap_remove(u.choose_index(self.asked.len())?)
        };
        let id = serde_json::to_string(&id).expect("an id is JSON");
        let outcome = *u.choose(&[
            r#""result":{"success":true,"message":"m","version":1,"value":1}"#,
            r#""result":null"#,
            r#""result":{"x":NaN}"#,
            r#""error":{"code":-32001,"message":"nobody"}"#,
            r#""error":{"code":"x"}"#,
            r#""result":1,"error":{"code":1,"message":"both"}"#,
        ])?;
        let times = if u.ratio(1, 4)? { 2 } else { 1 };
        self.wire
            .write(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{outcome}}}\n").repeat(times).as_bytes())
            .await;
        Ok(())
    }

    async fn hear(&mut self) {
        for heard in self.wire.hear().await {
            match heard {
                Heard::Request { id, .. } => self.asked.push(id),
                Heard::Notification => {}
                // An answer to what could not be read.
                Heard::Response { id: None, is_result } => assert!(!is_result),
                Heard::Response { id: Some(id), .. } => {
                    let id = serde_json::to_string(&id).expect("an id is JSON");
                    // Bytes at random may have asked, too.
                    if let Some((sent, answered)) = self.sent.get_mut(&id) {
                        *answered += 1;
                        assert!(
                            *answered <= *sent,
                            "`{id}` is answered {answered} times, was sent {sent} times"
                        );
                    }
                }
            }
        }
    }

    /// Answers what the plugin still waits for; then it has answered all.
    async fn is_answered(&mut self) {
        for _ in 0..12 {
            self.hear().await;
            for id in std::mem::take(&mut self.asked) {
                self.wire.say(&json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32603, "message": "over" } })).await;
            }
            for id in self.sent.keys() {
                let id: Value = serde_json::from_str(id).expect("it was an id");
                self.wire
                    .say(&json!({ "jsonrpc": "2.0", "method": "$/ack", "params": { "id": id, "count": 32 } }))
                    .await;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        self.hear().await;
        assert!(!self.wire.has_ended(), "it serves as long as there is a host");
        for (id, (sent, answered)) in &self.sent {
            // One that came while another of its id was open is dropped.
            assert!(*answered >= 1, "`{id}` was sent {sent} times and never answered");
        }
    }
}
