//! Spans as a collector gets them.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use astros_core::observe::{Traces, collector};
use serde_json::{Value, json};

use crate::host::Host;

/// A collector on a port of its own, and the bodies that it gets.
fn listen() -> (String, Receiver<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (bodies, got) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            assert_eq!(line.trim(), "POST /v1/traces HTTP/1.1");
            let mut length = 0;
            while line.trim() != "" {
                line.clear();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            bodies.send(serde_json::from_slice(&body).unwrap()).unwrap();
        }
    });
    (address, got)
}

fn start(address: &str) -> Arc<Traces> {
    Arc::new(Traces::start(&collector(address).unwrap()).unwrap())
}

async fn stop(traces: Arc<Traces>) {
    tokio::task::spawn_blocking(move || traces.stop(Duration::from_secs(10))).await.unwrap();
}

fn attribute(span: &Value, name: &str) -> Option<Value> {
    let attributes = span["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == name)?;
    Some(found["value"].as_object().unwrap().values().next().unwrap().clone())
}

#[tokio::test]
async fn sends_one_trace_across_plugins() {
    let (address, got) = listen();
    let traces = start(&address);
    let host = Host::new(&["a", "b", "c"], Some(traces.clone()));
    let parents = host.call("a", "pass", json!({ "path": ["b", "c"] })).await.unwrap();
    host.call("a", "fail", json!({})).await.unwrap_err();
    stop(traces).await;

    let body = got.recv_timeout(Duration::from_secs(10)).unwrap();
    let resource = &body["resourceSpans"][0];
    assert_eq!(attribute(&resource["resource"], "service.name"), Some(json!("astros")));
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    let span = |name: &str| spans.iter().find(|span| span["name"] == name).unwrap();
    let mut above = json!("");
    for (number, plugin) in ["a", "b", "c"].into_iter().enumerate() {
        let span = span(&format!("{plugin}.pass"));
        assert_eq!(span["traceId"], json!(host.root.correlation_id));
        assert_eq!(span["parentSpanId"], above, "{plugin} is called by the one before");
        above = span["spanId"].clone();
        let told = format!("00-{}-{}-01", host.root.correlation_id, above.as_str().unwrap());
        assert_eq!(parents[number], json!(told), "a plugin's own spans hang below the one of its call");
        assert_eq!(attribute(span, "astros.plugin"), Some(json!(plugin)));
        assert_eq!(attribute(span, "astros.outcome"), Some(json!("ok")));
        let caller = number.checked_sub(1).map(|above| json!(["a", "b"][above]));
        assert_eq!(attribute(span, "astros.caller"), caller);
    }
    let failed = span("a.fail");
    assert_eq!(attribute(failed, "astros.outcome"), Some(json!("handler_failed")));
    assert_eq!(failed["status"]["code"], json!(2));
    assert_eq!(spans.len(), 4);
}

#[tokio::test]
async fn loses_traces_only_where_the_collector_is_down() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let traces = start(&format!("http://{nobody}"));
    let host = Host::new(&["a"], Some(traces.clone()));
    for _ in 0..50 {
        host.echo("a").await;
    }
    let begun = Instant::now();
    stop(traces).await;
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
}
