//! What was measured after a change, against the same service before, at like load and like hour.

use crate::job::words;
use crate::metric::Metric;
use crate::time::Timestamp;
use crate::units::Money;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// What an observation concluded.
    Judgement, "a judgement" {
        /// Guards held, and something got better.
        Better = "better", "Better";
        /// Guards held, nothing moved.
        Same = "same", "Unchanged";
        /// A guard broke.
        Worse = "worse", "Worse";
        /// Too little to tell; never counted as a saving.
        Inconclusive = "inconclusive", "Inconclusive";
    }
}

/// One metric before and after, adjusted for load and hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricEffect {
    /// The metric.
    pub metric: Metric,
    /// Typical value before at like load and hour, in the metric's unit.
    pub before: f64,
    /// Typical value after.
    pub after: f64,
    /// Change in percent, positive is more.
    pub change_percent: f64,
    /// Lower end of its 95 % interval.
    pub lo95: f64,
    /// Upper end of its 95 % interval.
    pub hi95: f64,
    /// Whether a rise is bad (latency, errors, throttling) and this metric can roll a change back.
    pub guard: bool,
    /// What it says.
    pub judgement: Judgement,
}

/// What was measured after a change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The conclusion.
    pub judgement: Judgement,
    /// One sentence.
    pub summary: String,
    /// Per metric.
    pub metrics: Vec<MetricEffect>,
    /// Cluster time.
    pub from: Timestamp,
    /// Cluster time.
    pub to: Timestamp,
    /// Samples after the change.
    pub samples: u32,
    /// Saving a month as measured from the state that is really in force; `None` when inconclusive or without a price.
    pub achieved_month: Option<Money>,
}
