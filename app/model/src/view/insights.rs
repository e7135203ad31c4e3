//! What is seen in a service beyond its size: where it is heading, what was odd, what began it, how it does among its like.

use crate::metric::Metric;
use crate::time::Timestamp;
use crate::units::Currency;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Insights {
    /// The service's name in interfaces.
    pub service_name: String,
    /// One per metric that is looked ahead at, CPU first.
    pub forecasts: Vec<Forecast>,
    /// From when on anomalies are looked for, cluster time.
    pub since: Timestamp,
    /// Newest first.
    pub anomalies: Vec<Anomaly>,
    /// What began an anomaly; `None` where there is none of latency or errors and none was picked.
    pub causes: Option<Causes>,
    /// `None` before the first analysis of a fleet that is large enough for classes.
    pub class: Option<ServiceClass>,
    /// Now, cluster time.
    pub now: Timestamp,
}

/// What is expected of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Of which.
    pub metric: Metric,
    /// What is expected, or why that cannot be said.
    pub outlook: Outlook,
}

/// A forecast or its refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outlook {
    /// What is missing, in words: "not enough data: 11 h of 24 h".
    Refused(String),
    /// What is expected.
    Ahead(Ahead),
}

/// A forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ahead {
    /// What it rests on, in words.
    pub method: String,
    /// How far it was off at earlier origins, on average, in the metric's unit; `None` where there is too little to try it on.
    pub error: Option<f64>,
    /// At how many earlier origins it was tried.
    pub origins: u32,
    /// The step of the highest expected value.
    pub peak: Expected,
    /// The largest mean of a step of the week before.
    pub peak_before: f64,
    /// When a limit is reached, for what has one and fills.
    pub runs_out: Option<RunsOut>,
    /// The end of the last step.
    pub until: Timestamp,
    /// Every step; a page gets them as a chart instead.
    pub steps: Vec<Expected>,
}

/// What is expected at one time, in the metric's unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// Cluster time of the step's begin.
    pub at: Timestamp,
    /// The middle of what is likely.
    pub mean: f64,
    /// Lower end of the 95 % interval.
    pub lo95: f64,
    /// Upper end of the 95 % interval.
    pub hi95: f64,
}

/// When a limit is reached; each `None` where not before `looked_until`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunsOut {
    /// The limit, in the metric's unit.
    pub capacity: f64,
    /// When the upper end of the interval reaches it.
    pub earliest: Option<Timestamp>,
    /// When the expected value does.
    pub likely: Option<Timestamp>,
    /// When the lower end does.
    pub latest: Option<Timestamp>,
    /// How far was looked.
    pub looked_until: Timestamp,
}

/// A stretch of time in which a metric was not as it had been.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Anomaly {
    /// Of which.
    pub metric: Metric,
    /// Its begin.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// How sure, 0.5 (an alarm) to 1.
    pub score: f64,
    /// The value furthest from the usual one.
    pub observed: f64,
    /// The median at the same time of earlier days.
    pub usual: f64,
    /// What was done to the service shortly before, in words.
    pub after: Option<String>,
}

/// What may have begun an anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Causes {
    /// The anomaly's metric.
    pub metric: Metric,
    /// Its begin.
    pub at: Timestamp,
    /// How many services were looked at: this one and those that it reaches by calls.
    pub looked_at: u32,
    /// The most suspicious first; empty where nothing rose.
    pub suspects: Vec<Suspect>,
}

/// A service that may have begun it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// Its name in interfaces.
    pub service_name: String,
    /// How strongly the evidence speaks against it; comparable within one ranking.
    pub score: f64,
    /// The metric that speaks most against it.
    pub metric: Option<Metric>,
    /// Why, in words.
    pub reason: String,
    /// What was done to it shortly before, in words.
    pub after: Option<String>,
}

/// The services that a service is like, and how it does among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceClass {
    /// In words: "steady", "daily rhythm"…
    pub name: String,
    /// How many services are in it.
    pub members: u32,
    /// How many classes the fleet has.
    pub classes: u32,
    /// How well it fits, 0 (as near to another class) to 1 (in the middle of this one).
    pub fit: f64,
    /// One per measure that is known of it and of enough others.
    pub standing: Vec<Comparison>,
}

/// What is compared; less is better for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of what is asked for that is not used.
    Slack,
    /// Money per million requests.
    CostPerMillion,
    /// Share of time that was throttled.
    Throttled,
}

/// A measure of a service among its like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// What is compared.
    pub measure: Measure,
    /// The service's own.
    pub value: f64,
    /// The median of the others.
    pub median: f64,
    /// Percent of the others that have less.
    pub percentile: f64,
    /// How many others.
    pub peers: u32,
    /// The currency, of money.
    pub currency: Option<Currency>,
    /// Medians by cluster, of those with enough of them.
    pub by_cluster: BTreeMap<String, f64>,
    /// Medians by kind of workload.
    pub by_kind: BTreeMap<String, f64>,
}
