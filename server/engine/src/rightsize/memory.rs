//! Memory limits: the largest of all samples so far with a margin.

use super::{Day, Held, Recommender, hold};

/// Over the largest sample.
const MARGIN: f64 = 1.15;

/// Learns the memory of the services of one file.
pub(super) struct Learner {
    /// Per service; `None` before its first day.
    peaks: Vec<Option<f64>>,
}

impl Learner {
    /// `workloads`: the number of each service's workload.
    pub fn new(workloads: &[usize]) -> Self {
        Self { peaks: vec![None; workloads.len()] }
    }
}

impl Recommender for Learner {
    fn decide(&mut self, service: usize, day: i64, out: &mut Vec<Held>) {
        if let Some(peak) = self.peaks[service] {
            hold(day, peak * MARGIN, out);
        }
    }

    fn learn(&mut self, service: usize, day: &Day<'_>) {
        let peak = self.peaks[service].get_or_insert(0.0);
        *peak = peak.max(f64::from(day.peak()));
    }
}
