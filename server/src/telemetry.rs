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
struct Kind {
    kind: String,
}

/// Counters and gauges; cheap to write from every request.
#[derive(Debug)]
pub struct Telemetry {
    registry: Registry,
    requests: Family<Request, Counter>,
    latency: Family<Route, Histogram, fn() -> Histogram>,
    work: Family<Kind, Gauge>,
    figures: [Gauge; 5],
}

/// What the database holds, read when `/metrics` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Services.
    pub services: i64,
    /// Open recommendations.
    pub open: i64,
    /// Changes that wait for an approval.
    pub waiting: i64,
    /// Changes that are approved or under way.
    pub active: i64,
    /// Cluster time of the newest sample, seconds since the epoch; 0 without one.
    pub newest_sample: i64,
    /// Work that waits or is in hand, by kind.
    pub work: Vec<(String, i64)>,
}

/// Names and meanings of the figures, in the order of [`Holdings`].
const FIGURES: [(&str, &str); 5] = [
    ("services", "Services known"),
    ("recommendations_open", "Recommendations that nobody has judged yet"),
    ("changes_waiting", "Changes that wait for an approval"),
    ("changes_active", "Changes that are approved or under way"),
    ("newest_sample_timestamp_seconds", "Cluster time of the newest sample, 0 without one"),
];

impl Default for Telemetry {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("headroom");
        let requests = Family::default();
        let latency =
            Family::<Route, Histogram, fn() -> Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 14)));
        registry.register("http_requests", "Requests answered", requests.clone());
        registry.register_with_unit("http_request_duration", "Time to the first byte of the answer", Unit::Seconds, latency.clone());
        let work = Family::<Kind, Gauge>::default();
        registry.register("work", "Work that waits or is in hand, by kind", work.clone());
        let figures = FIGURES.map(|(name, meaning)| {
            let gauge = Gauge::default();
            registry.register(name, meaning, gauge.clone());
            gauge
        });
        Self { registry, requests, latency, work, figures }
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
        self.work.clear();
        for (kind, count) in &holdings.work {
            self.work.get_or_create(&Kind { kind: kind.clone() }).set(*count);
        }
        let values = [holdings.services, holdings.open, holdings.waiting, holdings.active, holdings.newest_sample];
        for (gauge, value) in self.figures.iter().zip(values) {
            gauge.set(value);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_figures_are_in_the_text() {
        let telemetry = Telemetry::default();
        telemetry.request("GET", "/api/v1/services", 200, Duration::from_millis(3));
        let holdings = Holdings { work: vec![("analyze".into(), 2)], active: 3, ..Holdings::default() };
        let text = telemetry.text(&holdings).unwrap();
        assert!(text.contains("headroom_http_requests_total{method=\"GET\",route=\"/api/v1/services\",status=\"200\"} 1"), "{text}");
        assert!(text.contains("headroom_work{kind=\"analyze\"} 2"), "{text}");
        assert!(text.contains("headroom_changes_active 3"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        let text = telemetry.text(&Holdings::default()).unwrap();
        assert!(!text.contains("analyze"), "a kind that has no work any more goes");
    }
}
