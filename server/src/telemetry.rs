//! What Headroom counts about itself, for `/metrics`.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    method: String,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: String,
}

/// Counters and gauges; cheap to write from every request.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Route, Histogram, fn() -> Histogram>,
    jobs: Family<State, Gauge>,
    changes: Family<State, Gauge>,
    samples: Gauge,
    services: Gauge,
}

/// What the database holds, read when `/metrics` is asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Holdings {
    /// Jobs by state.
    pub jobs: Vec<(String, i64)>,
    /// Changes by state.
    pub changes: Vec<(String, i64)>,
    /// Samples taken in since the start.
    pub samples: i64,
    /// Services.
    pub services: i64,
}

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("headroom");
        let requests = Family::default();
        let latency =
            Family::<Route, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 14)));
        let (jobs, changes, samples, services) = (Family::default(), Family::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit("http_request_duration", "Time to the first byte of the answer", Unit::Seconds, latency.clone());
        registry.register("jobs", "Analyses by state", jobs.clone());
        registry.register("changes", "Changes by state", changes.clone());
        registry.register("samples_ingested", "Samples taken in since the start", samples.clone());
        registry.register("services", "Services known", services.clone());
        Self { registry, requests, latency, jobs, changes, samples, services }
    }
}

impl Telemetry {
    /// Counts one answered request.
    pub fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { method: method.to_owned(), route: route.to_owned(), status }).inc();
        self.latency.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// The OpenMetrics text.
    ///
    /// # Errors
    /// When the text cannot be written, which memory does not refuse.
    pub fn text(&self, holdings: &Holdings) -> Result<String, std::fmt::Error> {
        for (family, rows) in [(&self.jobs, &holdings.jobs), (&self.changes, &holdings.changes)] {
            family.clear();
            for (state, count) in rows {
                family.get_or_create(&State { state: state.clone() }).set(*count);
            }
        }
        self.samples.set(holdings.samples);
        self.services.set(holdings.services);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_states_are_in_the_text() {
        let telemetry = Telemetry::default();
        telemetry.request("GET", "/api/v1/services", 200, Duration::from_millis(3));
        let holdings = Holdings { changes: vec![("OBSERVING".into(), 2)], ..Holdings::default() };
        let text = telemetry.text(&holdings).unwrap();
        assert!(text.contains("headroom_http_requests_total{method=\"GET\",route=\"/api/v1/services\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("headroom_changes{state=\"OBSERVING\"} 2"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        let text = telemetry.text(&Holdings::default()).unwrap();
        assert!(!text.contains("OBSERVING"), "a state that nothing is in any more goes");
    }
}
