//! Traces of calls for OpenTelemetry, where a collector is configured: each call is a span, its parent is the call that
//! it was made for, and the trace is the tree's correlation id.

use std::time::{Duration, SystemTime};

use hyper::Uri;
use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::{BatchSpanProcessor, SpanData, SpanEvents, SpanLinks, SpanProcessor};

use super::otlp;

/// Sends spans to a collector. One that is down costs nothing and loses traces only.
#[derive(Debug)]
pub struct Traces {
    processor: BatchSpanProcessor,
    scope: InstrumentationScope,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Span<'a> {
    /// The correlation id of its tree: 32 hexadecimal digits.
    pub trace: &'a str,
    /// What the plugin got in `meta.traceparent`.
    pub id: u64,
    /// The span of the call that it was made for.
    pub parent: Option<u64>,
    pub plugin: &'a str,
    pub handler: &'a str,
    /// The plugin that called; none where a person did.
    pub caller: Option<&'a str>,
    /// How often it was given to a process: 0 where it was refused.
    pub attempt: u32,
    /// The kind of error; none where it went well.
    pub error: Option<&'static str>,
    pub took: Duration,
}

const NO_TLS: &str = "begins with `https`, which this version does not speak; write `http://` and the address of a \
    collector on this machine, which can pass the traces on";

/// Where a collector takes spans, from the address that a person wrote.
///
/// # Errors
/// It is no address of HTTP; in words that follow the name of the setting.
pub fn collector(address: &str) -> Result<String, &'static str> {
    let uri = address.parse::<Uri>().ok().filter(|uri| uri.authority().is_some());
    let uri = match uri {
        Some(uri) if uri.scheme_str() == Some("http") => uri,
        Some(uri) if uri.scheme_str() == Some("https") => return Err(NO_TLS),
        _ => return Err("expected an address such as `http://127.0.0.1:4318`"),
    };
    match uri.path() {
        path if path.ends_with("/v1/traces") => Ok(address.to_owned()),
        _ => Ok(format!("{}/v1/traces", address.trim_end_matches('/'))),
    }
}

impl Traces {
    /// Starts the thread that sends; `endpoint` is what [`collector`] gave.
    ///
    /// # Errors
    /// The client cannot be made, in words.
    pub fn start(endpoint: &str) -> Result<Traces, String> {
        let processor = otlp::processor(endpoint).map_err(|error| error.to_string())?;
        let scope = InstrumentationScope::builder("astros").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Traces { processor, scope })
    }

    /// Queues a span; never waits.
    pub fn record(&self, span: &Span<'_>) {
        // An id that is none of a trace comes from who embeds the router; there is nothing to hang the span below.
        let Ok(trace) = TraceId::from_hex(span.trace) else { return };
        let end_time = SystemTime::now();
        let id = SpanId::from(span.id);
        self.processor.on_end(SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from),
            parent_span_is_remote: false,
            span_kind: SpanKind::Client,
            name: format!("{}.{}", span.plugin, span.handler).into(),
            start_time: end_time.checked_sub(span.took).unwrap_or(end_time),
            end_time,
            attributes: attributes(span),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: match span.error {
                Some(kind) => Status::error(kind),
                None => Status::Ok,
            },
            instrumentation_scope: self.scope.clone(),
        });
    }

    /// Sends what waits, and ends the thread. It blocks, at most for so long.
    pub fn stop(&self, within: Duration) {
        // What could not be sent was told.
        let _ = self.processor.shutdown_with_timeout(within);
    }
}

fn attributes(span: &Span<'_>) -> Vec<KeyValue> {
    let mut attributes = vec![
        KeyValue::new("astros.plugin", span.plugin.to_owned()),
        KeyValue::new("astros.handler", span.handler.to_owned()),
        KeyValue::new("astros.attempt", i64::from(span.attempt)),
        KeyValue::new("astros.outcome", span.error.unwrap_or("ok")),
    ];
    attributes.extend(span.caller.map(|caller| KeyValue::new("astros.caller", caller.to_owned())));
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_where_a_collector_takes_spans() {
        for (written, found) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("http://[::1]:4318/otlp", "http://[::1]:4318/otlp/v1/traces"),
            ("http://collector/v1/traces", "http://collector/v1/traces"),
        ] {
            assert_eq!(collector(written), Ok(found.to_owned()));
        }
    }

    #[test]
    fn says_what_is_wrong_with_an_address() {
        for (written, words) in [
            ("https://collector:4318", "begins with `https`, which this version does not speak"),
            ("127.0.0.1:4318", "expected an address such as `http://127.0.0.1:4318`"),
            ("grpc://collector", "expected an address"),
            ("http://", "expected an address"),
            ("", "expected an address"),
        ] {
            let error = collector(written).unwrap_err();
            assert!(error.starts_with(words), "{written}: {error}");
        }
    }
}
