//! The numbers of plugins, as `status` has them and as Prometheus reads them.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use astros_core::{
    daemon::{Daemon, Options},
    observe::{Endpoint, PluginSnapshot},
};
use astros_protocol::ErrorCode;
use futures_util::FutureExt;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::host::Host;

fn snapshot(host: &Host, plugin: &str) -> PluginSnapshot {
    host.router.metrics().plugin(plugin).snapshot()
}

#[tokio::test]
async fn counts_what_happens_to_a_plugin() {
    let host = Host::new(&["one"], None);
    host.echo("one").await;
    host.call("one", "chatter", json!({})).await.unwrap();
    host.call("one", "fail", json!({})).await.unwrap_err();
    let error = host.call("one", "crash", json!({})).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::PLUGIN_CRASHED);
    host.echo("one").await;
    let seen = snapshot(&host, "one");
    assert_eq!((seen.calls, seen.in_flight, seen.restarts, seen.kills), (5, 0, 1, 0), "{seen:?}");
    assert_eq!((seen.errors["handler_failed"], seen.errors["plugin_crashed"]), (1, 1));
    assert_eq!(seen.crashes, BTreeMap::from([("signal".to_owned(), 1)]));
    assert_eq!((seen.oddities["stray_output"], seen.oddities["unknown_response"]), (1, 1));
    let (latency, error) = (seen.latency.unwrap(), seen.last_error.unwrap());
    assert!(latency.p50_ms <= latency.p99_ms && latency.p99_ms <= latency.max_ms, "{latency:?}");
    assert_eq!((&*error.handler, &*error.kind), ("crash", "plugin_crashed"));
    assert_eq!(seen.slowest.len(), 3);
}

#[tokio::test]
async fn counts_a_call_that_is_taken_back_as_cancelled() {
    let host = Host::new(&["one"], None);
    host.echo("one").await;
    assert!(host.call("one", "echo", json!({})).now_or_never().is_none(), "it is dropped on its way");
    let seen = snapshot(&host, "one");
    assert_eq!((seen.calls, seen.in_flight, seen.errors["cancelled"]), (2, 0, 1));
}

async fn get(endpoint: &Endpoint, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(endpoint.address()).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The value of a sample, by its name and labels as they are written.
fn sample(page: &str, name: &str) -> f64 {
    let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
    let line = line.unwrap_or_else(|| panic!("no `{name}` in\n{page}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn answers_a_scrape() {
    let host = Host::new(&["one", "od\"d"], None);
    host.echo("one").await;
    host.echo("one").await;
    host.call("one", "fail", json!({})).await.unwrap_err();
    host.call("one", "invented", json!({})).await.unwrap_err();
    let router = host.router.clone();
    let endpoint = Endpoint::bind(([127, 0, 0, 1], 0).into(), router.metrics().clone(), move || {
        let plugins = router.plugins().into_iter();
        plugins.map(|one| (one.name.clone(), one.supervisor().status().state.as_str())).collect()
    });
    let endpoint = endpoint.await.unwrap();
    let (head, page) = get(&endpoint, "GET /metrics").await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    for (name, expected) in [
        (r#"astros_calls_total{plugin="one",handler="echo",outcome="ok"}"#, 2.0),
        (r#"astros_calls_total{plugin="one",handler="fail",outcome="handler_failed"}"#, 1.0),
        (r#"astros_calls_total{plugin="one",handler="other",outcome="handler_not_found"}"#, 1.0),
        (r#"astros_call_duration_seconds_count{plugin="one",handler="echo"}"#, 2.0),
        (r#"astros_call_duration_seconds_bucket{le="+Inf",plugin="one",handler="echo"}"#, 2.0),
        (r#"astros_calls_in_flight{plugin="one"}"#, 0.0),
        (r#"astros_plugin_state{plugin="one",state="ready"}"#, 1.0),
        (r#"astros_plugin_state{plugin="od\"d",state="idle"}"#, 1.0),
        (r#"astros_plugin_restarts_total{plugin="one"}"#, 0.0),
    ] {
        assert_eq!(sample(&page, name), expected, "{name}");
    }
    assert!(sample(&page, r#"astros_call_duration_seconds_sum{plugin="one",handler="echo"}"#) > 0.0);
    assert!(!page.contains("invented"), "who calls chooses no labels");
    assert!(page.ends_with("# EOF\n"), "{page}");
    assert!(get(&endpoint, "GET /").await.0.starts_with("HTTP/1.1 404 "));
    assert!(get(&endpoint, "POST /metrics").await.0.starts_with("HTTP/1.1 405 "));
    lint(&page);
}

#[tokio::test]
async fn serves_metrics_where_the_file_says_and_nowhere_else() {
    let home = tempfile::TempDir::new().unwrap();
    let start = async |yaml: &str| {
        std::fs::write(home.path().join("astros.yaml"), yaml).unwrap();
        let environment = vec![("ASTROS_HOME".into(), home.path().into())];
        Daemon::start(Options { environment, ..Options::default() }).await.unwrap()
    };
    let daemon = start("").await;
    assert!(daemon.serve_metrics().await.unwrap().is_none());
    daemon.stop().await;

    let daemon = start("observability: {prometheus: \"127.0.0.1:0\"}\n").await;
    let endpoint = daemon.serve_metrics().await.unwrap().unwrap();
    let (_, page) = get(&endpoint, "GET /metrics").await;
    assert!(page.contains("\nastros_build_info{version="), "{page}");
    let (address, taken) =
        (endpoint.address(), format!("observability: {{prometheus: \"{}\"}}\n", endpoint.address()));
    daemon.stop().await;

    let daemon = start(&taken).await;
    let error = daemon.serve_metrics().await.unwrap_err();
    let expected = format!("the metrics cannot be served at `{address}`: Address already in use");
    assert!(error.message.starts_with(&expected), "{error}");
    assert!(error.message.contains("astros.yaml` names another address"), "{error}");
    daemon.stop().await;
}

/// Asks Prometheus itself, where it is installed.
fn lint(page: &str) {
    let promtool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else { return };
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    assert!(promtool.wait().unwrap().success());
}
