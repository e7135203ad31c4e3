//! CPU requests: a first rule, the largest of the recent days' 99th percentiles with a margin.

use super::{Day, Held, Recommender, hold};
use crate::stats::quantile;

/// Over the largest percentile.
const MARGIN: f64 = 1.15;

/// Learns the CPU of the services of one file.
pub(super) struct Learner {
    tails: Vec<Vec<f64>>,
}

impl Learner {
    /// `workloads`: the number of each service's workload.
    pub fn new(workloads: &[usize]) -> Self {
        Self { tails: vec![Vec::new(); workloads.len()] }
    }
}

impl Recommender for Learner {
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>) {
        if let Some(tail) = self.tails[service].iter().copied().reduce(f64::max) {
            hold(day, tail * MARGIN, out);
        }
    }

    fn learn(&mut self, service: usize, day: &Day<'_>) {
        self.tails[service].extend(quantile(&mut day.present().map(f64::from).collect::<Vec<f64>>(), 0.99));
    }
}
