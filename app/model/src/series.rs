//! Samples on a regular grid with explicit gaps.

use crate::metric::{Aggregation, Metric};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A regular series. Sample `i` covers `[start + i·step, start + (i+1)·step)`; `NaN` is a gap.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Series {
    /// Seconds since the epoch of the first interval's begin.
    pub start: i64,
    /// Seconds per interval, at least 1.
    pub step: u32,
    /// One value per interval, in the metric's unit.
    pub values: Vec<f32>,
}

impl Series {
    /// The end of the last interval, seconds since the epoch.
    #[must_use]
    pub fn end(&self) -> i64 {
        self.start + self.values.len() as i64 * i64::from(self.step)
    }
    /// The values that are not gaps.
    pub fn present(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().filter(|v| !v.is_nan()).map(|v| f64::from(*v))
    }
    /// How many values are not gaps.
    #[must_use]
    pub fn count(&self) -> usize {
        self.values.iter().filter(|v| !v.is_nan()).count()
    }
    /// Pairs of (seconds since the epoch, value), gaps left out.
    pub fn points(&self) -> impl Iterator<Item = (i64, f64)> + '_ {
        self.values
            .iter()
            .enumerate()
            .filter(|(_, v)| !v.is_nan())
            .map(|(i, v)| (self.start + i as i64 * i64::from(self.step), f64::from(*v)))
    }
    /// The newest value that is not a gap, with its interval's begin.
    #[must_use]
    pub fn last(&self) -> Option<(Timestamp, f64)> {
        let i = self.values.iter().rposition(|v| !v.is_nan())?;
        Some((Timestamp::from_secs(self.start + i as i64 * i64::from(self.step)), f64::from(self.values[i])))
    }
    /// The part in `[from, to)` seconds, cut to the grid.
    #[must_use]
    pub fn slice(&self, from: i64, to: i64) -> Self {
        let step = i64::from(self.step.max(1));
        let index = |t: i64| ((t - self.start).max(0).div_euclid(step) as usize).min(self.values.len());
        let (a, b) = (index(from + step - 1), index(to + step - 1));
        Self { start: self.start + a as i64 * step, step: self.step, values: self.values[a..b.max(a)].to_vec() }
    }
    /// Merges every `n` intervals into one by the given rule; an interval with no value stays a gap.
    #[must_use]
    pub fn coarsen(&self, n: usize, rule: Aggregation) -> Self {
        let n = n.max(1);
        let values = self.values.chunks(n).map(|c| merged(c, rule)).collect();
        Self { start: self.start, step: self.step * n as u32, values }
    }
}

/// One value for several intervals, gaps left out; `NaN` where there is nothing else.
#[must_use]
pub fn merged(values: &[f32], rule: Aggregation) -> f32 {
    let mut present = values.iter().copied().filter(|v| !v.is_nan()).peekable();
    if present.peek().is_none() {
        return f32::NAN;
    }
    match rule {
        Aggregation::Sum => present.sum(),
        Aggregation::Max => present.fold(f32::NEG_INFINITY, f32::max),
        Aggregation::Last => present.last().unwrap_or(f32::NAN),
        Aggregation::Mean => {
            let (sum, count) = present.fold((0.0, 0.0), |(s, c), v| (s + v, c + 1.0));
            sum / count
        }
    }
}

/// Everything known of one service over a window: one series per metric, all on one grid.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ServiceHistory {
    /// By metric.
    pub metrics: BTreeMap<Metric, Series>,
}

impl ServiceHistory {
    /// The series of a metric, if it has any value.
    #[must_use]
    pub fn get(&self, metric: Metric) -> Option<&Series> {
        self.metrics.get(&metric).filter(|s| s.values.iter().any(|v| !v.is_nan()))
    }
    /// The window `[from, to)` of every series, seconds since the epoch.
    #[must_use]
    pub fn slice(&self, from: i64, to: i64) -> Self {
        Self { metrics: self.metrics.iter().map(|(m, s)| (*m, s.slice(from, to))).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> Series {
        Series { start: 1000, step: 10, values: vec![1.0, f32::NAN, 3.0, 4.0, f32::NAN] }
    }

    #[test]
    fn knows_its_gaps_and_its_end() {
        let s = series();
        assert_eq!(s.end(), 1050);
        assert_eq!(s.count(), 3);
        assert_eq!(s.last(), Some((Timestamp::from_secs(1030), 4.0)));
        assert_eq!(s.points().collect::<Vec<_>>(), [(1000, 1.0), (1020, 3.0), (1030, 4.0)]);
    }

    #[test]
    fn slices_on_the_grid() {
        let s = series().slice(1015, 1040);
        assert_eq!((s.start, s.values), (1020, vec![3.0, 4.0]));
        assert!(series().slice(2000, 3000).values.is_empty());
        assert_eq!(series().slice(0, 5000).values.len(), 5);
    }

    #[test]
    fn coarsens_by_the_rule() {
        assert_eq!(series().coarsen(2, Aggregation::Sum).values[..2], [1.0, 7.0]);
        assert_eq!(series().coarsen(2, Aggregation::Mean).values[1], 3.5);
        assert!(series().coarsen(2, Aggregation::Max).values[2].is_nan());
    }
}
