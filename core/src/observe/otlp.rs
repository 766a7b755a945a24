//! The way to a collector: spans as OTLP/HTTP JSON, sent in batches by a thread of their own.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchSpanProcessor, SpanData, SpanProcessor},
};

/// A collector that takes longer has not taken it.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How often it is said that traces are lost.
const TELL: Duration = Duration::from_secs(60);

/// What takes spans and never waits: those that find its queue full are lost.
pub(super) fn processor(endpoint: &str) -> Result<BatchSpanProcessor, ExporterBuildError> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpJson)
        .with_endpoint(endpoint)
        .with_timeout(TIMEOUT)
        // What cannot be sent now is older than what waits behind it.
        .with_retry_policy(opentelemetry_otlp::RetryPolicy::disabled())
        .build()?;
    let exporter = Telling { exporter, endpoint: endpoint.to_owned(), told: Mutex::default() };
    let mut processor = BatchSpanProcessor::builder(exporter).build();
    processor.set_resource(&Resource::builder().with_service_name("astros").build());
    Ok(processor)
}

/// Tells what goes wrong, and not again and again.
#[derive(Debug)]
struct Telling {
    exporter: SpanExporter,
    endpoint: String,
    told: Mutex<Option<Instant>>,
}

impl opentelemetry_sdk::trace::SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let outcome = self.exporter.export(batch).await;
        if let Err(error) = &outcome {
            self.tell(spans, error);
        }
        outcome
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

impl Telling {
    fn tell(&self, spans: usize, error: &dyn std::fmt::Display) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            *told = Some(Instant::now());
            tracing::warn!(endpoint = self.endpoint, spans, %error, "traces cannot be sent and are lost");
        }
    }
}
