//! Traces for an OpenTelemetry collector: one span per request, with its id, and one per piece of work, sent in batches over OTLP.

use crate::error::Failure;
use headroom_model::fault::chain;
use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Where spans go. Without a collector, nowhere.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Sends spans to a collector, such as `http://127.0.0.1:4318`. Nothing is asked of it yet: one that is down costs spans, no requests.
    ///
    /// # Errors
    /// [`Failure`] when the address cannot be used.
    pub fn to(collector: Option<&str>) -> Result<Self, Failure> {
        let Some(collector) = collector else { return Ok(Self(None)) };
        let endpoint = format!("{}/v1/traces", collector.trim_end_matches('/'));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .build()
            .map_err(|e| Failure::BadInput(format!("traces.collector: {e}")))?;
        let resource = Resource::builder().with_service_name("headroom").build();
        Ok(Self(Some(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())))
    }

    /// What makes spans, if anything does.
    #[must_use]
    pub fn tracer(&self) -> Option<SdkTracer> {
        self.0.as_ref().map(|provider| provider.tracer("headroom"))
    }

    /// Sends what is left.
    pub async fn end(self) {
        let Some(provider) = self.0 else { return };
        let ended = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if let Ok(Err(fault)) = ended {
            tracing::warn!(error = %chain(&fault), "the last spans were not sent");
        }
    }
}

/// Makes a request's span a part of its caller's trace (W3C Trace Context), if it has one.
pub fn join(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        // A span that no collector wants has no place in a trace.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&Headers(headers)));
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
